//! A store for simulations: what is written and what is synced are kept apart, and a crash keeps
//! a random, possibly torn prefix of what was not synced.
//!
//! The log is bytes: each entry is framed with its length and checksum, as a real log would be. A
//! crash cuts the bytes anywhere; reading them again finds the torn entry and drops it.

use bytes::Bytes;
use perdure_history::{MessageId, RunId, Timestamp};
use xxhash_rust::xxh3::xxh3_64;

use crate::append::{Append, AppendError, InboxMessage};
use crate::filter::Search;
use crate::memory::MemoryStore;
use crate::query::{RunFilter, RunSummary};
use crate::store::{Recovery, Store, StoreError};

/// Bytes before an entry's body: its length and its checksum.
const FRAME_BYTES: usize = 16;

/// What goes wrong at the next write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing is written: no space is left.
    NoSpace,
    /// All is written and synced, but the answer is that nobody knows.
    AmbiguousWritten,
    /// Nothing is written, and the answer is that nobody knows.
    AmbiguousLost,
    /// All is written and the sync fails: the store stops until it is reopened.
    SyncFailed,
}

/// What a crash left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CrashImage {
    /// Unsynced entries that are in the store after all.
    pub kept: usize,
    /// Unsynced entries that are lost.
    pub lost: usize,
    /// Whether the first lost one was found torn.
    pub torn: bool,
}

/// One change of the store.
#[derive(Clone, Debug)]
enum Change {
    Append(Box<Append>),
    Post(InboxMessage),
    Discard(Option<RunId>, MessageId),
    Retain(Timestamp, usize),
}

impl Change {
    fn apply(&self, store: &mut MemoryStore) {
        // What is refused now was refused then: the answer was given at the write.
        match self {
            Self::Append(append) => drop(store.append(std::slice::from_ref(append))),
            Self::Post(message) => drop(store.post(message)),
            Self::Discard(run, id) => drop(store.discard(*run, id)),
            Self::Retain(before, limit) => drop(store.retain(*before, *limit)),
        }
    }

    /// The bytes that stand for it in the log; what a torn write can spoil.
    fn body(&self) -> Vec<u8> {
        format!("{self:?}").into_bytes()
    }
}

/// A memory store over a simulated disk.
#[derive(Clone, Debug, Default)]
pub struct SimulatedStore {
    /// What the owner sees.
    current: MemoryStore,
    /// What is on the disk for certain.
    durable: MemoryStore,
    /// What was written since the last sync, with its bytes.
    unsynced: Vec<Change>,
    log: Vec<u8>,
    fault: Option<Fault>,
    stopped: bool,
    syncs: u64,
}

impl SimulatedStore {
    /// An empty store, owned under epoch 1.
    #[must_use]
    pub fn new() -> Self {
        Self {
            current: MemoryStore::new(),
            durable: MemoryStore::new(),
            ..Self::default()
        }
    }

    /// Makes the next write go wrong.
    pub fn inject(&mut self, fault: Fault) {
        self.fault = Some(fault);
    }

    /// How often the disk was synced.
    #[must_use]
    pub fn syncs(&self) -> u64 {
        self.syncs
    }

    /// How many entries are written and not synced.
    #[must_use]
    pub fn unsynced(&self) -> usize {
        self.unsynced.len()
    }

    /// What would be found on the disk now if nothing unsynced had reached it.
    #[must_use]
    pub fn durable(&self) -> &MemoryStore {
        &self.durable
    }

    /// The first half of [`Store::append`]: written, seen by this owner, and not durable.
    pub fn write(&mut self, group: &[Append]) -> Vec<Result<(), AppendError>> {
        group.iter().map(|append| self.write_one(append)).collect()
    }

    /// The second half: all that is written is durable from here on.
    pub fn sync(&mut self) {
        for change in self.unsynced.drain(..) {
            change.apply(&mut self.durable);
        }
        self.log.clear();
        self.syncs += 1;
    }

    /// The machine stops. What was not synced is kept up to a random byte; the rest is gone.
    /// `random` gives any numbers. The store is to be [reopened](Self::reopen) then.
    pub fn crash(&mut self, random: &mut dyn FnMut() -> u64) -> CrashImage {
        let length = self.log.len() as u64;
        let cut = usize::try_from(random() % (length + 1)).unwrap_or(0);
        self.log.truncate(cut);
        if random().is_multiple_of(4) && !self.log.is_empty() {
            // The last sector came half: its length is there, its content is not.
            let at = self.log.len() - 1 - usize::try_from(random() % 32).unwrap_or(0).min(cut - 1);
            self.log.iter_mut().skip(at).for_each(|byte| *byte = !*byte);
        }
        let written = self.unsynced.len();
        let kept = whole_frames(&self.log);
        let torn = kept.bytes < self.log.len();
        for change in self.unsynced.drain(..).take(kept.count) {
            change.apply(&mut self.durable);
        }
        self.log.clear();
        self.current = self.durable.clone();
        self.stopped = true;
        CrashImage {
            kept: kept.count,
            lost: written - kept.count,
            torn,
        }
    }

