//! Large values come back byte for byte, whoever else has the same ones, and whoever goes.

use bytes::Bytes;

use crate::append::Append;
use crate::store::Store;
use crate::validation::Subject;
use crate::validation::fixture::{
    WriteOne, at, batch, batch_of, close, create, run, step, value, waiting,
};

/// Checks the promise.
pub fn check(subject: &mut impl Subject) {
    values_of_any_length_come_back(subject);
    a_growing_value_comes_back_at_every_length(subject);
    what_two_runs_share_outlives_the_first(subject);
    what_has_gone_can_come_again(subject);
    bytes_that_only_look_stored_come_back(subject);
}

fn values_of_any_length_come_back(subject: &mut impl Subject) {
    let mut store = subject.fresh();
    store.write(create(&store, 1)).unwrap();
    let lengths = [0, 1, 15_999, 16_383, 16_384, 16_385, 100_000, 3_000_000];
    let mut all: Vec<Bytes> = lengths
        .map(|length| batch_of(&[b"before", &value(7, length), b"after"]))
        .into();
    all.push(batch_of(&[&[0; 50_000], &value(1, 20_000), &[0; 70_000]]));
    for (n, batch) in (2..).zip(&all) {
        let writes = with(step(&store, 1, n, 1), batch);
        store.write(writes).unwrap();
        assert_eq!(store.read(run(1), n + 1).unwrap(), [batch]);
    }
    let store = subject.reopen(store);
    assert!(store.read(run(1), 3).unwrap() == all);
}

fn a_growing_value_comes_back_at_every_length(subject: &mut impl Subject) {
    let mut store = subject.fresh();
    store.write(create(&store, 1)).unwrap();
    let (mut context, mut all) = (Vec::new(), Vec::new());
    for n in 2..60 {
        context.extend(value(n, 2_000));
        all.push(batch_of(&[&n.to_le_bytes(), &context]));
        let grows = with(step(&store, 1, n, 1), &all[all.len() - 1]);
        store.write(grows).unwrap();
    }
    assert!(store.read(run(1), 3).unwrap() == all);
    let store = subject.reopen(store);
    assert!(store.read(run(1), 3).unwrap() == all);
    assert!(store.read(run(1), 50).unwrap() == all[47..]);
}

fn what_two_runs_share_outlives_the_first(subject: &mut impl Subject) {
    let mut store = subject.fresh();
    let shared = batch_of(&[&value(1, 90_000)]);
    let own = batch_of(&[&value(2, 90_000), &value(1, 50_000)]);
    // The same value in one group, and in groups that follow each other.
    let group: Vec<Append> = [1, 2, 3]
        .map(|number| with(create(&store, number), &shared))
        .into();
    assert_eq!(store.append(&group).unwrap(), [Ok(()), Ok(()), Ok(())]);
    let writes = with(step(&store, 2, 2, 1), &own);
    store.write(writes).unwrap();
    store.write(close(&store, 1, 2, 10)).unwrap();
    store.write(close(&store, 2, 3, 20)).unwrap();
    let mut store = subject.reopen(store);
    for (before, gone) in [(15, 1), (25, 2)] {
        assert_eq!(store.retain(at(before), 9).unwrap(), 1);
        assert_eq!(store.read(run(gone), 1).unwrap(), [] as [Bytes; 0]);
        assert_eq!(store.read(run(3), 1).unwrap(), [&shared]);
        // What has gone with a run can be written again.
        let comes = with(create(&store, gone + 10), &own);
        store.write(comes).unwrap();
        assert!(store.read(run(gone + 10), 1).unwrap() == [&own]);
    }
    let store = subject.reopen(store);
    assert!(store.read(run(3), 1).unwrap() == [&shared]);
    assert!(store.read(run(11), 1).unwrap() == [&own]);
    assert_eq!(waiting(&store), [] as [&str; 0]);
}

fn what_has_gone_can_come_again(subject: &mut impl Subject) {
    let mut store = subject.fresh();
    let large = batch_of(&[&value(1, 60_000)]);
    for number in 1..4 {
        let comes = with(create(&store, number), &large);
        store.write(comes).unwrap();
        assert!(store.read(run(number), 1).unwrap() == [&large]);
        store.write(close(&store, number, 2, 10)).unwrap();
        assert_eq!(store.retain(at(11), 9).unwrap(), 1);
    }
}

fn bytes_that_only_look_stored_come_back(subject: &mut impl Subject) {
    let mut store = subject.fresh();
    store.write(create(&store, 1)).unwrap();
    for (n, bytes) in (2..).zip([&[0xc1_u8, 1, 3, 2][..], &[0xc1], &[0xc1; 20_000]]) {
        let writes = with(step(&store, 1, n, 1), &Bytes::copy_from_slice(bytes));
        store.write(writes).unwrap();
        assert_eq!(store.read(run(1), n + 1).unwrap(), [bytes]);
    }
    assert_eq!(store.read(run(1), 1).unwrap()[0], batch(1, 2));
}

fn with(append: Append, batch: &Bytes) -> Append {
    Append {
        batch: Some(batch.clone()),
        ..append
    }
}
