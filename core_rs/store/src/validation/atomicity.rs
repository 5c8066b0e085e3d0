//! A write is there whole or not at all, and a refused one does not disturb its group.

use crate::append::{AppendError, RunStatus, StatusChange};
use crate::store::Store;
use crate::validation::Subject;
use crate::validation::fixture::{
    WriteOne, batch, close, create, id, message, nothing, put_timer, run, step, waiting,
};

/// Checks the promise.
pub fn check(subject: &mut impl Subject) {
    refused_entries_leave_nothing(subject);
    refused_entries_do_not_disturb_the_group(subject);
    entries_of_a_group_follow_each_other(subject);
    contradictions_are_refused(subject);
}

fn refused_entries_leave_nothing(subject: &mut impl Subject) {
    let mut store = subject.fresh();
    store.write(create(&store, 1)).unwrap();
    store.post(&message(Some(run(1)), "signal")).unwrap();
    let before = (
        store.recover().unwrap(),
        store.list(&Default::default()).unwrap(),
    );
    let mut refused = step(&store, 1, 7, 1);
    refused.index_changes = vec![put_timer(8, 60)];
    refused.consumed_message_ids = vec![id("signal")];
    refused.inbox = vec![message(Some(run(1)), "late")];
    refused.outbox = vec![message(Some(run(2)), "sent")];
    refused.status = Some(StatusChange {
        status: RunStatus::Parked,
        detail: "bug".into(),
    });
    assert!(matches!(
        store.write(refused),
        Err(AppendError::Fenced { .. })
    ));
    let after = (
        store.recover().unwrap(),
        store.list(&Default::default()).unwrap(),
    );
    assert_eq!(before, after);
    assert_eq!(store.read(run(1), 1).unwrap(), [batch(1, 2)]);
    let store = subject.reopen(store);
    assert_eq!(before.0, store.recover().unwrap());
}

fn refused_entries_do_not_disturb_the_group(subject: &mut impl Subject) {
    let mut store = subject.fresh();
    let group = [create(&store, 1), step(&store, 9, 4, 1), create(&store, 2)];
    let results = store.append(&group).unwrap();
    assert!(matches!(
        results.as_slice(),
        [Ok(()), Err(AppendError::Fenced { .. }), Ok(())]
    ));
    let store = subject.reopen(store);
    assert_eq!(store.read(run(1), 1).unwrap(), [batch(1, 2)]);
    assert_eq!(store.read(run(2), 1).unwrap(), [batch(2, 2)]);
    assert_eq!(store.read(run(9), 1).unwrap(), [] as [bytes::Bytes; 0]);
}

fn entries_of_a_group_follow_each_other(subject: &mut impl Subject) {
    let mut store = subject.fresh();
    let mut sends = create(&store, 1);
    sends.outbox = vec![message(Some(run(2)), "hello")];
    let mut takes = step(&store, 2, 2, 1);
    takes.consumed_message_ids = vec![id("hello")];
    let group = [
        create(&store, 2),
        sends,
        takes,
        close(&store, 2, 3, 9),
        step(&store, 2, 4, 1),
    ];
    let results = store.append(&group).unwrap();
    assert_eq!(results[..4], [Ok(()), Ok(()), Ok(()), Ok(())]);
    assert_eq!(results[4], Err(AppendError::Closed { run: run(2) }));
    let store = subject.reopen(store);
    assert_eq!(waiting(&store), [] as [&str; 0]);
    assert_eq!(store.describe(run(2)).unwrap().unwrap().last_n, 4);
}

fn contradictions_are_refused(subject: &mut impl Subject) {
    let mut store = subject.fresh();
    store.write(create(&store, 1)).unwrap();
    let backwards = crate::Append {
        last_n: 1,
        ..nothing(&store, run(1), 2)
    };
    let without_batch = crate::Append {
        batch: None,
        ..step(&store, 1, 2, 1)
    };
    let without_records = crate::Append {
        last_n: 2,
        ..step(&store, 1, 2, 1)
    };
    let begins_later = crate::Append {
        expected_n: 1,
        ..create(&store, 2)
    };
    let mut open_close = close(&store, 1, 2, 9);
    open_close.close.as_mut().unwrap().status = RunStatus::Parked;
    for entry in [
        backwards,
        without_batch,
        without_records,
        begins_later,
        open_close,
    ] {
        let refused = store.write(entry);
        assert!(
            matches!(refused, Err(AppendError::Malformed { .. })),
            "{refused:?}"
        );
    }
    assert_eq!(store.describe(run(1)).unwrap().unwrap().last_n, 2);
}
