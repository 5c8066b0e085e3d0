//! Only the owner that knows the last record writes the next one.

use crate::append::AppendError;
use crate::store::Store;
use crate::validation::Subject;
use crate::validation::fixture::{WriteOne, batch, create, nothing, run, step};

/// Checks the promise.
pub fn check(subject: &mut impl Subject) {
    a_wrong_record_number_is_fenced(subject);
    an_old_epoch_is_fenced(subject);
    a_missing_run_is_fenced(subject);
}

fn a_wrong_record_number_is_fenced(subject: &mut impl Subject) {
    let mut store = subject.fresh();
    store.write(create(&store, 1)).unwrap();
    for n in [0, 1, 3] {
        let fenced = AppendError::Fenced {
            run: run(1),
            expected_n: n,
            epoch: store.epoch(),
            found_n: 2,
            found_epoch: store.epoch(),
        };
        assert_eq!(store.write(step(&store, 1, n, 1)), Err(fenced.clone()));
        assert_eq!(store.write(nothing(&store, run(1), n)), Err(fenced));
    }
    store.write(step(&store, 1, 2, 1)).unwrap();
}

fn an_old_epoch_is_fenced(subject: &mut impl Subject) {
    let mut store = subject.fresh();
    store.write(create(&store, 1)).unwrap();
    let old = step(&store, 1, 2, 1);
    let old_create = create(&store, 2);
    let mut store = subject.reopen(store);
    assert!(
        store.epoch() > old.epoch,
        "opening as owner raises the epoch"
    );
    let fenced = AppendError::Fenced {
        run: run(1),
        expected_n: 2,
        epoch: old.epoch,
        found_n: 2,
        found_epoch: store.epoch(),
    };
    assert_eq!(store.write(old), Err(fenced));
    assert!(matches!(
        store.write(old_create),
        Err(AppendError::Fenced { .. })
    ));
    let ahead = crate::Append {
        epoch: store.epoch() + 1,
        ..step(&store, 1, 2, 1)
    };
    assert!(matches!(
        store.write(ahead),
        Err(AppendError::Fenced { .. })
    ));
    store.write(step(&store, 1, 2, 1)).unwrap();
    assert_eq!(store.read(run(1), 1).unwrap(), [batch(1, 2), batch(1, 3)]);
}

fn a_missing_run_is_fenced(subject: &mut impl Subject) {
    let mut store = subject.fresh();
    for n in [0, 5] {
        let refused = store.write(step(&store, 1, n, 1));
        assert!(
            matches!(refused, Err(AppendError::Fenced { found_n: 0, .. })),
            "{refused:?}"
        );
    }
}
