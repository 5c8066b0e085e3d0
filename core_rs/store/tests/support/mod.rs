//! What several tests need.

#![allow(dead_code, reason = "each test uses its part")]
#![allow(clippy::unwrap_used, reason = "a test")]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use perdure_history::{RunId, SearchValue, Timestamp};
use perdure_store::{RunFilter, Store};

/// Says to a test that it is the child of another, and where the store lies.
pub(crate) const CHILD_PATH: &str = "PERDURE_TEST_CHILD_PATH";

/// A folder that is removed when it is dropped.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        Self::within(&std::env::temp_dir())
    }

    /// In memory where the system has a place for it: for tests that write much and need no disk.
    pub(crate) fn in_memory() -> Self {
        let memory = Path::new("/dev/shm");
        if memory.is_dir() {
            Self::within(memory)
        } else {
            Self::new()
        }
    }

    fn within(folder: &Path) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("perdure-store-{}-{number}", std::process::id());
        let path = folder.join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// Starts this test program again for one of its ignored tests, which plays the child.
pub(crate) fn child(test: &str, path: &Path, variables: &[(&str, String)]) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args([
            test,
            "--exact",
            "--ignored",
            "--nocapture",
            "--test-threads=1",
        ])
        .env(CHILD_PATH, path)
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// The path given to a child; `None` when this is an ordinary run of all ignored tests.
pub(crate) fn child_path() -> Option<PathBuf> {
    std::env::var_os(CHILD_PATH).map(PathBuf::from)
}

/// Numbers that look random, the same for the same seed.
pub(crate) struct Random(u64);

impl Random {
    /// Seeded from `PERDURE_TEST_SEED`, or with the given seed; it is printed for a failing test.
    pub(crate) fn new(seed: u64) -> Self {
        let seed = std::env::var("PERDURE_TEST_SEED")
            .ok()
            .and_then(|text| text.parse().ok())
            .unwrap_or(seed);
        println!("PERDURE_TEST_SEED={seed}");
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}

/// Everything that can be seen of a store, as text.
pub(crate) fn everything(store: &impl Store) -> Result<String, perdure_store::StoreError> {
    let all = RunFilter {
        limit: usize::MAX,
        ..RunFilter::default()
    };
    let summaries = store.list(&all)?;
    let runs: Vec<RunId> = summaries.iter().map(|summary| summary.run).collect();
    let histories = runs
        .into_iter()
        .map(|run| store.read(run, 1))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(format!(
        "{summaries:#?}\n{histories:#?}\n{:#?}",
        store.recover()?
    ))
}

/// The value of a search attribute by number: two or more of each type, and none.
pub(crate) fn search_value(number: u8) -> Option<SearchValue> {
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    Some(match number {
        0 => return None,
        1 => SearchValue::Keyword("x".to_owned()),
        2 => SearchValue::Keyword("xy 2026-01-01".to_owned()),
        3 => SearchValue::Int(2),
        4 => SearchValue::Double(2.5),
        5 => SearchValue::Bool(true),
        6 => SearchValue::Datetime(Timestamp::from_micros(3_000_000)),
        7 => SearchValue::KeywordList(texts(&["x", "z", "x"])),
        8 => SearchValue::KeywordList(Vec::new()),
        _ => SearchValue::Int(i64::MAX),
    })
}

/// What no run needs, in a closed store: chunks that nobody uses, and uses of runs that are gone.
pub(crate) fn chunks_left_behind(path: &Path) -> i64 {
    raw(path)
        .query_row(
            "SELECT (SELECT count(*) FROM chunks WHERE NOT EXISTS
                 (SELECT 1 FROM chunk_uses WHERE chunk_uses.chunk = chunks.chunk))
             + (SELECT count(*) FROM chunk_uses WHERE run_key NOT IN (SELECT run_key FROM runs))",
            [],
            |row| row.get(0),
        )
        .unwrap()
}

/// The database of a closed store, to be changed behind its back. Its pages are checked through
/// the file system that a store of this process has registered.
pub(crate) fn raw(path: &Path) -> rusqlite::Connection {
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE;
    rusqlite::Connection::open_with_flags_and_vfs(path, flags, c"perdure-pages").unwrap()
}

/// Takes away from a closed store what format 3 has added to format 2.
pub(crate) fn make_format_2(path: &Path) {
    raw(path)
        .execute_batch(
            "DROP INDEX runs_by_time; DROP TABLE attributes; DROP TABLE visibility;
             DROP TABLE chunks; DROP TABLE chunk_uses; DROP TABLE rates;
             PRAGMA user_version = 2;",
        )
        .unwrap();
}
