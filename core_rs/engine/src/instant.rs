//! Instants as people read them.

use perdure_history::Timestamp;

const SECONDS_A_DAY: i64 = 86_400;

/// In UTC, such as `2026-11-25T15:04:05.250Z`.
pub(crate) fn text(at: Timestamp) -> String {
    let (seconds, millis) = (
        at.as_millis().div_euclid(1_000),
        at.as_millis().rem_euclid(1_000),
    );
    let (year, month, day) = civil(seconds.div_euclid(SECONDS_A_DAY));
    let second = seconds.rem_euclid(SECONDS_A_DAY);
    let (hour, minute) = (second / 3_600, second / 60 % 60);
    let second = second % 60;
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

/// The date so many days after 1970-01-01, counted in eras of 400 years that begin in March.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_told_in_utc() {
        let told = |micros| text(Timestamp::from_micros(micros));
        assert_eq!(told(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(told(1_709_210_096_789_012), "2024-02-29T12:34:56.789Z");
        assert_eq!(told(-1), "1969-12-31T23:59:59.999Z");
        assert_eq!(told(1_767_225_599_999_999), "2025-12-31T23:59:59.999Z");
    }
}
