//! What of a command is compared on replay.
//!
//! Compared is whatever decides which call gets which result, and what code sees of it: the kind,
//! the activity's name and service, the digest of its arguments, how it is cancelled, which command
//! a cancel takes back, the result of the run, which workflow it continues as, with what, and what
//! the run is found by.
//!
//! Not compared is what only says how the engine carries the call out: timeouts, retry policy, task
//! queue, priority, rate limits, headers, and the instant at which a timer is due. The recorded
//! value stands. Raising a timeout or lengthening a sleep is the most common harmless edit, and
//! must not park every open run. Sites are not compared, and neither is the text of a failure,
//! which holds line numbers.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::Debug;

use perdure_history::{
    Command, ExternalRun, Failure, FailureKind, Payload, RunStarted, ScheduleActivity, StartChild,
};

use crate::mismatch::FieldDifference;

/// What a run says of one key of its memo; `None` takes it away.
type MemoChange = (String, Option<Payload>);

/// How a recorded and an asked command relate.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Comparison<'a> {
    /// The same request.
    Equal,
    /// The same request with other bytes: whether they mean the same is for today's types to say.
    PayloadDiffers(&'a Payload),
    /// Another request.
    Differs,
}

/// Compares without allocating.
pub(crate) fn compare<'a>(recorded: &'a Command, asked: &Command) -> Comparison<'a> {
    if let (Some(recorded), Some(asked)) = (taken_back(recorded), taken_back(asked)) {
        return alike(recorded == asked);
    }
    match (recorded, asked) {
        (Command::ScheduleActivity(recorded), Command::ScheduleActivity(asked)) => {
            let same_bytes = recorded.digest == asked.digest;
            with_payload(same_call(recorded, asked), same_bytes, &recorded.arguments)
        }
        (Command::StartChild(recorded), Command::StartChild(asked)) => {
            let same_bytes = recorded.digest == asked.digest;
            with_payload(same_child(recorded, asked), same_bytes, &recorded.arguments)
        }
        (Command::SignalExternal(recorded), Command::SignalExternal(asked)) => {
            let same = recorded.target == asked.target && recorded.name == asked.name;
            let same_bytes = recorded.arguments == asked.arguments;
            with_payload(same, same_bytes, &recorded.arguments)
        }
        (Command::CancelExternal(recorded), Command::CancelExternal(asked)) => {
            alike(recorded.target == asked.target)
        }
        (Command::CompleteRun { result: recorded }, Command::CompleteRun { result: asked }) => {
            with_payload(true, recorded == asked, recorded)
        }
        (
            Command::FailRun {
                failure: recorded, ..
            },
            Command::FailRun { failure: asked, .. },
        ) => alike(sort_of(&recorded.kind) == sort_of(&asked.kind)),
        (Command::RecordPatch { id: recorded, .. }, Command::RecordPatch { id: asked, .. }) => {
            alike(recorded == asked)
        }
        (Command::ContinueAsNew(recorded), Command::ContinueAsNew(asked)) => {
            compare_next(&recorded.start, &asked.start)
        }
        (
            Command::CompleteUpdate { event_n, result },
            Command::CompleteUpdate {
                event_n: asked_n,
                result: asked,
            },
        ) => with_payload(event_n == asked_n, result == asked, result),
        (
            Command::FailUpdate { event_n, failure },
            Command::FailUpdate {
                event_n: asked_n,
                failure: asked,
            },
        ) => alike(event_n == asked_n && sort_of(&failure.kind) == sort_of(&asked.kind)),
        (Command::StartTimer { .. }, Command::StartTimer { .. })
        | (Command::CancelRun { .. }, Command::CancelRun { .. }) => Comparison::Equal,
        (Command::SetMemo { entries: recorded }, Command::SetMemo { entries: asked }) => {
            compare_memo(recorded, asked)
        }
        _ => alike(same_attributes(recorded, asked)),
    }
}

/// A recorded value that is still encoded says nothing of whether the code has changed: the host
/// is given it, and says what it lacks.
fn compare_memo<'a>(recorded: &'a [MemoChange], asked: &[MemoChange]) -> Comparison<'a> {
    if recorded.len() != asked.len() {
        return Comparison::Differs;
    }
    let mut encoded = None;
    for ((name, value), (asked_name, asked_value)) in recorded.iter().zip(asked) {
        match (value, asked_value) {
            (Some(value), Some(_)) if name == asked_name && value.is_encoded() => {
                encoded = encoded.or(Some(value));
            }
            _ if name == asked_name && value == asked_value => {}
            _ => return Comparison::Differs,
        }
    }
    encoded.map_or(Comparison::Equal, Comparison::PayloadDiffers)
}

