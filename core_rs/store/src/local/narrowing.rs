//! Which index a query begins with. Runs lie in the order of their start, in which most lists are
//! read, so SQLite walks them in that order when it may; where a condition leaves few runs, it is
//! quicker to take those and sort them. SQLite keeps no counts that would tell it so.

use rusqlite::types::Value;
use rusqlite::{Connection, params};

use crate::filter::{Builtin, Condition, Field, Literal, Operator, Search};
use crate::local::error::Failure;
use crate::local::search::number;
use crate::local::visibility::{NUMBER, TEXT};

/// So many runs are taken and sorted sooner than 100,000 are walked through.
const FEW: i64 = 5_000;

/// What leaves few runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Narrowing {
    /// A workflow id or a run.
    Workflow,
    /// The value of an attribute.
    Attribute,
}

/// What leaves few runs of those that the search is over. A text that is also an instant counts as
/// a text alone: the answer is a matter of speed.
pub(crate) fn of(connection: &Connection, search: &Search) -> Result<Option<Narrowing>, Failure> {
    match &search.query.condition {
        Some(condition) => narrowed(connection, condition),
        None => Ok(None),
    }
}

fn narrowed(connection: &Connection, condition: &Condition) -> Result<Option<Narrowing>, Failure> {
    match condition {
        Condition::All(all) => {
            for part in all {
                let narrowing = narrowed(connection, part)?;
                if narrowing.is_some() {
                    return Ok(narrowing);
                }
            }
            Ok(None)
        }
        Condition::Compare {
            field,
            operator: Operator::Equal,
            literal,
        } => match field {
            Field::Builtin(Builtin::WorkflowId | Builtin::RunId) => Ok(Some(Narrowing::Workflow)),
            Field::Builtin(_) => Ok(None),
            Field::Attribute(name) => by_attribute(connection, name, literal),
        },
        Condition::Any(_)
        | Condition::Not(_)
        | Condition::IsNull(_)
        | Condition::Compare { .. } => Ok(None),
    }
}

fn by_attribute(
    connection: &Connection,
    name: &str,
    literal: &Literal,
) -> Result<Option<Narrowing>, Failure> {
    let (class, value) = match literal {
        Literal::Text { text, .. } => (TEXT, Value::from(text.clone())),
        literal => match number(literal) {
            Some(number) => (NUMBER, number),
            None => return Ok(None),
        },
    };
    let found: i64 = connection
        .prepare_cached(
            "SELECT count(*) FROM (SELECT 1 FROM attributes
             WHERE name = ?1 AND class = ?2 AND value = ?3 LIMIT ?4)",
        )?
        .query_row(params![name, class, value, FEW], |row| row.get(0))?;
    Ok((found < FEW).then_some(Narrowing::Attribute))
}
