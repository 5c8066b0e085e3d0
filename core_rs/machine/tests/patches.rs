//! Which branch of a change a run takes, live and replayed.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use std::time::Duration;

use perdure_history::testing::{HistoryBuilder, complete_run, record_patch, schedule, start};
use perdure_history::{Command, Event, RecordBody, Timestamp};
use perdure_machine::{Machine, MachineError, Mismatch, Submitted};
use support::{empty, replayer};

fn ask(machine: &mut Machine, id: &str, deprecated: bool) -> Result<bool, MachineError> {
    machine.ask_patch(id.into(), std::sync::Arc::default(), deprecated)
}

fn poll(machine: &mut Machine) {
    assert!(machine.poll_activation().unwrap().is_some());
}

fn accepted(machine: &mut Machine, command: Command) -> u64 {
    let Submitted::Accepted { n } = machine.submit(command).unwrap() else {
        panic!("it is accepted")
    };
    n
}

/// 1 run started, 2 record patch fees, 3 schedule charge | 4 completed (3)
fn patched(deprecated: bool) -> HistoryBuilder {
    let mut history = HistoryBuilder::started("order");
    history.command(record_patch("fees", deprecated));
    let charge = history.schedule("charge");
    history.turn(Duration::from_secs(1));
    history.completed(charge);
    history
}

#[test]
fn live_code_takes_the_new_branch_and_records_it() {
    let mut machine = empty();
    machine.handle_event(Event::RunStarted(std::sync::Arc::new(start("order"))));
    machine.begin_turn(Timestamp::from_micros(1));
    poll(&mut machine);
    assert!(ask(&mut machine, "fees", false).unwrap());
    assert!(ask(&mut machine, "courier", true).unwrap());
    assert!(machine.poll_activation().unwrap().is_none());
    let records = machine.take_turn().records;
    let markers: Vec<(u64, String, bool)> = records
        .into_iter()
        .filter_map(|record| match record.body {
            RecordBody::Command(Command::RecordPatch { id, deprecated, .. }) => {
                Some((record.n, id.to_string(), deprecated))
            }
            _ => None,
        })
        .collect();
    let expected = [
        (2, "fees".to_owned(), false),
        (3, "courier".to_owned(), true),
    ];
    assert_eq!(markers, expected);
}

#[test]
fn the_marker_answers_for_both_verbs_and_an_unknown_patch_is_the_old_branch() {
    for (recorded, asked) in [(false, false), (false, true), (true, false), (true, true)] {
        let mut machine = replayer(patched(recorded).records());
        poll(&mut machine);
        assert!(!ask(&mut machine, "courier", false).unwrap());
        assert!(ask(&mut machine, "fees", asked).unwrap());
        assert_eq!(accepted(&mut machine, schedule("charge")), 3);
        poll(&mut machine);
        assert!(!ask(&mut machine, "later", true).unwrap());
        assert!(machine.poll_activation().unwrap().is_none());
    }
}

#[test]
fn a_marker_that_nobody_asks_for_is_passed_over_only_when_deprecated() {
    let mut machine = replayer(patched(true).records());
    poll(&mut machine);
    assert_eq!(accepted(&mut machine, schedule("charge")), 3);
    // Asked after all, as by code that was rolled back: the branch is still the new one.
    assert!(ask(&mut machine, "fees", false).unwrap());
    poll(&mut machine);
    assert!(machine.poll_activation().unwrap().is_none());

    let mut machine = replayer(patched(false).records());
    poll(&mut machine);
    let refused = machine.submit(schedule("charge")).unwrap_err();
    assert!(
        refused
            .to_string()
            .starts_with("history has record_patch of \"fees\" (workflows/example.py:12"),
        "{refused}"
    );
}

#[test]
fn a_deprecated_marker_at_the_end_of_an_event_is_passed_over() {
    let mut history = HistoryBuilder::started("order");
    let charge = history.schedule("charge");
    history.command(record_patch("fees", true));
    history.turn(Duration::from_secs(1));
    history.completed(charge);
    history.command(record_patch("courier", true));
    let mut machine = replayer(history.records());
    poll(&mut machine);
    assert_eq!(accepted(&mut machine, schedule("charge")), 2);
    poll(&mut machine);
    machine.handle_event(Event::CancelRequested {
        message_id: perdure_history::MessageId("cancel".to_owned()),
        reason: String::new(),
    });
    machine.begin_turn(Timestamp::from_micros(1));
    poll(&mut machine);
    // Live again, and the new branch is recorded already: no second marker.
    assert!(ask(&mut machine, "fees", false).unwrap());
    assert_eq!(accepted(&mut machine, complete_run()), 7);
}

#[test]
fn a_marker_that_stands_elsewhere_is_a_mismatch() {
    let mut history = HistoryBuilder::started("order");
    history.schedule("charge");
    history.command(record_patch("fees", false));
    let mut machine = replayer(history.records());
    poll(&mut machine);
    let refused = ask(&mut machine, "fees", false).unwrap_err();
    let MachineError::Mismatch(Mismatch::CommandDiffers { n: 2, fields, .. }) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(fields.first().map(|each| each.field), Some("kind"));
}
