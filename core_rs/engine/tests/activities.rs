//! Activities, from their scheduling to their one completion (semantics.md B and C).

#![allow(clippy::panic, clippy::indexing_slicing, clippy::unwrap_used)]

mod support;

use std::time::Duration;

use perdure_engine::{Input, Lost, Reply, ServiceReport, TaskOutcome};
use perdure_history::{
    ActivityOptions, CancellationType, Command, Event, FailureKind, RecordBody, RetryPolicy,
    RetryState, TimeoutKind,
};
use perdure_machine::Activation;
use perdure_machine::effect::ClosedStatus;
use support::{World, activity, at, complete, payload, run_id};

fn retrying() -> ActivityOptions {
    let retry_policy = RetryPolicy {
        jitter: 0.0,
        ..RetryPolicy::default()
    };
    ActivityOptions {
        retry_policy,
        ..ActivityOptions::default()
    }
}

fn one_activity(activation: &Activation) -> Result<Vec<Command>, &'static str> {
    one(activation, None, retrying())
}

fn one(
    activation: &Activation,
    service: Option<&str>,
    options: ActivityOptions,
) -> Result<Vec<Command>, &'static str> {
    Ok(match activation {
        Activation::Start(_) => vec![activity("parse", service, options)],
        Activation::ResolveActivity {
            outcome: Ok(result),
            ..
        } => {
            vec![Command::CompleteRun {
                result: result.clone(),
            }]
        }
        Activation::ResolveActivity {
            outcome: Err(failure),
            ..
        } => {
            vec![Command::FailRun {
                failure: failure.clone(),
                next: None,
            }]
        }
        _ => vec![],
    })
}

/// What the run failed with: the failure of the last attempt.
fn cause(world: &mut World) -> FailureKind {
    match world.result(run_id(1)) {
        Some(Reply::Result {
            outcome: Err(failure),
            ..
        }) => failure.cause.unwrap().kind,
        other => panic!("{other:?}"),
    }
}

#[test]
fn start_activity_completion_close_is_two_appends() {
    let mut world = World::new(one_activity);
    let started = world.start_with(1, None);
    assert_eq!(
        world.reply_to(started),
        Some(&Reply::Started { run: run_id(1) })
    );
    assert_eq!(world.tasks[0].id.to_string(), format!("{}.2.1", run_id(1)));
    assert_eq!(world.tasks[0].deadline, at(1_000 + 3_600));
    let waiting = world.send(perdure_engine::MessageBody::AwaitResult { run: run_id(1) });
    assert_eq!(world.reply_to(waiting), None);
    world.complete("parsed");
    let result = Reply::Result {
        run: run_id(1),
        status: ClosedStatus::Completed,
        outcome: Ok(payload("parsed")),
        next_run: None,
    };
    assert_eq!(world.reply_to(waiting), Some(&result));
    assert_eq!(world.appends, 2, "one write a turn");
    assert_eq!(
        world.result(run_id(1)),
        Some(result),
        "a closed run's result is read back"
    );
    let words = [
        "RunStarted",
        "ScheduleActivity:parse",
        "ActivityCompleted",
        "CompleteRun",
    ];
    assert_eq!(world.history(run_id(1)), words);
    assert_eq!((world.engine.open_runs(), world.engine.live_runs()), (0, 0));
}

#[test]
fn c1_c14_a_failed_attempt_is_followed_by_another_that_knows_of_it() {
    let mut world = World::new(one_activity);
    world.start_run(1);
    let first = world.tasks[0].clone();
    world.fail("Flaky");
    assert!(world.tasks.is_empty());
    world.advance(Duration::from_millis(999));
    assert!(world.tasks.is_empty());
    world.advance(Duration::from_millis(1));
    let second = world.tasks[0].clone();
    assert_eq!(
        (second.id.attempt, second.last_failure.is_some()),
        (2, true)
    );
    assert_eq!(second.idempotency_key, first.idempotency_key);
    assert_eq!(second.scheduled_at, at(1_000));
    assert_ne!(second.nonce, first.nonce);
    world.fail("Flaky");
    world.advance(Duration::from_secs(2));
    world.complete("parsed");
    let history = world.history(run_id(1));
    assert_eq!(
        history
            .iter()
            .filter(|word| *word == "ActivityAttemptFailed")
            .count(),
        2
    );
    assert_eq!(history.last().unwrap(), "CompleteRun");
}

fn one_activity_closed_soon(activation: &Activation) -> Result<Vec<Command>, &'static str> {
    let options = ActivityOptions {
        schedule_to_close_timeout: Some(Duration::from_millis(1_500)),
        ..retrying()
    };
    one(activation, None, options)
}

