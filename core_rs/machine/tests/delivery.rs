//! What a live run delivers, records and causes.
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
    HistoryBuilder, complete_run, completed, failed, failure, schedule, schedule_with, start,
    start_timer,
};
use perdure_history::{
    CancellationType, Command, Event, FailureKind, MessageId, RecordBody, RetryState, Timestamp,
};
use perdure_machine::{Activation, ClosedStatus, DropReason, Effect, MachineError};
use support::{Script, deliver, dropped, empty, payload, replayer, turn};

fn started() -> Event {
    Event::RunStarted(Arc::new(start("order")))
}

fn message(text: &str) -> MessageId {
    MessageId(text.into())
}

/// 1 run started, 2 schedule charge | 3 completed (2), 4 complete run
#[test]
fn a_step_is_recorded_with_its_event_and_causes_its_effects() {
    let mut machine = empty();
    let mut workflow = Script::new([vec![schedule("charge")], vec![complete_run()]]);
    let (seen, first) = turn(&mut machine, &mut workflow, 10, [started()]);
    assert_eq!(seen.len(), 1);
    assert_eq!(first.effects, [Effect::ScheduleActivity { command_n: 2 }]);
    assert_eq!(machine.command(2), Some(schedule("charge")));

    let (seen, second) = turn(&mut machine, &mut workflow, 20, [completed(2)]);
    let resolved = Activation::ResolveActivity {
        command_n: 2,
        outcome: Ok(payload(&[1])),
    };
    assert_eq!(seen, [(resolved, Timestamp::from_micros(20), vec![4])]);
    assert_eq!(
        second.effects,
        [
            Effect::ActivityClosed { command_n: 2 },
            Effect::CloseRun {
                status: ClosedStatus::Completed
            }
        ]
    );
    let numbers: Vec<u64> = second.records.iter().map(|record| record.n).collect();
    assert_eq!((numbers, machine.last_n()), (vec![3, 4], 4));
    assert_eq!(machine.closed(), Some(ClosedStatus::Completed));
    assert_eq!(machine.command(2), None, "what is over is not kept");
}

/// 1 run started, 2 schedule charge | 3 failed (2)
#[test]
fn a_failure_arrives_wrapped_with_its_cause() {
    let mut machine = empty();
    let mut workflow = Script::new([vec![schedule("charge")]]);
    turn(&mut machine, &mut workflow, 10, [started()]);
    let (seen, _) = turn(&mut machine, &mut workflow, 20, [failed(2)]);
    let Activation::ResolveActivity {
        outcome: Err(outer),
        ..
    } = &seen[0].0
    else {
        panic!("{seen:?}")
    };
    assert_eq!(
        outer.kind,
        FailureKind::Activity {
            activity: "charge".into(),
            service: None,
            attempt: 1,
            retry_state: RetryState::NonRetryable
        }
    );
    assert_eq!(outer.cause.as_deref(), Some(&failure("no funds")));
    assert_eq!(
        outer.message,
        "activity charge failed at attempt 1: it may not be retried"
    );
}

#[test]
fn a_call_cancelled_from_outside_fails_with_a_cancelled_cause() {
    let mut machine = empty();
    let mut workflow = Script::new([vec![schedule("charge")]]);
    turn(&mut machine, &mut workflow, 10, [started()]);
    let cancelled = Event::ActivityCancelled {
        command_n: 2,
        attempt: 3,
        details: None,
    };
    let (seen, _) = turn(&mut machine, &mut workflow, 20, [cancelled]);
    let Activation::ResolveActivity {
        outcome: Err(outer),
        ..
    } = &seen[0].0
    else {
        panic!("{seen:?}")
    };
    let FailureKind::Activity {
        attempt: 3,
        retry_state: RetryState::CancelRequested,
        ..
    } = outer.kind
    else {
        panic!("{outer:?}")
    };
    let cause = outer.cause.as_deref().unwrap();
    assert_eq!(cause.kind, FailureKind::Cancelled { details: None });
}

/// 1 run started, 2 schedule charge | 3 signal, 4 cancel activity (2)
#[test]
fn each_cancellation_type_tells_whom_it_should() {
    let told = Effect::CancelActivity { command_n: 2 };
    let closed = Effect::ActivityClosed { command_n: 2 };
    for (cancellation_type, effects, delivered) in [
        (CancellationType::Try, vec![told.clone(), closed.clone()], 0),
        (CancellationType::Abandon, vec![closed.clone()], 0),
        (CancellationType::WaitCompleted, vec![told], 1),
    ] {
        let mut machine = empty();
        let call = schedule_with("charge", &[0x90], cancellation_type);
        let mut workflow =
            Script::new([vec![call], vec![Command::CancelActivity { command_n: 2 }]]);
        turn(&mut machine, &mut workflow, 10, [started()]);
        let cancel = Event::CancelRequested {
            message_id: message("c"),
            reason: "changed".into(),
        };
        let (_, second) = turn(&mut machine, &mut workflow, 20, [cancel]);
        assert_eq!(second.effects, effects, "{cancellation_type:?}");
        let (seen, third) = turn(&mut machine, &mut workflow, 30, [completed(2)]);
        assert_eq!(seen.len(), delivered, "{cancellation_type:?}");
        assert_eq!(
            dropped(&third).len(),
            1 - delivered,
            "{cancellation_type:?}"
        );
        assert_eq!(
            third.records.len(),
            delivered,
            "what is dropped is not recorded"
        );
    }
}

