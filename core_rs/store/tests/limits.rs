//! A full disk, and how many syncs a commit costs.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::process::{Command, Stdio};

use bytes::Bytes;
use perdure_store::validation::fixture::{
    WriteOne, batch, batch_of, create, message, put_timer, run, step, value,
};
use perdure_store::{Append, AppendError, LocalStore, Standby, Store, StoreError};

mod support;

use support::{CHILD_PATH, Folder, child, child_path, everything};

/// Sets the largest file this process may write.
fn limit_file_size(bytes: u64) {
    let limit = libc::rlimit {
        rlim_cur: bytes,
        rlim_max: libc::RLIM_INFINITY,
    };
    // SAFETY: both calls take plain values; the limit outlives the call that reads it. A write
    // over the limit then fails instead of ending the process.
    unsafe {
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
        assert_eq!(libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit), 0);
    }
}

#[test]
#[ignore = "the child of the test below"]
fn fills_the_disk() {
    let Some(path) = child_path() else { return };
    let mut store = LocalStore::open_owner(&path, Standby::Refuse).unwrap();
    store.write(create(&store, 1)).unwrap();
    store.write(create(&store, 2)).unwrap();
    limit_file_size(6 << 20);
    let mut n = 2;
    let refused: Append = loop {
        let large = Append {
            batch: Some(batch_of(&[&value(n << 32, 300_000)])),
            index_changes: vec![put_timer(n, 60)],
            ..step(&store, 1, n, 1)
        };
        match store.write(large.clone()) {
            Ok(()) => n += 1,
            Err(error) => {
                assert_eq!(error, AppendError::NoSpace);
                break large;
            }
        }
        assert!(n < 100, "the limit was never met");
    };
    let before = everything(&store).unwrap();
    assert_eq!(
        store.read(run(1), 1).unwrap().len() as u64,
        n - 1,
        "reads go on"
    );
    assert_eq!(
        store.write(refused.clone()),
        Err(AppendError::NoSpace),
        "and again"
    );
    let message = perdure_store::InboxMessage {
        body: Bytes::from(vec![1; 7 << 20]),
        ..message(Some(run(2)), "large")
    };
    assert!(matches!(
        store.post(&message),
        Err(StoreError::NoSpace { .. })
    ));
    // A large write does not keep a small one of its group out.
    let group = [refused.clone(), step(&store, 2, 2, 1)];
    let results = store.append(&group).unwrap();
    assert_eq!(results, [Err(AppendError::NoSpace), Ok(())]);
    assert_ne!(everything(&store).unwrap(), before);
    limit_file_size(libc::RLIM_INFINITY);
    store.write(refused).unwrap();
    assert!(store.post(&message).unwrap());
    drop(store);
    let store = LocalStore::open_owner(&path, Standby::Refuse).unwrap();
    assert_eq!(store.describe(run(1)).unwrap().unwrap().last_n, n + 1);
    assert_eq!(store.read(run(2), 1).unwrap(), [batch(2, 2), batch(2, 3)]);
    let expected: Vec<Bytes> = std::iter::once(batch(1, 2))
        .chain((2..=n).map(|n| batch_of(&[&value(n << 32, 300_000)])))
        .collect();
    assert!(
        store.read(run(1), 1).unwrap() == expected,
        "whole after all"
    );
    println!("all is well");
}

#[test]
fn a_full_disk_refuses_and_goes_on_when_there_is_space() {
    let folder = Folder::new();
    let output = child("fills_the_disk", &folder.file("app.db"), &[])
        .wait_with_output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("all is well"),
        "{text}"
    );
}

const COMMITS: u64 = 2_000;

#[test]
#[ignore = "the child of the test below"]
fn commits() {
    let Some(path) = child_path() else { return };
    let mut store = LocalStore::open_owner(&path, Standby::Refuse).unwrap();
    store.write(create(&store, 1)).unwrap();
    for n in 2..COMMITS + 2 {
        let steps = Append {
            batch: Some(Bytes::from(vec![5; 300])),
            index_changes: vec![put_timer(n, 60)],
            ..step(&store, 1, n, 1)
        };
        store.write(steps).unwrap();
    }
    // Ends as a crash does: a clean end copies the log, which is not what is counted.
    std::process::abort();
}

#[test]
fn a_commit_costs_one_fdatasync() {
    if Command::new("strace")
        .arg("-V")
        .stdout(Stdio::null())
        .status()
        .is_err()
    {
        println!("strace is not here: the syncs are not counted");
        return;
    }
    let folder = Folder::new();
    let counted = folder.file("syscalls");
    let status = Command::new("strace")
        .args([
            "-f",
            "-qq",
            "-e",
            "trace=fsync,fdatasync,sync_file_range",
            "-o",
        ])
        .arg(&counted)
        .arg(std::env::current_exe().unwrap())
        .args(["commits", "--exact", "--ignored", "--test-threads=1"])
        .env(CHILD_PATH, folder.file("app.db"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(!status.success(), "the child aborts");
    let text = std::fs::read_to_string(&counted).unwrap();
    let count = |call: &str| text.lines().filter(|line| line.contains(call)).count() as u64;
    let (full, data) = (count("fsync("), count("fdatasync("));
    println!("{COMMITS} commits: {data} fdatasync, {full} fsync");
    assert!(
        full <= 8,
        "{full} fsync: only folders are synced so, when the files are made"
    );
    let more = data - COMMITS;
    assert!(
        more <= COMMITS / 200 + 20,
        "{data} fdatasync for {COMMITS} commits"
    );
}
