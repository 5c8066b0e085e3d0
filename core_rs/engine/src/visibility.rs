//! What a write changes of what its run is found by, and of what is said of it.

use perdure_history::{Command, Event, Record, RecordBody, RunStarted, VisibilityChange};

use crate::placement;
use crate::run::Run;

/// The changes among the records, in order. A run may be made before its start is recorded (nobody
/// has its type): it is found from then on.
pub(crate) fn changed_by(
    run: &mut Run,
    creates: bool,
    closes: bool,
    records: &[Record],
) -> VisibilityChange {
    let mut change = VisibilityChange::default();
    if creates {
        for pending in &run.pending {
            if let Event::RunStarted(started) = &pending.event {
                begin(&mut change, started);
            }
        }
    }
    for record in records {
        match &record.body {
            RecordBody::Event(Event::RunStarted(started)) => begin(&mut change, started),
            RecordBody::Command(Command::SetSearchAttributes { attributes }) => {
                change.search_attributes.extend(attributes.iter().cloned());
            }
            RecordBody::Command(Command::SetMemo { entries }) => {
                change.memo.extend(entries.iter().cloned());
            }
            _ => {}
        }
    }
    placement::note(run, &mut change, records);
    run.patches.tell(&mut change, records, closes);
    change
}

fn begin(change: &mut VisibilityChange, started: &RunStarted) {
    let attributes = started.search_attributes.iter().cloned();
    let attributes = attributes.map(|(name, value)| (name, Some(value)));
    change.search_attributes.extend(attributes);
    let memo = started.memo.iter().cloned();
    change
        .memo
        .extend(memo.map(|(key, value)| (key, Some(value))));
}
