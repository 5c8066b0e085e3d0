//! Where in a value something is wrong. The path costs nothing until something is.

use pyo3::prelude::*;

/// One step of a path, from the value to its part.
#[derive(Debug)]
pub(crate) enum Step {
    /// An item of a list.
    Item(usize),
    /// A field of a record, or a value of a map.
    Field(String),
}

/// Why a value cannot be encoded or decoded, with the path collected on the way out.
#[derive(Debug)]
pub(crate) struct Fault {
    message: String,
    path: Vec<Step>,
    /// An exception of user code, which is raised as it is.
    raised: Option<PyErr>,
}

impl Fault {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            path: Vec::new(),
            raised: None,
        }
    }

    /// Nothing for what does not fit; the fault itself when user code raised.
    pub(crate) fn unless_raised(self) -> Result<(), Self> {
        if self.raised.is_some() {
            return Err(self);
        }
        Ok(())
    }

    pub(crate) fn at_item(mut self, index: usize) -> Self {
        self.path.push(Step::Item(index));
        self
    }

    pub(crate) fn at_field(mut self, name: &str) -> Self {
        self.path.push(Step::Field(name.to_owned()));
        self
    }

    /// The text form: `$.items[3].price`, `$["odd key"]`.
    fn path(&self) -> String {
        let mut text = String::from("$");
        for step in self.path.iter().rev() {
            match step {
                Step::Item(index) => text.push_str(&format!("[{index}]")),
                Step::Field(name) if is_identifier(name) => {
                    text.push('.');
                    text.push_str(name);
                }
                Step::Field(name) => text.push_str(&format!("[{name:?}]")),
            }
        }
        text
    }

    /// The Python exception, one of `perdure.errors`.
    pub(crate) fn into_error(self, py: Python<'_>, class: &str) -> PyErr {
        if let Some(raised) = self.raised {
            return raised;
        }
        let path = self.path();
        let build = || -> PyResult<PyErr> {
            let kwargs = pyo3::types::PyDict::new(py);
            kwargs.set_item("path", path)?;
            let class = py.import("perdure.errors")?.getattr(class)?;
            Ok(PyErr::from_value(
                class.call((self.message,), Some(&kwargs))?,
            ))
        };
        build().unwrap_or_else(|error| error)
    }
}

impl From<PyErr> for Fault {
    fn from(error: PyErr) -> Self {
        Self {
            message: String::new(),
            path: Vec::new(),
            raised: Some(error),
        }
    }
}

fn is_identifier(name: &str) -> bool {
    let plain = |letter: char| letter == '_' || letter.is_ascii_alphanumeric();
    name.chars().all(plain) && name.starts_with(|letter: char| !letter.is_ascii_digit())
}
