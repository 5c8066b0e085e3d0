//! The simulated store loses nothing that was synced, and keeps a whole prefix of the rest.

#![allow(clippy::unwrap_used, reason = "a test")]

use perdure_store::validation::fixture::{WriteOne, batch, create, message, run, step};
use perdure_store::{Append, AppendError, Fault, MemoryStore, SimulatedStore, Store, StoreError};

mod support;

use support::{Random, everything};

#[test]
fn a_crash_keeps_a_whole_prefix_of_what_was_not_synced() {
    let mut random = Random::new(11);
    let (mut torn, mut kept_some, mut lost_some) = (0, 0, 0);
    for _ in 0..300 {
        let mut store = SimulatedStore::new();
        store.write_one(create(&store, 1));
        store.sync();
        let unsynced = random.below(6);
        for n in 0..unsynced {
            store.write_one(step(&store, 1, 2 + n, 1));
        }
        let image = store.crash(&mut || random.next());
        let stopped = store.append(&[step(&store, 1, 2, 1)]);
        assert!(
            matches!(stopped, Err(StoreError::Stopped { .. })),
            "{stopped:?}"
        );
        store.reopen();
        assert_eq!(image.kept + image.lost, unsynced as usize);
        let mut expected = MemoryStore::new();
        expected.write(create(&expected, 1)).unwrap();
        for n in 0..image.kept as u64 {
            expected.write(step(&expected, 1, 2 + n, 1)).unwrap();
        }
        assert_eq!(everything(&store).unwrap(), everything(&expected).unwrap());
        torn += u32::from(image.torn);
        kept_some += u32::from(image.kept > 0);
        lost_some += u32::from(image.lost > 0);
    }
    assert!(
        torn > 20 && kept_some > 20 && lost_some > 20,
        "{torn} {kept_some} {lost_some}"
    );
}

#[test]
fn faults_answer_as_they_say() {
    let mut store = SimulatedStore::new();
    store.write_one(create(&store, 1));
    store.sync();
    let last_n = |store: &SimulatedStore| store.describe(run(1)).unwrap().unwrap().last_n;

    store.inject(Fault::NoSpace);
    assert_eq!(one(&mut store, 2), Err(AppendError::NoSpace));
    store.inject(Fault::AmbiguousLost);
    let unknown = Err(AppendError::Ambiguous { run: run(1) });
    assert_eq!(one(&mut store, 2), unknown);
    assert_eq!(last_n(&store), 2);
    store.inject(Fault::AmbiguousWritten);
    assert_eq!(one(&mut store, 2), unknown);
    assert_eq!(store.read(run(1), 3).unwrap(), [batch(1, 3)]);
    store.inject(Fault::NoSpace);
    let refused = store.post(&message(Some(run(1)), "signal"));
    assert!(matches!(refused, Err(StoreError::NoSpace { .. })));

    store.inject(Fault::SyncFailed);
    let failed = one(&mut store, 3);
    assert!(matches!(failed, Err(AppendError::SyncFailed { .. })));
    let stopped = store.append(&[step(&store, 1, 4, 1)]);
    assert!(
        matches!(stopped, Err(StoreError::Stopped { .. })),
        "{stopped:?}"
    );
    let mut always_lost = || 0;
    let image = store.crash(&mut always_lost);
    assert_eq!((image.kept, image.lost), (0, 1));
    store.reopen();
    assert_eq!(last_n(&store), 3);
    one(&mut store, 3).unwrap();
}

/// Writes the step after record `n`, synced.
fn one(store: &mut SimulatedStore, n: u64) -> Result<(), AppendError> {
    let append = step(store, 1, n, 1);
    WriteOne::write(store, append)
}

/// Writes without a sync.
trait WriteUnsynced {
    fn write_one(&mut self, append: Append);
}

impl WriteUnsynced for SimulatedStore {
    fn write_one(&mut self, append: Append) {
        SimulatedStore::write(self, &[append]).remove(0).unwrap();
    }
}
