//! What a machine allocates: nothing to accept a recorded command, and in a long live run only what
//! is open. The counting allocator is global, so these tests are one test.

#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use perdure_history::testing::{HistoryBuilder, completed, schedule, start};
use perdure_history::{Command, Event, Timestamp};
use perdure_machine::Submitted;
use support::{Script, empty, replayer, turn};

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);
static HELD_BYTES: AtomicUsize = AtomicUsize::new(0);

struct Counting;

// SAFETY: every call is passed on to the system's allocator unchanged; counting does not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        HELD_BYTES.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD_BYTES.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `dealloc`, and `pointer` came from `System`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const STEPS: usize = 2_000;

/// Accepting recorded commands allocates only the nodes in which open operations are kept.
fn accepting_recorded_commands() {
    let mut history = HistoryBuilder::started("sequential");
    for _ in 0..STEPS {
        let command_n = history.schedule("step");
        history.completed(command_n);
    }
    let mut machine = replayer(history.records());
    let asked: Vec<Command> = (0..STEPS).map(|_| schedule("step")).collect();
    machine.poll_activation().unwrap();
    let mut accepted = 0;
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    for command in asked {
        let submitted = machine.submit(command).unwrap();
        accepted += usize::from(matches!(submitted, Submitted::Accepted { .. }));
        machine.poll_activation().unwrap();
    }
    let allocations = ALLOCATIONS.load(Ordering::Relaxed) - before;
    assert_eq!(accepted, STEPS);
    assert!(
        allocations < 10,
        "{allocations} allocations for {STEPS} steps"
    );
}

/// A machine that has taken thousands of steps holds what one that has just begun holds.
fn living_long() {
    let before = HELD_BYTES.load(Ordering::Relaxed);
    let mut machine = empty();
    let mut workflow = Script::new([vec![schedule("step")]]);
    turn(
        &mut machine,
        &mut workflow,
        0,
        [Event::RunStarted(Arc::new(start("long")))],
    );
    for step in 0..STEPS as i64 {
        let mut workflow = Script::new([vec![schedule("step")]]);
        let open = machine.open_commands().last().unwrap();
        turn(&mut machine, &mut workflow, step, [completed(open)]);
    }
    assert_eq!(machine.last_n(), 2 + 2 * STEPS as u64);
    let burst = (0..1_000).map(|_| completed(1));
    turn(&mut machine, &mut workflow, STEPS as i64, burst);
    let held = HELD_BYTES.load(Ordering::Relaxed) - before;
    assert!(
        held < 4 * 1_024,
        "{held} bytes are held by a run with one open call"
    );
}

/// A replayed history is freed when its replay is over.
fn having_replayed() {
    let before = HELD_BYTES.load(Ordering::Relaxed);
    let mut history = HistoryBuilder::started("sequential");
    for _ in 0..STEPS {
        let command_n = history.schedule("step");
        history.completed(command_n);
    }
    history.start_timer(Duration::from_secs(60));
    let mut machine = replayer(history.records());
    drop(history);
    let steps = (0..STEPS).map(|_| vec![schedule("step")]);
    let last = vec![perdure_history::testing::start_timer(Timestamp::NEVER)];
    let mut workflow = Script::new(steps.chain([last]));
    support::deliver(&mut machine, &mut workflow).unwrap();
    drop(workflow);
    assert!(!machine.is_replaying());
    let held = HELD_BYTES.load(Ordering::Relaxed) - before;
    assert!(held < 4 * 1_024, "{held} bytes are held after the replay");
}

#[test]
fn a_machine_holds_and_allocates_only_what_is_open() {
    accepting_recorded_commands();
    living_long();
    having_replayed();
}