const fn alike(same: bool) -> Comparison<'static> {
    if same {
        Comparison::Equal
    } else {
        Comparison::Differs
    }
}

/// A request that carries a payload: the same one, perhaps with other bytes.
const fn with_payload(same: bool, same_bytes: bool, recorded: &Payload) -> Comparison<'_> {
    match (same, same_bytes) {
        (false, _) => Comparison::Differs,
        (true, false) => Comparison::PayloadDiffers(recorded),
        (true, true) => Comparison::Equal,
    }
}

fn compare_next<'a>(recorded: &'a RunStarted, asked: &RunStarted) -> Comparison<'a> {
    let same_type = recorded.workflow_type == asked.workflow_type;
    let same_bytes = recorded.arguments == asked.arguments;
    with_payload(same_type, same_bytes, &recorded.arguments)
}

/// The sort and the number of the command that a cancel takes back.
const fn taken_back(command: &Command) -> Option<(&'static str, u64)> {
    match command {
        Command::CancelActivity { command_n } => Some(("activity", *command_n)),
        Command::CancelTimer { command_n } => Some(("timer", *command_n)),
        Command::CancelChild { command_n } => Some(("child", *command_n)),
        _ => None,
    }
}

/// Whether both change the same of what the run is found by.
fn same_attributes(recorded: &Command, asked: &Command) -> bool {
    match (recorded, asked) {
        (
            Command::SetSearchAttributes {
                attributes: recorded,
            },
            Command::SetSearchAttributes { attributes: asked },
        ) => recorded == asked,
        _ => false,
    }
}

/// Run id and seed are the record's own: code does not choose them.
fn same_child(recorded: &StartChild, asked: &StartChild) -> bool {
    recorded.workflow_type == asked.workflow_type
        && recorded.workflow_id == asked.workflow_id
        && recorded.cancellation_type == asked.cancellation_type
}

fn same_call(recorded: &ScheduleActivity, asked: &ScheduleActivity) -> bool {
    recorded.name == asked.name
        && recorded.service == asked.service
        && recorded.options.cancellation_type == asked.options.cancellation_type
}

/// The fields that differ, for people: those that made the mismatch first, then the others.
pub(crate) fn differences(recorded: &Command, asked: &Command) -> Vec<FieldDifference> {
    let mut found = Found(Vec::new());
    if let (Some((sort, n)), Some((asked_sort, asked_n))) =
        (taken_back(recorded), taken_back(asked))
        && sort == asked_sort
    {
        found.field("command_n", &n, &asked_n);
        return found.0;
    }
    match (recorded, asked) {
        (Command::ScheduleActivity(recorded), Command::ScheduleActivity(asked)) => {
            activity_differences(&mut found, recorded, asked);
        }
        (Command::StartChild(recorded), Command::StartChild(asked)) => {
            child_differences(&mut found, recorded, asked);
        }
        (
            Command::CompleteUpdate { event_n, result },
            Command::CompleteUpdate {
                event_n: asked_n,
                result: asked,
            },
        ) => {
            found.field("event_n", event_n, asked_n);
            found.text("result", describe(result), describe(asked));
        }
        (
            Command::FailUpdate { event_n, failure },
            Command::FailUpdate {
                event_n: asked_n,
                failure: asked,
            },
        ) => {
            found.field("event_n", event_n, asked_n);
            failure_differences(&mut found, failure, asked);
        }
        (
            Command::StartTimer {
                fire_at: recorded, ..
            },
            Command::StartTimer { fire_at: asked, .. },
        ) => found.field("fire_at", &recorded.as_micros(), &asked.as_micros()),
        (Command::RecordPatch { id: recorded, .. }, Command::RecordPatch { id: asked, .. }) => {
            found.text("id", recorded.to_string(), asked.to_string());
        }
        (
            Command::SetSearchAttributes {
                attributes: recorded,
            },
            Command::SetSearchAttributes { attributes: asked },
        ) => found.field("attributes", recorded, asked),
        (Command::SetMemo { entries: recorded }, Command::SetMemo { entries: asked }) => {
            found.text("entries", names(recorded), names(asked));
            if recorded != asked {
                found.text("values", "as recorded".to_string(), "others".to_string());
            }
        }
        _ => message_differences(&mut found, recorded, asked),
    }
    found.0
}

