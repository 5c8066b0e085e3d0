//! Reading runs: for the owner, and for other processes while the owner writes.

use bytes::Bytes;
use perdure_history::{MessageId, RunId, Timestamp};
use rusqlite::types::{FromSqlError, Value};
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter};

use crate::append::RunStatus;
use crate::local::checksum::Checksum;
use crate::local::chunks::{self, ChunkReader, StoredSize};
use crate::local::error::Failure;
use crate::local::head::{self, Head};
use crate::local::{append, code, message, visibility};
use crate::query::{DEFAULT_PAGE, RunFilter, RunSummary};

/// The columns of a summary: the run's row, then its head's.
const COLUMNS: &str = "SELECT runs.run, namespace, workflow_id, workflow_type, task_queue,
    start_digest, started_at, runs.checksum,
    status, status_detail, closed_at, runs.last_n, runs.last_batch, status_checksum, runs.run_key,
    live.run_key, live.last_n, live.last_batch, live.outstanding, live.checksum,
    visibility.body, visibility.checksum";

/// The columns of a run's row alone, as in a summary.
const ROW: &str = "SELECT run, namespace, workflow_id, workflow_type, task_queue,
    start_digest, started_at, checksum,
    status, status_detail, closed_at, last_n, last_batch, status_checksum, run_key FROM runs";

/// The column at which the head begins.
const HEAD: usize = 15;

/// The column at which the visibility begins.
const VISIBILITY: usize = 20;

/// What belongs to the rows of `runs`.
const JOINED: &str = "LEFT JOIN live ON live.run_key = runs.run_key
    LEFT JOIN visibility ON visibility.run_key = runs.run_key";

/// Summaries of open runs, found by their heads.
const OPEN: &str = "FROM live LEFT JOIN runs ON runs.run_key = live.run_key
    LEFT JOIN visibility ON visibility.run_key = live.run_key ORDER BY live.run_key";

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
    let digest = message::digest(id);
    let found = connection
        .prepare_cached(&format!("{ROW} WHERE start_digest = ?1"))?
        .query_row(params![digest], |row| {
            Ok(RunRow::read(row).and_then(|found| found.expect(found.start_digest == digest)))
        })
        .optional()?
        .transpose()?;
    Ok(found.map(|row| row.run))
}

/// The row of a run.
pub(crate) fn find_run(connection: &Connection, run: RunId) -> Result<Option<RunRow>, Failure> {
    connection
        .prepare_cached(&format!("{ROW} WHERE run = ?1"))?
        .query_row(params![run.0], |row| {
            Ok(RunRow::read(row).and_then(|found| found.expect(found.run == run)))
        })
        .optional()?
        .transpose()
}

/// What a run's row says of it besides its names, once both its checksums fit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RunRow {
    pub(crate) run: RunId,
    pub(crate) run_key: i64,
    pub(crate) closed_at: Option<i64>,
    pub(crate) last_n: i64,
    pub(crate) last_batch: i64,
    pub(crate) status: RunStatus,
    started_at: i64,
    start_digest: [u8; 16],
}

impl RunRow {
    /// Reads the columns of [`ROW`] or [`COLUMNS`], without copying a text.
    fn read(row: &Row<'_>) -> Result<Self, Failure> {
        let run = row.get_ref(0)?.as_blob().map_err(of_column)?;
        let run = message::to_run(run)?;
        let text = |at| row.get_ref(at)?.as_str().map_err(of_column);
        let names = [text(1)?, text(2)?, text(3)?, text(4)?];
        let digest = row.get_ref(5)?.as_blob().map_err(of_column)?;
        let detail = row.get_ref(9)?.as_blob().map_err(of_column)?;
        let (started_at, status, closed_at) = (row.get(6)?, row.get(8)?, row.get(10)?);
        let (last_n, last_batch) = (row.get(11)?, row.get(12)?);
        let checksum = identity_checksum(&run, names, digest, started_at);
        let changed = status_checksum(&run, status, detail, closed_at, last_n, last_batch);
        let whole = checksum == row.get::<_, i64>(7)? && changed == row.get::<_, i64>(13)?;
        match (whole, code::to_status(status), digest.try_into()) {
            (true, Some(status), Ok(start_digest)) => Ok(Self {
                run,
                run_key: row.get(14)?,
                closed_at,
                last_n,
                last_batch,
                status,
                started_at,
                start_digest,
            }),
            _ => Err(not_whole(run)),
        }
    }

    /// Refuses a row to which an index has led although it is another one's.
    fn expect(self, is_the_one: bool) -> Result<Self, Failure> {
        if is_the_one {
            return Ok(self);
        }
        Err(Failure::Damaged(format!(
            "an index leads to run {}, which it does not name",
            self.run
        )))
    }
}

fn of_column(error: FromSqlError) -> Failure {
    Failure::Damaged(format!("a column of a run's row is not whole: {error}"))
}

fn not_whole(run: RunId) -> Failure {
    Failure::Damaged(format!("the row of run {run} fails its checksum"))
}

