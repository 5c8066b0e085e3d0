//! What a restart reads: the open runs and what they have outstanding, and no history.

use std::collections::HashMap;

use bytes::Bytes;
use perdure_history::Timestamp;
use rusqlite::{Connection, Row};

use crate::append::Outstanding;
use crate::local::error::Failure;
use crate::local::{append, code, query};
use crate::query::RunSummary;

/// Every open run with what it has outstanding, by run id.
pub(crate) fn open_runs(
    connection: &Connection,
) -> Result<Vec<(RunSummary, Vec<Outstanding>)>, Failure> {
    let mut spilled = spilled(connection)?;
    let mut runs = Vec::new();
    for (summary, head) in query::open_runs(connection)? {
        let run_key = head.place.run_key;
        let mut outstanding = head.outstanding.into_entries();
        outstanding.extend(spilled.remove(&run_key).unwrap_or_default());
        outstanding.sort_unstable_by_key(|entry| entry.command_n);
        runs.push((summary, outstanding));
    }
    if let Some(run_key) = spilled.keys().next() {
        return Err(Failure::Damaged(format!(
            "run number {run_key} has no head"
        )));
    }
    runs.sort_unstable_by_key(|(summary, _)| summary.run);
    Ok(runs)
}

/// What did not fit into the runs' own rows, by run number.
fn spilled(connection: &Connection) -> Result<HashMap<i64, Vec<Outstanding>>, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT run_key, command_n, kind, due_at, state, checksum FROM outstanding",
    )?;
    let mut rows = statement.query([])?;
    let mut spilled: HashMap<i64, Vec<Outstanding>> = HashMap::new();
    while let Some(row) = rows.next()? {
        spilled
            .entry(row.get(0)?)
            .or_default()
            .push(read_outstanding(row)?);
    }
    Ok(spilled)
}

fn read_outstanding(row: &Row<'_>) -> Result<Outstanding, Failure> {
    let (run_key, command_n): (i64, i64) = (row.get(0)?, row.get(1)?);
    let (kind, due_at): (i64, i64) = (row.get(2)?, row.get(3)?);
    let state: Vec<u8> = row.get(4)?;
    let checksum = append::outstanding_checksum(run_key, command_n, kind, due_at, &state);
    match code::to_kind(kind) {
        Some(kind) if checksum == row.get::<_, i64>(5)? => Ok(Outstanding {
            command_n: command_n.cast_unsigned(),
            kind,
            due_at: Timestamp::from_micros(due_at),
            state: Bytes::from(state),
        }),
        _ => Err(Failure::Damaged(format!(
            "what command {command_n} of run number {run_key} has outstanding is not whole"
        ))),
    }
}
