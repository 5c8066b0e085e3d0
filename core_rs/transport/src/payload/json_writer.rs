//! The storage form to the JSON profile.

use std::fmt::Write;

use super::path::{Reason, Refusal};
use super::reader::{Head, Reader, deeper, timestamp};
use super::{extension, reader};
use crate::payload::path;

/// The largest integer that every JSON reader keeps exactly.
pub(super) const MAXIMUM_SAFE_INTEGER: u64 = (1 << 53) - 1;

/// The JSON text of exactly one encoded value.
pub(crate) fn to_json(data: &[u8], limit: usize) -> Result<String, Refusal> {
    let mut out = String::with_capacity(data.len() * 2);
    let mut reader = Reader::new(data);
    value(&mut out, &mut reader, 0, limit)?;
    if reader.is_at_end() {
        Ok(out)
    } else {
        Err(Refusal::new(Reason::Malformed))
    }
}

fn value(
    out: &mut String,
    reader: &mut Reader<'_>,
    depth: usize,
    limit: usize,
) -> Result<(), Refusal> {
    match reader.head()? {
        Head::Nothing => out.push_str("null"),
        Head::Bool(true) => out.push_str("true"),
        Head::Bool(false) => out.push_str("false"),
        Head::Signed(number) if number.unsigned_abs() > MAXIMUM_SAFE_INTEGER => {
            tagged(out, "$int", &number.to_string());
        }
        Head::Unsigned(number) if number > MAXIMUM_SAFE_INTEGER => {
            tagged(out, "$int", &number.to_string());
        }
        Head::Signed(number) => push(out, number),
        Head::Unsigned(number) => push(out, number),
        Head::Float(number) => float(out, number),
        Head::Text(string) => text(out, string),
        Head::Bytes(data) => tagged(out, "$bytes", &base64(data)),
        Head::Extended(kind, data) => extended(out, kind, data)?,
        Head::List(count) => {
            deeper(depth, limit)?;
            out.push('[');
            for index in 0..count {
                if index > 0 {
                    out.push(',');
                }
                value(out, reader, depth + 1, limit).map_err(|refusal| refusal.at_item(index))?;
            }
            out.push(']');
        }
        Head::Map(count) => {
            deeper(depth, limit)?;
            map(out, reader, count, depth + 1, limit)?;
        }
    }
    Ok(())
}

fn map(
    out: &mut String,
    reader: &mut Reader<'_>,
    count: usize,
    depth: usize,
    limit: usize,
) -> Result<(), path::Refusal> {
    let mut seen = reader::Keys::default();
    out.push('{');
    for index in 0..count {
        if index > 0 {
            out.push(',');
        }
        let key = reader.key()?;
        seen.add(key)?;
        if key.starts_with('$') {
            text(out, &format!("${key}"));
        } else {
            text(out, key);
        }
        out.push(':');
        value(out, reader, depth, limit).map_err(|refusal| refusal.at_key(key))?;
    }
    out.push('}');
    Ok(())
}

fn push(out: &mut String, number: impl std::fmt::Display) {
    // Writing to a string cannot fail.
    let _ = write!(out, "{number}");
}

fn tagged(out: &mut String, tag: &str, content: &str) {
    let _ = write!(out, "{{\"{tag}\":\"{content}\"}}");
}

/// Shortest digits that read back exactly, always with a point or an exponent.
fn float(out: &mut String, number: f64) {
    if number.is_nan() {
        tagged(out, "$float", "NaN");
    } else if number.is_infinite() {
        tagged(
            out,
            "$float",
            if number > 0.0 {
                "Infinity"
            } else {
                "-Infinity"
            },
        );
    } else if number == 0.0 && number.is_sign_negative() {
        tagged(out, "$float", "-0");
    } else {
        let _ = write!(out, "{number:?}");
    }
}

/// A JSON string, with no more escapes than needed.
pub(super) fn text(out: &mut String, text: &str) {
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            control if control < ' ' => {
                let _ = write!(out, "\\u{:04x}", u32::from(control));
            }
            other => out.push(other),
        }
    }
    out.push('"');
}

fn extended(out: &mut String, kind: i8, data: &[u8]) -> Result<(), Refusal> {
    let invalid = || Refusal::new(Reason::InvalidScalar);
    match kind {
        extension::TIMESTAMP => {
            let (seconds, nanoseconds) = timestamp(data)?;
            tagged(out, "$timestamp", &rfc3339(seconds, nanoseconds));
        }
        extension::DURATION => {
            let digits: [u8; 8] = data.try_into().map_err(|_| invalid())?;
            tagged(out, "$duration", &i64::from_be_bytes(digits).to_string());
        }
        extension::DECIMAL => {
            let decimal = std::str::from_utf8(data).map_err(|_| invalid())?;
            if !reader::is_decimal(decimal) {
                return Err(invalid());
            }
            tagged(out, "$decimal", decimal);
        }
        extension::UUID => {
            let digits: [u8; 16] = data.try_into().map_err(|_| invalid())?;
            tagged(
                out,
                "$uuid",
                &uuid::Uuid::from_bytes(digits).hyphenated().to_string(),
            );
        }
        _ => return Err(Refusal::new(Reason::UnknownExtension)),
    }
    Ok(())
}

/// The instant as RFC 3339 in UTC, by the civil-from-days algorithm of the proleptic Gregorian
/// calendar (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
fn rfc3339(seconds: i64, nanoseconds: u32) -> String {
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    let (hour, minute) = (second / 3_600, second % 3_600 / 60);
    let mut text = format!(
        "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{:02}",
        second % 60
    );
    if nanoseconds > 0 {
        let digits = format!("{nanoseconds:09}");
        text.push('.');
        text.push_str(digits.trim_end_matches('0'));
    }
    text.push('Z');
    text
}

/// Base64 in the standard alphabet, padded (RFC 4648, section 4).
pub(crate) fn base64(data: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(data)
}
