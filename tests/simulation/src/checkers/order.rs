//! Log order is receipt order: before an event received at t, all timers due by t are delivered,
//! however late the turn comes (design law 5).

use std::collections::BTreeMap;

use perdure_history::{Command, Event, MessageId, Record, RecordBody, TaskId, Timestamp};

use super::broken;
use super::history::History;
use super::messages::delivers;
use crate::world::Violation;

const LAW: &str = "what was due before an event is delivered before it";

/// When each event was first received; after a crash it may be received again, which is later.
#[derive(Debug, Default)]
pub(super) struct Receipts {
    messages: BTreeMap<MessageId, Timestamp>,
    tasks: BTreeMap<TaskId, Timestamp>,
}

impl Receipts {
    pub(super) fn message(&mut self, id: &MessageId, now: Timestamp) {
        let first = self.messages.entry(id.clone()).or_insert(now);
        *first = (*first).min(now);
    }

    pub(super) fn task(&mut self, task: TaskId, now: Timestamp) {
        let first = self.tasks.entry(task).or_insert(now);
        *first = (*first).min(now);
    }

    /// The clock was set back to `now`: what was due once may not be due yet.
    pub(super) fn set_back(&mut self, now: Timestamp) {
        let messages = self.messages.values_mut();
        for first in messages.chain(self.tasks.values_mut()) {
            *first = (*first).min(now);
        }
    }

    fn of(&self, history: &History, record: &Record) -> Option<Timestamp> {
        if let Some(id) = delivers(record) {
            return self.messages.get(id).copied();
        }
        let RecordBody::Event(Event::ActivityCompleted {
            command_n, attempt, ..
        }) = record.body
        else {
            return None;
        };
        let task = TaskId {
            run: history.run,
            n: command_n,
            attempt,
        };
        self.tasks.get(&task).copied()
    }
}

/// Whether there was a timer that could have been late, and so was checked.
pub(super) fn check(
    history: &History,
    index: usize,
    receipts: &Receipts,
) -> Result<bool, Violation> {
    let Some((record, before)) = history.records.get(..=index).and_then(<[_]>::split_last) else {
        return Ok(false);
    };
    let Some(received_at) = receipts.of(history, record) else {
        return Ok(false);
    };
    let mut any = false;
    for timer in history.earlier_turns(index) {
        let RecordBody::Command(Command::StartTimer { fire_at, .. }) = &timer.body else {
            continue;
        };
        any = true;
        if *fire_at <= received_at && !before.iter().any(|other| ends(other, timer.n)) {
            let (run, n) = (history.run, record.n);
            let what = format!("run {run}: record {n} came before timer {}", timer.n);
            return broken(LAW, what);
        }
    }
    Ok(any)
}

fn ends(record: &Record, timer_n: u64) -> bool {
    match record.body {
        RecordBody::Event(Event::TimerFired { command_n })
        | RecordBody::Command(Command::CancelTimer { command_n }) => command_n == timer_n,
        _ => false,
    }
}
