//! The language in which runs are asked for, `WorkflowType = "audit" AND Status = "Running"`:
//! a text becomes a tree, which a store lowers to what it searches with, or holds runs against.

mod evaluate;
mod literal;
mod parser;
mod tokens;

use std::fmt;

use perdure_history::{RunId, Timestamp};

pub(crate) use self::literal::{status_name, status_of};
pub use self::parser::parse;
use crate::query::RunSummary;

/// What is asked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunQuery {
    /// What must hold of a run; everything does when there is no condition.
    pub condition: Option<Condition>,
    /// In which order; newest first by default.
    pub order: Order,
}

impl RunQuery {
    /// Leaves out the runs whose field begins with a text.
    pub fn leave_out(&mut self, field: Builtin, prefix: &str) {
        let left_out = Condition::Not(Box::new(Condition::Compare {
            field: Field::Builtin(field),
            operator: Operator::StartsWith,
            literal: Literal::Text {
                text: prefix.to_owned(),
                instant: None,
            },
        }));
        let condition = self.condition.take();
        self.condition = Some(Condition::All(
            condition.into_iter().chain([left_out]).collect(),
        ));
    }

    /// Asks only for runs of which the field is this text, besides what is asked for already.
    pub fn require(&mut self, field: Builtin, text: &str) {
        let text = match field {
            Builtin::Status => {
                status_of(text).map_or(text.to_owned(), |it| status_name(it).to_owned())
            }
            _ => text.to_owned(),
        };
        let required = Condition::Compare {
            field: Field::Builtin(field),
            operator: Operator::Equal,
            literal: Literal::Text {
                text,
                instant: None,
            },
        };
        let condition = self.condition.take();
        self.condition = Some(Condition::All(
            condition.into_iter().chain([required]).collect(),
        ));
    }
}

/// Something that holds of a run, or does not.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    /// All of them hold.
    All(Vec<Condition>),
    /// One of them holds.
    Any(Vec<Condition>),
    /// It does not hold.
    Not(Box<Condition>),
    /// The run does not have the field.
    IsNull(Field),
    /// The run has the field with a value of the literal's type, and the comparison holds.
    Compare {
        /// The field.
        field: Field,
        /// How.
        operator: Operator,
        /// With what.
        literal: Literal,
    },
}

/// What a run has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Field {
    /// What every run has.
    Builtin(Builtin),
    /// The search attribute of this name.
    Attribute(String),
}

/// What every run has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Builtin {
    /// The user's name for it.
    WorkflowId,
    /// The run.
    RunId,
    /// The workflow's registered name.
    WorkflowType,
    /// How it stands.
    Status,
    /// The task queue.
    TaskQueue,
    /// When it was started.
    #[default]
    StartTime,
    /// When it closed; an open run has none.
    CloseTime,
    /// The number of its last record.
    HistoryLength,
}

/// How two values compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// Equal; for a list, to one of its elements.
    Equal,
    /// Not equal; for a list, to none of its elements.
    NotEqual,
    /// Less.
    Less,
    /// Less or equal.
    LessOrEqual,
    /// Greater.
    Greater,
    /// Greater or equal.
    GreaterOrEqual,
    /// A text that begins so.
    StartsWith,
}

/// A value in a query.
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    /// A text; a status is held as its name.
    Text {
        /// The text.
        text: String,
        /// The instant that it names, if it names one.
        instant: Option<Timestamp>,
    },
    /// A whole number.
    Int(i64),
    /// A floating-point number.
    Double(f64),
    /// A truth value.
    Bool(bool),
}

/// In which order runs are given; runs that are equal in it by run id, in the same direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    /// By what.
    pub by: Builtin,
    /// Whether the greatest comes first.
    pub descending: bool,
}

impl Default for Order {
    fn default() -> Self {
        Self {
            by: Builtin::StartTime,
            descending: true,
        }
    }
}

/// A value by which runs are ordered; a run without one comes before all others.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// The run has none.
    None,
    /// A number, or an instant in microseconds.
    Number(i64),
    /// A text.
    Text(String),
    /// A run id.
    Run(RunId),
}

/// The place of a run in an order: a page begins after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// By what the run is ordered.
    pub key: Key,
    /// The run.
    pub run: RunId,
}

/// Which runs to give, and how many.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Search {
    /// Only this namespace.
    pub namespace: Option<String>,
    /// What is asked for.
    pub query: RunQuery,
    /// Only runs after this place, for paging.
    pub after: Option<Cursor>,
    /// At most so many; 0 is the store's own page size, 100.
    pub limit: usize,
}

impl Search {
    /// Where the next page begins, after the last run of this one.
    #[must_use]
    pub fn cursor(&self, last: &RunSummary) -> Cursor {
        Cursor {
            key: evaluate::key_of(self.query.order.by, last),
            run: last.run,
        }
    }

    /// Whether the search asks for this run, order and limit aside.
    #[must_use]
    pub fn matches(&self, summary: &RunSummary) -> bool {
        let namespace = self.namespace.as_ref();
        namespace.is_none_or(|wanted| *wanted == summary.namespace)
            && self
                .query
                .condition
                .as_ref()
                .is_none_or(|condition| condition.holds(summary))
    }
}

/// What is wrong with a query, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct QueryError {
    /// The query.
    pub query: String,
    /// Where, in characters from 0.
    pub position: usize,
    /// What stands there, and what was expected.
    pub problem: String,
}

impl fmt::Display for QueryError {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        // One line, so that the caret stands under its place.
        let line: String = self
            .query
            .chars()
            .map(|each| if each.is_control() { ' ' } else { each })
            .collect();
        let indent = " ".repeat(self.position);
        write!(
            to,
            "{} at character {}\n  {line}\n  {indent}^",
            self.problem,
            self.position + 1
        )
    }
}

#[cfg(test)]
mod tests;
