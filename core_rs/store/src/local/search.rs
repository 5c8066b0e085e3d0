//! A query as SQL. What the user wrote is only ever bound as a parameter; the text of the statement
//! is made of this file's own pieces.
//!
//! Each piece is true or false, never NULL, so that NOT means what it says.

use perdure_history::RunId;
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use crate::append::RunStatus;
use crate::filter::{Builtin, Condition, Cursor, Field, Key, Literal, Operator, Search};
use crate::filter::{status_name, status_of};
use crate::local::error::Failure;
use crate::local::narrowing::{self, Narrowing};
use crate::local::visibility::{BOOL, INSTANT, NUMBER, TEXT};
use crate::local::{code, query};
use crate::query::{DEFAULT_PAGE, RunSummary};

/// The runs that a search asks for. Each is held against the condition once more: an index that
/// contradicts its run is damage, and is told of.
pub(crate) fn find(connection: &Connection, search: &Search) -> Result<Vec<RunSummary>, Failure> {
    let narrowing = narrowing::of(connection, search)?;
    let mut sql = Sql::default();
    sql.conditions(search, narrowing);
    let order = search.query.order;
    let key = key_of(order.by);
    if let Some(after) = &search.after {
        sql.text.push_str(" AND ");
        sql.after(&key, after, order.descending);
    }
    let direction = if order.descending { "DESC" } else { "ASC" };
    let limit = if search.limit == 0 {
        DEFAULT_PAGE
    } else {
        search.limit
    };
    let limit = sql.bind(i64::try_from(limit).unwrap_or(i64::MAX));
    let unindexed = narrowing.map_or("", |_| "+");
    let selection = format!(
        "SELECT run_key AS found_key, {key} AS found_order, run AS found_run FROM runs
         WHERE {} ORDER BY {unindexed}{key} {direction}, run {direction} LIMIT {limit}",
        sql.text
    );
    let order = format!("found_order {direction}, found_run {direction}");
    let found = query::select(connection, &selection, &order, &sql.values)?;
    match found.iter().find(|summary| !search.matches(summary)) {
        Some(summary) => Err(Failure::Damaged(format!(
            "the index of attributes contradicts run {}",
            summary.run
        ))),
        None => Ok(found),
    }
}

/// How many runs a search asks for.
pub(crate) fn count(connection: &Connection, search: &Search) -> Result<u64, Failure> {
    let mut sql = Sql::default();
    sql.conditions(search, narrowing::of(connection, search)?);
    let statement = format!("SELECT count(*) FROM runs WHERE {}", sql.text);
    let count: i64 = connection
        .prepare(&statement)?
        .query_row(params_from_iter(&sql.values), |row| row.get(0))?;
    Ok(count.cast_unsigned())
}

/// A statement as it grows.
#[derive(Default)]
struct Sql {
    text: String,
    values: Vec<Value>,
}

impl Sql {
    /// Binds a value and gives its place.
    fn bind(&mut self, value: impl Into<Value>) -> String {
        self.values.push(value.into());
        format!("?{}", self.values.len())
    }

    fn conditions(&mut self, search: &Search, narrowing: Option<Narrowing>) {
        self.text.push_str("TRUE");
        if let Some(namespace) = &search.namespace {
            let place = self.bind(namespace.clone());
            // A plus keeps SQLite from the index that begins with the namespace.
            let unindexed = match narrowing {
                Some(Narrowing::Attribute) => "+",
                Some(Narrowing::Workflow) | None => "",
            };
            self.text
                .push_str(&format!(" AND {unindexed}namespace = {place}"));
        }
        if let Some(condition) = &search.query.condition {
            self.text.push_str(" AND ");
            self.condition(condition);
        }
    }

