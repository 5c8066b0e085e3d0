//! What was granted of rate limits is there after a restart, in whatever order it was written.

use std::sync::Arc;

use perdure_history::Timestamp;

use crate::append::RateMark;
use crate::store::Store;
use crate::validation::Subject;
use crate::validation::fixture::{WriteOne, at, create, nothing, run};

/// Checks the promise.
pub fn check(subject: &mut impl Subject) {
    let mut store = subject.fresh();
    store.write(create(&store, 1)).unwrap();
    let mut later = nothing(&store, run(1), 2);
    later.rates = vec![mark("b", 10, 7, 70), mark("a", 20, 1, 80)];
    store.write(later).unwrap();
    let mut earlier = nothing(&store, run(1), 2);
    earlier.rates = vec![mark("b", 10, 3, 71), closed("a", 500), closed("a", 400)];
    store.write(earlier).unwrap();
    let mut store = subject.reopen(store);
    let kept = vec![mark("a", 20, 1, 80), closed("a", 500), mark("b", 10, 7, 71)];
    assert_eq!(store.recover().unwrap().rates, kept);
    let mut forgets = nothing(&store, run(1), 2);
    forgets.rates = vec![RateMark {
        until: None,
        ..mark("b", 10, 0, 0)
    }];
    store.write(forgets).unwrap();
    assert_eq!(store.recover().unwrap().rates, kept[..2]);
    store.retain(at(81), 9).unwrap();
    let store = subject.reopen(store);
    assert_eq!(store.recover().unwrap().rates, kept[1..2]);
}

fn mark(key: &str, slice: i64, units: u64, until: i64) -> RateMark {
    RateMark {
        key: Arc::from(key),
        slice: at(slice),
        units,
        until: Some(at(until)),
    }
}

fn closed(key: &str, until: i64) -> RateMark {
    RateMark {
        slice: Timestamp::NEVER,
        ..mark(key, 0, 0, until)
    }
}
