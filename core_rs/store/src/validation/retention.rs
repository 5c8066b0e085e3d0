//! Closed runs go when they are old; open runs never do.

use crate::store::Store;
use crate::validation::Subject;
use crate::validation::fixture::{
    WriteOne, at, batch, close, create, id, message, run, step, waiting,
};

/// Checks the promise.
pub fn check(subject: &mut impl Subject) {
    let mut store = subject.fresh();
    for number in [1, 2, 3, 4] {
        store.write(create(&store, number)).unwrap();
    }
    let mut closes = close(&store, 1, 2, 30);
    closes.consumed_message_ids = vec![id("taken")];
    store.write(closes).unwrap();
    store.write(close(&store, 2, 2, 10)).unwrap();
    store.write(close(&store, 3, 2, 20)).unwrap();
    store.post(&message(Some(run(2)), "late")).unwrap();
    assert_eq!(
        store.retain(at(10), 9).unwrap(),
        0,
        "the instant itself is kept"
    );
    assert_eq!(store.retain(at(31), 2).unwrap(), 2, "oldest first");
    assert_eq!(store.describe(run(2)).unwrap(), None);
    assert_eq!(store.describe(run(3)).unwrap(), None);
    assert_eq!(store.read(run(2), 1).unwrap(), [] as [bytes::Bytes; 0]);
    assert_eq!(store.read(run(1), 1).unwrap(), [batch(1, 2), batch(1, 3)]);
    assert_eq!(waiting(&store), [] as [&str; 0]);
    assert_eq!(store.retain(at(31), 9).unwrap(), 1);
    assert_eq!(store.retain(at(1_000_000), 9).unwrap(), 0, "open runs stay");
    store.write(create(&store, 2)).unwrap();
    store.write(step(&store, 4, 2, 1)).unwrap();
    let store = subject.reopen(store);
    assert_eq!(store.read(run(4), 1).unwrap(), [batch(4, 2), batch(4, 3)]);
    assert_eq!(store.read(run(2), 1).unwrap(), [batch(2, 2)]);
}
