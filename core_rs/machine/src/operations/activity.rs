//! An activity call, from its scheduling command to its one completion.
//!
//! | state | input | next state | delivers | effects |
//! |---|---|---|---|---|
//! | – | `ScheduleActivity` | Scheduled | – | `ScheduleActivity` |
//! | Scheduled | `ActivityAttemptFailed` | Scheduled | nothing | – |
//! | Scheduled | `ActivityCompleted` | – | the result | `ActivityClosed` |
//! | Scheduled | `ActivityFailed` | – | the failure, wrapped | `ActivityClosed` |
//! | Scheduled | `ActivityCancelled` | – | a cancelled failure, wrapped | `ActivityClosed` |
//! | Scheduled | `CancelActivity` (try) | – | – | `CancelActivity`, `ActivityClosed` |
//! | Scheduled | `CancelActivity` (abandon) | – | – | `ActivityClosed` |
//! | Scheduled | `CancelActivity` (wait completed) | Cancelling | – | `CancelActivity` |
//! | Cancelling | `CancelActivity` | Cancelling | – | – |
//! | Cancelling | any event | as Scheduled | as Scheduled | as Scheduled |
//! | not open | anything | does not fit | | |

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

use perdure_history::{
    CancellationType, Command, Failure, FailureKind, Payload, RetryState, ScheduleActivity,
};

use super::{Misfit, Operation, Operations};
use crate::{Activation, Effect};

/// An open activity call.
#[derive(Clone, Debug)]
pub(crate) struct Activity {
    scheduled: Arc<ScheduleActivity>,
    state: ActivityState,
}

/// Where an open activity call stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ActivityState {
    Scheduled,
    Cancelling,
}

/// How an activity call ends.
pub(crate) enum Outcome {
    Completed(Payload),
    Failed {
        attempt: u32,
        failure: Failure,
        retry_state: RetryState,
    },
    Cancelled {
        attempt: u32,
        details: Option<Payload>,
    },
}

impl Activity {
    pub(crate) fn command(&self) -> Command {
        Command::ScheduleActivity(Arc::clone(&self.scheduled))
    }

    /// What workflow code gets for a failed call: the failure of the call, caused by the failure
    /// of its last attempt, so that `except` clauses see the same shape in every case.
    fn wrap(&self, attempt: u32, retry_state: RetryState, cause: Failure) -> Failure {
        let why = match retry_state {
            RetryState::NonRetryable => "it may not be retried",
            RetryState::MaximumAttemptsReached => "its attempts are used up",
            RetryState::TimedOut => "no time is left for another attempt",
            RetryState::CancelRequested => "it was cancelled",
            _ => "no attempt follows",
        };
        Failure {
            kind: FailureKind::Activity {
                activity: self.scheduled.name.to_string(),
                service: self.scheduled.service.as_ref().map(ToString::to_string),
                attempt,
                retry_state,
            },
            message: format!(
                "activity {} failed at attempt {attempt}: {why}",
                self.scheduled.name
            ),
            stack: String::new(),
            cause: Some(Box::new(cause)),
        }
    }
}

/// Opens a call.
pub(crate) fn schedule(
    operations: &mut Operations,
    n: u64,
    scheduled: Arc<ScheduleActivity>,
    effects: Option<&mut Vec<Effect>>,
) {
    operations.put(
        n,
        Operation::Activity(Activity {
            scheduled,
            state: ActivityState::Scheduled,
        }),
    );
    if let Some(effects) = effects {
        effects.push(Effect::ScheduleActivity { command_n: n });
    }
}

/// The workflow takes a call back.
pub(crate) fn cancel(
    operations: &mut Operations,
    command_n: u64,
    effects: Option<&mut Vec<Effect>>,
) -> Result<(), Misfit> {
    let activity = get(operations, command_n)?;
    let tells_worker = Effect::CancelActivity { command_n };
    let closed = Effect::ActivityClosed { command_n };
    let caused: &[Effect] = match (activity.state, activity.scheduled.options.cancellation_type) {
        (ActivityState::Scheduled, CancellationType::Try) => {
            operations.take_back(command_n);
            &[tells_worker, closed]
        }
        (ActivityState::Scheduled, CancellationType::Abandon) => {
            operations.take_back(command_n);
            &[closed]
        }
        (ActivityState::Scheduled, _) => {
            let cancelling = Activity {
                scheduled: Arc::clone(&activity.scheduled),
                state: ActivityState::Cancelling,
            };
            operations.put(command_n, Operation::Activity(cancelling));
            &[tells_worker]
        }
        (ActivityState::Cancelling, _) => &[],
    };
    if let Some(effects) = effects {
        effects.extend_from_slice(caused);
    }
    Ok(())
}

/// An attempt failed and another follows: nothing for the workflow.
pub(crate) fn attempt_failed(operations: &Operations, command_n: u64) -> Result<(), Misfit> {
    get(operations, command_n).map(|_| ())
}

/// The call ends: its one completion.
pub(crate) fn complete(
    operations: &mut Operations,
    command_n: u64,
    outcome: Outcome,
    effects: Option<&mut Vec<Effect>>,
) -> Result<Activation, Misfit> {
    let activity = get(operations, command_n)?;
    let outcome = match outcome {
        Outcome::Completed(result) => Ok(result),
        Outcome::Failed {
            attempt,
            failure,
            retry_state,
        } => Err(activity.wrap(attempt, retry_state, failure)),
        Outcome::Cancelled { attempt, details } => {
            let cancelled = Failure {
                kind: FailureKind::Cancelled { details },
                message: "the activity was cancelled".to_string(),
                stack: String::new(),
                cause: None,
            };
            Err(activity.wrap(attempt, RetryState::CancelRequested, cancelled))
        }
    };
    operations.remove(command_n);
    if let Some(effects) = effects {
        effects.push(Effect::ActivityClosed { command_n });
    }
    Ok(Activation::ResolveActivity { command_n, outcome })
}

fn get(operations: &Operations, command_n: u64) -> Result<&Activity, Misfit> {
    match operations.get(command_n) {
        Some(Operation::Activity(activity)) => Ok(activity),
        _ => Err(Misfit::NotOpen { command_n }),
    }
}
