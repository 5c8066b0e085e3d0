//! Random queries over random runs: the local store finds what the oracle does, in the same order,
//! page by page, and counts the same. A failing query is printed, smallest first.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::time::Instant;

use perdure_history::RunId;
use perdure_store::validation::fixture::{WriteOne, at, batch, close, create, nothing, run};
use perdure_store::{
    Append, LocalReader, LocalStore, MemoryStore, RunStatus, Search, Standby, StatusChange, Store,
    parse_query,
};
use proptest::prelude::*;

mod support;

use support::{Folder, search_value};

/// What is done with a run: its attributes, and how it ends.
type Made = (Vec<(u8, u8)>, u8);

fn made() -> impl Strategy<Value = Made> {
    (prop::collection::vec((0..3_u8, 0..10_u8), 0..4), 0..4_u8)
}

fn literal() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "'x'",
        "'xy'",
        "\"z\"",
        "''",
        "2",
        "2.5",
        "-1",
        "9223372036854775807",
        "9.223372036854775807e18",
        "true",
        "false",
        "'1970-01-01T00:00:03Z'",
        "'1970-01-02'",
    ])
    .prop_map(str::to_owned)
}

fn operator() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["=", "!=", "<", "<=", ">", ">="])
}

/// A comparison of a builtin field with something that it takes.
fn builtin() -> impl Strategy<Value = String> {
    let fields = prop::sample::select(vec![
        ("WorkflowId", "'workflow-3'"),
        ("WorkflowType", "'audit'"),
        ("TaskQueue", "'main'"),
        ("Status", "'running'"),
        ("Status", "\"Completed\""),
        ("StartTime", "'1970-01-01T00:00:04Z'"),
        ("CloseTime", "'1970-01-01T00:00:30Z'"),
        ("HistoryLength", "2"),
        ("HistoryLength", "2.5"),
        ("RunId", "'00000003-7070-7070-7070-707070707070'"),
        ("RunId", "'0000'"),
    ]);
    (fields, operator())
        .prop_map(|((field, value), operator)| format!("{field} {operator} {value}"))
}

fn comparison() -> impl Strategy<Value = String> {
    let name = || prop::sample::select(vec!["A0", "A1", "`A2`", "Nobody"]);
    prop_oneof![
        4 => (name(), operator(), literal()).prop_map(|(n, o, l)| format!("{n} {o} {l}")),
        3 => builtin(),
        1 => (name(), literal(), literal(), prop::bool::ANY).prop_map(|(n, a, b, not)| {
            format!("{n} {}IN ({a}, {b})", if not { "NOT " } else { "" })
        }),
        1 => (name(), literal(), literal(), prop::bool::ANY).prop_map(|(n, a, b, not)| {
            format!("{n} {}BETWEEN {a} AND {b}", if not { "not " } else { "" })
        }),
        1 => (name(), prop::bool::ANY)
            .prop_map(|(n, not)| format!("{n} IS {}NULL", if not { "NOT " } else { "" })),
        1 => prop::sample::select(vec![
            "A0 STARTS_WITH 'x'", "A1 NOT STARTS_WITH 'xy'", "A0 STARTS_WITH ''",
            "WorkflowId STARTS_WITH 'workflow-'", "RunId starts_with '00000003'",
            "CloseTime IS NULL", "StartTime IS NOT NULL",
        ]).prop_map(str::to_owned),
    ]
}

fn condition() -> impl Strategy<Value = String> {
    comparison().prop_recursive(4, 12, 3, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} AND {b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} OR {b})")),
            inner.prop_map(|a| format!("NOT ({a})")),
        ]
    })
}

fn order() -> impl Strategy<Value = String> {
    let fields = prop::sample::select(vec![
        "WorkflowId",
        "RunId",
        "WorkflowType",
        "Status",
        "TaskQueue",
        "StartTime",
        "CloseTime",
        "HistoryLength",
    ]);
    let directions = prop::sample::select(vec!["", " ASC", " DESC"]);
    prop::option::of((fields, directions)).prop_map(|order| {
        order.map_or_else(String::new, |(field, way)| {
            format!(" ORDER BY {field}{way}")
        })
    })
}

/// Makes run `number` in a store.
fn make(store: &mut impl Store, number: u32, (attributes, ends): &Made) {
    let mut opens = create(store, number);
    if let Some(new) = opens.create.as_mut() {
        // Some are started at the same time, some have one type.
        new.started_at = at(i64::from(number / 2));
        new.workflow_type = match number % 3 {
            0 => "audit",
            1 => "Audit",
            _ => "bill",
        }
        .to_owned();
    }
    let change = |(name, value): &(u8, u8)| (format!("A{name}"), search_value(*value));
    let (first, later) = attributes.split_at(attributes.len() / 2);
    opens.visibility.search_attributes = first.iter().map(change).collect();
    store.write(opens).unwrap();
    let mut changes = nothing(store, run(number), 2);
    changes.visibility.search_attributes = later.iter().map(change).collect();
    match ends {
        0 => {
            changes = Append {
                visibility: changes.visibility,
                ..close(store, number, 2, i64::from(number / 3) + 20)
            };
        }
        1 => {
            changes.status = Some(StatusChange {
                status: RunStatus::Parked,
                detail: "bug".into(),
            });
        }
        2 => {
            changes.last_n = 4;
            changes.batch = Some(batch(number, 4));
        }
        _ => {}
    }
    store.write(changes).unwrap();
}

