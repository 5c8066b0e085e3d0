//! A query's text as tokens.

use super::QueryError;

/// One token.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// A name or a keyword.
    Word(String),
    /// A name in backquotes.
    Quoted(String),
    /// A text in quotes.
    Text(String),
    /// A number, as written.
    Number(String),
    /// `=`, `(`, `>=` and the like.
    Symbol(&'static str),
    /// After the last one.
    End,
}

impl Token {
    /// The token, for people.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Word(word) => format!("`{word}`"),
            Self::Quoted(name) => format!("the name `{name}`"),
            Self::Text(text) => format!("the text {text:?}"),
            Self::Number(number) => format!("the number {number}"),
            Self::Symbol(symbol) => format!("`{symbol}`"),
            Self::End => "the end".to_owned(),
        }
    }
}

/// The longest first, so that `<=` is not read as `<`.
const SYMBOLS: [&str; 9] = ["!=", "<=", ">=", "=", "<", ">", "(", ")", ","];

/// The tokens of a query with where each begins; the last is [`Token::End`].
pub(super) fn tokens(query: &str) -> Result<Vec<(usize, Token)>, QueryError> {
    let characters: Vec<char> = query.chars().collect();
    let mut scanner = Scanner {
        query,
        characters: &characters,
        at: 0,
    };
    let mut found = Vec::new();
    loop {
        scanner.take_while(char::is_whitespace);
        let begins = scanner.at;
        let token = scanner.token()?;
        let ended = token == Token::End;
        found.push((begins, token));
        if ended {
            return Ok(found);
        }
    }
}

struct Scanner<'query> {
    query: &'query str,
    characters: &'query [char],
    at: usize,
}

impl Scanner<'_> {
    fn token(&mut self) -> Result<Token, QueryError> {
        let Some(first) = self.peek(0) else {
            return Ok(Token::End);
        };
        if matches!(first, '"' | '\'') {
            return self.quoted(first).map(Token::Text);
        }
        if first == '`' {
            return self.quoted(first).map(Token::Quoted);
        }
        let signed = matches!(first, '-' | '+' | '.');
        if first.is_ascii_digit()
            || (signed && self.peek(1).is_some_and(|next| next.is_ascii_digit()))
        {
            return Ok(Token::Number(self.number()));
        }
        if is_of_name(first) {
            return Ok(Token::Word(self.take_while(is_of_name)));
        }
        let symbol = SYMBOLS.iter().find(|symbol| {
            symbol
                .chars()
                .enumerate()
                .all(|(offset, each)| self.peek(offset) == Some(each))
        });
        match symbol {
            Some(symbol) => {
                self.at += symbol.len();
                Ok(Token::Symbol(symbol))
            }
            None => Err(self.error(self.at, format!("{first:?} begins nothing that is known"))),
        }
    }

    /// What stands between two `quote`s; a quote in it is doubled, or has a backslash before it.
    fn quoted(&mut self, quote: char) -> Result<String, QueryError> {
        let begins = self.at;
        self.at += 1;
        let mut text = String::new();
        while let Some(each) = self.peek(0) {
            let next = self.peek(1);
            let escaped = match each {
                '\\' => next.filter(|next| *next == '\\' || *next == quote),
                _ if each == quote => next.filter(|next| *next == quote),
                _ => None,
            };
            if let Some(escaped) = escaped {
                text.push(escaped);
                self.at += 2;
                continue;
            }
            self.at += 1;
            if each == quote {
                return Ok(text);
            }
            text.push(each);
        }
        Err(self.error(
            begins,
            format!("the {quote} that begins here is never closed"),
        ))
    }

    fn number(&mut self) -> String {
        let mut text = String::new();
        while let Some(each) = self.peek(0) {
            let sign_of_exponent =
                matches!(each, '-' | '+') && (text.is_empty() || text.ends_with(['e', 'E']));
            if !(each.is_ascii_alphanumeric() || each == '.' || sign_of_exponent) {
                break;
            }
            text.push(each);
            self.at += 1;
        }
        text
    }

    fn take_while(&mut self, keeps: impl Fn(char) -> bool) -> String {
        let rest = self.characters.get(self.at..).unwrap_or_default();
        let taken: String = rest
            .iter()
            .copied()
            .take_while(|each| keeps(*each))
            .collect();
        self.at += taken.chars().count();
        taken
    }

    fn peek(&self, offset: usize) -> Option<char> {
        self.characters.get(self.at + offset).copied()
    }

    fn error(&self, position: usize, problem: String) -> QueryError {
        QueryError {
            query: self.query.to_owned(),
            position,
            problem,
        }
    }
}

fn is_of_name(each: char) -> bool {
    each.is_alphanumeric() || matches!(each, '_' | '.')
}
