//! Reading runs: for the owner, and for other processes while the owner writes.

use bytes::Bytes;
use perdure_history::{MessageId, RunId, Timestamp};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter};

use crate::local::checksum::Checksum;
use crate::local::error::Failure;
use crate::local::head::{self, Head};
use crate::local::{append, code, message};
use crate::query::{DEFAULT_PAGE, RunFilter, RunSummary};

/// The columns of a summary: the run's row, then its head's.
const COLUMNS: &str = "SELECT runs.run, namespace, workflow_id, workflow_type, task_queue,
    start_digest, started_at, runs.checksum,
    status, status_detail, closed_at, runs.last_n, runs.last_batch, status_checksum,
    live.run_key, live.next_wake, live.last_n, live.last_batch, live.outstanding, live.checksum";

/// The column at which the head begins.
const HEAD: usize = 14;

/// Summaries of any runs.
const SUMMARIES: &str = "FROM runs LEFT JOIN live ON live.run_key = runs.run_key";

/// Summaries of open runs, found by their heads.
const OPEN: &str = "FROM live LEFT JOIN runs ON runs.run_key = live.run_key ORDER BY live.run_key";

/// The checksum of what never changes in a run's row.
pub(crate) fn identity_checksum(
    run: &RunId,
    names: [&str; 4],
    start_digest: &[u8],
    started_at: i64,
) -> i64 {
    names
        .iter()
        .fold(Checksum::new().bytes(&run.0), |checksum, name| {
            checksum.bytes(name.as_bytes())
        })
        .bytes(start_digest)
        .number(started_at)
        .finish()
}

/// The checksum of what changes in a run's row.
pub(crate) fn status_checksum(
    run: &RunId,
    status: i64,
    detail: &[u8],
    closed_at: Option<i64>,
    last_n: i64,
    last_batch: i64,
) -> i64 {
    Checksum::new()
        .bytes(&run.0)
        .number(status)
        .bytes(detail)
        .option(closed_at)
        .number(last_n)
        .number(last_batch)
        .finish()
}

/// The run that a start message made.
pub(crate) fn run_started_by(
    connection: &Connection,
    id: &MessageId,
) -> Result<Option<RunId>, Failure> {
    connection
        .prepare_cached("SELECT run FROM runs WHERE start_digest = ?1")?
        .query_row(params![message::digest(id)], |row| row.get::<_, Vec<u8>>(0))
        .optional()?
        .map(|run| message::to_run(&run))
        .transpose()
}

/// The open run of a workflow id. Only the newest run of an id can be open.
pub(crate) fn open_run(
    connection: &Connection,
    namespace: &str,
    workflow_id: &str,
) -> Result<Option<RunId>, Failure> {
    let newest = connection
        .prepare_cached(
            "SELECT run, closed_at FROM runs WHERE namespace = ?1 AND workflow_id = ?2
             ORDER BY run_key DESC LIMIT 1",
        )?
        .query_row(params![namespace, workflow_id], |row| {
            Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, Option<i64>>(1)?))
        })
        .optional()?;
    match newest {
        Some((run, None)) => message::to_run(&run).map(Some),
        _ => Ok(None),
    }
}

/// Whether a run has consumed a message.
pub(crate) fn is_consumed(
    connection: &Connection,
    run_key: i64,
    id: &MessageId,
) -> Result<bool, Failure> {
    Ok(connection
        .prepare_cached("SELECT 1 FROM consumed WHERE run_key = ?1 AND digest = ?2")?
        .exists(params![run_key, message::digest(id)])?)
}

/// Whether a posted message was consumed, or made its run.
pub(crate) fn is_known(
    connection: &Connection,
    run: Option<&RunId>,
    id: &MessageId,
) -> Result<bool, Failure> {
    let Some(run) = run else {
        return Ok(run_started_by(connection, id)?.is_some());
    };
    match head::load(connection, *run)? {
        Some(head) => is_consumed(connection, head.place.run_key, id),
        None => Ok(false),
    }
}

/// The batches of a run from the one that holds record `from_n` on, in order. They are followed
/// backwards, each to the one before, so that no index has to be written with them.
pub(crate) fn read(
    connection: &Connection,
    run: RunId,
    from_n: u64,
) -> Result<Vec<Bytes>, Failure> {
    let Some(head) = head::load(connection, run)? else {
        return Ok(Vec::new());
    };
    let mut statement = connection.prepare_cached(
        "SELECT run_key, last_n, batch_before, checksum, body FROM batches WHERE batch = ?1",
    )?;
    let mut batches = Vec::new();
    let (mut at, mut expected_n) = (head.place.last_batch, Some(head.place.last_n));
    while at != 0 {
        let batch = statement
            .query_row(params![at], |row| Ok(read_batch(row, head.place.run_key)))
            .optional()?
            .unwrap_or_else(|| Err(Failure::Damaged(format!("batch {at} is gone"))))
            .map_err(|failure| in_run(run, failure))?;
        if batch.before >= at || expected_n.is_some_and(|expected| expected != batch.last_n) {
            return Err(Failure::Damaged(format!(
                "run {run}: batch {at} is out of order"
            )));
        }
        if batch.last_n < from_n {
            break;
        }
        batches.push(batch.body);
        (at, expected_n) = (batch.before, None);
    }
    batches.reverse();
    Ok(batches)
}

/// A batch as it lies in the database.
struct StoredBatch {
    last_n: u64,
    before: i64,
    body: Bytes,
}

fn in_run(run: RunId, failure: Failure) -> Failure {
    match failure {
        Failure::Damaged(reason) => Failure::Damaged(format!("run {run}: {reason}")),
        other => other,
    }
}

