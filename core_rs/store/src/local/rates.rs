//! What was granted of rate limits: a row a key and slice of time, and one for a closed key.

use std::sync::Arc;

use perdure_history::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use crate::append::RateMark;
use crate::local::checksum::Checksum;
use crate::local::error::Failure;

/// Writes marks; of two of the same row the larger numbers stand.
pub(crate) fn write(connection: &Connection, marks: &[RateMark]) -> Result<(), Failure> {
    for mark in marks {
        match mark.until {
            Some(until) => put(connection, mark, until)?,
            None => {
                connection
                    .prepare_cached("DELETE FROM rates WHERE key = ?1 AND slice = ?2")?
                    .execute(params![&*mark.key, mark.slice.as_micros()])?;
            }
        }
    }
    Ok(())
}

fn put(connection: &Connection, mark: &RateMark, until: Timestamp) -> Result<(), Failure> {
    let slice = mark.slice.as_micros();
    let found: Option<(i64, i64)> = connection
        .prepare_cached("SELECT units, until FROM rates WHERE key = ?1 AND slice = ?2")?
        .query_row(params![&*mark.key, slice], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    let (units, until) = (mark.units.cast_signed(), until.as_micros());
    let (units, until) = found.map_or((units, until), |(old_units, old_until)| {
        (units.max(old_units), until.max(old_until))
    });
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO rates (key, slice, units, until, checksum)
             VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            &*mark.key,
            slice,
            units,
            until,
            checksum(&mark.key, slice, units, until)
        ])?;
    Ok(())
}

/// All marks, by key and slice.
pub(crate) fn all(connection: &Connection) -> Result<Vec<RateMark>, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT key, slice, units, until, checksum FROM rates ORDER BY key, slice",
    )?;
    let mut rows = statement.query([])?;
    let mut marks = Vec::new();
    while let Some(row) = rows.next()? {
        let (key, slice): (String, i64) = (row.get(0)?, row.get(1)?);
        let (units, until): (i64, i64) = (row.get(2)?, row.get(3)?);
        if checksum(&key, slice, units, until) != row.get::<_, i64>(4)? {
            return Err(Failure::Damaged(format!(
                "what was granted of the rate limit {key:?} is not whole"
            )));
        }
        marks.push(RateMark {
            key: Arc::from(key),
            slice: Timestamp::from_micros(slice),
            units: units.cast_unsigned(),
            until: Some(Timestamp::from_micros(until)),
        });
    }
    Ok(marks)
}

/// Deletes what counts no more since before an instant.
pub(crate) fn delete_old(connection: &Connection, before: Timestamp) -> Result<(), Failure> {
    connection
        .prepare_cached("DELETE FROM rates WHERE until < ?1")?
        .execute(params![before.as_micros()])?;
    Ok(())
}

fn checksum(key: &str, slice: i64, units: i64, until: i64) -> i64 {
    Checksum::new()
        .bytes(key.as_bytes())
        .number(slice)
        .number(units)
        .number(until)
        .finish()
}