/// The newest run of a workflow id. Only that one can be open.
pub(crate) fn newest_run(
    connection: &Connection,
    namespace: &str,
    workflow_id: &str,
) -> Result<Option<RunRow>, Failure> {
    connection
        .prepare_cached(&format!(
            "{ROW} INDEXED BY runs_by_workflow WHERE namespace = ?1 AND workflow_id = ?2
             ORDER BY run_key DESC LIMIT 1"
        ))?
        .query_row(params![namespace, workflow_id], |row| Ok(RunRow::read(row)))
        .optional()?
        .transpose()
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
    let mut reader = ChunkReader::new(connection)?;
    let mut batches = Vec::new();
    let (mut at, mut expected_n) = (head.place.last_batch, Some(head.place.last_n));
    while at != 0 {
        let batch = statement
            .query_row(params![at], |row| {
                Ok(read_batch(row, head.place.run_key, from_n, &mut reader))
            })
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

/// What the history of a run takes; `None` when there is no such run.
pub(crate) fn stored_size(
    connection: &Connection,
    run: RunId,
) -> Result<Option<StoredSize>, Failure> {
    let head = head::load(connection, run)?;
    head.map(|head| chunks::size(connection, &head).map_err(|failure| in_run(run, failure)))
        .transpose()
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

fn read_batch(
    row: &Row<'_>,
    run_key: i64,
    from_n: u64,
    reader: &mut ChunkReader<'_>,
) -> Result<StoredBatch, Failure> {
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
    let last_n = last_n.cast_unsigned();
    let body = match last_n < from_n {
        // It is before what is asked for.
        true => Bytes::new(),
        false => reader.batch(body).map_err(|failure| match failure {
            Failure::Damaged(reason) => {
                Failure::Damaged(format!("in the batch up to record {last_n}, {reason}"))
            }
            other => other,
        })?,
    };
    Ok(StoredBatch {
        last_n,
        before,
        body,
    })
}

/// What can be known of one run.
pub(crate) fn describe(connection: &Connection, run: RunId) -> Result<Option<RunSummary>, Failure> {
    connection
        .prepare_cached(&format!("{COLUMNS} FROM runs {JOINED} WHERE runs.run = ?1"))?
        .query_row(params![run.0], |row| {
            Ok(RunRow::read(row)
                .and_then(|found| found.expect(found.run == run))
                .and_then(|found| summary(row, &found)))
        })
        .optional()?
        .transpose()
}

/// Runs by filter, newest first. A row is held against the filter only when it is known to be
/// whole: one that is damaged is told of, and never left out.
pub(crate) fn list(
    connection: &Connection,
    filter: &RunFilter,
) -> Result<Vec<RunSummary>, Failure> {
    let limit = if filter.limit == 0 {
        DEFAULT_PAGE
    } else {
        filter.limit
    };
    let before = filter.before.map_or([0xFF; 16], |before| before.0);
    let mut values: Vec<Value> = vec![before.to_vec().into()];
    let by_workflow = match (&filter.namespace, &filter.workflow_id) {
        (Some(namespace), Some(workflow_id)) => {
            values.extend([namespace.clone().into(), workflow_id.clone().into()]);
            true
        }
        _ => false,
    };
    let (index, condition) = if by_workflow {
        (
            "runs_by_workflow",
            "AND namespace = ?2 AND workflow_id = ?3",
        )
    } else {
        ("runs_by_run", "")
    };
    let sql = format!(
        "{COLUMNS} FROM runs INDEXED BY {index} {JOINED}
         WHERE runs.run < ?1 {condition} ORDER BY runs.run DESC"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params_from_iter(values))?;
    let mut summaries = Vec::new();
    while let Some(row) = rows.next()? {
        let found = RunRow::read(row)?;
        // Most rows are let through or not by this alone, before anything of them is copied.
        if filter.status.is_some_and(|status| status != found.status) {
            continue;
        }
        let summary = summary(row, &found)?;
        if filter.matches(&summary) {
            summaries.push(summary);
            if summaries.len() == limit {
                break;
            }
        }
    }
    Ok(summaries)
}

/// Runs in an order that `selection` has found: `found_key` is a run's, `order` puts them in line.
pub(crate) fn select(
    connection: &Connection,
    selection: &str,
    order: &str,
    values: &[Value],
) -> Result<Vec<RunSummary>, Failure> {
    let sql = format!(
        "{COLUMNS} FROM ({selection}) JOIN runs ON runs.run_key = found_key {JOINED}
         ORDER BY {order}"
    );
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query(params_from_iter(values))?;
    let mut summaries = Vec::new();
    while let Some(row) = rows.next()? {
        summaries.push(summary(row, &RunRow::read(row)?)?);
    }
    Ok(summaries)
}

/// The summary in the columns of which `found` was read.
fn summary(row: &Row<'_>, found: &RunRow) -> Result<RunSummary, Failure> {
    let last_n = match found.closed_at {
        Some(_) => found.last_n,
        None => head_of(row, found.run)?.place.last_n.cast_signed(),
    };
    Ok(RunSummary {
        run: found.run,
        namespace: row.get(1)?,
        workflow_id: row.get(2)?,
        workflow_type: row.get(3)?,
        task_queue: row.get(4)?,
        status: found.status,
        status_detail: Bytes::from(row.get::<_, Vec<u8>>(9)?),
        started_at: Timestamp::from_micros(found.started_at),
        closed_at: found.closed_at.map(Timestamp::from_micros),
        last_n: last_n.cast_unsigned(),
        visibility: visibility::read(row, VISIBILITY, found.run_key)?,
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
        let summary = summary(row, &RunRow::read(row)?)?;
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
