//! What a start does about other runs of its workflow id (semantics.md A1-A3).

#![allow(clippy::panic, clippy::indexing_slicing, clippy::unwrap_used)]

mod support;

use perdure_engine::{Input, Message, MessageBody, Reply, ReplyTo, encode_message};
use perdure_history::{
    Command, Event, IdConflictPolicy, IdPolicy, IdReusePolicy, MessageId, RecordBody,
};
use perdure_machine::Activation;
use perdure_store::{InboxMessage, RunStatus, Store};
use support::{World, complete, failure, payload, run_id};

const ID: &str = "workflow-1";

/// Ends at the signal `end`, fails at the signal `fail`.
fn listener(activation: &Activation) -> Result<Vec<Command>, &'static str> {
    Ok(match activation {
        Activation::Signal { arguments, .. } if *arguments == payload("end") => {
            vec![complete("ended")]
        }
        Activation::Signal { arguments, .. } if *arguments == payload("fail") => {
            vec![Command::FailRun {
                failure: failure("Broken"),
                next: None,
            }]
        }
        _ => vec![],
    })
}

fn body(world: &World, number: u8, id_policy: IdPolicy) -> MessageBody {
    let mut start = world.start_of(number, ID);
    start.id_policy = id_policy;
    MessageBody::Start(Box::new(start))
}

fn reusing(reuse: IdReusePolicy) -> IdPolicy {
    IdPolicy {
        reuse,
        ..IdPolicy::default()
    }
}

fn resolving(conflict: IdConflictPolicy) -> IdPolicy {
    IdPolicy {
        conflict,
        ..IdPolicy::default()
    }
}

const REPLACES: IdConflictPolicy = IdConflictPolicy::TerminateExisting;
const USES: IdConflictPolicy = IdConflictPolicy::UseExisting;

fn begin(world: &mut World, number: u8, policy: IdPolicy) -> ReplyTo {
    let body = body(world, number, policy);
    world.send_as(&format!("start-{number}"), body)
}

/// What the start of run `number` is answered.
fn start(world: &mut World, number: u8, policy: IdPolicy) -> Reply {
    let to = begin(world, number, policy);
    world.reply_to(to).cloned().unwrap()
}

fn started(number: u8) -> Reply {
    Reply::Started {
        run: run_id(number),
    }
}

#[test]
fn a2_a_closed_run_bars_another_when_the_start_says_so() {
    let rejects = reusing(IdReusePolicy::RejectDuplicate);
    let failed_only = reusing(IdReusePolicy::AllowDuplicateFailedOnly);
    let mut world = World::new(listener);
    assert_eq!(start(&mut world, 1, rejects), started(1));
    world.signal(run_id(1), "fail");
    let used = Reply::IdUsed { run: run_id(1) };
    assert_eq!(start(&mut world, 2, rejects), used);
    world.restart();
    world.host(&["audit"]);
    assert_eq!(start(&mut world, 3, rejects), used);
    assert_eq!(start(&mut world, 4, failed_only), started(4));
    world.signal(run_id(4), "end");
    let used = Reply::IdUsed { run: run_id(4) };
    assert_eq!(start(&mut world, 5, failed_only), used);
    assert_eq!(start(&mut world, 6, IdPolicy::default()), started(6));
    assert_eq!(world.engine.open_runs(), 1);
    assert!(world.inbox().is_empty());
}

#[test]
fn a3_a_repeated_start_is_answered_with_its_run_whatever_its_policy() {
    let policy = IdPolicy {
        reuse: IdReusePolicy::RejectDuplicate,
        conflict: USES,
    };
    let mut world = World::new(listener);
    assert_eq!(start(&mut world, 1, policy), started(1));
    assert_eq!(start(&mut world, 1, policy), started(1));
    world.signal(run_id(1), "end");
    assert_eq!(start(&mut world, 1, policy), started(1));
    world.restart();
    world.host(&["audit"]);
    assert_eq!(start(&mut world, 1, policy), started(1));
    assert_eq!(world.engine.open_runs(), 0);
}

#[test]
fn a1_an_open_run_is_used() {
    let mut world = World::new(listener);
    world.start_run(1);
    assert_eq!(start(&mut world, 2, resolving(USES)), started(1));
    assert!(world.status(run_id(2)).is_none());
    world.signal(run_id(1), "end");
    assert_eq!(start(&mut world, 3, resolving(USES)), started(3));
}

#[test]
fn a1_a_start_beside_one_that_is_refused_is_decided_by_itself() {
    let mut world = World::new(listener);
    world.start_run(1);
    world.signal(run_id(1), "end");
    world.holds_turns = true;
    let refused = begin(&mut world, 2, reusing(IdReusePolicy::RejectDuplicate));
    let beside = begin(&mut world, 3, resolving(USES));
    let late = begin(&mut world, 4, IdPolicy::default());
    assert_eq!(world.reply_to(beside), None, "nothing is durable yet");
    world.holds_turns = false;
    world.step_held();
    let used = Reply::IdUsed { run: run_id(1) };
    assert_eq!(world.reply_to(refused), Some(&used));
    assert_eq!(world.reply_to(beside), Some(&started(3)));
    let taken = Reply::AlreadyStarted { run: run_id(3) };
    assert_eq!(world.reply_to(late), Some(&taken));
    assert_eq!(world.engine.open_runs(), 1);
}

