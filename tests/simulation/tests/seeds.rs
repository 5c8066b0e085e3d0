//! Many seeds, each a world: `SEEDS=100000 cargo test -p perdure-simulation --release`; one of
//! them, told step by step: `SEED=7 cargo test -p perdure-simulation -- --nocapture`.
#![allow(clippy::panic, clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use perdure_simulation::World;
use perdure_simulation::fail_points::NAMES;

const SEEDS: u64 = 2_000;
const STEPS: usize = 500;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

fn kept_folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("seeds")
}

/// A broken promise as a story, and the command that tells it again.
fn tell(seed: u64) -> Option<String> {
    let mut world = World::new(seed);
    world.story = Some(Vec::new());
    let violation = world.live(STEPS).err()?;
    let mut text = String::new();
    for line in world.story.take().unwrap_or_default() {
        let _ = writeln!(text, "  {line}");
    }
    let _ = writeln!(text, "seed {seed}: {violation}");
    let _ = write!(
        text,
        "again: SEED={seed} cargo test -p perdure-simulation -- --nocapture"
    );
    Some(text)
}

fn keep(seed: u64) {
    let folder = kept_folder();
    std::fs::create_dir_all(&folder).expect("the folder of kept seeds can be made");
    std::fs::write(folder.join(format!("{seed}.txt")), format!("{seed}\n"))
        .expect("the seed can be kept");
}

#[test]
fn every_promise_holds_in_every_world() {
    if let Some(seed) = number("SEED") {
        match tell(seed) {
            Some(story) => panic!("{story}"),
            None => return,
        }
    }
    let seeds = number("SEEDS").unwrap_or(SEEDS);
    let first = number("FIRST").unwrap_or(0);
    let next = AtomicU64::new(first);
    let failed = Mutex::new(Vec::new());
    let writes = Mutex::new(BTreeMap::new());
    let threads = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + seeds {
                        return;
                    }
                    let mut world = World::new(seed);
                    let outcome = world.live(STEPS);
                    let mut writes = writes.lock().unwrap_or_else(PoisonError::into_inner);
                    for (name, count) in world.writes {
                        *writes.entry(name).or_insert(0) += count;
                    }
                    if outcome.is_err() {
                        failed
                            .lock()
                            .unwrap_or_else(PoisonError::into_inner)
                            .push(seed);
                    }
                }
            });
        }
    });
    let mut failed = failed.into_inner().unwrap_or_default();
    failed.sort_unstable();
    failed.iter().for_each(|seed| keep(*seed));
    if let Some(seed) = failed.first() {
        let story = tell(*seed).unwrap_or_default();
        panic!(
            "{} of {seeds} seeds failed: {failed:?}; the first:\n{story}",
            failed.len()
        );
    }
    let writes: BTreeMap<&str, u64> = writes.into_inner().unwrap_or_default();
    println!("{seeds} seeds from {first}, durable writes: {writes:?}");
    if seeds >= SEEDS {
        let never: Vec<_> = NAMES
            .iter()
            .filter(|name| !writes.contains_key(*name))
            .collect();
        assert!(
            never.is_empty(),
            "durable writes that no seed reached: {never:?}"
        );
    }
}

#[test]
fn the_kept_seeds_of_past_failures_hold() {
    let Ok(folder) = std::fs::read_dir(kept_folder()) else {
        return;
    };
    for entry in folder {
        let path = entry.expect("the folder can be read").path();
        if path.extension().is_none_or(|extension| extension != "txt") {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("the file can be read");
        let seed = text.trim().parse().expect("the file holds one seed");
        if let Some(story) = tell(seed) {
            panic!("{story}");
        }
    }
}

#[test]
fn a_seed_is_the_same_story_each_time() {
    let story = || {
        let mut world = World::new(42);
        world.story = Some(Vec::new());
        let outcome = world.live(STEPS);
        (world.story, outcome, world.now, world.store.syncs())
    };
    assert_eq!(story(), story());
}
