//! `make simulate`: many seeds, with progress, counts of what happened, and a story of the first
//! that failed. `--seeds N [--first N]` lives through many, `--seed N` through one.

use std::process::ExitCode;

use perdure_simulation::campaign::{Campaign, Outcome, keep, tell};
use perdure_simulation::coverage::EXPECTED;
use perdure_simulation::fail_points::NAMES;

/// From so many seeds on, everything that can happen must have happened.
const ENOUGH: u64 = 2_000;
/// So many failing seeds are kept.
const KEPT: usize = 10;
/// How often progress is shown in the course of a campaign.
const SHOWN: u64 = 50;
const USAGE: &str = "usage: perdure-simulation --seeds N [--first N] | --seed N";

enum Asked {
    Many(Campaign),
    One(u64),
}

fn asked(arguments: impl Iterator<Item = String>) -> Option<Asked> {
    let mut campaign = Campaign {
        first: 0,
        seeds: ENOUGH,
    };
    let mut one = None;
    let mut arguments = arguments.peekable();
    while let Some(name) = arguments.next() {
        let number = arguments.next()?.parse().ok()?;
        match name.as_str() {
            "--seeds" => campaign.seeds = number,
            "--first" => campaign.first = number,
            "--seed" => one = Some(number),
            _ => return None,
        }
    }
    Some(one.map_or(Asked::Many(campaign), Asked::One))
}

fn one(seed: u64) -> ExitCode {
    match tell(seed) {
        Some(story) => {
            println!("{story}");
            ExitCode::FAILURE
        }
        None => {
            println!("seed {seed}: every promise holds");
            ExitCode::SUCCESS
        }
    }
}

fn many(campaign: Campaign) -> ExitCode {
    let often = (campaign.seeds / SHOWN).clamp(1, 2_000);
    let outcome = campaign.run(|so_far| {
        if so_far.lived.is_multiple_of(often) {
            let (lived, seeds, failed) = (so_far.lived, campaign.seeds, so_far.failed.len());
            println!("{lived:>9} of {seeds} seeds, {failed} failed");
        }
    });
    println!("\n{}", outcome.coverage);
    let kept = report_failures(&outcome);
    let never = outcome.coverage.missing(&[&EXPECTED[..], &NAMES].concat());
    if outcome.lived >= ENOUGH && !never.is_empty() {
        println!("no seed reached: {never:?}");
        return ExitCode::FAILURE;
    }
    if kept {
        let (seeds, first) = (campaign.seeds, campaign.first);
        println!("{seeds} seeds from {first}: every promise holds");
        return ExitCode::SUCCESS;
    }
    ExitCode::FAILURE
}

/// Keeps the seeds that failed and tells the story of the first; whether there was none.
fn report_failures(outcome: &Outcome) -> bool {
    for seed in outcome.failed.iter().take(KEPT) {
        match keep(*seed) {
            Ok(file) => println!("kept {}", file.display()),
            Err(error) => println!("seed {seed} could not be kept: {error}"),
        }
    }
    if let Some(first) = outcome.failed.first() {
        println!("{}", tell(*first).unwrap_or_default());
        println!("{} seeds failed", outcome.failed.len());
    }
    outcome.failed.is_empty()
}

fn main() -> ExitCode {
    match asked(std::env::args().skip(1)) {
        Some(Asked::One(seed)) => one(seed),
        Some(Asked::Many(campaign)) => many(campaign),
        None => {
            eprintln!("{USAGE}");
            ExitCode::FAILURE
        }
    }
}