    /// Opens the store again as its owner, under a higher epoch. Without a crash before, what was
    /// written is there, for the process alone had ended.
    pub fn reopen(&mut self) {
        self.sync();
        self.durable = std::mem::take(&mut self.durable).reopened();
        self.current = self.durable.clone();
        (self.stopped, self.fault) = (false, None);
    }

    fn write_one(&mut self, append: &Append) -> Result<(), AppendError> {
        let result = self.current.append(std::slice::from_ref(append));
        let result = result
            .ok()
            .and_then(|mut results| results.pop())
            .unwrap_or(Ok(()));
        if result.is_ok() {
            self.record(Change::Append(Box::new(append.clone())));
        }
        result
    }

    fn record(&mut self, change: Change) {
        let body = change.body();
        self.log
            .extend_from_slice(&(body.len() as u64).to_le_bytes());
        self.log.extend_from_slice(&xxh3_64(&body).to_le_bytes());
        self.log.extend_from_slice(&body);
        self.unsynced.push(change);
    }

    fn check_going(&self) -> Result<(), StoreError> {
        if self.stopped {
            let (path, reason) = ("simulated".to_owned(), "simulated".to_owned());
            return Err(StoreError::Stopped { path, reason });
        }
        Ok(())
    }

    /// Makes the changes of one call other than an append durable.
    fn change<T>(
        &mut self,
        change: Change,
        apply: impl FnOnce(&mut MemoryStore) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.check_going()?;
        match self.fault.take() {
            None => {
                let outcome = apply(&mut self.current)?;
                self.record(change);
                self.sync();
                Ok(outcome)
            }
            Some(Fault::SyncFailed) => {
                self.stopped = true;
                self.check_going().and_then(|()| apply(&mut self.current))
            }
            Some(_) => Err(StoreError::NoSpace {
                path: "simulated".to_owned(),
            }),
        }
    }
}

struct WholeFrames {
    count: usize,
    bytes: usize,
}

/// How many frames from the first on are whole.
fn whole_frames(log: &[u8]) -> WholeFrames {
    let mut whole = WholeFrames { count: 0, bytes: 0 };
    while let Some(length) = frame_length(log.get(whole.bytes..).unwrap_or_default()) {
        whole.count += 1;
        whole.bytes += length;
    }
    whole
}

fn frame_length(log: &[u8]) -> Option<usize> {
    let (length, rest) = log.split_first_chunk::<8>()?;
    let (checksum, rest) = rest.split_first_chunk::<8>()?;
    let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
    let body = rest.get(..length)?;
    (xxh3_64(body) == u64::from_le_bytes(*checksum)).then_some(FRAME_BYTES + length)
}

impl Store for SimulatedStore {
    fn epoch(&self) -> u64 {
        self.current.epoch()
    }

    fn append(&mut self, group: &[Append]) -> Result<Vec<Result<(), AppendError>>, StoreError> {
        self.check_going()?;
        let all = |error: &dyn Fn(&Append) -> AppendError| {
            Ok(group.iter().map(|append| Err(error(append))).collect())
        };
        match self.fault.take() {
            None => {
                let results = self.write(group);
                self.sync();
                Ok(results)
            }
            Some(Fault::NoSpace) => all(&|_| AppendError::NoSpace),
            Some(Fault::AmbiguousLost) => all(&|append| AppendError::Ambiguous { run: append.run }),
            Some(Fault::AmbiguousWritten) => {
                self.write(group);
                self.sync();
                all(&|append| AppendError::Ambiguous { run: append.run })
            }
            Some(Fault::SyncFailed) => {
                self.write(group);
                self.stopped = true;
                all(&|_| AppendError::SyncFailed {
                    reason: "simulated".to_owned(),
                })
            }
        }
    }

    fn read(&self, run: RunId, from_n: u64) -> Result<Vec<Bytes>, StoreError> {
        self.current.read(run, from_n)
    }

    fn recover(&self) -> Result<Recovery, StoreError> {
        self.current.recover()
    }

    fn post(&mut self, message: &InboxMessage) -> Result<bool, StoreError> {
        self.change(Change::Post(message.clone()), |store| store.post(message))
    }

    fn inbox(&self, after: Option<&MessageId>) -> Result<Vec<InboxMessage>, StoreError> {
        self.current.inbox(after)
    }

    fn discard(&mut self, run: Option<RunId>, id: &MessageId) -> Result<bool, StoreError> {
        self.change(Change::Discard(run, id.clone()), |store| {
            store.discard(run, id)
        })
    }

    fn started_by(&self, message_id: &MessageId) -> Result<Option<RunId>, StoreError> {
        self.current.started_by(message_id)
    }

    fn describe(&self, run: RunId) -> Result<Option<RunSummary>, StoreError> {
        self.current.describe(run)
    }

    fn list(&self, filter: &RunFilter) -> Result<Vec<RunSummary>, StoreError> {
        self.current.list(filter)
    }

    fn search(&self, search: &Search) -> Result<Vec<RunSummary>, StoreError> {
        self.current.search(search)
    }

    fn count(&self, search: &Search) -> Result<u64, StoreError> {
        self.current.count(search)
    }

    fn retain(&mut self, closed_before: Timestamp, limit: usize) -> Result<usize, StoreError> {
        let change = Change::Retain(closed_before, limit);
        self.change(change, |store| store.retain(closed_before, limit))
    }
}
