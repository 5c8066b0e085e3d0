//! Storage engines on our own load. Run it with `cargo run --release` in this folder, on the disk
//! of `PERDURE_BENCH_FOLDER` (the temporary folder by default). Rounds alternate between the
//! engines; the best of each is printed, since a busy machine only ever makes a figure worse.

mod candidate;
mod fjall_log;
mod local;
mod redb_tree;
mod segment_log;

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use candidate::{Candidate, Turn};

const ROUNDS: usize = 3;
const SPAN: Duration = Duration::from_secs(2);

/// Figures of one engine; the names say which way is better.
#[derive(Clone, Copy)]
struct Figures {
    sequential_per_s: f64,
    grouped_per_s: f64,
    read_ms: f64,
    restart_ms: f64,
    stored_mib: f64,
}

fn turn(run: u32, last_n: u64) -> Turn {
    Turn {
        run,
        last_n,
        batch: vec![last_n as u8; 300],
        outstanding: vec![run as u8; 40],
    }
}

fn syncs_per_s(folder: &Path) -> f64 {
    let file = File::create(folder.join("limit")).unwrap();
    let page = [7_u8; 4096];
    (0..1024).for_each(|n| file.write_all_at(&page, n * 4096).unwrap());
    file.sync_all().unwrap();
    let (begin, mut count) = (Instant::now(), 0_u64);
    while begin.elapsed() < SPAN {
        file.write_all_at(&page, count % 1024 * 4096).unwrap();
        file.sync_data().unwrap();
        count += 1;
    }
    count as f64 / begin.elapsed().as_secs_f64()
}

/// One run, one step after the other.
fn sequential<C: Candidate>(folder: &Path) -> f64 {
    let mut engine = C::open(folder);
    let mut n = 0;
    let mut step = |engine: &mut C| {
        n += 2;
        engine.append(&[turn(1, n)]);
    };
    // Past the first growth of the engine's files.
    (0..200).for_each(|_| step(&mut engine));
    let (begin, mut count) = (Instant::now(), 0);
    while begin.elapsed() < SPAN {
        step(&mut engine);
        count += 1;
    }
    f64::from(count) / begin.elapsed().as_secs_f64()
}

/// 500 runs of 10 steps, all runs in one group, again and again.
fn grouped<C: Candidate>(folder: &Path) -> f64 {
    let mut engine = C::open(folder);
    let (mut spent, mut count) = (Duration::ZERO, 0);
    for wave in 0_u32.. {
        for step in 1..=10 {
            let group: Vec<Turn> = (0..500)
                .map(|run| turn(wave * 500 + run + 1, step * 2))
                .collect();
            let begin = Instant::now();
            engine.append(&group);
            spent += begin.elapsed();
            count += 500;
        }
        if spent > SPAN {
            break;
        }
    }
    f64::from(count) / spent.as_secs_f64()
}

/// 10,000 open runs of 10 steps with one timer each, and among them one of 10,000 records.
fn fill<C: Candidate>(folder: &Path) {
    let mut engine = C::open(folder);
    for step in 1..=10_u64 {
        for block in 0..20 {
            let mut group: Vec<Turn> = (0..500)
                .map(|run| turn(block * 500 + run + 2, step * 2))
                .collect();
            let long = (step - 1) * 20 + u64::from(block);
            group.extend((1..=25).map(|n| turn(1, (long * 25 + n) * 2)));
            engine.append(&group);
        }
    }
}

fn stored_bytes(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
    entries
        .map(|entry| match entry.metadata().unwrap() {
            metadata if metadata.is_dir() => stored_bytes(&entry.path()),
            metadata => metadata.len(),
        })
        .sum()
}

/// Makes the next reads come from the disk, where the system allows it.
fn drop_caches() {
    drop(fs::write("/proc/sys/vm/drop_caches", "1"));
}

fn measure<C: Candidate>(folder: &Path) -> Figures {
    let place = |name: &str| {
        let path = folder.join(name);
        fs::create_dir_all(&path).unwrap();
        path
    };
    let sequential_per_s = sequential::<C>(&place("sequential"));
    let grouped_per_s = grouped::<C>(&place("grouped"));
    let filled = place("filled");
    fill::<C>(&filled);
    let stored_mib = stored_bytes(&filled) as f64 / f64::from(1 << 20);
    drop_caches();
    let begin = Instant::now();
    let engine = C::open(&filled);
    let found = engine.recover();
    let restart_ms = begin.elapsed().as_secs_f64() * 1e3;
    assert_eq!(found.len(), 10_001);
    let begin = Instant::now();
    let batches = engine.read(1);
    let read_ms = begin.elapsed().as_secs_f64() * 1e3;
    assert_eq!(batches.len(), 5_000);
    drop(engine);
    fs::remove_dir_all(folder).unwrap();
    Figures {
        sequential_per_s,
        grouped_per_s,
        read_ms,
        restart_ms,
        stored_mib,
    }
}

fn better(best: Option<Figures>, found: Figures) -> Option<Figures> {
    let Some(best) = best else { return Some(found) };
    Some(Figures {
        sequential_per_s: best.sequential_per_s.max(found.sequential_per_s),
        grouped_per_s: best.grouped_per_s.max(found.grouped_per_s),
        read_ms: best.read_ms.min(found.read_ms),
        restart_ms: best.restart_ms.min(found.restart_ms),
        stored_mib: best.stored_mib.min(found.stored_mib),
    })
}

fn main() {
    let folder = std::env::var("PERDURE_BENCH_FOLDER")
        .map_or_else(|_| std::env::temp_dir(), PathBuf::from)
        .join(format!("perdure-comparison-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    type Measure = fn(&Path) -> Figures;
    let engines: [(&str, Measure); 4] = [
        (local::Local::NAME, measure::<local::Local>),
        (fjall_log::Fjall::NAME, measure::<fjall_log::Fjall>),
        (redb_tree::Redb::NAME, measure::<redb_tree::Redb>),
        (
            segment_log::SegmentLog::NAME,
            measure::<segment_log::SegmentLog>,
        ),
    ];
    let mut best = [None; 4];
    let mut syncs = 0_f64;
    for _ in 0..ROUNDS {
        syncs = syncs.max(syncs_per_s(&folder));
        for ((_, measure), best) in engines.iter().zip(&mut best) {
            *best = better(*best, measure(&folder.join("engine")));
        }
    }
    println!("fdatasync_per_s {syncs:.0} (4 KiB overwrites of a preallocated file)\n");
    println!(
        "| | one run, steps/s | of the disk | 500 × 10, steps/s | read 10,000 events, ms \
         | restart, ms | stored, MiB |"
    );
    println!("|---|---|---|---|---|---|---|");
    for ((name, _), figures) in engines.iter().zip(best) {
        let Some(figures) = figures else { continue };
        println!(
            "| {name} | {:.0} | {:.2} | {:.0} | {:.1} | {:.1} | {:.0} |",
            figures.sequential_per_s,
            figures.sequential_per_s / syncs,
            figures.grouped_per_s,
            figures.read_ms,
            figures.restart_ms,
            figures.stored_mib,
        );
    }
    fs::remove_dir_all(&folder).unwrap();
}
