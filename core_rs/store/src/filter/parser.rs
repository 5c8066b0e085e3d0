//! A query's tokens as a tree.
//!
//! ```text
//! query      = [ any ] [ ORDER BY field [ ASC | DESC ] ]
//! any        = all { OR all }
//! all        = one { AND one }
//! one        = NOT one | "(" any ")" | field comparison
//! comparison = operator literal | [ NOT ] IN "(" literal { "," literal } ")"
//!            | [ NOT ] BETWEEN literal AND literal | [ NOT ] STARTS_WITH text | IS [ NOT ] NULL
//! ```

use super::literal::{fit, instant, number};
use super::tokens::{Token, tokens};
use super::{Builtin, Condition, Field, Literal, Operator, Order, QueryError, RunQuery};

/// How deep parentheses and NOT may be nested.
const DEPTH_MAX: usize = 32;

/// How many comparisons a query may have; each element of a list is one.
const COMPARISONS_MAX: usize = 200;

/// Words that are no names of attributes, unless in backquotes.
const KEYWORDS: [&str; 13] = [
    "AND",
    "OR",
    "NOT",
    "IN",
    "BETWEEN",
    "IS",
    "NULL",
    "STARTS_WITH",
    "ORDER",
    "BY",
    "ASC",
    "DESC",
    "TRUE",
];

const BUILTINS: [(&str, Builtin); 8] = [
    ("WorkflowId", Builtin::WorkflowId),
    ("RunId", Builtin::RunId),
    ("WorkflowType", Builtin::WorkflowType),
    ("Status", Builtin::Status),
    ("TaskQueue", Builtin::TaskQueue),
    ("StartTime", Builtin::StartTime),
    ("CloseTime", Builtin::CloseTime),
    ("HistoryLength", Builtin::HistoryLength),
];

/// Reads a query; an empty one asks for every run.
///
/// # Errors
/// [`QueryError`] with the place and what was expected there.
pub fn parse(query: &str) -> Result<RunQuery, QueryError> {
    let mut parser = Parser {
        query,
        tokens: tokens(query)?,
        at: 0,
        comparisons: 0,
    };
    let condition = if parser.is_word("ORDER") || *parser.peek() == Token::End {
        None
    } else {
        Some(parser.any(0)?)
    };
    let order = parser.order()?;
    if *parser.peek() != Token::End {
        return Err(parser.expected("AND, OR, ORDER BY or the end"));
    }
    Ok(RunQuery { condition, order })
}

struct Parser<'query> {
    query: &'query str,
    tokens: Vec<(usize, Token)>,
    at: usize,
    comparisons: usize,
}

type Parsed<T> = Result<T, QueryError>;