#[test]
fn a_failure_is_recorded_once_when_the_activity_ends_before_its_turn_does() {
    let mut world = World::new(one_activity_closed_soon);
    world.start_run(1);
    world.holds_turns = true;
    world.fail("Flaky");
    // The second attempt holds its slot, waits for the turn to end, and runs out of time.
    world.advance(Duration::from_secs(2));
    world.step_held();
    // That it ran out of time is not durable yet, and after a step of the clock it has some again.
    world.holds_turns = false;
    world.now = at(1_000);
    world.restart();
    world.host(&["audit"]);
    world.advance(Duration::from_secs(10));
    let words = [
        "RunStarted",
        "ScheduleActivity:parse",
        "ActivityAttemptFailed",
        "ActivityFailed",
        "FailRun",
    ];
    assert_eq!(world.history(run_id(1)), words);
}

#[test]
fn doubles_late_words_and_forgeries_are_dropped() {
    let mut world = World::new(one_activity);
    world.start_run(1);
    let first = world.tasks[0].clone();
    let mut forged = first.clone();
    forged.nonce ^= 1;
    world.report(
        &forged,
        TaskOutcome::Completed {
            result: payload("forged"),
        },
    );
    assert_eq!(world.history(run_id(1)).len(), 2);
    world.fail("Flaky");
    world.report(
        &first,
        TaskOutcome::Completed {
            result: payload("late"),
        },
    );
    world.advance(Duration::from_secs(1));
    let second = world.tasks[0].clone();
    world.complete("parsed");
    world.report(
        &second,
        TaskOutcome::Completed {
            result: payload("double"),
        },
    );
    match world.result(run_id(1)) {
        Some(Reply::Result {
            outcome: Ok(result),
            ..
        }) => assert_eq!(result, payload("parsed")),
        other => panic!("{other:?}"),
    }
}

#[test]
fn c3_maximum_attempts_end_the_activity_with_its_last_failure() {
    let mut world = World::new(|activation| {
        let mut options = retrying();
        options.retry_policy.maximum_attempts = 2;
        one(activation, None, options)
    });
    world.start_run(1);
    world.fail("First");
    world.advance(Duration::from_secs(1));
    world.fail("Second");
    match world.result(run_id(1)) {
        Some(Reply::Result {
            outcome: Err(failure),
            status: ClosedStatus::Failed,
            ..
        }) => {
            let FailureKind::Activity {
                attempt,
                retry_state,
                ..
            } = failure.kind
            else {
                panic!("{failure:?}");
            };
            assert_eq!(
                (attempt, retry_state),
                (2, RetryState::MaximumAttemptsReached)
            );
        }
        other => panic!("{other:?}"),
    }
    let FailureKind::Application { type_name, .. } = cause(&mut world) else {
        panic!()
    };
    assert_eq!(type_name, "Second");
}

#[test]
fn c8_start_to_close_counts_as_an_attempt_and_tells_the_worker() {
    let mut world = World::new(|activation| {
        let start_to_close_timeout = Some(Duration::from_secs(5));
        one(
            activation,
            None,
            ActivityOptions {
                start_to_close_timeout,
                ..retrying()
            },
        )
    });
    world.start_run(1);
    let first = world.tasks.remove(0);
    world.advance(Duration::from_secs(5));
    assert_eq!(world.cancelled, [first.id.to_string()]);
    world.advance(Duration::from_secs(1));
    let second = world.tasks.remove(0);
    assert_eq!(second.id.attempt, 2);
    let FailureKind::Timeout { kind, .. } = second.last_failure.as_ref().unwrap().kind else {
        panic!("{second:?}");
    };
    assert_eq!(kind, TimeoutKind::StartToClose);
    world.report(
        &first,
        TaskOutcome::Completed {
            result: payload("late"),
        },
    );
    assert_eq!(
        world.engine.open_runs(),
        1,
        "the first attempt's word came too late"
    );
}

#[test]
fn c7_schedule_to_close_counts_waits_and_ends_with_a_timeout() {
    let mut world = World::new(|activation| {
        let schedule_to_close_timeout = Some(Duration::from_secs(3));
        one(
            activation,
            None,
            ActivityOptions {
                schedule_to_close_timeout,
                ..retrying()
            },
        )
    });
    world.start_run(1);
    assert_eq!(world.tasks[0].deadline, at(1_003));
    world.fail("Flaky");
    world.advance(Duration::from_secs(3));
    let FailureKind::Timeout { kind, .. } = cause(&mut world) else {
        panic!()
    };
    assert_eq!(kind, TimeoutKind::ScheduleToClose);
}

#[test]
fn c9_schedule_to_start_is_not_retried() {
    let mut world = World::new(|activation| {
        let schedule_to_start_timeout = Some(Duration::from_secs(2));
        one(
            activation,
            Some("go"),
            ActivityOptions {
                schedule_to_start_timeout,
                ..retrying()
            },
        )
    });
    world.start_run(1);
    world.advance(Duration::from_secs(2));
    let FailureKind::Timeout { kind, .. } = cause(&mut world) else {
        panic!()
    };
    assert_eq!(kind, TimeoutKind::ScheduleToStart);
}

