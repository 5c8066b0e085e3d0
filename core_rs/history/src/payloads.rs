//! Every payload in a record, for whoever changes its stored form.
//!
//! The matches name every kind: a new kind of record does not compile before it says which payloads
//! it has, so that none can reach a disk unseen.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::chain::Successor;
use crate::command::Command;
use crate::event::{Event, RunStarted};
use crate::failure::{Failure, FailureKind};
use crate::payload::Payload;
use crate::record::RecordBody;

/// The payloads of a record, in the order in which they are stored.
pub fn of_record(body: &mut RecordBody) -> Vec<&mut Payload> {
    let mut found = Vec::new();
    match body {
        RecordBody::Event(event) => of_event(event, &mut found),
        RecordBody::Command(command) => of_command(command, &mut found),
    }
    found
}

/// The payloads in a failure and in its causes: details, never its text.
pub fn of_failure(failure: &mut Failure) -> Vec<&mut Payload> {
    let mut found = Vec::new();
    in_failure(failure, &mut found);
    found
}

fn of_event<'a>(event: &'a mut Event, found: &mut Vec<&'a mut Payload>) {
    match event {
        Event::RunStarted(started) => in_start(Arc::make_mut(started), found),
        Event::ActivityCompleted { result, .. } | Event::ChildCompleted { result, .. } => {
            found.push(result);
        }
        Event::ActivityFailed { failure, .. }
        | Event::ChildFailed { failure, .. }
        | Event::ExternalSignalFailed { failure, .. }
        | Event::ExternalCancelFailed { failure, .. } => in_failure(failure, found),
        Event::ActivityCancelled { details, .. } | Event::ChildCancelled { details, .. } => {
            found.extend(details);
        }
        Event::ActivityAttemptFailed {
            failure,
            heartbeat_details,
            ..
        } => {
            in_failure(failure, found);
            found.extend(heartbeat_details);
        }
        Event::SignalReceived { arguments, .. } | Event::UpdateAccepted { arguments, .. } => {
            found.push(arguments);
        }
        Event::VersionChanged { .. }
        | Event::OptionsUpdated { .. }
        | Event::TimerFired { .. }
        | Event::CancelRequested { .. }
        | Event::RunTerminated { .. }
        | Event::RunTimedOut
        | Event::RunReset(_)
        | Event::ChildStarted { .. }
        | Event::ExternalSignalDelivered { .. }
        | Event::ExternalCancelDelivered { .. } => {}
    }
}

fn of_command<'a>(command: &'a mut Command, found: &mut Vec<&'a mut Payload>) {
    match command {
        Command::ScheduleActivity(asked) => found.push(&mut Arc::make_mut(asked).arguments),
        Command::StartChild(child) => found.push(&mut Arc::make_mut(child).arguments),
        Command::SignalExternal(signal) => found.push(&mut Arc::make_mut(signal).arguments),
        Command::CompleteRun { result } | Command::CompleteUpdate { result, .. } => {
            found.push(result);
        }
        Command::FailRun { failure, next } => {
            in_failure(failure, found);
            if let Some(next) = next {
                in_successor(next, found);
            }
        }
        Command::FailUpdate { failure, .. } => in_failure(failure, found),
        Command::CancelRun { details } => found.extend(details),
        Command::ContinueAsNew(next) => in_successor(next, found),
        Command::SetMemo { entries } => {
            found.extend(entries.iter_mut().filter_map(|(_, value)| value.as_mut()));
        }
        Command::CancelActivity { .. }
        | Command::StartTimer { .. }
        | Command::CancelTimer { .. }
        | Command::RecordPatch { .. }
        | Command::CancelChild { .. }
        | Command::CancelExternal(_)
        | Command::SetSearchAttributes { .. } => {}
    }
}

fn in_successor<'a>(next: &'a mut Arc<Successor>, found: &mut Vec<&'a mut Payload>) {
    in_start(&mut Arc::make_mut(next).start, found);
}

fn in_start<'a>(started: &'a mut RunStarted, found: &mut Vec<&'a mut Payload>) {
    found.push(&mut started.arguments);
    found.extend(memo(&mut started.memo));
    if let Some(failure) = &mut started.chain.last_failure {
        in_failure(failure, found);
    }
    if let Some(signal) = &mut started.signal {
        found.push(&mut signal.arguments);
    }
}

fn memo(entries: &mut [(String, Payload)]) -> impl Iterator<Item = &mut Payload> {
    entries.iter_mut().map(|(_, value)| value)
}

fn in_failure<'a>(failure: &'a mut Failure, found: &mut Vec<&'a mut Payload>) {
    match &mut failure.kind {
        FailureKind::Application { details, .. } | FailureKind::Cancelled { details } => {
            found.extend(details);
        }
        FailureKind::Timeout {
            last_heartbeat_details,
            ..
        } => found.extend(last_heartbeat_details),
        FailureKind::Terminated
        | FailureKind::Activity { .. }
        | FailureKind::WorkerLost
        | FailureKind::ChildWorkflow { .. } => {}
    }
    if let Some(cause) = &mut failure.cause {
        in_failure(cause, found);
    }
}
