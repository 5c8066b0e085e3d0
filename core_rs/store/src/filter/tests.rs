//! What the language reads, and what it says of what it cannot read.

#![allow(clippy::unwrap_used, reason = "a test")]

use super::literal::instant;
use super::{Builtin, Condition, Literal, Order, parse};

fn problem(query: &str) -> (usize, String) {
    let error = parse(query).unwrap_err();
    (error.position, error.problem)
}

#[test]
fn a_query_of_every_sort_is_read() {
    let query =
        "WorkflowType = \"audit\" AND (status IN ('running', \"timed_out\") OR NOT Paid = true)
        AND Amount BETWEEN 1 AND 2.5e3 AND `odd name` IS NOT NULL AND Customer STARTS_WITH 'o''b'
        AND Region NOT IN ('eu') AND CloseTime < '2026-01-31' ORDER BY CloseTime";
    let parsed = parse(query).unwrap();
    let by_close = Order {
        by: Builtin::CloseTime,
        descending: false,
    };
    assert_eq!(parsed.order, by_close);
    let Some(Condition::All(parts)) = parsed.condition else {
        panic!("seven parts are joined");
    };
    assert_eq!(parts.len(), 7);
}

#[test]
fn nothing_asks_for_everything_newest_first() {
    assert_eq!(parse(" ").unwrap(), super::RunQuery::default());
    assert_eq!(
        parse("order by StartTime desc").unwrap(),
        super::RunQuery::default()
    );
}

#[test]
fn and_binds_closer_than_or() {
    let Some(Condition::Any(parts)) = parse("A = 1 OR B = 2 AND C = 3").unwrap().condition else {
        panic!("the outermost is OR");
    };
    assert!(matches!(
        parts.as_slice(),
        [Condition::Compare { .. }, Condition::All(_)]
    ));
}

#[test]
fn errors_say_where_and_what_was_expected() {
    assert_eq!(
        problem("WorkflowType ~ 'a'"),
        (13, "'~' begins nothing that is known".to_owned())
    );
    assert_eq!(
        problem("A = "),
        (
            4,
            "a text in quotes, a number, true or false was expected, not the end".to_owned()
        )
    );
    assert_eq!(problem("A = 1 B = 2").0, 6);
    assert_eq!(
        problem("(A = 1").1,
        "AND, OR or `)` was expected, not the end"
    );
    assert_eq!(problem("A = 'open").0, 4);
    assert_eq!(
        problem("Status = 'Walking'").1,
        "a status was expected: one of Cancelled, Completed, ContinuedAsNew, Failed, Parked, \
         Paused, Running, Terminated, TimedOut, not the text \"Walking\""
    );
    assert_eq!(problem("StartTime > 'soon'").0, 12);
    assert_eq!(problem("ORDER BY CustomerId").0, 9);
    let nested = format!("{}A = 1{}", "(".repeat(40), ")".repeat(40));
    assert_eq!(problem(&nested).1, "at most 32 levels may be nested");
    let long = vec!["A = 1"; 300].join(" OR ");
    assert_eq!(problem(&long).1, "a query may have at most 200 comparisons");
}

#[test]
fn an_error_shows_its_place() {
    let error = parse("é = 1 AND\nB ! 2").unwrap_err();
    let text = error.to_string();
    let mut lines = text.lines().skip(1);
    assert_eq!(lines.next(), Some("  é = 1 AND B ! 2"));
    assert_eq!(lines.next(), Some("              ^"));
}

#[test]
fn instants_are_read_as_iso_8601_writes_them() {
    let micros = |text| instant(text).map(perdure_history::Timestamp::as_micros);
    assert_eq!(micros("1970-01-01"), Some(0));
    assert_eq!(micros("2026-01-31T10:00:00Z"), Some(1_769_853_600_000_000));
    assert_eq!(
        micros("2026-01-31 12:00:00.5+02:00"),
        Some(1_769_853_600_500_000)
    );
    assert_eq!(micros("2000-02-29T00:00"), Some(951_782_400_000_000));
    assert_eq!(micros("1969-12-31T23:59:59.999999Z"), Some(-1));
    for wrong in [
        "2026-02-29",
        "2026-1-1",
        "2026-01-01T24:00",
        "2026-01-01T10",
        "x",
        "2026-01-01T1é:00",
    ] {
        assert_eq!(micros(wrong), None, "{wrong}");
    }
}

#[test]
fn quotes_are_doubled_or_escaped() {
    let query = parse(r#"A = "say ""hi"" \" \\ it's""#).unwrap();
    let Some(Condition::Compare {
        literal: Literal::Text { text, .. },
        ..
    }) = query.condition
    else {
        panic!("one comparison");
    };
    assert_eq!(text, r#"say "hi" " \ it's"#);
}
