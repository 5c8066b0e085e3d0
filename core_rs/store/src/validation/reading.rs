//! A history is read back byte for byte, from any record on.

use bytes::Bytes;

use crate::store::Store;
use crate::validation::Subject;
use crate::validation::fixture::{WriteOne, batch, close, create, run, step};

/// Checks the promise.
pub fn check(subject: &mut impl Subject) {
    histories_are_read_from_any_record(subject);
    big_batches_are_kept(subject);
}

fn histories_are_read_from_any_record(subject: &mut impl Subject) {
    let mut store = subject.fresh();
    store.write(create(&store, 1)).unwrap();
    store.write(create(&store, 2)).unwrap();
    for n in [2, 5, 8] {
        let group = [step(&store, 1, n, 3), step(&store, 2, n, 3)];
        assert_eq!(store.append(&group).unwrap(), [Ok(()), Ok(())]);
    }
    store.write(close(&store, 2, 11, 9)).unwrap();
    let store = subject.reopen(store);
    let all: Vec<Bytes> = [2, 5, 8, 11].map(|n| batch(1, n)).into();
    assert_eq!(store.read(run(1), 0).unwrap(), all);
    assert_eq!(store.read(run(1), 1).unwrap(), all);
    for (from_n, begins) in [
        (2, 0),
        (3, 1),
        (5, 1),
        (6, 2),
        (11, 3),
        (12, 4),
        (u64::MAX, 4),
    ] {
        assert_eq!(
            store.read(run(1), from_n).unwrap(),
            all[begins..],
            "from {from_n}"
        );
    }
    assert_eq!(
        store.read(run(2), 12).unwrap(),
        [batch(2, 12)],
        "closed runs too"
    );
    assert_eq!(store.read(run(3), 1).unwrap(), [] as [Bytes; 0]);
}

fn big_batches_are_kept(subject: &mut impl Subject) {
    let mut store = subject.fresh();
    store.write(create(&store, 1)).unwrap();
    let mut n = 2;
    for length in [0, 1, 1 << 20, 64 << 20] {
        let body: Bytes = (0..length).map(|at: u32| at.to_le_bytes()[1]).collect();
        let grows = crate::Append {
            batch: Some(body.clone()),
            ..step(&store, 1, n, 1)
        };
        store.write(grows).unwrap();
        n += 1;
        let found = store.read(run(1), n).unwrap();
        assert!(found == [body], "{length} bytes");
    }
    let store = subject.reopen(store);
    let lengths: Vec<_> = store
        .read(run(1), 3)
        .unwrap()
        .iter()
        .map(Bytes::len)
        .collect();
    assert_eq!(lengths, [0, 1, 1 << 20, 64 << 20]);
}
