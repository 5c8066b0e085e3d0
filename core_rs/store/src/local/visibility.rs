//! The search attributes and the memo of runs: one row a run, and an index of the attributes.

use bytes::Bytes;
use perdure_history::{SearchValue, Visibility, VisibilityChange};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::local::checksum::Checksum;
use crate::local::error::Failure;

/// Texts, also those in lists.
pub(crate) const TEXT: i64 = 1;
/// Numbers.
pub(crate) const NUMBER: i64 = 2;
/// Truth values, as 0 and 1.
pub(crate) const BOOL: i64 = 3;
/// Instants, in microseconds.
pub(crate) const INSTANT: i64 = 4;

/// Reads `body, checksum`, which begin at column `first`; nothing where there is no row.
pub(crate) fn read(row: &Row<'_>, first: usize, run_key: i64) -> Result<Visibility, Failure> {
    let Some(body) = row.get::<_, Option<Vec<u8>>>(first)? else {
        return Ok(Visibility::default());
    };
    if checksum(run_key, &body) == row.get::<_, i64>(first + 1)?
        && let Ok(visibility) = Visibility::decode(&Bytes::from(body))
    {
        return Ok(visibility);
    }
    Err(Failure::Damaged(format!(
        "the attributes of run number {run_key} are not whole"
    )))
}

/// Makes a change to what a run has.
pub(crate) fn change(
    connection: &Connection,
    run_key: i64,
    change: &VisibilityChange,
) -> Result<(), Failure> {
    if change.is_empty() {
        return Ok(());
    }
    let old = load(connection, run_key)?;
    let mut new = old.clone();
    new.apply(change);
    remove_rows(connection, run_key, &old)?;
    insert_rows(connection, run_key, &new)?;
    if new.is_empty() {
        return delete_row(connection, run_key);
    }
    let body = new.encode();
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO visibility (run_key, body, checksum) VALUES (?1, ?2, ?3)",
        )?
        .execute(params![run_key, &body[..], checksum(run_key, &body)])?;
    Ok(())
}

/// Deletes all that a run has.
pub(crate) fn delete(connection: &Connection, run_key: i64) -> Result<(), Failure> {
    match load(connection, run_key) {
        Ok(old) => remove_rows(connection, run_key, &old)?,
        // Which rows it had is not known: they are searched for.
        Err(Failure::Damaged(_)) => {
            connection
                .prepare_cached("DELETE FROM attributes WHERE run_key = ?1")?
                .execute(params![run_key])?;
        }
        Err(failure) => return Err(failure),
    }
    delete_row(connection, run_key)
}

fn load(connection: &Connection, run_key: i64) -> Result<Visibility, Failure> {
    connection
        .prepare_cached("SELECT body, checksum FROM visibility WHERE run_key = ?1")?
        .query_row(params![run_key], |row| Ok(read(row, 0, run_key)))
        .optional()?
        .unwrap_or_else(|| Ok(Visibility::default()))
}

fn delete_row(connection: &Connection, run_key: i64) -> Result<(), Failure> {
    connection
        .prepare_cached("DELETE FROM visibility WHERE run_key = ?1")?
        .execute(params![run_key])?;
    Ok(())
}

fn remove_rows(connection: &Connection, run_key: i64, old: &Visibility) -> Result<(), Failure> {
    let mut statement = connection.prepare_cached(
        "DELETE FROM attributes WHERE name = ?1 AND class = ?2 AND value = ?3 AND run_key = ?4",
    )?;
    for (name, class, value) in rows(old) {
        statement.execute(params![name, class, value, run_key])?;
    }
    Ok(())
}

fn insert_rows(connection: &Connection, run_key: i64, new: &Visibility) -> Result<(), Failure> {
    // An element may be in a list twice.
    let mut statement = connection.prepare_cached(
        "INSERT OR IGNORE INTO attributes (name, class, value, run_key) VALUES (?1, ?2, ?3, ?4)",
    )?;
    for (name, class, value) in rows(new) {
        statement.execute(params![name, class, value, run_key])?;
    }
    Ok(())
}

/// The rows of the index; a number that is none has no row.
fn rows(visibility: &Visibility) -> Vec<(&str, i64, Value)> {
    let mut rows = Vec::new();
    for (name, value) in &visibility.search_attributes {
        match value {
            SearchValue::Keyword(text) => rows.push((name.as_str(), TEXT, text.clone().into())),
            SearchValue::KeywordList(texts) => rows.extend(
                texts
                    .iter()
                    .map(|text| (name.as_str(), TEXT, text.clone().into())),
            ),
            SearchValue::Int(number) => rows.push((name, NUMBER, (*number).into())),
            SearchValue::Double(number) if !number.is_nan() => {
                rows.push((name, NUMBER, (*number).into()));
            }
            SearchValue::Bool(truth) => rows.push((name, BOOL, i64::from(*truth).into())),
            SearchValue::Datetime(instant) => {
                rows.push((name, INSTANT, instant.as_micros().into()));
            }
            _ => {}
        }
    }
    rows
}

fn checksum(run_key: i64, body: &[u8]) -> i64 {
    Checksum::new().number(run_key).bytes(body).finish()
}
