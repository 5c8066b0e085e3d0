//! Many seeds, each a world; what failed is kept, and what happened is counted.

use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::coverage::Coverage;
use crate::world::World;

/// How many steps with faults a world takes before it heals.
pub const STEPS: usize = 500;

/// Which seeds to live through.
#[derive(Clone, Copy, Debug)]
pub struct Campaign {
    /// The first.
    pub first: u64,
    /// How many.
    pub seeds: u64,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// How many worlds were lived through.
    pub lived: u64,
    /// Seeds in which a promise was broken, in order.
    pub failed: Vec<u64>,
    /// What happened.
    pub coverage: Coverage,
}

impl Campaign {
    /// Lives through all seeds on all cores; `progress` hears of the outcome so far, often.
    pub fn run(self, progress: impl Fn(&Outcome) + Sync) -> Outcome {
        let next = AtomicU64::new(self.first);
        let outcome = Mutex::new(Outcome::default());
        let live = || {
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= self.first.saturating_add(self.seeds) {
                    return;
                }
                let mut world = World::new(seed);
                let broken = world.live(STEPS).is_err();
                let mut outcome = outcome.lock().unwrap_or_else(PoisonError::into_inner);
                outcome.lived += 1;
                outcome.coverage.merge(&world.coverage);
                if broken {
                    outcome.failed.push(seed);
                }
                progress(&outcome);
            }
        };
        let threads = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(live);
            }
        });
        let mut outcome = outcome.into_inner().unwrap_or_else(PoisonError::into_inner);
        outcome.failed.sort_unstable();
        outcome
    }
}

/// A broken promise as a story, and the command that tells it again; `None` when all are kept.
#[must_use]
pub fn tell(seed: u64) -> Option<String> {
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
        "again: cargo run -p perdure-simulation -- --seed {seed}"
    );
    Some(text)
}

/// Where failing seeds are kept: every later campaign lives through them too.
#[must_use]
pub fn kept_folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("seeds")
}

/// Keeps a seed.
///
/// # Errors
/// When the file cannot be written.
pub fn keep(seed: u64) -> io::Result<PathBuf> {
    let file = kept_folder().join(format!("{seed}.txt"));
    std::fs::create_dir_all(kept_folder())?;
    std::fs::write(&file, format!("{seed}\n"))?;
    Ok(file)
}
