//! Each durable write, crashed in each of four ways; one that is never reached fails.
#![allow(clippy::panic)]

use perdure_simulation::World;
use perdure_simulation::fail_points::{NAMES, WAYS, Way};

/// In how many worlds each point is crashed.
const WORLDS: usize = 5;
const SEEDS_MAX: u64 = 400;
const STEPS: usize = 500;

/// Lives a world in which the machine stops at the first such write; `false` when there was none.
fn crash_at(seed: u64, name: &'static str, way: Way) -> bool {
    let mut world = World::new(seed);
    world.armed = Some((name, way));
    if let Err(violation) = world.live(STEPS) {
        panic!("seed {seed}, {name}, {way:?}: {violation}");
    }
    world.armed.is_none()
}

#[test]
fn every_durable_write_survives_a_crash_in_each_way() {
    for name in NAMES {
        for way in WAYS {
            let crashed = (0..SEEDS_MAX)
                .filter(|seed| crash_at(*seed, name, way))
                .take(WORLDS);
            assert_eq!(
                crashed.count(),
                WORLDS,
                "{name}, {way:?}: too seldom reached"
            );
        }
    }
}