#[test]
fn c10_c11_silence_is_retried_and_the_last_details_are_not_lost() {
    let mut world = World::new(|activation| {
        let heartbeat_timeout = Some(Duration::from_secs(4));
        one(
            activation,
            None,
            ActivityOptions {
                heartbeat_timeout,
                ..retrying()
            },
        )
    });
    world.start_run(1);
    let first = world.tasks.remove(0);
    world.advance(Duration::from_secs(3));
    world.report(
        &first,
        TaskOutcome::Heartbeat {
            details: Some(payload("half")),
        },
    );
    world.advance(Duration::from_secs(3));
    assert!(world.cancelled.is_empty(), "the heartbeat was heard");
    world.advance(Duration::from_secs(2));
    let second = world.tasks.remove(0);
    assert_eq!(second.heartbeat_details, Some(payload("half")));
    world.restart();
    world.host(&["audit"]);
    world.advance(Duration::from_secs(2));
    let third = world.tasks.remove(0);
    assert_eq!(
        (third.id.attempt, third.heartbeat_details),
        (3, Some(payload("half")))
    );
}

#[test]
fn c12_one_attempt_after_an_outage_longer_than_the_wait() {
    let mut world = World::new(one_activity);
    world.start_run(1);
    world.fail("Flaky");
    world.now = at(2_000);
    world.restart();
    assert!(world.tasks.is_empty(), "the host has not said what it has");
    world.host(&["audit"]);
    assert_eq!(world.tasks.len(), 1);
    assert_eq!(world.tasks[0].id.attempt, 2);
}

#[test]
fn b1_b9_a_local_attempt_is_lost_with_its_process_and_counts() {
    let mut world = World::new(one_activity);
    world.start_run(1);
    world.restart();
    world.host(&["audit"]);
    assert!(world.tasks.is_empty());
    world.advance(Duration::from_secs(1));
    assert_eq!(world.tasks[0].id.attempt, 2);
    world.complete("parsed");
    assert!(matches!(
        world.result(run_id(1)),
        Some(Reply::Result { outcome: Ok(_), .. })
    ));
}

#[test]
fn a_single_permitted_attempt_never_runs_twice() {
    let mut world = World::new(|activation| {
        let mut options = retrying();
        options.retry_policy.maximum_attempts = 1;
        one(activation, None, options)
    });
    world.start_run(1);
    world.restart();
    world.host(&["audit"]);
    world.advance(Duration::from_secs(100));
    assert!(world.tasks.is_empty());
    assert!(matches!(cause(&mut world), FailureKind::WorkerLost));
}

#[test]
fn after_a_restart_services_are_asked_and_unclaimed_tasks_are_lost() {
    let mut world = World::new(|activation| one(activation, Some("go"), retrying()));
    world.start_run(1);
    world.start_run(2);
    let (claimed, lost) = (world.tasks[0].clone(), world.tasks[1].clone());
    world.restart();
    world.host(&["audit"]);
    assert_eq!(world.inventories, ["go"]);
    world.input(Input::Service(ServiceReport {
        service: "go".into(),
        slots: 4,
        activities: vec!["parse".to_owned()],
        held: vec![claimed.id],
    }));
    world.advance(Duration::from_secs(17));
    assert_eq!(
        world.tasks.len(),
        1,
        "only the unclaimed one is handed out again"
    );
    assert_eq!(
        (world.tasks[0].id.run, world.tasks[0].id.attempt),
        (lost.id.run, 2)
    );
    world.report(
        &claimed,
        TaskOutcome::Completed {
            result: payload("parsed"),
        },
    );
    assert!(matches!(
        world.result(run_id(1)),
        Some(Reply::Result { outcome: Ok(_), .. })
    ));
}

#[test]
fn b5_not_started_waits_without_using_up_the_attempt() {
    let mut world = World::new(|activation| one(activation, Some("go"), retrying()));
    world.start_run(1);
    let refused = TaskOutcome::NotStarted {
        reason: "no worker".to_owned(),
        retry_after: None,
    };
    for wait_ms in [200, 400, 800, 1_600, 3_200, 5_000, 5_000] {
        let task = world.tasks.remove(0);
        assert_eq!(task.id.attempt, 1);
        world.report(&task, refused.clone());
        world.advance(Duration::from_millis(wait_ms - 1));
        assert!(world.tasks.is_empty(), "{wait_ms}");
        world.advance(Duration::from_millis(1));
    }
    assert_eq!(world.tasks[0].id.attempt, 1);
}

