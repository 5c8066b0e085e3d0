//! Deleting closed runs when nobody needs them any more.

use std::collections::BTreeSet;

use perdure_history::{RunId, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};

use crate::local::error::Failure;
use crate::local::{chunks, head, message, rates, visibility};

/// Deletes runs closed before `closed_before`, oldest first, and gives their ids.
pub(crate) fn retain(
    connection: &Connection,
    closed_before: Timestamp,
    limit: usize,
) -> Result<Vec<RunId>, Failure> {
    let mut gone = Vec::new();
    for run in old_runs(connection, closed_before, limit)? {
        if delete(connection, run)? {
            gone.push(run);
        }
    }
    rates::delete_old(connection, closed_before)?;
    Ok(gone)
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

/// Deletes a run; `false` when its row does not say what belongs to it.
fn delete(connection: &Connection, run: RunId) -> Result<bool, Failure> {
    let head = match head::load(connection, run) {
        Ok(Some(head)) => head,
        // A damaged row must not keep all younger runs for ever: it is left behind.
        Ok(None) | Err(Failure::Damaged(_)) => return Ok(false),
        Err(failure) => return Err(failure),
    };
    let mut at = head.place.last_batch;
    let mut chunks = BTreeSet::new();
    while at != 0 {
        let before: Option<i64> = connection
            .prepare_cached(
                "SELECT batch_before, body FROM batches WHERE batch = ?1 AND run_key = ?2",
            )?
            .query_row(params![at, head.place.run_key], |row| {
                let body = row.get_ref(1)?.as_blob().unwrap_or_default();
                chunks.extend(chunks::refers_to(body));
                row.get(0)
            })
            .optional()?;
        connection
            .prepare_cached("DELETE FROM batches WHERE batch = ?1 AND run_key = ?2")?
            .execute(params![at, head.place.run_key])?;
        // A damaged chain must not keep a run for ever: what cannot be followed is left behind.
        at = before.filter(|before| *before < at).unwrap_or(0);
    }
    for chunk in chunks {
        chunks::release(connection, chunk, head.place.run_key)?;
    }
    connection
        .prepare_cached("DELETE FROM consumed WHERE run_key = ?1")?
        .execute(params![head.place.run_key])?;
    connection
        .prepare_cached("DELETE FROM inbox WHERE run = ?1")?
        .execute(params![run.0])?;
    visibility::delete(connection, head.place.run_key)?;
    connection
        .prepare_cached("DELETE FROM runs WHERE run_key = ?1")?
        .execute(params![head.place.run_key])?;
    Ok(true)
}
