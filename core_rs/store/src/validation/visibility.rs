//! Runs are found by what is known of them, newest first, page by page.

use perdure_history::RunId;

use crate::append::{RunStatus, StatusChange};
use crate::query::RunFilter;
use crate::store::Store;
use crate::validation::Subject;
use crate::validation::fixture::{WriteOne, close, create, nothing, run};

/// Checks the promise.
pub fn check(subject: &mut impl Subject) {
    let mut store = subject.fresh();
    fill(&mut store);
    let store = subject.reopen(store);
    let found = |filter: &RunFilter| -> Vec<RunId> {
        store
            .list(filter)
            .unwrap()
            .iter()
            .map(|summary| summary.run)
            .collect()
    };
    let newest_first =
        |numbers: std::ops::RangeInclusive<u32>| -> Vec<RunId> { numbers.rev().map(run).collect() };
    assert_eq!(
        found(&RunFilter::default()),
        newest_first(21..=120),
        "a page of 100"
    );
    let rest = RunFilter {
        before: Some(run(21)),
        ..RunFilter::default()
    };
    assert_eq!(found(&rest), newest_first(1..=20));
    let all = RunFilter {
        limit: 1_000,
        ..RunFilter::default()
    };
    assert_eq!(found(&all), newest_first(1..=120));
    let filter = RunFilter {
        namespace: Some("even".to_owned()),
        workflow_type: Some("fizz".to_owned()),
        before: Some(run(20)),
        limit: 2,
        ..RunFilter::default()
    };
    assert_eq!(found(&filter), [run(18), run(12)]);
    let parked = RunFilter {
        status: Some(RunStatus::Parked),
        ..RunFilter::default()
    };
    assert_eq!(found(&parked), [run(12)]);
    let completed = RunFilter {
        status: Some(RunStatus::Completed),
        ..RunFilter::default()
    };
    assert_eq!(found(&completed), [run(6)]);
    let by_id = RunFilter {
        workflow_id: Some("workflow-7".to_owned()),
        ..RunFilter::default()
    };
    assert_eq!(found(&by_id), [run(7)]);
    let nobody = RunFilter {
        namespace: Some("Even".to_owned()),
        ..RunFilter::default()
    };
    assert_eq!(found(&nobody), []);
    for summary in store.list(&all).unwrap() {
        assert_eq!(store.describe(summary.run).unwrap(), Some(summary));
    }
}

fn fill(store: &mut impl Store) {
    for number in 1..=120 {
        let mut opens = create(store, number);
        let new = opens.create.as_mut().unwrap();
        new.namespace = if number % 2 == 0 { "even" } else { "odd" }.to_owned();
        new.workflow_type = if number % 3 == 0 { "fizz" } else { "buzz" }.to_owned();
        store.write(opens).unwrap();
    }
    store.write(close(store, 6, 2, 9)).unwrap();
    let mut parks = nothing(store, run(12), 2);
    parks.status = Some(StatusChange {
        status: RunStatus::Parked,
        detail: "bug".into(),
    });
    store.write(parks).unwrap();
}
