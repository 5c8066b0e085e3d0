//! The durable writes of the local store, each with a name, and the ways to crash at it.
//!
//! Compiled in under the feature `testing` alone. A counting run says which were reached; a test
//! then crashes a process at each of them, in each way, by the environment variable
//! `PERDURE_FAIL_POINT` = `<write>.<way>:<time>`, for instance `append.torn:3`.

use std::process;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// The environment variable that arms one fail point of a process.
pub const VARIABLE: &str = "PERDURE_FAIL_POINT";

/// A durable write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Write {
    /// The tables of a new store.
    Create,
    /// The epoch of a new owner.
    RaiseEpoch,
    /// A group of turns.
    Append,
    /// A message that came to the owner.
    Post,
    /// A message that no run will take.
    Discard,
    /// Runs deleted when they are old.
    Retain,
    /// A message that another process leaves.
    InboxPost,
    /// Posted messages deleted when they were consumed.
    Sweep,
    /// The log copied into the database.
    Checkpoint,
}

/// All of them. One that no test reaches fails the build.
pub const WRITES: [(Write, &str); 9] = [
    (Write::Create, "create"),
    (Write::RaiseEpoch, "raise_epoch"),
    (Write::Append, "append"),
    (Write::Post, "post"),
    (Write::Discard, "discard"),
    (Write::Retain, "retain"),
    (Write::InboxPost, "inbox_post"),
    (Write::Sweep, "sweep"),
    (Write::Checkpoint, "checkpoint"),
];

/// Where in a write the process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// Nothing of it is written.
    Before,
    /// Part of it is written.
    Torn,
    /// All of it is written, and not synced.
    AfterWrite,
    /// All of it is written and synced, and nobody knows.
    AfterSync,
}

impl Way {
    /// The way in the name of a point.
    #[must_use]
    pub fn of(name: &str) -> Self {
        let way = name.split_once('.').map_or("", |(_, way)| way);
        WAYS.iter()
            .find(|(_, other)| *other == way)
            .map_or(Self::Before, |(way, _)| *way)
    }
}

/// All of them.
pub const WAYS: [(Way, &str); 4] = [
    (Way::Before, "before"),
    (Way::Torn, "torn"),
    (Way::AfterWrite, "after_write"),
    (Way::AfterSync, "after_sync"),
];

/// The ways that a write can die. A checkpoint writes inside SQLite, where nothing can be armed;
/// the deletion of what was consumed is never synced.
#[must_use]
pub fn ways(write: Write) -> &'static [(Way, &'static str)] {
    match write {
        Write::Checkpoint => &[(Way::Before, "before"), (Way::AfterSync, "after_sync")],
        Write::Sweep => WAYS.split_at(3).0,
        _ => &WAYS,
    }
}

/// How often each point was reached in this process.
static REACHED: [AtomicU64; WRITES.len() * WAYS.len()] =
    [const { AtomicU64::new(0) }; WRITES.len() * WAYS.len()];

struct Armed {
    name: String,
    time: u64,
}

fn armed() -> Option<&'static Armed> {
    static ARMED: OnceLock<Option<Armed>> = OnceLock::new();
    ARMED
        .get_or_init(|| {
            let text = std::env::var(VARIABLE).ok()?;
            let (name, time) = text.split_once(':')?;
            Some(Armed {
                name: name.to_owned(),
                time: time.parse().ok()?,
            })
        })
        .as_ref()
}

/// Counts that a point is reached, and dies there when it is armed for this time.
pub(crate) fn reach(write: Write, way: Way) {
    let count = REACHED
        .get(write as usize * WAYS.len() + way as usize)
        .map_or(0, |counter| counter.fetch_add(1, Ordering::Relaxed) + 1);
    if armed().is_some_and(|armed| armed.time == count && armed.name == name(write, way)) {
        // No destructor runs and no file is closed in order: as near to kill -9 as a process comes.
        process::abort();
    }
}

/// Whether a write of this process is to die at its next reach of a point, so that the write can
/// be made to look as it would there.
pub(crate) fn is_armed(write: Write, way: Way) -> bool {
    let time = REACHED
        .get(write as usize * WAYS.len() + way as usize)
        .map_or(0, |counter| counter.load(Ordering::Relaxed) + 1);
    armed().is_some_and(|armed| armed.time == time && armed.name == name(write, way))
}

/// The name of a point.
#[must_use]
pub fn name(write: Write, way: Way) -> String {
    let write = WRITES
        .iter()
        .find(|(other, _)| *other == write)
        .map_or("?", |(_, name)| name);
    let way = WAYS
        .iter()
        .find(|(other, _)| *other == way)
        .map_or("?", |(_, name)| name);
    format!("{write}.{way}")
}

/// Every point with how often this process reached it.
#[must_use]
pub fn reached() -> Vec<(String, u64)> {
    let points = WRITES
        .iter()
        .flat_map(|(write, _)| ways(*write).iter().map(|(way, _)| (*write, *way)));
    points
        .map(|(write, way)| {
            let counter = REACHED.get(write as usize * WAYS.len() + way as usize);
            (
                name(write, way),
                counter.map_or(0, |counter| counter.load(Ordering::Relaxed)),
            )
        })
        .collect()
}