fn ids(store: &impl Store, search: &Search) -> Vec<RunId> {
    let found = store.search(search).unwrap();
    found.iter().map(|summary| summary.run).collect()
}

fn agree(runs: &[Made], queries: &[String]) {
    let folder = Folder::in_memory();
    let mut local = LocalStore::open_owner(&folder.file("app.db"), Standby::Refuse).unwrap();
    let mut oracle = MemoryStore::new();
    for (number, made) in (1..).zip(runs) {
        make(&mut local, number, made);
        make(&mut oracle, number, made);
    }
    for text in queries {
        let mut search = Search {
            namespace: Some("default".to_owned()),
            query: parse_query(text).unwrap(),
            after: None,
            limit: 3,
        };
        let expected = oracle.count(&search).unwrap();
        assert_eq!(local.count(&search).unwrap(), expected, "{text}");
        let mut counted = 0;
        loop {
            let page = oracle.search(&search).unwrap();
            assert_eq!(local.search(&search).unwrap(), page, "{text}");
            counted += page.len() as u64;
            let Some(last) = page.last() else { break };
            search.after = Some(search.cursor(last));
        }
        assert_eq!(counted, expected, "{text}");
        search.namespace = Some("other".to_owned());
        search.after = None;
        assert_eq!(ids(&local, &search), [], "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 40,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn both_stores_find_the_same_runs(
        runs in prop::collection::vec(made(), 0..14),
        queries in prop::collection::vec(
            (condition(), order()).prop_map(|(condition, order)| condition + &order),
            1..20,
        ),
    ) {
        agree(&runs, &queries);
    }
}

#[test]
fn what_users_write_is_never_sql() {
    let folder = Folder::in_memory();
    let path = folder.file("app.db");
    let mut store = LocalStore::open_owner(&path, Standby::Refuse).unwrap();
    make(&mut store, 1, &(vec![(0, 1)], 3));
    let reader = LocalReader::open(&path).unwrap();
    for text in [
        "A0 = \"x' OR 1=1 --\"",
        "`A0' OR '1'='1` = 'x'",
        "WorkflowId = '''; DROP TABLE runs; --'",
        "WorkflowId STARTS_WITH '%'",
    ] {
        let query = parse_query(text).unwrap();
        let search = Search {
            query,
            ..Search::default()
        };
        assert_eq!(reader.search(&search).unwrap(), [], "{text}");
        assert_eq!(reader.count(&search).unwrap(), 0, "{text}");
    }
}

#[test]
fn a_store_of_the_format_before_is_read_and_then_brought_up() {
    let folder = Folder::in_memory();
    let path = folder.file("app.db");
    let mut store = LocalStore::open_owner(&path, Standby::Refuse).unwrap();
    make(&mut store, 1, &(Vec::new(), 3));
    drop(store);
    support::make_format_2(&path);
    let all = Search::default();
    let reader = LocalReader::open(&path).unwrap();
    assert_eq!(reader.search(&all).unwrap().len(), 1);
    assert_eq!(reader.count(&all).unwrap(), 1);
    drop(reader);
    let mut store = LocalStore::open_owner(&path, Standby::Refuse).unwrap();
    make(&mut store, 2, &(vec![(0, 3)], 3));
    let search = Search {
        query: parse_query("A0 >= 2").unwrap(),
        ..Search::default()
    };
    assert_eq!(ids(&store, &search), [run(2)]);
    drop(store);
    LocalReader::open(&path).unwrap().check().unwrap();
}

/// `cargo test --release -p perdure-store --test search -- --ignored --nocapture`
#[test]
#[ignore = "it measures"]
fn a_hundred_thousand_runs_are_searched_in_an_instant() {
    let folder = Folder::in_memory();
    let path = folder.file("app.db");
    let mut store = LocalStore::open_owner(&path, Standby::Refuse).unwrap();
    for group in 0..100_u32 {
        let group: Vec<Append> = (0..1_000)
            .map(|each| {
                let number = group * 1_000 + each + 1;
                let mut opens = create(&store, number);
                let customer = (number % 1_000).to_string();
                let value = Some(perdure_history::SearchValue::Keyword(customer));
                let change = ("CustomerId".to_owned(), value);
                opens.visibility.search_attributes.push(change);
                opens
            })
            .collect();
        store.append(&group).unwrap();
    }
    let reader = LocalReader::open(&path).unwrap();
    for text in [
        "WorkflowType = 'audit' AND Status = 'Running' AND CustomerId = '42'
            ORDER BY StartTime DESC",
        "",
        "WorkflowType = \"audit\" AND Status = \"Running\"",
        "Status = 'Completed'",
        "CustomerId != '42'",
        "CustomerId STARTS_WITH '4' AND NOT Status = 'Failed'",
        "WorkflowId = 'workflow-77'",
        "HistoryLength > 5",
    ] {
        let search = Search {
            namespace: Some("default".to_owned()),
            query: parse_query(text).unwrap(),
            ..Search::default()
        };
        let watch = Instant::now();
        let found = reader.search(&search).unwrap().len();
        let listed = watch.elapsed();
        let watch = Instant::now();
        let count = reader.count(&search).unwrap();
        println!(
            "{text:?}: list {found} in {listed:?}, count {count} in {:?}",
            watch.elapsed()
        );
    }
}
