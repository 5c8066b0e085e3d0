//! What of a history is copied: everything before an event, with the results that the request
//! gives in place of those recorded.

use std::collections::{BTreeMap, BTreeSet};

use perdure_history::{
    CancellationType, Command, Event, Fork, MessageId, Record, RecordBody, RunId, RunReset,
    RunStarted, Timestamp, reset,
};

use super::ResetRun;
use crate::closing;
use crate::pending::{Delivered, Pending};

/// The attempt of a result that somebody gave: none of the activity's own.
const GIVEN: u32 = 0;

/// What a new run begins with.
#[derive(Debug)]
pub(super) struct Plan {
    /// Its history: the copy, and the reset behind it.
    pub(super) records: Vec<Record>,
    /// What its next turns deliver: results of outstanding activities, then later messages.
    pub(super) messages: Vec<Pending>,
}

/// Plans the copy, or says why there can be none.
pub(super) fn plan(
    message_id: &MessageId,
    request: &ResetRun,
    records: &[Record],
    now: Timestamp,
) -> Result<Plan, String> {
    let (kept, later) = split(request.event_n, records)?;
    let open = Open::of(kept);
    if let Some((n, what)) = open.of_others.iter().next() {
        return Err(format!(
            "command {n} ({what}) has no outcome before event {}, and what came of it belongs to \
             run {}: choose an event up to {n}, or one after its outcome",
            request.event_n, request.from
        ));
    }
    let mut copied = kept.to_vec();
    let mut messages = Vec::new();
    let point = kept.last().map_or(now, |last| last.at);
    for (command_n, result) in &request.results {
        check_given(*command_n, kept, &open)?;
        let completed = |attempt| Event::ActivityCompleted {
            command_n: *command_n,
            attempt,
            result: result.clone(),
        };
        match outcome_of(&mut copied, *command_n) {
            Some((body, attempt)) => *body = RecordBody::Event(completed(attempt)),
            None => messages.push(Pending::internal(completed(GIVEN), point)),
        }
    }
    if request.keeps_messages {
        messages.extend(later.iter().filter_map(message_in));
    }
    copied.push(Record {
        n: request.event_n,
        at: now.max(point),
        body: RecordBody::Event(Event::RunReset(
            reset_record(message_id, request, kept, later, now).into(),
        )),
    });
    Ok(Plan {
        records: copied,
        messages,
    })
}

/// The records before the event, and those from it on.
fn split(event_n: u64, records: &[Record]) -> Result<(&[Record], &[Record]), String> {
    let last_n = records.last().map_or(0, |last| last.n);
    let index = usize::try_from(event_n.saturating_sub(1)).unwrap_or(usize::MAX);
    if event_n < 2 || index > records.len() {
        return Err(format!(
            "the history has records 1 to {last_n}: choose an event from 2 to {}",
            last_n.saturating_add(1)
        ));
    }
    let (kept, later) = records.split_at(index);
    if let Some(Record {
        body: RecordBody::Command(_),
        ..
    }) = later.first()
    {
        let is_event = |record: &&Record| matches!(record.body, RecordBody::Event(_));
        let before = kept.iter().rev().find(is_event).map(|record| record.n);
        let after = later.iter().find(is_event).map(|record| record.n);
        let before = before.filter(|n| *n > 1);
        return Err(format!(
            "record {event_n} is a command, which belongs to the event before it: choose event {}",
            either(before, Some(after.unwrap_or(last_n.saturating_add(1))))
        ));
    }
    if closing::last_closing(kept).is_some() {
        let is_event = |record: &&Record| matches!(record.body, RecordBody::Event(_));
        let last = records.iter().rev().find(is_event).map(|record| record.n);
        return Err(format!(
            "the run is closed before event {event_n}: choose event {} or an earlier one",
            last.unwrap_or_default()
        ));
    }
    Ok((kept, later))
}

fn either(one: Option<u64>, other: Option<u64>) -> String {
    let both = one.into_iter().chain(other);
    let both: Vec<String> = both.map(|n| n.to_string()).collect();
    both.join(" or ")
}

fn check_given(command_n: u64, kept: &[Record], open: &Open) -> Result<(), String> {
    let scheduled = kept.iter().any(|record| {
        record.n == command_n
            && matches!(
                record.body,
                RecordBody::Command(Command::ScheduleActivity(_))
            )
    });
    if !scheduled {
        return Err(format!(
            "record {command_n} is no activity scheduled before the event: a result can be given \
             to those alone"
        ));
    }
    if open.taken_back.contains(&command_n) {
        return Err(format!(
            "the workflow took back the call of command {command_n} before the event: it takes no \
             result"
        ));
    }
    Ok(())
}