    fn condition(&mut self, condition: &Condition) {
        match condition {
            Condition::All(all) => self.joined(all, " AND "),
            Condition::Any(any) => self.joined(any, " OR "),
            Condition::Not(inner) => {
                self.text.push_str("NOT (");
                self.condition(inner);
                self.text.push(')');
            }
            Condition::IsNull(Field::Builtin(Builtin::CloseTime)) => {
                self.text.push_str("closed_at IS NULL");
            }
            Condition::IsNull(Field::Builtin(_)) => self.text.push_str("FALSE"),
            Condition::IsNull(Field::Attribute(name)) => {
                let name = self.bind(name.clone());
                self.text.push_str(&format!(
                    "run_key NOT IN (SELECT run_key FROM attributes WHERE name = {name})"
                ));
            }
            Condition::Compare {
                field,
                operator,
                literal,
            } => {
                let piece = match field {
                    Field::Builtin(builtin) => self.builtin(*builtin, *operator, literal),
                    Field::Attribute(name) => self.attribute(name, *operator, literal),
                };
                self.text.push_str(&piece);
            }
        }
    }

    fn joined(&mut self, parts: &[Condition], joint: &str) {
        self.text.push('(');
        for (index, part) in parts.iter().enumerate() {
            if index > 0 {
                self.text.push_str(joint);
            }
            self.condition(part);
        }
        self.text.push(')');
    }

    fn builtin(&mut self, field: Builtin, operator: Operator, literal: &Literal) -> String {
        let equal = matches!(operator, Operator::Equal | Operator::NotEqual);
        match (field, literal) {
            (Builtin::Status, Literal::Text { text, .. }) if equal => {
                let status = status_of(text).map_or(-1, code::of_status);
                let status = self.bind(status);
                format!("status {} {status}", symbol(operator))
            }
            (Builtin::RunId, Literal::Text { text, .. }) => match RunId::parse(text) {
                Some(run) if equal => {
                    let run = self.bind(run.0.to_vec());
                    format!("run {} {run}", symbol(operator))
                }
                _ => self.text_compared("lower(hex(run))", operator, text),
            },
            (
                Builtin::StartTime | Builtin::CloseTime,
                Literal::Text {
                    instant: Some(instant),
                    ..
                },
            ) => {
                let (key, place) = (key_of(field), self.bind(instant.as_micros()));
                format!("({key} IS NOT NULL AND {key} {} {place})", symbol(operator))
            }
            (Builtin::HistoryLength, literal) => match number(literal) {
                Some(number) => {
                    let place = self.bind(number);
                    format!("{} {} {place}", key_of(field), symbol(operator))
                }
                None => "FALSE".to_owned(),
            },
            (_, Literal::Text { text, .. }) => self.text_compared(&key_of(field), operator, text),
            _ => "FALSE".to_owned(),
        }
    }

    fn attribute(&mut self, name: &str, operator: Operator, literal: &Literal) -> String {
        match literal {
            Literal::Text { text, instant } => {
                let found = self.in_class(name, TEXT, operator, text.clone().into());
                match instant {
                    Some(instant) if operator != Operator::StartsWith => {
                        let at = Value::from(instant.as_micros());
                        let or = self.in_class(name, INSTANT, operator, at);
                        format!("({found} OR {or})")
                    }
                    _ => found,
                }
            }
            Literal::Bool(truth) => self.in_class(name, BOOL, operator, i64::from(*truth).into()),
            literal => match number(literal) {
                Some(number) => self.in_class(name, NUMBER, operator, number),
                None => "FALSE".to_owned(),
            },
        }
    }

    /// Runs with the attribute in one class of types. What is not equal has no row that is.
    fn in_class(&mut self, name: &str, class: i64, operator: Operator, value: Value) -> String {
        let name = self.bind(name.to_owned());
        let rows =
            format!("SELECT run_key FROM attributes WHERE name = {name} AND class = {class}");
        if operator == Operator::NotEqual {
            let value = self.bind(value);
            return format!(
                "(run_key IN ({rows}) AND run_key NOT IN ({rows} AND value = {value}))"
            );
        }
        let compared = match (&value, operator) {
            (Value::Text(text), _) => self.text_compared("value", operator, &text.clone()),
            (_, Operator::StartsWith) => "FALSE".to_owned(),
            _ => {
                let value = self.bind(value);
                format!("value {} {value}", symbol(operator))
            }
        };
        format!("run_key IN ({rows} AND {compared})")
    }

