//! What is outstanding comes back after a restart exactly as it was written.

use crate::append::{IndexChange, OutstandingKind, RunStatus, StatusChange};
use crate::store::Store;
use crate::validation::Subject;
use crate::validation::fixture::{WriteOne, close, create, put_timer, run, step, timer};

/// Checks the promise.
pub fn check(subject: &mut impl Subject) {
    recovery_equals_what_was_written(subject);
    closing_removes_what_is_outstanding(subject);
}

fn recovery_equals_what_was_written(subject: &mut impl Subject) {
    let mut store = subject.fresh();
    for number in [1, 2, 3] {
        store.write(create(&store, number)).unwrap();
    }
    let mut changes = step(&store, 2, 2, 2);
    changes.index_changes = vec![put_timer(4, 60), put_timer(3, 30), put_timer(9, -5)];
    store.write(changes).unwrap();
    let mut activity = timer(3, 90);
    activity.kind = OutstandingKind::Activity;
    activity.state = vec![0; 100_000].into();
    let mut changes = step(&store, 2, 4, 1);
    changes.index_changes = vec![
        IndexChange::Remove { command_n: 4 },
        IndexChange::Remove { command_n: 77 },
        IndexChange::Put(activity.clone()),
        put_timer(5, i64::MAX / 2_000_000),
        IndexChange::Remove { command_n: 9 },
    ];
    changes.status = Some(StatusChange {
        status: RunStatus::Parked,
        detail: "why".into(),
    });
    store.write(changes).unwrap();
    let store = subject.reopen(store);
    let recovery = store.recover().unwrap();
    let runs: Vec<_> = recovery
        .runs
        .iter()
        .map(|(summary, _)| summary.run)
        .collect();
    assert_eq!(runs, [run(1), run(2), run(3)]);
    let (summary, outstanding) = &recovery.runs[1];
    assert_eq!(outstanding, &[activity, timer(5, i64::MAX / 2_000_000)]);
    assert_eq!(
        (summary.status, &summary.status_detail[..]),
        (RunStatus::Parked, &b"why"[..])
    );
    assert_eq!(summary.last_n, 5);
    assert_eq!(store.describe(run(2)).unwrap().as_ref(), Some(summary));
    assert!(recovery.runs[0].1.is_empty() && recovery.runs[2].1.is_empty());
}

fn closing_removes_what_is_outstanding(subject: &mut impl Subject) {
    let mut store = subject.fresh();
    let mut opens = create(&store, 1);
    opens.index_changes = vec![put_timer(2, 60)];
    store.write(opens).unwrap();
    let mut closes = close(&store, 1, 2, 9);
    closes.index_changes = vec![put_timer(3, 60)];
    store.write(closes).unwrap();
    let mut whole_life = create(&store, 2);
    whole_life.close = close(&store, 2, 0, 9).close;
    store.write(whole_life).unwrap();
    let store = subject.reopen(store);
    assert_eq!(store.recover().unwrap().runs, []);
    let summary = store.describe(run(1)).unwrap().unwrap();
    assert_eq!((summary.status, summary.last_n), (RunStatus::Completed, 3));
    assert!(summary.closed_at.is_some() && summary.status_detail.is_empty());
    assert_eq!(store.describe(run(2)).unwrap().unwrap().last_n, 2);
}
