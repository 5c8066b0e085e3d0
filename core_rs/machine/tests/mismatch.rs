//! What replay notices, and what it lets pass.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod support;

use std::sync::Arc;
use std::time::Duration;

use perdure_history::testing::{
    HistoryBuilder, complete_run, completed, schedule, schedule_with, start_timer,
};
use perdure_history::{
    CancellationType, Command, Digest, Event, Payload, Record, RecordBody, RunId, ScheduleActivity,
    Timestamp,
};
use perdure_machine::{Machine, MachineError, Mismatch, Submitted};
use support::{payload, replay, replayer};

/// 1 run started, 2 schedule charge | 3 completed (2), 4 complete run
fn charged() -> HistoryBuilder {
    let mut history = HistoryBuilder::started("order");
    let charge = history.schedule("charge");
    history.turn(Duration::from_secs(1));
    history.completed(charge);
    history.complete_run();
    history
}

fn changed(change: impl FnOnce(&mut ScheduleActivity)) -> Command {
    let Command::ScheduleActivity(activity) = schedule("charge") else {
        unreachable!()
    };
    let mut activity = Arc::unwrap_or_clone(activity);
    change(&mut activity);
    Command::ScheduleActivity(Arc::new(activity))
}

fn differing_fields(outcome: Result<support::Seen, MachineError>) -> Vec<(String, String, String)> {
    let Err(MachineError::Mismatch(Mismatch::CommandDiffers { n: 2, fields, .. })) = outcome else {
        panic!("{outcome:?}")
    };
    fields
        .into_iter()
        .map(|difference| {
            (
                difference.field.to_owned(),
                difference.recorded,
                difference.asked,
            )
        })
        .collect()
}

fn fields(differences: &[(&str, &str, &str)]) -> Vec<(String, String, String)> {
    let own = |text: &str| text.to_owned();
    differences
        .iter()
        .map(|(field, old, new)| (own(field), own(old), own(new)))
        .collect()
}

#[test]
fn the_same_code_replays() {
    let seen = replay(&charged(), [vec![schedule("charge")], vec![complete_run()]]).unwrap();
    assert_eq!(seen.len(), 2);
}

#[test]
fn another_name_service_or_kind_is_a_mismatch_with_both_sides() {
    let renamed = replay(&charged(), [vec![schedule("refund")]]);
    assert_eq!(
        differing_fields(renamed),
        fields(&[("name", "charge", "refund")])
    );

    let moved = changed(|activity| activity.service = Some("payments".into()));
    assert_eq!(
        differing_fields(replay(&charged(), [vec![moved]])),
        fields(&[("service", "None", "Some(\"payments\")")])
    );

    let timer = start_timer(Timestamp::NEVER);
    assert_eq!(
        differing_fields(replay(&charged(), [vec![timer]])),
        fields(&[("kind", "schedule_activity", "start_timer")])
    );

    let waits = schedule_with("charge", &[0x90], CancellationType::WaitCompleted);
    assert_eq!(
        differing_fields(replay(&charged(), [vec![waits]])),
        fields(&[("cancellation_type", "Try", "WaitCompleted")])
    );
}

#[test]
fn a_missing_and_an_extra_command_are_noticed_even_at_the_end() {
    let missing = replay(&charged(), [vec![]]);
    assert!(
        matches!(
            missing,
            Err(MachineError::Mismatch(Mismatch::CommandMissing {
                n: 2,
                ..
            }))
        ),
        "{missing:?}"
    );
    let extra = replay(&charged(), [vec![schedule("charge"), schedule("ship")]]);
    assert!(
        matches!(
            extra,
            Err(MachineError::Mismatch(Mismatch::CommandExtra { n: 3, .. }))
        ),
        "{extra:?}"
    );
    let mut open = HistoryBuilder::started("order");
    open.schedule("charge");
    let at_the_end = replay(&open, [vec![schedule("charge"), schedule("ship")]]);
    assert!(
        matches!(
            at_the_end,
            Err(MachineError::Mismatch(Mismatch::CommandExtra { n: 3, .. }))
        ),
        "{at_the_end:?}"
    );
}

#[test]
fn how_a_call_is_carried_out_may_change() {
    let patient = changed(|activity| {
        activity.options.start_to_close_timeout = Some(Duration::from_secs(7_200));
        activity.options.retry_policy.maximum_attempts = 3;
        activity.options.task_queue = Some("slow".into());
        activity.headers = vec![("trace".into(), "2".into())];
        activity.site = Arc::default();
    });
    assert!(replay(&charged(), [vec![patient], vec![complete_run()]]).is_ok());

    let mut sleeping = HistoryBuilder::started("order");
    sleeping.start_timer(Duration::from_secs(60));
    assert!(replay(&sleeping, [vec![start_timer(Timestamp::NEVER)]]).is_ok());
}

