//! How fast the local store is, beside what the disk allows: `cargo bench -p perdure-store`.
//!
//! Each figure is printed with the number of disk syncs a second measured in the same run.

#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark")]

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bytes::Bytes;
use perdure_store::validation::fixture::{create, step, timer};
use perdure_store::{Append, IndexChange, LocalStore, Standby, Store};

/// How long each part is measured.
const SPAN: Duration = Duration::from_secs(3);

/// Bytes of a typical batch.
const BATCH_BYTES: usize = 300;

fn main() {
    let folder = std::env::var("PERDURE_BENCH_FOLDER")
        .map_or_else(|_| std::env::temp_dir(), PathBuf::from)
        .join(format!("perdure-bench-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let only = std::env::args().nth(1).unwrap_or_default();
    let wanted = |part: &str| only.is_empty() || only.starts_with('-') || only == part;
    for round in 1..=3 {
        let syncs = if wanted("limit") {
            syncs_per_s(&folder)
        } else {
            f64::NAN
        };
        println!("round {round}: fdatasync_per_s {syncs:.0}");
        if wanted("sequential") {
            sequential(&folder.join(format!("sequential-{round}.db")), syncs);
        }
        if wanted("groups") {
            groups(&folder.join(format!("groups-{round}.db")));
        }
    }
    fs::remove_dir_all(&folder).unwrap();
}

/// What this thread has spent on a processor: steadier than the clock on a busy machine.
fn processor_time() -> Duration {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
}

/// Overwrites of 4 KiB in a preallocated file, each with its sync.
fn syncs_per_s(folder: &Path) -> f64 {
    let path = folder.join("limit");
    let file = File::create(&path).unwrap();
    let page = [7_u8; 4096];
    (0..1024).for_each(|page_n| file.write_all_at(&page, page_n * 4096).unwrap());
    file.sync_all().unwrap();
    let (begin, mut count) = (Instant::now(), 0_u64);
    while begin.elapsed() < SPAN {
        file.write_all_at(&page, count % 1024 * 4096).unwrap();
        file.sync_data().unwrap();
        count += 1;
    }
    count as f64 / begin.elapsed().as_secs_f64()
}

/// The write of one sequential step: the timer before is done, the next one begins.
fn next(store: &LocalStore, number: u32, n: u64) -> Append {
    Append {
        batch: Some(Bytes::from(vec![7; BATCH_BYTES])),
        index_changes: vec![
            IndexChange::Remove { command_n: n },
            IndexChange::Put(timer(n + 2, 60)),
        ],
        ..step(store, number, n, 2)
    }
}

fn sequential(path: &Path, syncs: f64) {
    let mut store = LocalStore::open_owner(path, Standby::Refuse).unwrap();
    store
        .append(&[create(&store, 1)])
        .unwrap()
        .remove(0)
        .unwrap();
    let mut n = 2;
    let mut times = Vec::new();
    let begin = Instant::now();
    let processor = processor_time();
    while begin.elapsed() < SPAN {
        let append = next(&store, 1, n);
        let at = Instant::now();
        store.append(&[append]).unwrap().remove(0).unwrap();
        times.push(at.elapsed());
        n += 2;
    }
    let rate = times.len() as f64 / begin.elapsed().as_secs_f64();
    let processor = (processor_time() - processor).as_secs_f64() * 1e6 / times.len() as f64;
    times.sort_unstable();
    let at = |share: usize| times.get(times.len() * share / 1000).unwrap().as_secs_f64() * 1e3;
    println!(
        "  sequential appends/s {rate:.0} = {:.2} of the disk; p50 {:.3} ms, p99 {:.3}, \
         p99.9 {:.3}; processor {processor:.1} us",
        rate / syncs,
        at(500),
        at(990),
        at(999),
    );
}

fn groups(path: &Path) {
    let mut store = LocalStore::open_owner(path, Standby::Refuse).unwrap();
    let runs = 500;
    let creates: Vec<Append> = (0..runs).map(|number| create(&store, number)).collect();
    let begin = Instant::now();
    store
        .append(&creates)
        .unwrap()
        .into_iter()
        .for_each(|result| result.unwrap());
    println!(
        "  500 creates in {:.1} ms",
        begin.elapsed().as_secs_f64() * 1e3
    );
    let (mut n, mut spent, mut count) = (2, Duration::ZERO, 0);
    let mut longest = Duration::ZERO;
    let processor = processor_time();
    while spent < SPAN {
        let group: Vec<Append> = (0..runs).map(|number| next(&store, number, n)).collect();
        let begin = Instant::now();
        let results = store.append(&group).unwrap();
        let took = begin.elapsed();
        assert!(results.iter().all(Result::is_ok));
        (n, spent, count) = (n + 2, spent + took, count + group.len());
        longest = longest.max(took);
    }
    println!(
        "  groups of {runs}: appends/s {:.0}; a group {:.2} ms, longest {:.1}, processor {:.2}",
        count as f64 / spent.as_secs_f64(),
        spent.as_secs_f64() * 1e3 / (count / runs as usize) as f64,
        longest.as_secs_f64() * 1e3,
        (processor_time() - processor).as_secs_f64() * 1e3 / (count / runs as usize) as f64,
    );
}