impl Parser<'_> {
    fn any(&mut self, depth: usize) -> Parsed<Condition> {
        let mut found = vec![self.all(depth)?];
        while self.take_word("OR") {
            found.push(self.all(depth)?);
        }
        Ok(joined(found, Condition::Any))
    }

    fn all(&mut self, depth: usize) -> Parsed<Condition> {
        let mut found = vec![self.one(depth)?];
        while self.take_word("AND") {
            found.push(self.one(depth)?);
        }
        Ok(joined(found, Condition::All))
    }

    fn one(&mut self, depth: usize) -> Parsed<Condition> {
        if depth > DEPTH_MAX {
            return Err(self.error(format!("at most {DEPTH_MAX} levels may be nested")));
        }
        if self.take_word("NOT") {
            return Ok(Condition::Not(Box::new(self.one(depth + 1)?)));
        }
        if self.take_symbol("(") {
            let inner = self.any(depth + 1)?;
            self.expect_symbol(")", "AND, OR or `)`")?;
            return Ok(inner);
        }
        let field = self.field("a field, NOT or `(`")?;
        self.comparison(&field)
    }

    fn field(&mut self, expected: &str) -> Parsed<Field> {
        let name = match self.peek() {
            Token::Word(word) if !is_keyword(word) => {
                let builtin = BUILTINS
                    .iter()
                    .find(|(name, _)| name.eq_ignore_ascii_case(word));
                match builtin {
                    Some((_, builtin)) => Field::Builtin(*builtin),
                    None => Field::Attribute(word.clone()),
                }
            }
            Token::Quoted(name) => Field::Attribute(name.clone()),
            _ => return Err(self.expected(expected)),
        };
        self.at += 1;
        Ok(name)
    }

    fn comparison(&mut self, field: &Field) -> Parsed<Condition> {
        if self.take_word("IS") {
            let negated = self.take_word("NOT");
            if !self.take_word("NULL") {
                return Err(self.expected(if negated { "NULL" } else { "NULL or NOT NULL" }));
            }
            self.count()?;
            let is_null = Condition::IsNull(field.clone());
            return Ok(negate_if(negated, is_null));
        }
        if let Some(operator) = self.operator() {
            return self.compare(field, operator);
        }
        // What a run does not have is neither in a list nor outside of it.
        let negated = self.take_word("NOT");
        let found = if self.take_word("IN") {
            return self.list(field, negated);
        } else if self.take_word("BETWEEN") {
            let low = self.compare(field, Operator::GreaterOrEqual)?;
            if !self.take_word("AND") {
                return Err(self.expected("AND and the upper bound"));
            }
            Condition::All(vec![low, self.compare(field, Operator::LessOrEqual)?])
        } else if self.take_word("STARTS_WITH") {
            if !matches!(self.peek(), Token::Text(_)) {
                return Err(self.expected("a text in quotes"));
            }
            self.compare(field, Operator::StartsWith)?
        } else if negated {
            return Err(self.expected("IN, BETWEEN or STARTS_WITH"));
        } else {
            return Err(self.expected(
                "=, !=, <, <=, >, >=, IN, NOT IN, BETWEEN, STARTS_WITH, IS NULL or IS NOT NULL",
            ));
        };
        if !negated {
            return Ok(found);
        }
        let has = Condition::Not(Box::new(Condition::IsNull(field.clone())));
        Ok(Condition::All(vec![has, Condition::Not(Box::new(found))]))
    }

    fn list(&mut self, field: &Field, negated: bool) -> Parsed<Condition> {
        self.expect_symbol("(", "`(` and a list of values")?;
        let operator = if negated {
            Operator::NotEqual
        } else {
            Operator::Equal
        };
        let mut found = vec![self.compare(field, operator)?];
        while self.take_symbol(",") {
            found.push(self.compare(field, operator)?);
        }
        self.expect_symbol(")", "`,` or `)`")?;
        let join = if negated {
            Condition::All
        } else {
            Condition::Any
        };
        Ok(joined(found, join))
    }

    fn compare(&mut self, field: &Field, operator: Operator) -> Parsed<Condition> {
        self.count()?;
        let literal = match self.peek() {
            Token::Text(text) => Literal::Text {
                instant: instant(text),
                text: text.clone(),
            },
            Token::Number(text) => {
                number(text).ok_or_else(|| self.error(format!("{text} is no number")))?
            }
            Token::Word(word) if word.eq_ignore_ascii_case("true") => Literal::Bool(true),
            Token::Word(word) if word.eq_ignore_ascii_case("false") => Literal::Bool(false),
            _ => return Err(self.expected("a text in quotes, a number, true or false")),
        };
        let literal = match field {
            Field::Attribute(_) => literal,
            // The beginning of an id or a name need not be one.
            Field::Builtin(
                Builtin::Status | Builtin::StartTime | Builtin::CloseTime | Builtin::HistoryLength,
            ) if operator == Operator::StartsWith => {
                return Err(self.error("STARTS_WITH is for texts alone".to_owned()));
            }
            Field::Builtin(builtin) => fit(*builtin, literal)
                .map_err(|expected| self.error(format!("{expected}, not {}", self.found())))?,
        };
        self.at += 1;
        Ok(Condition::Compare {
            field: field.clone(),
            operator,
            literal,
        })
    }

    fn order(&mut self) -> Parsed<Order> {
        if !self.take_word("ORDER") {
            return Ok(Order::default());
        }
        if !self.take_word("BY") {
            return Err(self.expected("BY"));
        }
        let position = self.at;
        let names: Vec<&str> = BUILTINS.iter().map(|(name, _)| *name).collect();
        let expected = format!("one of {}", names.join(", "));
        let Field::Builtin(by) = self.field(&expected)? else {
            self.at = position;
            return Err(self.expected(&expected));
        };
        let descending = self.take_word("DESC");
        if !descending {
            self.take_word("ASC");
        }
        Ok(Order { by, descending })
    }

    fn operator(&mut self) -> Option<Operator> {
        let operator = match self.peek() {
            Token::Symbol("=") => Operator::Equal,
            Token::Symbol("!=") => Operator::NotEqual,
            Token::Symbol("<") => Operator::Less,
            Token::Symbol("<=") => Operator::LessOrEqual,
            Token::Symbol(">") => Operator::Greater,
            Token::Symbol(">=") => Operator::GreaterOrEqual,
            _ => return None,
        };
        self.at += 1;
        Some(operator)
    }

    fn count(&mut self) -> Parsed<()> {
        self.comparisons += 1;
        if self.comparisons > COMPARISONS_MAX {
            return Err(self.error(format!(
                "a query may have at most {COMPARISONS_MAX} comparisons"
            )));
        }
        Ok(())
    }

    fn peek(&self) -> &Token {
        self.tokens
            .get(self.at)
            .map_or(&Token::End, |(_, token)| token)
    }

    fn is_word(&self, word: &str) -> bool {
        matches!(self.peek(), Token::Word(found) if found.eq_ignore_ascii_case(word))
    }

    fn take_word(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        self.at += usize::from(found);
        found
    }

    fn take_symbol(&mut self, symbol: &'static str) -> bool {
        let found = *self.peek() == Token::Symbol(symbol);
        self.at += usize::from(found);
        found
    }

    fn expect_symbol(&mut self, symbol: &'static str, expected: &str) -> Parsed<()> {
        if self.take_symbol(symbol) {
            return Ok(());
        }
        Err(self.expected(expected))
    }

    fn found(&self) -> String {
        self.peek().describe()
    }

    fn expected(&self, expected: &str) -> QueryError {
        self.error(format!("{expected} was expected, not {}", self.found()))
    }

    fn error(&self, problem: String) -> QueryError {
        let position = self
            .tokens
            .get(self.at)
            .map_or(0, |(position, _)| *position);
        QueryError {
            query: self.query.to_owned(),
            position,
            problem,
        }
    }
}

fn is_keyword(word: &str) -> bool {
    KEYWORDS.iter().any(|each| each.eq_ignore_ascii_case(word))
        || word.eq_ignore_ascii_case("false")
}

fn joined(mut found: Vec<Condition>, join: fn(Vec<Condition>) -> Condition) -> Condition {
    match (found.len(), found.pop()) {
        (1, Some(only)) => only,
        (_, last) => {
            found.extend(last);
            join(found)
        }
    }
}

fn negate_if(negated: bool, condition: Condition) -> Condition {
    if negated {
        Condition::Not(Box::new(condition))
    } else {
        condition
    }
}