/// 1 run started, 2 start timer | 3 cancel requested, 4 cancel timer (2)
#[test]
fn a_cancelled_timer_never_fires() {
    let mut machine = empty();
    let mut workflow = Script::new([
        vec![start_timer(Timestamp::from_micros(50))],
        vec![Command::CancelTimer { command_n: 2 }],
    ]);
    turn(&mut machine, &mut workflow, 10, [started()]);
    let cancel = Event::CancelRequested {
        message_id: message("c"),
        reason: String::new(),
    };
    // Both are pending in one turn: the cancel comes first, so the timer is taken back in time.
    let fired = Event::TimerFired { command_n: 2 };
    let (seen, second) = turn(&mut machine, &mut workflow, 60, [cancel, fired.clone()]);
    assert_eq!(seen.len(), 1);
    let dropped = Effect::EventDropped {
        event: Box::new(fired),
        reason: DropReason::NotOpen { command_n: 2 },
    };
    assert_eq!(
        second.effects,
        [Effect::CancelTimer { command_n: 2 }, dropped]
    );
}

#[test]
fn a_second_completion_is_dropped() {
    let mut machine = empty();
    let mut workflow = Script::new([vec![schedule("charge")]]);
    turn(&mut machine, &mut workflow, 10, [started()]);
    let (seen, second) = turn(&mut machine, &mut workflow, 20, [completed(2), failed(2)]);
    assert_eq!((seen.len(), second.records.len()), (1, 1));
    assert_eq!(dropped(&second), [&failed(2)]);
}

#[test]
fn internal_events_are_recorded_and_deliver_nothing() {
    let mut machine = empty();
    let mut workflow = Script::new([vec![schedule("charge")]]);
    turn(&mut machine, &mut workflow, 10, [started()]);
    let attempt = Event::ActivityAttemptFailed {
        command_n: 2,
        attempt: 1,
        failure: failure("busy"),
        next_attempt_at: Timestamp::from_micros(30),
        heartbeat_details: None,
    };
    let version = Event::VersionChanged {
        engine: "0.1.0".into(),
        language: "cpython-3.12".into(),
        deployment: None,
    };
    let (seen, second) = turn(&mut machine, &mut workflow, 20, [attempt, version]);
    assert_eq!(
        (seen.len(), second.records.len(), second.effects.len()),
        (0, 2, 0)
    );
    assert_eq!(
        machine.command(2),
        Some(schedule("charge")),
        "it is still open"
    );
}

/// E23: tasks left running when the main coroutine returns record nothing.
#[test]
fn nothing_is_recorded_after_the_close() {
    let mut machine = empty();
    let mut workflow = Script::new([vec![complete_run(), schedule("late")]]);
    machine.handle_event(started());
    machine.begin_turn(Timestamp::from_micros(10));
    assert_eq!(
        deliver(&mut machine, &mut workflow),
        Err(MachineError::Closed { n: 2 })
    );
    assert_eq!(machine.take_turn().records.len(), 2);
}

/// 1 run started, 2 schedule charge | 3 run terminated
#[test]
fn a_terminated_run_runs_no_code_and_drops_what_follows() {
    let terminated = Event::RunTerminated {
        message_id: message("t"),
        reason: "gone".into(),
        next_run_id: None,
    };
    for (event, status) in [
        (terminated, ClosedStatus::Terminated),
        (Event::RunTimedOut, ClosedStatus::TimedOut),
    ] {
        let mut machine = empty();
        let mut workflow = Script::new([vec![schedule("charge")]]);
        turn(&mut machine, &mut workflow, 10, [started()]);
        let (seen, second) = turn(&mut machine, &mut workflow, 20, [event, completed(2)]);
        assert_eq!((seen.len(), second.records.len()), (0, 1));
        let late = Effect::EventDropped {
            event: Box::new(completed(2)),
            reason: DropReason::RunClosed,
        };
        assert_eq!(second.effects, [Effect::CloseRun { status }, late]);
        assert_eq!(machine.closed(), Some(status));
    }
}

