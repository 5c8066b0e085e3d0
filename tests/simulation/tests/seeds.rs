//! Many seeds, each a world: `make simulate SEEDS=100000` lives through more.
#![allow(clippy::panic, clippy::expect_used)]

use perdure_simulation::World;
use perdure_simulation::campaign::{Campaign, STEPS, keep, kept_folder, tell};
use perdure_simulation::coverage::EXPECTED;
use perdure_simulation::fail_points::NAMES;

const SEEDS: u64 = 2_000;

#[test]
fn every_promise_holds_in_every_world_and_everything_happens() {
    let campaign = Campaign {
        first: 0,
        seeds: SEEDS,
    };
    let outcome = campaign.run(|_| ());
    for seed in &outcome.failed {
        keep(*seed).expect("the seed can be kept");
    }
    if let Some(first) = outcome.failed.first() {
        let story = tell(*first).unwrap_or_default();
        panic!("seeds {:?} failed; the first:\n{story}", outcome.failed);
    }
    println!("{SEEDS} seeds:\n{}", outcome.coverage);
    let never = outcome.coverage.missing(&[&EXPECTED[..], &NAMES].concat());
    assert!(never.is_empty(), "no seed reached: {never:?}");
}

#[test]
fn the_kept_seeds_of_past_failures_hold() {
    let folder = std::fs::read_dir(kept_folder()).expect("the folder of kept seeds can be read");
    let mut kept = 0;
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
        kept += 1;
    }
    assert!(kept > 0, "no seed was kept");
}

#[test]
fn a_seed_is_the_same_story_each_time() {
    let story = || {
        let mut world = World::new(42);
        world.story = Some(Vec::new());
        let outcome = world.live(STEPS);
        let syncs = world.store.syncs();
        (world.story, outcome, world.now, syncs, world.coverage)
    };
    assert_eq!(story(), story());
}
