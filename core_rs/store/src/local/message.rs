//! Messages as rows, in either inbox.

use bytes::Bytes;
use perdure_history::{MessageId, RunId, Timestamp};
use rusqlite::Row;
use xxhash_rust::xxh3::xxh3_128;

use crate::append::InboxMessage;
use crate::local::checksum::Checksum;
use crate::local::error::Failure;

/// What stands in the `run` column: a start has no run, which is an empty value and not NULL, so
/// that the unique index sees it.
pub(crate) fn run_column(run: Option<&RunId>) -> &[u8] {
    run.map_or(&[], |run| run.0.as_slice())
}

/// The digest under which a consumed message, or the start of a run, is remembered.
pub(crate) fn digest(message_id: &MessageId) -> [u8; 16] {
    xxh3_128(message_id.0.as_bytes()).to_be_bytes()
}

/// The checksum of a message's row.
pub(crate) fn checksum(message: &InboxMessage) -> i64 {
    Checksum::new()
        .bytes(run_column(message.run.as_ref()))
        .bytes(message.message_id.0.as_bytes())
        .number(message.received_at.as_micros())
        .bytes(&message.body)
        .finish()
}

/// The checksum of a message's row in the owner's inbox, with its place in the order of receipt.
pub(crate) fn placed_checksum(message: &InboxMessage, after_posted: i64) -> i64 {
    Checksum::new()
        .number(checksum(message))
        .number(after_posted)
        .finish()
}

/// Reads `run, message_id, received_at, body, checksum`, which begin at column `first`.
/// The checksum is what `expected` makes of the message.
pub(crate) fn read(
    row: &Row<'_>,
    first: usize,
    expected: impl FnOnce(&InboxMessage) -> i64,
) -> Result<InboxMessage, Failure> {
    let run: Vec<u8> = row.get(first)?;
    let run = match run.as_slice() {
        [] => None,
        bytes => Some(to_run(bytes)?),
    };
    let message = InboxMessage {
        run,
        message_id: MessageId(row.get(first + 1)?),
        received_at: Timestamp::from_micros(row.get(first + 2)?),
        body: Bytes::from(row.get::<_, Vec<u8>>(first + 3)?),
    };
    if expected(&message) != row.get::<_, i64>(first + 4)? {
        return Err(Failure::Damaged(format!(
            "message {:?} fails its checksum",
            message.message_id.0
        )));
    }
    Ok(message)
}

/// A run id from its 16 bytes.
pub(crate) fn to_run(bytes: &[u8]) -> Result<RunId, Failure> {
    bytes
        .try_into()
        .map(RunId)
        .map_err(|_| Failure::Damaged(format!("a run id has {} bytes", bytes.len())))
}
