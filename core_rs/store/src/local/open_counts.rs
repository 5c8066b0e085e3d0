//! How many runs are open, by type and by attribute: from the heads and the index of attributes
//! alone, so that it costs what is open and neither what has ended nor what histories hold.

use perdure_history::search::{DEPRECATED_PATCHES, PATCHES};
use perdure_history::{Command, HistoryReader, RecordBody, RunId, SearchValue, VisibilityChange};
use rusqlite::{Connection, params};

use crate::local::error::Failure;
use crate::local::{query, visibility};

/// Open runs of a namespace by workflow type.
pub(crate) fn by_type(
    connection: &Connection,
    namespace: &str,
) -> Result<Vec<(String, u64)>, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT workflow_type, count(*) FROM live CROSS JOIN runs ON runs.run_key = live.run_key
         WHERE namespace = ?1 GROUP BY workflow_type ORDER BY workflow_type",
    )?;
    let mut rows = statement.query(params![namespace])?;
    let mut counts = Vec::new();
    while let Some(row) = rows.next()? {
        counts.push((row.get(0)?, row.get::<_, i64>(1)?.cast_unsigned()));
    }
    Ok(counts)
}

/// Open runs of a namespace by workflow type and value of a text attribute.
pub(crate) fn by_value(
    connection: &Connection,
    namespace: &str,
    name: &str,
) -> Result<Vec<(String, String, u64)>, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT workflow_type, value, count(*)
         FROM attributes CROSS JOIN runs ON runs.run_key = attributes.run_key
         WHERE name = ?1 AND class = ?2 AND namespace = ?3 AND closed_at IS NULL
         GROUP BY workflow_type, value ORDER BY workflow_type, value",
    )?;
    let mut rows = statement.query(params![name, visibility::TEXT, namespace])?;
    let mut counts = Vec::new();
    while let Some(row) = rows.next()? {
        let count = row.get::<_, i64>(2)?.cast_unsigned();
        counts.push((row.get(0)?, row.get(1)?, count));
    }
    Ok(counts)
}

/// Gives open runs of an older format the attributes that tell their patches. A history that
/// cannot be read is left without: its run then counts as one that needs the old code.
pub(crate) fn index_patches(connection: &Connection) -> Result<(), Failure> {
    for (summary, head) in query::open_runs(connection)? {
        let change = patches_of(connection, summary.run);
        visibility::change(connection, head.place.run_key, &change)?;
    }
    Ok(())
}

fn patches_of(connection: &Connection, run: RunId) -> VisibilityChange {
    let mut lists = [(PATCHES, Vec::new()), (DEPRECATED_PATCHES, Vec::new())];
    let mut reader = HistoryReader::new(run);
    for batch in query::read(connection, run, 1).unwrap_or_default() {
        let Ok(batch) = reader.read(&batch) else {
            return VisibilityChange::default();
        };
        for record in batch.records {
            if let RecordBody::Command(Command::RecordPatch { id, deprecated, .. }) = record.body
                && let Some((_, ids)) = lists.get_mut(usize::from(deprecated))
            {
                ids.push(id.to_string());
            }
        }
    }
    let mut change = VisibilityChange::default();
    for (name, ids) in lists.into_iter().filter(|(_, ids)| !ids.is_empty()) {
        let value = Some(SearchValue::KeywordList(ids));
        change.search_attributes.push((name.to_owned(), value));
    }
    change
}
