//! A refusal: the protocol page's reason, and the path to the value, collected on the way out.

use std::fmt;

/// Why a value cannot travel (section 2 of the protocol page).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// An integer outside −2^63 … 2^64−1.
    IntegerOutOfRange,
    /// A plain JSON integer beyond ±(2^53−1).
    UnsafeInteger,
    /// A lone surrogate, or bytes that are not UTF-8.
    InvalidUnicode,
    /// A map key that is not a string.
    KeyNotString,
    /// The same key twice in one map.
    DuplicateKey,
    /// Too many lists and maps inside one another.
    TooDeep,
    /// An extension type that the protocol does not name.
    UnknownExtension,
    /// A `$` key that the protocol does not name.
    UnknownTag,
    /// A tag, extension or timestamp whose content is not as described.
    InvalidScalar,
    /// Not an encoding at all, cut short, or followed by bytes.
    Malformed,
}

/// A value that was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason:?} at {}", self.path())]
pub struct Refusal {
    /// Why.
    pub reason: Reason,
    steps: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Item(usize),
    Key(String),
}

impl Refusal {
    pub(crate) fn new(reason: Reason) -> Self {
        Self {
            reason,
            steps: Vec::new(),
        }
    }

    pub(crate) fn at_item(mut self, index: usize) -> Self {
        self.steps.push(Step::Item(index));
        self
    }

    pub(crate) fn at_key(mut self, key: &str) -> Self {
        self.steps.push(Step::Key(key.to_owned()));
        self
    }

    /// The path from the payload, `$`, to the value: `$.items[3].price`.
    #[must_use]
    pub fn path(&self) -> String {
        let mut path = String::from("$");
        for step in self.steps.iter().rev() {
            step.append_to(&mut path);
        }
        path
    }
}

impl Step {
    fn append_to(&self, path: &mut String) {
        match self {
            Self::Item(index) => path.push_str(&format!("[{index}]")),
            Self::Key(key) if is_identifier(key) => path.push_str(&format!(".{key}")),
            Self::Key(key) => {
                path.push('[');
                super::json_writer::text(path, key);
                path.push(']');
            }
        }
    }
}

fn is_identifier(key: &str) -> bool {
    let plain = |letter: char| letter == '_' || letter.is_ascii_alphanumeric();
    key.chars().all(plain) && key.starts_with(|letter: char| !letter.is_ascii_digit())
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, formatter)
    }
}
