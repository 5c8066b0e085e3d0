//! The small values that several bodies share.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use super::reader::Reader;
use super::writer::Writer;
use crate::batch::BatchError;
use crate::payload::Payload;

const NANOS_PER_SECOND: u128 = 1_000_000_000;

/// A span: nanoseconds in one integer, or `[seconds, nanoseconds]` from 584 years on.
pub(crate) fn write_duration(writer: &mut Writer, span: Duration) {
    if let Ok(nanos) = u64::try_from(span.as_nanos()) {
        writer.unsigned(nanos);
    } else {
        writer.array(2);
        writer.unsigned(span.as_secs());
        writer.unsigned(u64::from(span.subsec_nanos()));
    }
}

pub(crate) fn read_duration(reader: &mut Reader<'_>) -> Result<Duration, BatchError> {
    if !reader.next_is_array() {
        return reader.unsigned().map(Duration::from_nanos);
    }
    reader.fields(|fields| {
        let seconds = fields.required(Reader::unsigned)?;
        let nanos = fields.required(|reader| {
            let nanos = reader.unsigned32()?;
            if u128::from(nanos) < NANOS_PER_SECOND {
                Ok(nanos)
            } else {
                reader.malformed("less than a second of nanoseconds")
            }
        })?;
        Ok(Duration::new(seconds, nanos))
    })
}

pub(crate) fn write_option<T>(
    writer: &mut Writer,
    value: Option<&T>,
    write: impl FnOnce(&mut Writer, &T),
) {
    match value {
        Some(value) => write(writer, value),
        None => writer.nil(),
    }
}

pub(crate) fn read_option<'a, T>(
    reader: &mut Reader<'a>,
    read: impl FnOnce(&mut Reader<'a>) -> Result<T, BatchError>,
) -> Result<Option<T>, BatchError> {
    if reader.nil() {
        Ok(None)
    } else {
        read(reader).map(Some)
    }
}

pub(crate) fn write_optional_duration(writer: &mut Writer, span: Option<Duration>) {
    write_option(writer, span.as_ref(), |writer, span| {
        write_duration(writer, *span)
    });
}

pub(crate) fn read_optional_duration(
    reader: &mut Reader<'_>,
) -> Result<Option<Duration>, BatchError> {
    read_option(reader, read_duration)
}

pub(crate) fn write_payload(writer: &mut Writer, payload: &Payload) {
    writer.binary(&payload.0);
}

pub(crate) fn read_payload(reader: &mut Reader<'_>) -> Result<Payload, BatchError> {
    reader.binary().map(Payload)
}

pub(crate) fn write_optional_payload(writer: &mut Writer, payload: Option<&Payload>) {
    write_option(writer, payload, write_payload);
}

pub(crate) fn read_optional_payload(
    reader: &mut Reader<'_>,
) -> Result<Option<Payload>, BatchError> {
    read_option(reader, read_payload)
}

pub(crate) fn read_string(reader: &mut Reader<'_>) -> Result<String, BatchError> {
    reader.text().map(ToString::to_string)
}

/// Pairs, flat: `[key, value, key, value…]`.
pub(crate) fn write_pairs<V>(
    writer: &mut Writer,
    pairs: &[(String, V)],
    write: impl Fn(&mut Writer, &V),
) {
    writer.array(2 * pairs.len());
    for (key, value) in pairs {
        writer.text(key);
        write(writer, value);
    }
}

pub(crate) fn read_pairs<'a, V>(
    reader: &mut Reader<'a>,
    read: impl Fn(&mut Reader<'a>) -> Result<V, BatchError>,
) -> Result<Vec<(String, V)>, BatchError> {
    let length = reader.array()?;
    if length % 2 != 0 {
        return reader.malformed("pairs");
    }
    // Grown as read: a lying length costs nothing beyond what is there.
    let mut pairs = Vec::new();
    for _ in 0..length / 2 {
        pairs.push((read_string(reader)?, read(reader)?));
    }
    Ok(pairs)
}
