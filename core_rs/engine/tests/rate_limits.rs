//! Rate limits by key: held over runs, workers and restarts; who waits says so.

#![allow(clippy::panic, clippy::indexing_slicing, clippy::unwrap_used)]

mod support;

use std::sync::Arc;
use std::time::Duration;

use perdure_engine::{Progress, TaskOutcome};
use perdure_history::{ActivityOptions, Command, FailureKind, RateLimit, Timestamp};
use perdure_machine::Activation;
use support::{World, activity, complete, failure, run_id};

/// Its slices are seconds, and so are the steps of the clock here.
const PERIOD: Duration = Duration::from_secs(64);
const LIMIT: usize = 5;

fn limited(key: &str) -> ActivityOptions {
    ActivityOptions {
        rate_limits: vec![RateLimit {
            key: Arc::from(key),
            limit: LIMIT as u64,
            period: PERIOD,
            units: 1,
        }],
        ..ActivityOptions::default()
    }
}

/// Twenty calls that share a key, and one that does not.
fn asks(activation: &Activation) -> Result<Vec<Command>, &'static str> {
    Ok(match activation {
        Activation::Start(_) => {
            let calls = (0..20).map(|_| activity("ask", None, limited("openai")));
            let other = activity("other", None, ActivityOptions::default());
            calls.chain([other]).collect()
        }
        _ => vec![],
    })
}

fn asks_once(activation: &Activation) -> Result<Vec<Command>, &'static str> {
    Ok(match activation {
        Activation::Start(_) => vec![activity("ask", None, limited("openai"))],
        Activation::ResolveActivity { .. } => vec![complete("done")],
        _ => vec![],
    })
}

/// Completes what is out; says when each of a name was.
fn take(world: &mut World, handed: &mut Vec<Timestamp>) {
    while let Some(task) = world.tasks.first() {
        if &*task.activity == "ask" {
            handed.push(world.now);
        }
        world.complete("done");
    }
}

fn most_in_a_period(handed: &[Timestamp]) -> usize {
    let within = |first: &Timestamp| {
        let in_period = |other: &&Timestamp| **other >= *first && **other < *first + PERIOD;
        handed.iter().filter(in_period).count()
    };
    handed.iter().map(within).max().unwrap_or(0)
}

#[test]
fn no_period_has_more_than_the_limit_however_often_the_engine_is_restarted() {
    for restarts in [false, true] {
        let mut world = World::new(asks);
        world.start_run(1);
        world.start_run(2);
        let mut handed = Vec::new();
        assert_eq!(world.tasks.len(), LIMIT + 2, "others do not wait");
        for second in 0..700 {
            take(&mut world, &mut handed);
            if restarts && second % 7 == 0 {
                world.restart();
                world.host(&["audit"]);
                take(&mut world, &mut handed);
            }
            world.advance(Duration::from_secs(1));
        }
        assert_eq!(handed.len(), 40, "restarts: {restarts}");
        assert_eq!(most_in_a_period(&handed), LIMIT, "restarts: {restarts}");
        let whole = handed[39].since(handed[0]);
        assert!(whole < PERIOD * 8 + Duration::from_secs(60), "{whole:?}");
    }
}

#[test]
fn what_leaves_late_counts_from_when_it_leaves() {
    let mut world = World::new(asks);
    world.holds_turns = true;
    world.start_run(1);
    world.advance(Duration::from_secs(60));
    world.holds_turns = false;
    world.step_held();
    let mut handed = Vec::new();
    for _ in 0..500 {
        take(&mut world, &mut handed);
        world.advance(Duration::from_secs(1));
    }
    assert_eq!(handed.len(), 20);
    assert_eq!(most_in_a_period(&handed), LIMIT);
}