#[test]
fn other_arguments_are_for_todays_types_to_judge() {
    let other = schedule_with("charge", &[0x91, 0x05], CancellationType::Try);
    let asked = |machine: &mut Machine| {
        machine.poll_activation().unwrap();
        machine.submit(other.clone())
    };
    let mut machine = replayer(charged().records());
    let recorded = payload(&[0x90]);
    assert_eq!(
        asked(&mut machine),
        Ok(Submitted::ArgumentsDiffer { n: 2, recorded })
    );
    machine.accept_arguments();
    assert!(machine.poll_activation().unwrap().is_some());
    assert_eq!(machine.position(), 3);

    let mut machine = replayer(charged().records());
    asked(&mut machine).unwrap();
    let mismatch = machine.refuse_arguments(other.clone());
    let text = |digest: Digest, length: usize| format!("{length} bytes (digest {:032x})", digest.0);
    let digest = |bytes: &'static [u8]| payload(bytes).digest();
    assert_eq!(
        differing_fields(Err(mismatch)),
        [(
            "arguments".into(),
            text(digest(&[0x90]), 1),
            text(digest(&[0x91, 0x05]), 2)
        )]
    );
}

#[test]
fn a_verdict_that_is_not_asked_for_changes_nothing() {
    let mut machine = replayer(charged().records());
    machine.poll_activation().unwrap();
    machine.accept_arguments();
    assert_eq!(machine.position(), 1);
}

#[test]
fn the_result_of_the_run_is_compared_too() {
    let mut machine = replayer(charged().records());
    machine.poll_activation().unwrap();
    machine.submit(schedule("charge")).unwrap();
    machine.poll_activation().unwrap();
    let other = Command::CompleteRun {
        result: Payload::default(),
    };
    assert_eq!(
        machine.submit(other),
        Ok(Submitted::ArgumentsDiffer {
            n: 4,
            recorded: payload(&[1])
        })
    );
}

#[test]
fn the_fast_way_of_replay_accepts_the_same_call_and_nothing_else() {
    let mut machine = replayer(charged().records());
    let digest = payload(&[0x90]).digest();
    let mut ask = |name, service, digest, cancellation_type| {
        machine.replay_activity(name, service, digest, cancellation_type)
    };
    assert_eq!(
        ask("charge", None, digest, CancellationType::Try),
        None,
        "nothing is delivered"
    );
    machine.poll_activation().unwrap();
    let mut ask = |name, service, digest, cancellation_type| {
        machine.replay_activity(name, service, digest, cancellation_type)
    };
    assert_eq!(ask("refund", None, digest, CancellationType::Try), None);
    assert_eq!(
        ask("charge", Some("payments"), digest, CancellationType::Try),
        None
    );
    assert_eq!(ask("charge", None, Digest(1), CancellationType::Try), None);
    assert_eq!(ask("charge", None, digest, CancellationType::Abandon), None);
    assert_eq!(ask("charge", None, digest, CancellationType::Try), Some(2));
    assert_eq!(
        ask("charge", None, digest, CancellationType::Try),
        None,
        "an event is next"
    );
    assert_eq!(machine.replay_timer(), None);
}

#[test]
fn a_history_with_a_hole_or_without_a_start_is_refused() {
    let from = |records| Machine::from_history(RunId([1; 16]), 0, records).map(|_| ());
    let mut records = charged().records();
    let removed = records.remove(1);
    assert_eq!(
        from(records),
        Err(MachineError::Hole { after: 1, found: 3 })
    );
    let first = Record { n: 1, ..removed };
    assert_eq!(from(vec![first]), Err(MachineError::NoStart));
    let flagged = Machine::from_history(RunId([1; 16]), 1 << 63, charged().records());
    assert_eq!(
        flagged.map(|_| ()),
        Err(MachineError::UnknownFlags { flags: 1 << 63 })
    );
}

#[test]
fn a_recorded_event_that_contradicts_its_operation_is_named() {
    let mut history = HistoryBuilder::started("order");
    let charge = history.schedule("charge");
    history.completed(charge);
    history.completed(charge);
    assert_eq!(
        replay(&history, [vec![schedule("charge")]]),
        Err(MachineError::Contradiction { n: 4, command_n: 2 })
    );
    let mut after_close = charged();
    after_close.completed(2);
    assert_eq!(
        replay(
            &after_close,
            [vec![schedule("charge")], vec![complete_run()]]
        ),
        Err(MachineError::Contradiction { n: 5, command_n: 4 })
    );
}

/// 1 run started, 2 schedule charge | 3 cancel requested, 4 cancel activity (2) | 5 completed (2)
#[test]
fn an_answer_after_the_cancel_in_a_history_is_skipped() {
    let mut history = HistoryBuilder::started("order");
    let charge = history.schedule("charge");
    let message_id = perdure_history::MessageId("c".into());
    history.event(Event::CancelRequested {
        message_id,
        reason: String::new(),
    });
    history.command(Command::CancelActivity { command_n: charge });
    history.event(completed(charge));
    let cancel = Command::CancelActivity { command_n: charge };
    let seen = replay(&history, [vec![schedule("charge")], vec![cancel]]).unwrap();
    assert_eq!(seen.len(), 2);
    let last = history.records().pop().unwrap();
    assert!(matches!(
        last.body,
        RecordBody::Event(Event::ActivityCompleted { .. })
    ));
}
