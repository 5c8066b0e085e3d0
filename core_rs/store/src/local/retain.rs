//! Deleting closed runs when nobody needs them any more.

use std::collections::BTreeSet;

use perdure_history::{RunId, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};

use crate::local::error::Failure;
use crate::local::{chunks, head, message, rates, visibility};

/// A run that is to go, with what can be deleted of it.
pub(crate) struct Old {
    run: RunId,
    run_key: i64,
    batches: Vec<i64>,
    chunks: BTreeSet<i64>,
}

/// Runs closed before `closed_before`, oldest first, with what belongs to them. Read before the
/// transaction that deletes them: SQLite takes all of one back that comes upon a damaged page.
pub(crate) fn find(
    connection: &Connection,
    closed_before: Timestamp,
    limit: usize,
) -> Result<Vec<Old>, Failure> {
    let mut found = Vec::new();
    for run in old_runs(connection, closed_before, limit)? {
        found.extend(find_one(connection, run)?);
    }
    Ok(found)
}

fn old_runs(
    connection: &Connection,
    closed_before: Timestamp,
    limit: usize,
) -> Result<Vec<RunId>, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT run FROM runs WHERE closed_at IS NOT NULL AND closed_at < ?1
         ORDER BY closed_at, run LIMIT ?2",
    )?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![closed_before.as_micros(), limit])?;
    let mut old = Vec::new();
    while let Some(row) = rows.next()? {
        old.push(message::to_run(&row.get::<_, Vec<u8>>(0)?)?);
    }
    Ok(old)
}

/// `None` when the run's row does not say what belongs to it.
fn find_one(connection: &Connection, run: RunId) -> Result<Option<Old>, Failure> {
    let head = match head::load(connection, run) {
        Ok(Some(head)) => head,
        // A damaged row must not keep all younger runs for ever: it is left behind.
        Ok(None) | Err(Failure::Damaged(_)) => return Ok(None),
        Err(failure) => return Err(failure),
    };
    let run_key = head.place.run_key;
    let mut old = Old {
        run,
        run_key,
        batches: Vec::new(),
        chunks: BTreeSet::new(),
    };
    let mut statement = connection.prepare_cached(
        "SELECT batch_before, body FROM batches WHERE batch = ?1 AND run_key = ?2",
    )?;
    let mut at = head.place.last_batch;
    while at != 0 {
        let read = statement
            .query_row(params![at, run_key], |row| {
                let body = row.get_ref(1)?.as_blob().unwrap_or_default();
                old.chunks.extend(chunks::refers_to(body));
                row.get::<_, i64>(0)
            })
            .optional()
            .map_err(|error| Failure::Sql(error).of_row("a batch"));
        let before = match read {
            Ok(before) => before,
            Err(Failure::Damaged(_)) => None,
            Err(failure) => return Err(failure),
        };
        // A damaged chain must not keep a run for ever: what cannot be followed is left behind.
        let Some(before) = before else { break };
        old.batches.push(at);
        at = if before < at { before } else { 0 };
    }
    old.chunks = chunks::whole(connection, old.chunks)?;
    Ok(Some(old))
}

/// Deletes runs, and what else was of use to no run after `closed_before`.
pub(crate) fn delete(
    connection: &Connection,
    old: &[Old],
    closed_before: Timestamp,
) -> Result<(), Failure> {
    for run in old {
        delete_one(connection, run)?;
    }
    rates::delete_old(connection, closed_before)
}

fn delete_one(connection: &Connection, old: &Old) -> Result<(), Failure> {
    for batch in &old.batches {
        connection
            .prepare_cached("DELETE FROM batches WHERE batch = ?1 AND run_key = ?2")?
            .execute(params![batch, old.run_key])?;
    }
    for chunk in &old.chunks {
        chunks::release(connection, *chunk, old.run_key)?;
    }
    connection
        .prepare_cached("DELETE FROM consumed WHERE run_key = ?1")?
        .execute(params![old.run_key])?;
    connection
        .prepare_cached("DELETE FROM inbox WHERE run = ?1")?
        .execute(params![old.run.0])?;
    visibility::delete(connection, old.run_key)?;
    connection
        .prepare_cached("DELETE FROM runs WHERE run_key = ?1")?
        .execute(params![old.run_key])?;
    Ok(())
}
