//! A start makes one run however often it is sent, and an id has one open run.

use perdure_history::IdReusePolicy;

use crate::append::{AppendError, RunStatus};
use crate::store::Store;
use crate::validation::Subject;
use crate::validation::fixture::{WriteOne, close, create, id, message, run, waiting};

/// Checks the promise.
pub fn check(subject: &mut impl Subject) {
    a_repeated_start_finds_its_run(subject);
    an_id_has_one_open_run(subject);
    a_start_says_whether_closed_runs_bar_it(subject);
    a_start_leaves_the_inbox(subject);
}

fn a_repeated_start_finds_its_run(subject: &mut impl Subject) {
    let mut store = subject.fresh();
    store.write(create(&store, 1)).unwrap();
    let again = Err(AppendError::AlreadyStarted { run: run(1) });
    assert_eq!(store.write(create(&store, 1)), again);
    let other_run = crate::Append {
        run: run(2),
        ..create(&store, 1)
    };
    assert_eq!(store.write(other_run.clone()), again);
    store.write(close(&store, 1, 2, 9)).unwrap();
    let mut store = subject.reopen(store);
    assert_eq!(store.started_by(&id("start-1")).unwrap(), Some(run(1)));
    assert_eq!(store.started_by(&id("start-2")).unwrap(), None);
    let other_run = crate::Append {
        epoch: store.epoch(),
        ..other_run
    };
    assert_eq!(
        store.write(other_run),
        again,
        "also after the run has closed"
    );
    let same_run = crate::Append {
        create: create(&store, 3).create,
        ..create(&store, 1)
    };
    let refused = store.write(same_run);
    assert!(
        matches!(refused, Err(AppendError::Fenced { found_n: 3, .. })),
        "{refused:?}"
    );
}

fn an_id_has_one_open_run(subject: &mut impl Subject) {
    let mut store = subject.fresh();
    store.write(create(&store, 1)).unwrap();
    let same_id = |store: &_, number: u32, namespace: &str| {
        let mut append = create(store, number);
        let new = append.create.as_mut().unwrap();
        new.workflow_id = "workflow-1".to_owned();
        new.namespace = namespace.to_owned();
        append
    };
    let open = AppendError::AlreadyOpen {
        workflow_id: "workflow-1".to_owned(),
        open_run: run(1),
    };
    assert_eq!(
        store.write(same_id(&store, 2, "default")),
        Err(open.clone())
    );
    store.write(same_id(&store, 3, "other")).unwrap();
    store.write(close(&store, 1, 2, 9)).unwrap();
    store.write(same_id(&store, 4, "default")).unwrap();
    let open = AppendError::AlreadyOpen {
        workflow_id: "workflow-1".to_owned(),
        open_run: run(4),
    };
    let mut store = subject.reopen(store);
    assert_eq!(store.write(same_id(&store, 5, "default")), Err(open));
    assert_eq!(store.describe(run(2)).unwrap(), None);
}

fn a_start_says_whether_closed_runs_bar_it(subject: &mut impl Subject) {
    let mut store = subject.fresh();
    let again = |store: &_, number: u32, reuse: IdReusePolicy| {
        let mut append = create(store, number);
        let new = append.create.as_mut().unwrap();
        new.workflow_id = "workflow-1".to_owned();
        new.reuse = reuse;
        append
    };
    let barred = |number: u32| {
        Err(AppendError::IdUsed {
            workflow_id: "workflow-1".to_owned(),
            last_run: run(number),
        })
    };
    let rejects = IdReusePolicy::RejectDuplicate;
    let failed_only = IdReusePolicy::AllowDuplicateFailedOnly;
    store.write(again(&store, 9, rejects)).unwrap();
    let mut failed = close(&store, 9, 2, 9);
    failed.close.as_mut().unwrap().status = RunStatus::Failed;
    store.write(failed).unwrap();
    assert_eq!(store.write(again(&store, 8, rejects)), barred(9));
    store.write(again(&store, 8, failed_only)).unwrap();
    store.write(close(&store, 8, 2, 10)).unwrap();
    let mut store = subject.reopen(store);
    assert_eq!(
        store.write(again(&store, 7, failed_only)),
        barred(8),
        "the last run counts, whatever its id and its instant"
    );
    assert_eq!(store.write(again(&store, 7, rejects)), barred(8));
    assert_eq!(store.describe(run(7)).unwrap(), None);
    store
        .write(again(&store, 6, IdReusePolicy::AllowDuplicate))
        .unwrap();
}

fn a_start_leaves_the_inbox(subject: &mut impl Subject) {
    let mut store = subject.fresh();
    assert!(store.post(&message(None, "start-1")).unwrap());
    assert!(store.post(&message(None, "start-2")).unwrap());
    store.write(create(&store, 1)).unwrap();
    assert_eq!(waiting(&store), ["start-2"]);
    assert!(
        !store.post(&message(None, "start-1")).unwrap(),
        "its run exists"
    );
    assert!(store.discard(None, &id("start-2")).unwrap());
    assert!(!store.discard(None, &id("start-2")).unwrap());
    let store = subject.reopen(store);
    assert_eq!(waiting(&store), [] as [&str; 0]);
}
