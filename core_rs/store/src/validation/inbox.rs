//! A message waits in order of receipt until one turn has taken it, and is never taken twice.

use crate::append::AppendError;
use crate::store::Store;
use crate::validation::Subject;
use crate::validation::fixture::{
    WriteOne, at, close, create, id, message, nothing, run, step, waiting,
};

/// Checks the promise.
pub fn check(subject: &mut impl Subject) {
    messages_keep_the_order_of_receipt(subject);
    a_message_is_consumed_once(subject);
    messages_to_other_runs_arrive(subject);
    a_closed_run_can_drop_its_messages(subject);
}

fn messages_keep_the_order_of_receipt(subject: &mut impl Subject) {
    let mut store = subject.fresh();
    store.write(create(&store, 1)).unwrap();
    for (text, second) in [("b", 30), ("a", 20), ("c", 10)] {
        let message = crate::InboxMessage {
            received_at: at(second),
            ..message(Some(run(1)), text)
        };
        assert!(store.post(&message).unwrap());
        assert!(!store.post(&message).unwrap(), "a known id is refused");
    }
    let late = message(Some(run(1)), "d");
    let parked = crate::Append {
        inbox: vec![late],
        ..nothing(&store, run(1), 2)
    };
    store.write(parked).unwrap();
    assert!(
        store.post(&message(Some(run(2)), "a")).unwrap(),
        "ids are unique a run"
    );
    assert_eq!(
        waiting(&store),
        ["b", "a", "c", "d", "a"],
        "a clock that steps back is no order"
    );
    let store = subject.reopen(store);
    assert_eq!(waiting(&store), ["b", "a", "c", "d", "a"]);
    assert_eq!(store.inbox(None).unwrap(), store.recover().unwrap().inbox);
    let after_c = store.inbox(Some(&id("c"))).unwrap();
    assert_eq!(
        after_c,
        [message(Some(run(1)), "d"), message(Some(run(2)), "a")]
    );
    assert_eq!(store.inbox(Some(&id("gone"))).unwrap().len(), 5);
}

fn a_message_is_consumed_once(subject: &mut impl Subject) {
    let mut store = subject.fresh();
    store.write(create(&store, 1)).unwrap();
    store.write(create(&store, 2)).unwrap();
    store.post(&message(Some(run(1)), "signal")).unwrap();
    store.post(&message(Some(run(2)), "signal")).unwrap();
    let mut takes = step(&store, 1, 2, 1);
    takes.consumed_message_ids = vec![id("signal"), id("signal"), id("by socket")];
    store.write(takes).unwrap();
    assert_eq!(
        store.inbox(None).unwrap(),
        [message(Some(run(2)), "signal")]
    );
    let mut store = subject.reopen(store);
    assert!(!store.post(&message(Some(run(1)), "signal")).unwrap());
    assert!(!store.post(&message(Some(run(1)), "by socket")).unwrap());
    let again = crate::Append {
        inbox: vec![message(Some(run(1)), "signal")],
        ..nothing(&store, run(1), 3)
    };
    store.write(again).unwrap();
    assert_eq!(waiting(&store), ["signal"], "only run 2's");
    for delivered in ["signal", "by socket"] {
        let mut twice = step(&store, 1, 3, 1);
        twice.consumed_message_ids = vec![id("new"), id(delivered)];
        let refused = Err(AppendError::AlreadyConsumed {
            run: run(1),
            message_id: id(delivered),
        });
        assert_eq!(store.write(twice), refused);
    }
    assert!(
        store.post(&message(Some(run(1)), "new")).unwrap(),
        "a refused turn consumes nothing"
    );
}

fn messages_to_other_runs_arrive(subject: &mut impl Subject) {
    let mut store = subject.fresh();
    store.write(create(&store, 1)).unwrap();
    let mut sends = step(&store, 1, 2, 1);
    sends.outbox = vec![
        message(Some(run(2)), "to-2"),
        message(None, "child"),
        sends_to_self(),
    ];
    store.write(sends).unwrap();
    let mut again = step(&store, 1, 3, 1);
    again.outbox = vec![message(None, "child")];
    store.write(again).unwrap();
    let store = subject.reopen(store);
    assert_eq!(waiting(&store), ["to-2", "child", "to-self"]);
}

fn sends_to_self() -> crate::InboxMessage {
    message(Some(run(1)), "to-self")
}

fn a_closed_run_can_drop_its_messages(subject: &mut impl Subject) {
    let mut store = subject.fresh();
    store.write(create(&store, 1)).unwrap();
    store.write(close(&store, 1, 2, 9)).unwrap();
    assert!(store.post(&message(Some(run(1)), "late")).unwrap());
    for _ in 0..2 {
        let mut drops = nothing(&store, run(1), 3);
        drops.consumed_message_ids = vec![id("late")];
        store.write(drops).unwrap();
    }
    assert_eq!(waiting(&store), [] as [&str; 0]);
    let keeps = crate::Append {
        inbox: vec![message(Some(run(1)), "more")],
        ..nothing(&store, run(1), 3)
    };
    assert_eq!(store.write(keeps), Err(AppendError::Closed { run: run(1) }));
}