/// The record that says how an activity ended, with the attempt that did.
fn outcome_of(records: &mut [Record], n: u64) -> Option<(&mut RecordBody, u32)> {
    records.iter_mut().find_map(|record| match &record.body {
        RecordBody::Event(
            Event::ActivityCompleted {
                command_n, attempt, ..
            }
            | Event::ActivityFailed {
                command_n, attempt, ..
            }
            | Event::ActivityCancelled {
                command_n, attempt, ..
            },
        ) if *command_n == n => {
            let attempt = *attempt;
            Some((&mut record.body, attempt))
        }
        _ => None,
    })
}

/// A signal or an update that came after the point. A cancel is not asked for again: it was meant
/// for what the run did then.
fn message_in(record: &Record) -> Option<Pending> {
    let RecordBody::Event(event) = &record.body else {
        return None;
    };
    let (Event::SignalReceived { message_id, .. } | Event::UpdateAccepted { message_id, .. }) =
        event
    else {
        return None;
    };
    Some(Pending {
        event: event.clone(),
        about: Delivered {
            received_at: record.at,
            message_id: Some(message_id.clone()),
            ..Delivered::default()
        },
    })
}

fn reset_record(
    message_id: &MessageId,
    request: &ResetRun,
    kept: &[Record],
    later: &[Record],
    now: Timestamp,
) -> RunReset {
    // Of a run that is a copy itself, the records may have been written in one before it.
    let (run, forked) = written_in(request.from, later);
    let ends_by = RunStarted::of_history(kept).and_then(|started| {
        let chain = &started.chain;
        let anew = chain.execution_timeout.map(|span| now + span);
        anew.or(chain.ends_by.filter(|ends_by| *ends_by > now))
    });
    RunReset {
        message_id: message_id.clone(),
        run,
        reason: request.reason.clone(),
        results: request.results.iter().map(|(n, _)| *n).collect(),
        drops_messages: !request.keeps_messages,
        ends_by,
        fork: request.fork.clone().or(forked),
    }
}

/// The run in which the records before these were written, and what sets `from` apart from it.
fn written_in(from: RunId, later: &[Record]) -> (RunId, Option<Fork>) {
    let mut run = None;
    let mut forked = None;
    for (_, passed) in reset::resets(later) {
        run = run.or(Some(passed.run));
        forked = passed.fork.clone().or(forked);
    }
    (run.unwrap_or(from), forked)
}

/// What a history has open at its end.
#[derive(Debug, Default)]
pub(super) struct Open {
    pub(super) activities: BTreeSet<u64>,
    /// Activities of which the workflow waits to hear that they are cancelled.
    pub(super) cancelling: BTreeSet<u64>,
    pub(super) timers: BTreeMap<u64, Timestamp>,
    /// Children, and messages to other runs.
    of_others: BTreeMap<u64, &'static str>,
    /// Activities whose calls were taken back.
    taken_back: BTreeSet<u64>,
    /// How a cancel ends the call of an open activity.
    types: BTreeMap<u64, CancellationType>,
}

impl Open {
    pub(super) fn of(records: &[Record]) -> Self {
        let mut open = Self::default();
        for record in records {
            match &record.body {
                RecordBody::Command(command) => open.asked(record.n, command),
                RecordBody::Event(event) => open.ended(event),
            }
        }
        open
    }

    fn asked(&mut self, n: u64, command: &Command) {
        match command {
            Command::ScheduleActivity(asked) => {
                self.activities.insert(n);
                self.types.insert(n, asked.options.cancellation_type);
            }
            Command::CancelActivity { command_n } => {
                if self.types.get(command_n) == Some(&CancellationType::WaitCompleted) {
                    self.cancelling.insert(*command_n);
                } else if self.activities.remove(command_n) {
                    self.taken_back.insert(*command_n);
                }
            }
            Command::StartTimer { fire_at, .. } => {
                self.timers.insert(n, *fire_at);
            }
            Command::CancelTimer { command_n } => {
                self.timers.remove(command_n);
            }
            Command::StartChild(_) => {
                self.of_others.insert(n, "a child workflow");
            }
            Command::SignalExternal(_) => {
                self.of_others.insert(n, "a signal to another run");
            }
            Command::CancelExternal(_) => {
                self.of_others.insert(n, "a cancel of another run");
            }
            _ => {}
        }
    }

    fn ended(&mut self, event: &Event) {
        match event {
            Event::ActivityCompleted { command_n, .. }
            | Event::ActivityFailed { command_n, .. }
            | Event::ActivityCancelled { command_n, .. } => {
                self.activities.remove(command_n);
                self.cancelling.remove(command_n);
                self.types.remove(command_n);
            }
            Event::TimerFired { command_n } => {
                self.timers.remove(command_n);
            }
            Event::ChildCompleted { command_n, .. }
            | Event::ChildFailed { command_n, .. }
            | Event::ChildCancelled { command_n, .. }
            | Event::ExternalSignalDelivered { command_n }
            | Event::ExternalSignalFailed { command_n, .. }
            | Event::ExternalCancelDelivered { command_n }
            | Event::ExternalCancelFailed { command_n, .. } => {
                self.of_others.remove(command_n);
            }
            _ => {}
        }
    }
}