#[test]
fn what_left_before_a_crash_counts_also_when_its_worker_is_lost() {
    let mut world = World::new(asks);
    world.start_run(1);
    let handed = vec![world.now; LIMIT];
    assert_eq!(world.tasks.len(), LIMIT + 1);
    world.restart();
    world.host(&["audit"]);
    let mut again = handed;
    world.advance(Duration::from_secs(63));
    take(&mut world, &mut again);
    assert_eq!(again.len(), LIMIT, "{again:?}");
    for _ in 0..500 {
        world.advance(Duration::from_secs(1));
        take(&mut world, &mut again);
    }
    assert_eq!(again.len(), LIMIT + 20);
    assert_eq!(most_in_a_period(&again), LIMIT);
}

#[test]
fn a_crash_at_any_write_never_lets_more_leave() {
    for stops_at in 1..20 {
        for durable in [false, true] {
            let mut world = World::new(asks_once);
            world.stops_at = Some((stops_at, durable));
            let mut handed = Vec::new();
            for number in 1..=8 {
                world.start_run(number);
                take(&mut world, &mut handed);
            }
            world.restart();
            world.host(&["audit"]);
            for number in 11..=18 {
                world.start_run(number);
                take(&mut world, &mut handed);
            }
            let most = most_in_a_period(&handed);
            assert!(most <= LIMIT, "{most} at {stops_at}, durable: {durable}");
        }
    }
}

#[test]
fn one_refusal_stops_all_calls_of_the_key_until_the_time_told_also_after_a_restart() {
    for restarts in [false, true] {
        let mut world = World::new(asks_once);
        world.start_run(1);
        let mut refused = failure("RateLimitedError");
        if let FailureKind::Application {
            next_retry_delay, ..
        } = &mut refused.kind
        {
            *next_retry_delay = Some(Duration::from_secs(30));
        }
        let task = world.tasks.remove(0);
        world.report(&task, TaskOutcome::Failed { failure: refused });
        for number in 2..=100 {
            world.start_run(number);
        }
        if restarts {
            world.restart();
            world.host(&["audit"]);
        }
        world.advance(Duration::from_millis(29_999));
        assert!(world.tasks.is_empty(), "restarts: {restarts}");
        world.advance(Duration::from_millis(1));
        // One of the five is used by the attempt that was refused.
        assert_eq!(world.tasks.len(), LIMIT - 1, "restarts: {restarts}");
    }
}

#[test]
fn who_waits_says_for_what_and_no_attempt_is_counted() {
    let mut world = World::new(asks);
    world.start_run(1);
    let waiting = |world: &World| {
        let run = world.engine.describe(run_id(1)).unwrap();
        let waits = run
            .activities
            .into_iter()
            .filter_map(|one| match one.progress {
                Progress::Waiting { reason } => Some((one.attempt, reason)),
                _ => None,
            });
        waits.collect::<Vec<_>>()
    };
    let before = waiting(&world);
    assert_eq!(before.len(), 20 - LIMIT);
    assert_eq!(
        before[0],
        (
            1,
            "waits for rate limit openai until 1970-01-01T00:17:45.000Z".to_owned()
        )
    );
    world.advance(Duration::from_secs(63));
    assert_eq!(
        waiting(&world),
        before,
        "nothing left, and nothing was used up"
    );
    world.tasks.clear();
    world.advance(Duration::from_secs(2));
    assert_eq!(world.tasks.len(), LIMIT);
}

#[test]
fn a_schedule_to_start_timeout_ends_the_wait() {
    fn impatient(activation: &Activation) -> Result<Vec<Command>, &'static str> {
        let options = ActivityOptions {
            schedule_to_start_timeout: Some(Duration::from_secs(10)),
            ..limited("openai")
        };
        Ok(match activation {
            Activation::Start(_) => (0..=LIMIT)
                .map(|_| activity("ask", None, options.clone()))
                .collect(),
            Activation::ResolveActivity { .. } => vec![complete("done")],
            _ => vec![],
        })
    }
    let mut world = World::new(impatient);
    world.start_run(1);
    world.advance(Duration::from_secs(11));
    let history = world.history(run_id(1));
    assert!(
        history.contains(&"ActivityFailed".to_owned()),
        "{history:?}"
    );
}