    fn text_compared(&mut self, key: &str, operator: Operator, text: &str) -> String {
        let place = self.bind(text.to_owned());
        if operator != Operator::StartsWith {
            return format!("{key} {} {place}", symbol(operator));
        }
        match after_all_that_begin_with(text) {
            Some(bound) => {
                let bound = self.bind(bound);
                format!("({key} >= {place} AND {key} < {bound})")
            }
            None => format!("{key} >= {place}"),
        }
    }

    /// What comes after a place in the order. NULL, which SQLite takes for the least, is first.
    fn after(&mut self, key: &str, after: &Cursor, descending: bool) {
        let symbol = if descending { "<" } else { ">" };
        let run = self.bind(after.run.0.to_vec());
        let value = match &after.key {
            Key::None => {
                let rest = if descending {
                    ""
                } else {
                    " OR closed_at IS NOT NULL"
                };
                self.text
                    .push_str(&format!("({key} IS NULL AND run {symbol} {run}{rest})"));
                return;
            }
            Key::Number(number) => Value::from(*number),
            Key::Text(text) => Value::from(text.clone()),
            Key::Run(run) => Value::from(run.0.to_vec()),
        };
        let place = self.bind(value);
        let rest = if descending && key == "closed_at" {
            " OR closed_at IS NULL"
        } else {
            ""
        };
        self.text
            .push_str(&format!("(({key}, run) {symbol} ({place}, {run}){rest})"));
    }
}

/// By what runs are ordered and compared.
fn key_of(by: Builtin) -> String {
    match by {
        Builtin::WorkflowId => "workflow_id".to_owned(),
        Builtin::RunId => "run".to_owned(),
        Builtin::WorkflowType => "workflow_type".to_owned(),
        Builtin::Status => {
            let names: String = (0..)
                .map_while(code::to_status)
                .map(|status: RunStatus| {
                    let number = code::of_status(status);
                    format!(" WHEN {number} THEN '{}'", status_name(status))
                })
                .collect();
            format!("CASE status{names} END")
        }
        Builtin::TaskQueue => "task_queue".to_owned(),
        Builtin::StartTime => "started_at".to_owned(),
        Builtin::CloseTime => "closed_at".to_owned(),
        Builtin::HistoryLength => "coalesce(
            (SELECT live.last_n FROM live WHERE live.run_key = runs.run_key), runs.last_n)"
            .to_owned(),
    }
}

/// The number that the literal is; other literals are none.
pub(crate) fn number(literal: &Literal) -> Option<Value> {
    match literal {
        Literal::Int(number) => Some((*number).into()),
        Literal::Double(number) => Some((*number).into()),
        _ => None,
    }
}

const fn symbol(operator: Operator) -> &'static str {
    match operator {
        // Bounds stand in for it.
        Operator::Equal | Operator::StartsWith => "=",
        Operator::NotEqual => "!=",
        Operator::Less => "<",
        Operator::LessOrEqual => "<=",
        Operator::Greater => ">",
        Operator::GreaterOrEqual => ">=",
    }
}

/// The least text behind every one that begins with `prefix`; none when nothing lies behind.
fn after_all_that_begin_with(prefix: &str) -> Option<String> {
    let mut characters: Vec<char> = prefix.chars().collect();
    while let Some(last) = characters.pop() {
        // The next character, past those numbers that are none.
        if let Some(next) = (u32::from(last) + 1..=0x10_FFFF).find_map(char::from_u32) {
            characters.push(next);
            return Some(characters.into_iter().collect());
        }
    }
    None
}
