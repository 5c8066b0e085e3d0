//! Runs a load again and again and keeps the best round, which other processes disturbed least.

use std::time::{Duration, Instant};

/// The shortest time that all rounds of one figure take together.
const MEASURED: Duration = Duration::from_millis(600);

/// How many of `items` a second: the best of all rounds. `prepare` is not timed.
pub fn items_per_second<T, R>(
    items: usize,
    mut prepare: impl FnMut() -> T,
    mut run: impl FnMut(T) -> R,
) -> f64 {
    let mut best = Duration::MAX;
    let begun = Instant::now();
    while begun.elapsed() < MEASURED {
        let prepared = prepare();
        let started = Instant::now();
        let outcome = std::hint::black_box(run(std::hint::black_box(prepared)));
        best = best.min(started.elapsed());
        drop(outcome);
    }
    items as f64 / best.as_secs_f64()
}

/// Prints one figure in the form that `make bench` reads.
#[expect(clippy::print_stdout, reason = "the figures are the output")]
pub fn report(name: &str, value: f64) {
    println!("figure {name} {value:.0}");
}