#[test]
fn a1_an_open_run_is_ended_and_another_takes_its_place() {
    let mut world = World::new(listener);
    world.start_run(1);
    assert_eq!(start(&mut world, 2, resolving(REPLACES)), started(2));
    assert_eq!(world.status(run_id(1)), Some(RunStatus::Terminated));
    assert_eq!(world.status(run_id(2)), Some(RunStatus::Running));
    let last = world.records(run_id(1)).pop().unwrap();
    let RecordBody::Event(Event::RunTerminated { reason, .. }) = last.body else {
        panic!("{last:?}");
    };
    assert_eq!(reason, format!("replaced by run {}", run_id(2)));
    // The same start again neither ends its own run nor, later, one that followed it.
    assert_eq!(start(&mut world, 2, resolving(REPLACES)), started(2));
    world.signal(run_id(2), "end");
    world.start_named(3, ID);
    assert_eq!(start(&mut world, 2, resolving(REPLACES)), started(2));
    assert_eq!(world.status(run_id(3)), Some(RunStatus::Running));
    assert!(world.inbox().is_empty());
}

#[test]
fn a1_two_that_replace_a_run_follow_each_other() {
    let mut world = World::new(listener);
    world.start_run(1);
    world.holds_turns = true;
    world.signal(run_id(1), "at work");
    let first = begin(&mut world, 2, resolving(REPLACES));
    let second = begin(&mut world, 3, resolving(REPLACES));
    assert_eq!(world.reply_to(first), None, "a turn is under way");
    world.holds_turns = false;
    world.step_held();
    assert_eq!(world.reply_to(first), Some(&started(2)));
    assert_eq!(world.reply_to(second), Some(&started(3)));
    assert_eq!(world.status(run_id(2)), Some(RunStatus::Terminated));
    assert_eq!(world.engine.open_runs(), 1);
}

#[test]
fn a1_a_run_that_completes_before_it_is_ended_counts_as_completed() {
    let mut world = World::new(listener);
    world.start_run(1);
    world.holds_turns = true;
    world.signal(run_id(1), "end");
    let policy = IdPolicy {
        reuse: IdReusePolicy::AllowDuplicateFailedOnly,
        conflict: REPLACES,
    };
    let to = begin(&mut world, 2, policy);
    world.holds_turns = false;
    world.step_held();
    assert_eq!(world.status(run_id(1)), Some(RunStatus::Completed));
    let used = Reply::IdUsed { run: run_id(1) };
    assert_eq!(world.reply_to(to), Some(&used));
    assert!(world.inbox().is_empty());
}

/// Posts the start into the inbox, as another process does, or only sends it.
fn replaces_and_dies(posted: bool, at: usize, durable: bool) -> World {
    let mut world = World::new(listener);
    world.start_run(1);
    let body = body(&world, 2, resolving(REPLACES));
    let message_id = MessageId("start-2".to_owned());
    if posted {
        let kept = encode_message(&message_id, &body, world.now).unwrap();
        let waiting = InboxMessage {
            run: None,
            message_id: message_id.clone(),
            received_at: world.now,
            body: kept,
        };
        assert!(world.store.post(&waiting).unwrap());
    }
    world.stops_at = Some((world.appends + at, durable));
    world.input(Input::Message(Message {
        message_id,
        reply_to: Some(ReplyTo(99)),
        body,
    }));
    assert!(world.stopped, "there are two writes");
    world.restart();
    world.host(&["audit"]);
    world
}

#[test]
fn j_killed_at_any_write_of_a_replacement_there_is_never_neither_run() {
    for posted in [false, true] {
        for (at, durable) in [(1, false), (1, true), (2, false), (2, true)] {
            let mut world = replaces_and_dies(posted, at, durable);
            let case = format!("posted {posted}, write {at}, durable {durable}");
            let closed = posted || durable || at == 2;
            let expected = if closed {
                (Some(RunStatus::Terminated), Some(RunStatus::Running))
            } else {
                (Some(RunStatus::Running), None)
            };
            let found = (world.status(run_id(1)), world.status(run_id(2)));
            assert_eq!(found, expected, "{case}");
            assert_eq!(world.engine.open_runs(), 1, "{case}");
            assert_eq!(start(&mut world, 2, resolving(REPLACES)), started(2));
            assert_eq!(world.engine.open_runs(), 1, "{case}");
            assert!(world.inbox().is_empty(), "{case}");
        }
    }
}
