//! What a restart reads: the heads of open runs and what they have outstanding, in one pass over
//! one table, and no history.

use bytes::Bytes;
use perdure_history::Timestamp;
use rusqlite::{Connection, Row};

use crate::append::Outstanding;
use crate::local::error::Failure;
use crate::local::{append, code, query};
use crate::query::RunSummary;

/// Every open run with what it has outstanding, by run number.
pub(crate) fn open_runs(
    connection: &Connection,
) -> Result<Vec<(RunSummary, Vec<Outstanding>)>, Failure> {
    let mut heads = connection.prepare_cached(
        "SELECT runs.run, namespace, workflow_id, workflow_type, task_queue,
             start_digest, started_at, runs.checksum,
             status, status_detail, closed_at, runs.last_n, runs.last_batch, status_checksum,
             live.last_n, live.last_batch, live.due_at, live.checksum, live.run_key,
             live.command_n, live.kind, live.state
         FROM live LEFT JOIN runs ON runs.run_key = live.run_key AND live.command_n = 0
         ORDER BY live.run_key, live.command_n",
    )?;
    let mut rows = heads.query([])?;
    let mut runs: Vec<(RunSummary, Vec<Outstanding>)> = Vec::new();
    let mut run_key = None;
    while let Some(row) = rows.next()? {
        let (row_key, command_n): (i64, i64) = (row.get(18)?, row.get(19)?);
        if command_n == 0 {
            let summary = query::read_summary(row)?;
            run_key = Some(row_key);
            runs.push((summary, Vec::new()));
            continue;
        }
        match runs.last_mut() {
            Some((_, outstanding)) if run_key == Some(row_key) => {
                outstanding.push(read_outstanding(row, row_key, command_n)?);
            }
            _ => {
                return Err(Failure::Damaged(format!(
                    "run number {row_key} has no head"
                )));
            }
        }
    }
    Ok(runs)
}

fn read_outstanding(row: &Row<'_>, run_key: i64, command_n: i64) -> Result<Outstanding, Failure> {
    let (due_at, kind): (i64, i64) = (row.get(16)?, row.get(20)?);
    let state: Vec<u8> = row.get(21)?;
    let checksum = append::outstanding_checksum(run_key, command_n, kind, due_at, &state);
    match code::to_kind(kind) {
        Some(kind) if checksum == row.get::<_, i64>(17)? => Ok(Outstanding {
            command_n: command_n.cast_unsigned(),
            kind,
            due_at: Timestamp::from_micros(due_at),
            state: Bytes::from(state),
        }),
        _ => Err(Failure::Damaged(format!(
            "what command {command_n} of run number {run_key} has outstanding fails its checksum"
        ))),
    }
}