#[test]
fn time_does_not_go_back_when_the_clock_does() {
    let mut machine = empty();
    let mut workflow = Script::new([vec![schedule("charge")], vec![schedule("ship")]]);
    turn(&mut machine, &mut workflow, 1_000, [started()]);
    let (seen, second) = turn(&mut machine, &mut workflow, 400, [completed(2)]);
    assert_eq!(seen[0].1, Timestamp::from_micros(1_000));
    assert!(
        second
            .records
            .iter()
            .all(|record| record.at == Timestamp::from_micros(1_000))
    );
}

/// 1 run started, 2 schedule a, 3 schedule b | 4 completed (2), 5 schedule c | cut: completed (3)
#[test]
fn a_cut_turn_keeps_what_came_before_and_gives_back_the_rest() {
    let mut machine = empty();
    let mut workflow = Script::new([
        vec![schedule("a"), schedule("b")],
        vec![schedule("c")],
        vec![Command::CancelActivity { command_n: 5 }, complete_run()],
    ]);
    turn(&mut machine, &mut workflow, 10, [started()]);
    [completed(2), completed(3), Event::RunTimedOut]
        .into_iter()
        .for_each(|event| machine.handle_event(event));
    machine.begin_turn(Timestamp::from_micros(20));
    for _ in 0..2 {
        let activation = machine.poll_activation().unwrap().unwrap();
        for command in support::Workflow::activate(&mut workflow, &activation, 0) {
            machine.submit(command).unwrap();
        }
    }
    assert_eq!(machine.closed(), Some(ClosedStatus::Completed));

    assert_eq!(machine.cut_turn(), [completed(3), Event::RunTimedOut]);
    assert_eq!((machine.last_n(), machine.closed()), (5, None));
    assert_eq!(machine.open_commands().collect::<Vec<_>>(), [3, 5]);
    let kept = machine.take_turn();
    assert_eq!(
        kept.effects,
        [
            Effect::ActivityClosed { command_n: 2 },
            Effect::ScheduleActivity { command_n: 5 }
        ]
    );
    assert!(
        matches!(&kept.records[1].body, RecordBody::Command(command) if *command == schedule("c"))
    );
    // It goes on as if the turn had ended there.
    let (_, next) = turn(&mut machine, &mut Script::new([vec![]]), 30, [completed(3)]);
    assert_eq!(next.records[0].n, 6);
}

#[test]
fn a_cut_while_replaying_gives_back_everything_queued() {
    let mut history = HistoryBuilder::started("order");
    history.schedule("charge");
    let mut machine = replayer(history.records());
    machine.handle_event(completed(2));
    machine.begin_turn(Timestamp::from_micros(20));
    let asked = machine
        .poll_activation()
        .map(|_| machine.submit(schedule("ship")));
    assert!(
        matches!(asked, Ok(Err(MachineError::Mismatch(_)))),
        "{asked:?}"
    );
    assert_eq!(machine.cut_turn(), [completed(2)]);
    assert_eq!(machine.take_turn().records.len(), 0);
}

/// 1 run started, 2 schedule charge | 3 completed (2)
#[test]
fn live_events_follow_the_replay_in_the_same_polls() {
    let mut history = HistoryBuilder::started("order");
    let charge = history.schedule("charge");
    history.turn(Duration::from_secs(1));
    let mut machine = replayer(history.records());
    assert_eq!(machine.last_n(), 2, "history counts before it is replayed");
    assert!(machine.is_replaying());
    machine.handle_event(completed(charge));
    machine.begin_turn(Timestamp::NEVER);
    let mut workflow = Script::new([vec![schedule("charge")], vec![complete_run()]]);
    let seen = deliver(&mut machine, &mut workflow).unwrap();
    assert_eq!(seen.len(), 2);
    assert!(!machine.is_replaying());
    let recorded = machine.take_turn();
    assert_eq!(
        recorded
            .records
            .iter()
            .map(|record| record.n)
            .collect::<Vec<_>>(),
        [3, 4]
    );
    assert!(matches!(
        recorded.effects[..],
        [Effect::ActivityClosed { .. }, Effect::CloseRun { .. }]
    ));
}

#[test]
fn a_command_outside_a_delivery_is_refused() {
    let mut machine = empty();
    assert_eq!(
        machine.submit(schedule("charge")),
        Err(MachineError::OutsideTurn)
    );
}

#[test]
fn taking_back_what_is_not_open_is_refused() {
    let mut machine = empty();
    let mut workflow = Script::new([vec![Command::CancelTimer { command_n: 9 }]]);
    machine.handle_event(started());
    machine.begin_turn(Timestamp::from_micros(10));
    assert_eq!(
        deliver(&mut machine, &mut workflow),
        Err(MachineError::NotOpen {
            command_n: 9,
            asked: "cancel_timer".into()
        })
    );
}
