//! Whether a condition holds of a run, said in the plainest way: what other stores are held to.

use std::cmp::Ordering;

use perdure_history::SearchValue;

use super::literal::status_name;
use super::{Builtin, Condition, Field, Key, Literal, Operator};
use crate::query::RunSummary;

impl Condition {
    /// Whether it holds of this run.
    pub(super) fn holds(&self, run: &RunSummary) -> bool {
        match self {
            Self::All(all) => all.iter().all(|each| each.holds(run)),
            Self::Any(any) => any.iter().any(|each| each.holds(run)),
            Self::Not(inner) => !inner.holds(run),
            Self::IsNull(Field::Builtin(builtin)) => key_of(*builtin, run) == Key::None,
            Self::IsNull(Field::Attribute(name)) => attribute(run, name).is_none(),
            Self::Compare {
                field,
                operator,
                literal,
            } => match field {
                Field::Builtin(builtin) => builtin_holds(*builtin, run, *operator, literal),
                Field::Attribute(name) => attribute(run, name)
                    .is_some_and(|value| attribute_holds(value, *operator, literal)),
            },
        }
    }
}

fn attribute<'run>(run: &'run RunSummary, name: &str) -> Option<&'run SearchValue> {
    let attributes = &run.visibility.search_attributes;
    attributes
        .iter()
        .find(|(each, _)| each == name)
        .map(|(_, value)| value)
        .filter(|value| is_findable(value))
}

/// A list of nothing, and what is no number, cannot be found: as if they were not there.
fn is_findable(value: &SearchValue) -> bool {
    match value {
        SearchValue::KeywordList(texts) => !texts.is_empty(),
        SearchValue::Double(number) => !number.is_nan(),
        _ => true,
    }
}

/// By what the run is ordered.
pub(super) fn key_of(by: Builtin, run: &RunSummary) -> Key {
    match by {
        Builtin::WorkflowId => Key::Text(run.workflow_id.clone()),
        Builtin::RunId => Key::Run(run.run),
        Builtin::WorkflowType => Key::Text(run.workflow_type.clone()),
        Builtin::Status => Key::Text(status_name(run.status).to_owned()),
        Builtin::TaskQueue => Key::Text(run.task_queue.clone()),
        Builtin::StartTime => Key::Number(run.started_at.as_micros()),
        Builtin::CloseTime => run
            .closed_at
            .map_or(Key::None, |at| Key::Number(at.as_micros())),
        Builtin::HistoryLength => Key::Number(run.last_n.cast_signed()),
    }
}

fn builtin_holds(by: Builtin, run: &RunSummary, operator: Operator, literal: &Literal) -> bool {
    let key = match key_of(by, run) {
        Key::Run(run) => Key::Text(run.to_string()),
        key => key,
    };
    match (key, literal) {
        (Key::Text(found), Literal::Text { text, .. }) => text_holds(&found, operator, text),
        (
            Key::Number(found),
            Literal::Text {
                instant: Some(instant),
                ..
            },
        ) => ordering_holds(Some(found.cmp(&instant.as_micros())), operator),
        (Key::Number(found), literal) => {
            ordering_holds(compare_number(Number::Int(found), literal), operator)
        }
        _ => false,
    }
}

fn attribute_holds(value: &SearchValue, operator: Operator, literal: &Literal) -> bool {
    match (value, literal) {
        (SearchValue::Keyword(found), Literal::Text { text, .. }) => {
            text_holds(found, operator, text)
        }
        (SearchValue::KeywordList(found), Literal::Text { text, .. }) => match operator {
            Operator::NotEqual => !found.contains(text),
            _ => found.iter().any(|each| text_holds(each, operator, text)),
        },
        (
            SearchValue::Datetime(found),
            Literal::Text {
                instant: Some(instant),
                ..
            },
        ) => ordering_holds(Some(found.cmp(instant)), operator),
        (SearchValue::Int(found), literal) => {
            ordering_holds(compare_number(Number::Int(*found), literal), operator)
        }
        (SearchValue::Double(found), literal) => {
            ordering_holds(compare_number(Number::Double(*found), literal), operator)
        }
        (SearchValue::Bool(found), Literal::Bool(wanted)) => {
            ordering_holds(Some(found.cmp(wanted)), operator)
        }
        _ => false,
    }
}

fn text_holds(found: &str, operator: Operator, wanted: &str) -> bool {
    if operator == Operator::StartsWith {
        return found.starts_with(wanted);
    }
    ordering_holds(Some(found.cmp(wanted)), operator)
}

fn ordering_holds(ordering: Option<Ordering>, operator: Operator) -> bool {
    let Some(ordering) = ordering else {
        return false;
    };
    match operator {
        Operator::Equal => ordering.is_eq(),
        Operator::NotEqual => ordering.is_ne(),
        Operator::Less => ordering.is_lt(),
        Operator::LessOrEqual => ordering.is_le(),
        Operator::Greater => ordering.is_gt(),
        Operator::GreaterOrEqual => ordering.is_ge(),
        Operator::StartsWith => false,
    }
}

#[derive(Clone, Copy)]
enum Number {
    Int(i64),
    Double(f64),
}

fn compare_number(found: Number, literal: &Literal) -> Option<Ordering> {
    match (found, literal) {
        (Number::Int(found), Literal::Int(wanted)) => Some(found.cmp(wanted)),
        (Number::Int(found), Literal::Double(wanted)) => compare_mixed(found, *wanted),
        (Number::Double(found), Literal::Int(wanted)) => {
            compare_mixed(*wanted, found).map(Ordering::reverse)
        }
        (Number::Double(found), Literal::Double(wanted)) => found.partial_cmp(wanted),
        _ => None,
    }
}

/// Compares without rounding the whole number to a float.
fn compare_mixed(whole: i64, float: f64) -> Option<Ordering> {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    if float.is_nan() {
        return None;
    }
    if float >= LIMIT {
        return Some(Ordering::Less);
    }
    if float < -LIMIT {
        return Some(Ordering::Greater);
    }
    let below = float.floor();
    #[expect(clippy::cast_possible_truncation, reason = "within the range of i64")]
    let floor = below as i64;
    let past = if float > below {
        Ordering::Less
    } else {
        Ordering::Equal
    };
    Some(whole.cmp(&floor).then(past))
}
