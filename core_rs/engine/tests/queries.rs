//! Queries read a committed state: of a live run at once, of any other after a replay (G9 to G12).

#![allow(clippy::panic, clippy::indexing_slicing, clippy::unwrap_used)]

mod support;

use std::time::Duration;

use perdure_engine::{Input, MessageBody, Reply, ReplyTo};
use perdure_history::{ActivityOptions, Command, RunId};
use perdure_machine::Activation;
use perdure_machine::effect::ClosedStatus;
use support::{World, activity, complete, payload, run_id};

fn one_step(activation: &Activation) -> Result<Vec<Command>, &'static str> {
    Ok(match activation {
        Activation::Start(_) => vec![activity("parse", None, ActivityOptions::default())],
        Activation::ResolveActivity { .. } => vec![complete("done")],
        Activation::Signal { .. } => return Err("a bug"),
        _ => vec![],
    })
}

fn ask(world: &mut World, run: RunId) -> ReplyTo {
    world.send(MessageBody::Query {
        run,
        name: "state".to_owned(),
        arguments: payload("arguments"),
    })
}

fn asked(world: &World) -> Vec<ReplyTo> {
    world
        .queries
        .iter()
        .map(|(_, query)| query.reply_to)
        .collect()
}

#[test]
fn a_live_run_is_asked_at_once_and_nothing_is_written() {
    let mut world = World::new(one_step);
    let run = world.start_run(1);
    let (appends, history) = (world.appends, world.history(run));
    let first = ask(&mut world, run);
    let second = ask(&mut world, run);
    assert_eq!(asked(&world), [first, second]);
    assert_eq!((world.appends, world.history(run)), (appends, history));
}

#[test]
fn an_evicted_run_is_replayed_delivers_nothing_and_stays_live() {
    for restarts in [false, true] {
        let mut world = World::new(one_step);
        let run = world.start_run(1);
        if restarts {
            world.restart();
            world.host(&["audit"]);
        } else {
            world.input(Input::Evict { count: 1 });
        }
        let history = world.history(run);
        let asker = ask(&mut world, run);
        assert_eq!(asked(&world), [asker]);
        assert_eq!(world.history(run), history);
        assert_eq!(world.engine.live_runs(), 1);
    }
}

#[test]
fn a_run_that_is_replayed_for_a_query_goes_on_afterwards() {
    let mut world = World::new(one_step);
    let run = world.start_run(1);
    world.input(Input::Evict { count: 1 });
    ask(&mut world, run);
    world.complete("parsed");
    assert_eq!(world.history(run).last().unwrap(), "CompleteRun");
    assert_eq!(world.queries.len(), 1);
}

#[test]
fn a_closed_run_and_one_that_never_was_are_told_apart() {
    let mut world = World::new(one_step);
    let run = world.start_run(1);
    world.complete("parsed");
    let closed = ask(&mut world, run);
    assert_eq!(
        world.reply_to(closed),
        Some(&Reply::Closed {
            run,
            status: ClosedStatus::Completed
        })
    );
    let unknown = ask(&mut world, run_id(9));
    assert_eq!(
        world.reply_to(unknown),
        Some(&Reply::NotFound { run: run_id(9) })
    );
}

#[test]
fn g12_a_parked_run_answers_with_its_reason_and_is_left_as_it_is() {
    let mut world = World::new(one_step);
    let run = world.start_run(1);
    world.signal(run, "bad");
    let appends = world.appends;
    let asker = ask(&mut world, run);
    match world.reply_to(asker) {
        Some(Reply::Parked { reason, .. }) => assert_eq!(reason.message, "a bug"),
        other => panic!("{other:?}"),
    }
    assert_eq!(world.appends, appends);
    assert!(world.queries.is_empty());
}

#[test]
fn a_run_that_nobody_hosts_is_not_parked_by_a_query() {
    let mut world = World::new(one_step);
    let run = world.start_run(1);
    world.serve(&[]);
    let appends = world.appends;
    let asker = ask(&mut world, run);
    assert!(matches!(
        world.reply_to(asker),
        Some(Reply::Parked { reason, .. }) if reason.code == "PRD1204"
    ));
    assert_eq!(world.appends, appends);
    world.advance(Duration::from_secs(1));
    world.host(&["audit"]);
    world.complete("parsed");
    assert_eq!(world.history(run).last().unwrap(), "CompleteRun");
}
