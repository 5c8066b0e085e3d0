//! What is asked of each engine: what our store writes for a turn, and nothing more.

use std::path::Path;

/// One turn of one run.
pub struct Turn {
    pub run: u32,
    /// The number of its last record; the turn before ended two records earlier.
    pub last_n: u64,
    pub batch: Vec<u8>,
    /// What is outstanding after it; it replaces what was outstanding before.
    pub outstanding: Vec<u8>,
}

/// One storage engine.
pub trait Candidate: Sized {
    const NAME: &'static str;

    fn open(path: &Path) -> Self;

    /// Writes the turns atomically and durably, with one sync. Turn 2 of a run makes the run.
    fn append(&mut self, group: &[Turn]);

    /// The batches of a run, in order.
    fn read(&self, run: u32) -> Vec<Vec<u8>>;

    /// What all runs have outstanding.
    fn recover(&self) -> Vec<(u32, Vec<u8>)>;
}
