//! Attempts that complete asynchronously (semantics.md B8).

#![allow(clippy::panic, clippy::indexing_slicing, clippy::unwrap_used)]

mod support;

use std::time::Duration;

use perdure_engine::{ActivityWord, MessageBody, Reply, ReplyTo, Task, TaskOutcome};
use perdure_history::{ActivityOptions, Command, RunId};
use perdure_machine::Activation;
use perdure_store::Store;
use support::{World, activity, complete, failure, payload};

fn one_activity(activation: &Activation) -> Result<Vec<Command>, &'static str> {
    Ok(match activation {
        Activation::Start(_) => vec![activity("ask", None, ActivityOptions::default())],
        Activation::ResolveActivity { .. } => vec![complete("done")],
        Activation::Signal { .. } => return Err("a bug"),
        _ => vec![],
    })
}

/// A run whose activity was handed out, and said that it completes asynchronously.
fn detached() -> (World, RunId, Task) {
    let mut world = World::new(one_activity);
    let run = world.start_run(1);
    let task = world.tasks.remove(0);
    world.report(&task, TaskOutcome::Detached);
    (world, run, task)
}

fn word(task: &Task, outcome: TaskOutcome) -> MessageBody {
    MessageBody::Activity(Box::new(ActivityWord {
        run: task.id.run,
        command_n: task.id.n,
        token: Some((task.id.attempt, task.nonce)),
        outcome,
    }))
}

fn completed() -> TaskOutcome {
    TaskOutcome::Completed {
        result: payload("told"),
    }
}

fn is_refused(world: &World, to: ReplyTo) -> bool {
    matches!(world.reply_to(to), Some(Reply::ActivityNotFound { .. }))
}

#[test]
fn b8_a_detached_attempt_is_not_lost_at_a_restart() {
    let (mut world, run, task) = detached();
    world.restart();
    world.host(&["audit"]);
    assert!(world.tasks.is_empty(), "no other attempt is made");
    let mut forged = task.clone();
    forged.nonce ^= 1;
    let refused = world.send(word(&forged, completed()));
    assert!(is_refused(&world, refused));
    let taken = world.send(word(&task, completed()));
    assert_eq!(world.reply_to(taken), Some(&Reply::Accepted));
    assert_eq!(
        world.history(run),
        [
            "RunStarted",
            "ScheduleActivity:ask",
            "ActivityCompleted",
            "CompleteRun"
        ]
    );
}

#[test]
fn b8_an_attempt_that_was_replaced_takes_no_word() {
    let (mut world, _, task) = detached();
    let failed = TaskOutcome::Failed {
        failure: failure("Flaky"),
    };
    let taken = world.send(word(&task, failed));
    assert_eq!(world.reply_to(taken), Some(&Reply::Accepted));
    let late = world.send(word(&task, completed()));
    assert!(is_refused(&world, late), "it is in backoff");
    world.advance(Duration::from_secs(2));
    assert_eq!(world.tasks.first().map(|next| next.id.attempt), Some(2));
    let late = world.send(word(&task, completed()));
    assert!(is_refused(&world, late));
}

#[test]
fn b8_the_same_message_again_is_answered_once_it_is_recorded() {
    let (mut world, run, task) = detached();
    world.holds_turns = true;
    let first = world.send_as("told", word(&task, completed()));
    let again = world.send_as("told", word(&task, completed()));
    assert_eq!(world.reply_to(first), None);
    assert_eq!(world.reply_to(again), None, "nothing is durable yet");
    world.holds_turns = false;
    world.step_held();
    assert_eq!(world.reply_to(again), Some(&Reply::Accepted));
    assert_eq!(world.history(run).len(), 4);
}

#[test]
fn b8_a_word_for_a_parked_run_waits_in_the_inbox_over_a_restart() {
    let (mut world, run, task) = detached();
    world.signal(run, "s1");
    let kept = world.send_as("told", word(&task, completed()));
    assert_eq!(world.reply_to(kept), Some(&Reply::Accepted));
    assert_eq!(world.store.inbox(None).unwrap().len(), 2);
    world.restart();
    world.workflow = |activation| {
        Ok(match activation {
            Activation::Start(_) => vec![activity("ask", None, ActivityOptions::default())],
            Activation::ResolveActivity { .. } => vec![complete("done")],
            _ => vec![],
        })
    };
    world.host(&["audit"]);
    assert!(world.tasks.is_empty());
    assert!(matches!(world.result(run), Some(Reply::Result { .. })));
    assert!(world.store.inbox(None).unwrap().is_empty());
}

#[test]
fn b8_a_timeout_that_passed_before_the_word_was_received_comes_first() {
    let (mut world, run, task) = detached();
    world.advance(Duration::from_secs(3_600));
    let late = world.send(word(&task, completed()));
    assert!(is_refused(&world, late));
    world.advance(Duration::from_secs(1));
    assert!(world.history(run).len() <= 3, "it is tried again");
}