fn failure_differences(found: &mut Found, recorded: &Failure, asked: &Failure) {
    found.text(
        "failure",
        sort_of(&recorded.kind).to_string(),
        sort_of(&asked.kind).to_string(),
    );
    found.text("message", recorded.message.clone(), asked.message.clone());
}

fn activity_differences(found: &mut Found, recorded: &ScheduleActivity, asked: &ScheduleActivity) {
    found.text("name", recorded.name.to_string(), asked.name.to_string());
    found.field("service", &recorded.service, &asked.service);
    if recorded.digest != asked.digest {
        let text = |call: &ScheduleActivity| {
            format!(
                "{} (digest {:032x})",
                describe(&call.arguments),
                call.digest.0
            )
        };
        found.text("arguments", text(recorded), text(asked));
    }
    let (old, new) = (&recorded.options, &asked.options);
    found.field(
        "cancellation_type",
        &old.cancellation_type,
        &new.cancellation_type,
    );
    found.field("task_queue", &old.task_queue, &new.task_queue);
    found.field(
        "schedule_to_start_timeout",
        &old.schedule_to_start_timeout,
        &new.schedule_to_start_timeout,
    );
    found.field(
        "start_to_close_timeout",
        &old.start_to_close_timeout,
        &new.start_to_close_timeout,
    );
    found.field(
        "schedule_to_close_timeout",
        &old.schedule_to_close_timeout,
        &new.schedule_to_close_timeout,
    );
    found.field(
        "heartbeat_timeout",
        &old.heartbeat_timeout,
        &new.heartbeat_timeout,
    );
    found.field("retry_policy", &old.retry_policy, &new.retry_policy);
    found.field("priority", &old.priority, &new.priority);
    found.field("rate_limits", &old.rate_limits, &new.rate_limits);
}

/// Of messages to other runs; of what has nothing in common, that.
fn message_differences(found: &mut Found, recorded: &Command, asked: &Command) {
    match (recorded, asked) {
        (Command::SignalExternal(recorded), Command::SignalExternal(asked)) => {
            target_differences(found, &recorded.target, &asked.target);
            found.text("name", recorded.name.clone(), asked.name.clone());
            found.text(
                "arguments",
                describe(&recorded.arguments),
                describe(&asked.arguments),
            );
        }
        (Command::CancelExternal(recorded), Command::CancelExternal(asked)) => {
            target_differences(found, &recorded.target, &asked.target);
        }
        (Command::CompleteRun { result: recorded }, Command::CompleteRun { result: asked }) => {
            found.text("result", describe(recorded), describe(asked));
        }
        (
            Command::FailRun {
                failure: recorded, ..
            },
            Command::FailRun { failure: asked, .. },
        ) => {
            found.text(
                "failure",
                sort_of(&recorded.kind).to_string(),
                sort_of(&asked.kind).to_string(),
            );
            found.text("message", recorded.message.clone(), asked.message.clone());
        }
        (Command::ContinueAsNew(recorded), Command::ContinueAsNew(asked)) => {
            let (old, new) = (&recorded.start, &asked.start);
            found.text(
                "workflow_type",
                old.workflow_type.to_string(),
                new.workflow_type.to_string(),
            );
            found.text(
                "arguments",
                describe(&old.arguments),
                describe(&new.arguments),
            );
        }
        _ => found.text(
            "kind",
            kind_of(recorded).to_string(),
            kind_of(asked).to_string(),
        ),
    }
}

fn target_differences(found: &mut Found, recorded: &ExternalRun, asked: &ExternalRun) {
    found.text(
        "workflow_id",
        recorded.workflow_id.clone(),
        asked.workflow_id.clone(),
    );
    found.field("run", &recorded.run, &asked.run);
    found.field("child_n", &recorded.child_n, &asked.child_n);
}