fn read_batch(row: &Row<'_>, run_key: i64) -> Result<StoredBatch, Failure> {
    let body = row
        .get_ref(4)?
        .as_blob()
        .map_err(|error| Failure::Damaged(error.to_string()))?;
    let (last_n, before): (i64, i64) = (row.get(1)?, row.get(2)?);
    let checksum = append::batch_checksum(run_key, last_n, before, body);
    if row.get::<_, i64>(0)? != run_key || checksum != row.get::<_, i64>(3)? {
        return Err(Failure::Damaged(format!(
            "the batch up to record {last_n} fails its checksum"
        )));
    }
    Ok(StoredBatch {
        last_n: last_n.cast_unsigned(),
        before,
        body: Bytes::copy_from_slice(body),
    })
}

/// What can be known of one run.
pub(crate) fn describe(connection: &Connection, run: RunId) -> Result<Option<RunSummary>, Failure> {
    connection
        .prepare_cached(&format!("{COLUMNS} {SUMMARIES} WHERE runs.run = ?1"))?
        .query_row(params![run.0], |row| Ok(read_summary(row)))
        .optional()?
        .transpose()
}

/// Runs by filter, newest first.
pub(crate) fn list(
    connection: &Connection,
    filter: &RunFilter,
) -> Result<Vec<RunSummary>, Failure> {
    let mut conditions = Vec::new();
    let mut values = Vec::new();
    let mut wants = |condition: &str, value: Value| {
        values.push(value);
        conditions.push(condition.replace('?', &format!("?{}", values.len())));
    };
    if let Some(namespace) = &filter.namespace {
        wants("namespace = ?", namespace.clone().into());
    }
    if let Some(workflow_id) = &filter.workflow_id {
        wants("workflow_id = ?", workflow_id.clone().into());
    }
    if let Some(workflow_type) = &filter.workflow_type {
        wants("workflow_type = ?", workflow_type.clone().into());
    }
    if let Some(status) = filter.status {
        wants("status = ?", code::of_status(status).into());
    }
    if let Some(before) = filter.before {
        wants("runs.run < ?", before.0.to_vec().into());
    }
    let limit = if filter.limit == 0 {
        DEFAULT_PAGE
    } else {
        filter.limit
    };
    values.push(i64::try_from(limit).unwrap_or(i64::MAX).into());
    let clause = match conditions.as_slice() {
        [] => String::new(),
        conditions => format!("WHERE {}", conditions.join(" AND ")),
    };
    let sql = format!(
        "{COLUMNS} {SUMMARIES} {clause} ORDER BY runs.run DESC LIMIT ?{}",
        values.len()
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params_from_iter(values))?;
    let mut summaries = Vec::new();
    while let Some(row) = rows.next()? {
        summaries.push(read_summary(row)?);
    }
    Ok(summaries)
}

/// Reads the columns of a summary.
fn read_summary(row: &Row<'_>) -> Result<RunSummary, Failure> {
    let run = message::to_run(&row.get::<_, Vec<u8>>(0)?)?;
    let [namespace, workflow_id, workflow_type, task_queue]: [String; 4] =
        [row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?];
    let start_digest: Vec<u8> = row.get(5)?;
    let started_at = row.get(6)?;
    let names = [&*namespace, &*workflow_id, &*workflow_type, &*task_queue];
    let checksum = identity_checksum(&run, names, &start_digest, started_at);
    let detail: Vec<u8> = row.get(9)?;
    let (status, closed_at): (i64, Option<i64>) = (row.get(8)?, row.get(10)?);
    let (last_n, last_batch): (i64, i64) = (row.get(11)?, row.get(12)?);
    let changed = status_checksum(&run, status, &detail, closed_at, last_n, last_batch);
    let known = code::to_status(status);
    let (true, true, Some(status)) = (
        checksum == row.get::<_, i64>(7)?,
        changed == row.get::<_, i64>(13)?,
        known,
    ) else {
        return Err(Failure::Damaged(format!(
            "the row of run {run} fails its checksum"
        )));
    };
    let last_n = match closed_at {
        Some(_) => last_n,
        None => head_of(row, run)?.place.last_n.cast_signed(),
    };
    Ok(RunSummary {
        run,
        namespace,
        workflow_id,
        workflow_type,
        task_queue,
        status,
        status_detail: Bytes::from(detail),
        started_at: Timestamp::from_micros(started_at),
        closed_at: closed_at.map(Timestamp::from_micros),
        last_n: last_n.cast_unsigned(),
    })
}

fn head_of(row: &Row<'_>, run: RunId) -> Result<Head, Failure> {
    if row.get::<_, Option<i64>>(HEAD)?.is_none() {
        return Err(Failure::Damaged(format!("open run {run} has no head")));
    }
    head::read(row, HEAD)
}

/// Every open run, with its head.
pub(crate) fn open_runs(connection: &Connection) -> Result<Vec<(RunSummary, Head)>, Failure> {
    let mut statement = connection.prepare_cached(&format!("{COLUMNS} {OPEN}"))?;
    let mut rows = statement.query([])?;
    let mut runs = Vec::new();
    while let Some(row) = rows.next()? {
        if row.get::<_, Option<Vec<u8>>>(0)?.is_none() {
            return Err(Failure::Damaged("a head has no run".to_owned()));
        }
        let summary = read_summary(row)?;
        if summary.closed_at.is_some() {
            return Err(Failure::Damaged(format!(
                "closed run {} has a head",
                summary.run
            )));
        }
        runs.push((summary, head::read(row, HEAD)?));
    }
    Ok(runs)
}