#[test]
fn a_busy_worker_says_when_it_is_asked_again_within_limits() {
    let mut world = World::new(|activation| one(activation, Some("go"), retrying()));
    world.start_run(1);
    let busy = |wish: Duration| TaskOutcome::NotStarted {
        reason: "Busy: all 4 slots are taken".to_owned(),
        retry_after: Some(wish),
    };
    for (wish, wait_ms) in [
        (Duration::from_millis(30), 30),
        (Duration::from_millis(900), 900),
        (Duration::ZERO, 10),
        (Duration::MAX, 60_000),
    ] {
        let task = world.tasks.remove(0);
        world.report(&task, busy(wish));
        world.advance(Duration::from_millis(wait_ms - 1));
        assert!(world.tasks.is_empty(), "{wish:?}");
        world.advance(Duration::from_millis(1));
        assert_eq!(world.tasks[0].id.attempt, 1, "{wish:?}");
    }
}

#[test]
fn a_lost_worker_is_followed_by_the_next_attempt() {
    let mut world = World::new(|activation| one(activation, Some("go"), retrying()));
    world.start_run(1);
    let task = world.tasks.remove(0);
    world.report(&task, TaskOutcome::Lost(Lost::Disconnected));
    world.advance(Duration::from_secs(1));
    assert_eq!(world.tasks[0].id.attempt, 2);
}

#[test]
fn slots_bound_what_is_handed_out_and_the_line_is_fair() {
    let mut world = World::new(one_activity);
    world.serve(&[("default", &["audit"], 1)]);
    for number in 1..=3 {
        world.start_run(number);
    }
    for number in 1..=3 {
        assert_eq!(world.tasks.len(), 1);
        assert_eq!(world.tasks[0].id.run, run_id(number));
        world.complete("parsed");
    }
    assert_eq!(world.engine.open_runs(), 0);
}

fn cancelled_by_signal(
    activation: &Activation,
    cancellation_type: CancellationType,
) -> Result<Vec<Command>, &'static str> {
    match activation {
        Activation::Signal { .. } => Ok(vec![Command::CancelActivity { command_n: 2 }]),
        other => one(
            other,
            None,
            ActivityOptions {
                cancellation_type,
                ..retrying()
            },
        ),
    }
}

#[test]
fn b3_try_tells_the_worker_and_ends_the_call_at_once() {
    let mut world = World::new(|a| cancelled_by_signal(a, CancellationType::Try));
    let run = world.start_run(1);
    let task = world.tasks.remove(0);
    world.signal(run, "s1");
    assert_eq!(world.cancelled, [task.id.to_string()]);
    world.report(
        &task,
        TaskOutcome::Completed {
            result: payload("late"),
        },
    );
    assert_eq!(world.history(run).last().unwrap(), "CancelActivity");
}

#[test]
fn b3_abandon_does_not_tell_the_worker() {
    let mut world = World::new(|a| cancelled_by_signal(a, CancellationType::Abandon));
    let run = world.start_run(1);
    world.signal(run, "s1");
    assert!(world.cancelled.is_empty());
}

#[test]
fn b4_wait_completed_delivers_what_the_worker_answers() {
    let mut world = World::new(|a| cancelled_by_signal(a, CancellationType::WaitCompleted));
    let run = world.start_run(1);
    world.signal(run, "s1");
    assert_eq!(world.cancelled.len(), 1);
    world.advance(Duration::from_secs(2));
    assert_eq!(
        world.cancelled.len(),
        2,
        "a cancel may be lost, so it is told again"
    );
    world.complete("parsed");
    assert!(matches!(
        world.result(run),
        Some(Reply::Result { outcome: Ok(_), .. })
    ));
}

#[test]
fn c13_a_cancel_in_a_backoff_ends_the_activity_without_another_attempt() {
    let mut world = World::new(|a| cancelled_by_signal(a, CancellationType::WaitCompleted));
    let run = world.start_run(1);
    world.fail("Flaky");
    world.signal(run, "s1");
    world.advance(Duration::from_secs(100));
    assert!(world.tasks.is_empty());
    let cancelled = |record: &perdure_history::Record| {
        matches!(
            record.body,
            RecordBody::Event(Event::ActivityCancelled { attempt: 1, .. })
        )
    };
    assert!(world.records(run).iter().any(cancelled));
    assert!(matches!(cause(&mut world), FailureKind::Cancelled { .. }));
}

#[test]
fn an_activity_that_is_cancelled_in_the_turn_that_schedules_it_never_leaves() {
    let mut world = World::new(|activation| {
        Ok(match activation {
            Activation::Start(_) => vec![
                activity("parse", None, retrying()),
                Command::CancelActivity { command_n: 2 },
            ],
            _ => vec![complete("done")],
        })
    });
    world.start_run(1);
    assert!(world.tasks.is_empty() && world.cancelled.is_empty());
}
