//! Values in queries: numbers, and instants as ISO 8601 writes them.

use perdure_history::Timestamp;

use super::{Builtin, Literal};
use crate::append::RunStatus;

const MICROS_PER_SECOND: i64 = 1_000_000;
const SECONDS_PER_DAY: i64 = 86_400;

/// The names of statuses, in the language and in order of their names.
const STATUSES: [(&str, RunStatus); 9] = [
    ("Cancelled", RunStatus::Cancelled),
    ("Completed", RunStatus::Completed),
    ("ContinuedAsNew", RunStatus::ContinuedAsNew),
    ("Failed", RunStatus::Failed),
    ("Parked", RunStatus::Parked),
    ("Paused", RunStatus::Paused),
    ("Running", RunStatus::Running),
    ("Terminated", RunStatus::Terminated),
    ("TimedOut", RunStatus::TimedOut),
];

/// The name of a status.
pub(crate) fn status_name(status: RunStatus) -> &'static str {
    STATUSES
        .iter()
        .find(|(_, each)| *each == status)
        .map_or("", |(name, _)| name)
}

/// The status of a name in any case, also written `timed_out`.
pub(crate) fn status_of(name: &str) -> Option<RunStatus> {
    let name = name.replace('_', "");
    STATUSES
        .iter()
        .find(|(each, _)| each.eq_ignore_ascii_case(&name))
        .map(|(_, status)| *status)
}

/// A number as written.
pub(super) fn number(text: &str) -> Option<Literal> {
    if let Ok(whole) = text.parse() {
        return Some(Literal::Int(whole));
    }
    let number: f64 = text.parse().ok()?;
    number.is_finite().then_some(Literal::Double(number))
}

/// A literal as the field takes it; else what the field takes.
pub(super) fn fit(field: Builtin, literal: Literal) -> Result<Literal, String> {
    match (field, literal) {
        (Builtin::StartTime | Builtin::CloseTime, Literal::Text { text, instant }) => {
            if instant.is_some() {
                return Ok(Literal::Text { text, instant });
            }
            Err("a time such as \"2026-01-31T10:00:00Z\" was expected".to_owned())
        }
        (Builtin::StartTime | Builtin::CloseTime, _) => {
            Err("a time such as \"2026-01-31T10:00:00Z\" was expected".to_owned())
        }
        (Builtin::HistoryLength, number @ (Literal::Int(_) | Literal::Double(_))) => Ok(number),
        (Builtin::HistoryLength, _) => Err("a number was expected".to_owned()),
        (Builtin::Status, Literal::Text { text, .. }) if status_of(&text).is_some() => {
            let name = status_of(&text).map(status_name).unwrap_or_default();
            Ok(plain(name.to_owned()))
        }
        (Builtin::Status, _) => {
            let names: Vec<&str> = STATUSES.iter().map(|(name, _)| *name).collect();
            Err(format!(
                "a status was expected: one of {}",
                names.join(", ")
            ))
        }
        (Builtin::RunId, Literal::Text { text, .. }) => Ok(plain(
            text.to_ascii_lowercase()
                .chars()
                .filter(|each| *each != '-')
                .collect(),
        )),
        (_, Literal::Text { text, .. }) => Ok(plain(text)),
        _ => Err("a text in quotes was expected".to_owned()),
    }
}

fn plain(text: String) -> Literal {
    Literal::Text {
        text,
        instant: None,
    }
}

/// The instant that a text names: `2026-01-31`, or with a time, or with an offset as well; in UTC
/// without one.
pub(super) fn instant(text: &str) -> Option<Timestamp> {
    let (date, time) = match text.split_once(['T', 't', ' ']) {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let mut parts = date.splitn(3, '-');
    let year = digits(parts.next()?, 4)?;
    let month = digits(parts.next()?, 2)?;
    let day = digits(parts.next()?, 2)?;
    if !(1..=12).contains(&month) || day < 1 || day > days_of(year, month) {
        return None;
    }
    let (of_day, offset) = match time {
        Some(time) => time_of_day(time)?,
        None => (0, 0),
    };
    let days = days_from_epoch(year, month, day);
    let seconds = days * SECONDS_PER_DAY - offset;
    Some(Timestamp::from_micros(seconds * MICROS_PER_SECOND + of_day))
}

/// Microseconds since midnight, and the offset in seconds.
fn time_of_day(time: &str) -> Option<(i64, i64)> {
    let at = time.find(['Z', 'z', '+', '-']).unwrap_or(time.len());
    let (clock, zone) = time.split_at_checked(at)?;
    let offset = match zone {
        "" | "Z" | "z" => 0,
        _ => {
            let (sign, span) = zone.split_at_checked(1)?;
            let (hours, minutes) = span.split_once(':').unwrap_or((span, "00"));
            let seconds = below(hours, 24)? * 3_600 + below(minutes, 60)? * 60;
            if sign == "-" { -seconds } else { seconds }
        }
    };
    let mut parts = clock.splitn(3, ':');
    let hours = below(parts.next()?, 24)?;
    let minutes = below(parts.next()?, 60)?;
    let (seconds, fraction) = match parts.next() {
        Some(rest) => rest.split_once('.').unwrap_or((rest, "0")),
        None => ("00", "0"),
    };
    let seconds = below(seconds, 60)?;
    if fraction.is_empty()
        || fraction.len() > 9
        || !fraction.bytes().all(|each| each.is_ascii_digit())
    {
        return None;
    }
    let micros: i64 = format!("{fraction:0<6}").get(..6)?.parse().ok()?;
    let of_day = (hours * 3_600 + minutes * 60 + seconds) * MICROS_PER_SECOND + micros;
    Some((of_day, offset))
}

fn below(text: &str, limit: i64) -> Option<i64> {
    digits(text, 2).filter(|number| *number < limit)
}

fn digits(text: &str, length: usize) -> Option<i64> {
    let whole = text.len() == length && text.bytes().all(|each| each.is_ascii_digit());
    whole.then(|| text.parse().ok()).flatten()
}

fn days_of(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01: years are counted from March, so that the leap day ends one.
fn days_from_epoch(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month = (month + 9) % 12;
    let of_year = (153 * month + 2) / 5 + day - 1;
    year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + of_year
        - 719_468
}
