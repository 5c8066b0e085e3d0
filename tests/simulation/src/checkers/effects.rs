//! No effect before the commit: a task leaves only when its call, its attempt, and that it was
//! handed out are durable, and never after its result is.

use perdure_engine::Task;
use perdure_history::{Event, RecordBody};
use perdure_store::{SimulatedStore, Store};

use super::broken;
use super::completion::completes;
use super::history::History;
use crate::world::{Kept, Violation};

pub(super) const LAW: &str = "no effect before the commit";

pub(super) fn check_dispatch(task: &Task, history: &History, store: &SimulatedStore) -> Kept {
    let n = task.id.n;
    if history.scheduled(n).is_none() {
        return broken(LAW, format!("{} left before its call was durable", task.id));
    }
    if history
        .records
        .iter()
        .any(|record| completes(record) == Some(n))
    {
        let law = "a recorded result is not asked for again";
        return broken(
            law,
            format!("{} left after its result was recorded", task.id),
        );
    }
    let failed_before = history.records.iter().any(|record| match record.body {
        RecordBody::Event(Event::ActivityAttemptFailed {
            command_n, attempt, ..
        }) => command_n == n && attempt + 1 == task.id.attempt,
        _ => false,
    });
    if task.id.attempt > 1 && !failed_before {
        return broken(
            LAW,
            format!("{} left before the failure of the one before", task.id),
        );
    }
    check_index(task, store)
}

/// The index says `handed` (the second byte of the state is 1) and the attempt (bytes 3 to 6).
fn check_index(task: &Task, store: &SimulatedStore) -> Kept {
    let recovered = store.durable().recover().map_err(|error| Violation {
        law: LAW,
        what: error.to_string(),
    })?;
    let marked = recovered.runs.iter().any(|(summary, outstanding)| {
        summary.run == task.id.run
            && outstanding.iter().any(|kept| {
                let attempt = kept.state.get(3..7).and_then(|bytes| bytes.try_into().ok());
                kept.command_n == task.id.n
                    && kept.state.get(1) == Some(&1)
                    && attempt.map(u32::from_be_bytes) == Some(task.id.attempt)
            })
    });
    if marked {
        Ok(())
    } else {
        broken(
            LAW,
            format!("{} left before it was marked as handed out", task.id),
        )
    }
}