fn child_differences(found: &mut Found, recorded: &StartChild, asked: &StartChild) {
    found.text(
        "workflow_type",
        recorded.workflow_type.to_string(),
        asked.workflow_type.to_string(),
    );
    found.field("workflow_id", &recorded.workflow_id, &asked.workflow_id);
    if recorded.digest != asked.digest {
        let text = |child: &StartChild| {
            format!(
                "{} (digest {:032x})",
                describe(&child.arguments),
                child.digest.0
            )
        };
        found.text("arguments", text(recorded), text(asked));
    }
    found.field(
        "cancellation_type",
        &recorded.cancellation_type,
        &asked.cancellation_type,
    );
    found.field(
        "parent_close_policy",
        &recorded.parent_close_policy,
        &asked.parent_close_policy,
    );
    found.field("task_queue", &recorded.task_queue, &asked.task_queue);
    found.field("run_timeout", &recorded.run_timeout, &asked.run_timeout);
    found.field("priority", &recorded.priority, &asked.priority);
}

/// The command's kind, as the export of a history names it.
#[must_use]
pub(crate) fn kind_of(command: &Command) -> &'static str {
    match command {
        Command::ScheduleActivity(_) => "schedule_activity",
        Command::CancelActivity { .. } => "cancel_activity",
        Command::StartTimer { .. } => "start_timer",
        Command::CancelTimer { .. } => "cancel_timer",
        Command::CompleteRun { .. } => "complete_run",
        Command::FailRun { .. } => "fail_run",
        Command::CancelRun { .. } => "cancel_run",
        Command::RecordPatch { .. } => "record_patch",
        Command::ContinueAsNew(_) => "continue_as_new",
        Command::StartChild(_) => "start_child",
        Command::CancelChild { .. } => "cancel_child",
        Command::SignalExternal(_) => "signal_external",
        Command::CancelExternal(_) => "cancel_external",
        Command::CompleteUpdate { .. } => "complete_update",
        Command::FailUpdate { .. } => "fail_update",
        Command::SetSearchAttributes { .. } => "set_search_attributes",
        Command::SetMemo { .. } => "set_memo",
        _ => "unknown",
    }
}

/// What of a failure's kind is stable over releases of the code.
fn sort_of(kind: &FailureKind) -> &str {
    match kind {
        FailureKind::Application { type_name, .. } => type_name,
        FailureKind::Timeout { .. } => "timeout",
        FailureKind::Cancelled { .. } => "cancelled",
        FailureKind::Terminated => "terminated",
        FailureKind::Activity { activity, .. } => activity,
        FailureKind::WorkerLost => "worker lost",
        FailureKind::ChildWorkflow { workflow_type, .. } => workflow_type,
        _ => "unknown",
    }
}

/// The keys of a memo; those that are taken away with a minus.
fn names(entries: &[(String, Option<Payload>)]) -> String {
    let names = entries.iter().map(|(name, value)| {
        let sign = if value.is_some() { "" } else { "-" };
        format!("{sign}{name}")
    });
    names.collect::<Vec<_>>().join(", ")
}

fn describe(payload: &Payload) -> String {
    format!("{} bytes", payload.0.len())
}

struct Found(Vec<FieldDifference>);

impl Found {
    fn field<T: Debug + PartialEq>(&mut self, field: &'static str, recorded: &T, asked: &T) {
        if recorded != asked {
            self.text(field, format!("{recorded:?}"), format!("{asked:?}"));
        }
    }

    fn text(&mut self, field: &'static str, recorded: String, asked: String) {
        if recorded != asked {
            self.0.push(FieldDifference {
                field,
                recorded,
                asked,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn memo(name: &str, value: &'static [u8]) -> Command {
        let value = Some(Payload(value.into()));
        Command::SetMemo {
            entries: vec![(name.to_string(), value)],
        }
    }

    #[test]
    fn a_memo_that_nobody_decoded_is_no_other_memo() {
        let encoded = memo("who", b"\xc1secret");
        let Command::SetMemo { entries } = &encoded else {
            return;
        };
        let recorded = entries[0].1.as_ref().unwrap();
        assert_eq!(
            compare(&encoded, &memo("who", b"plain")),
            Comparison::PayloadDiffers(recorded)
        );
        let others = [
            (&encoded, memo("what", b"plain")),
            (&memo("who", b"other"), memo("who", b"plain")),
        ];
        for (recorded, asked) in others {
            assert_eq!(compare(recorded, &asked), Comparison::Differs);
        }
        assert_eq!(
            compare(&memo("a", b"b"), &memo("a", b"b")),
            Comparison::Equal
        );
    }
}
