//! Search attributes as Python gives them: the name of a type, and the value.

use perdure_history::{Command, Payload, SearchValue, Timestamp};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

/// The commands that change attributes, a memo, or both.
pub(crate) fn commands(
    attributes: Option<&Bound<'_, PyDict>>,
    memo: Option<&Bound<'_, PyDict>>,
) -> PyResult<Vec<Command>> {
    let mut commands = Vec::new();
    if let Some(changes) = attributes {
        let attributes = attribute_changes(changes)?;
        commands.push(Command::SetSearchAttributes { attributes });
    }
    if let Some(changes) = memo {
        let entries = memo_changes(changes)?;
        commands.push(Command::SetMemo { entries });
    }
    Ok(commands)
}

/// Attributes from `{name: [type, value]}`.
pub(crate) fn attributes(given: &Bound<'_, PyDict>) -> PyResult<Vec<(String, SearchValue)>> {
    given
        .iter()
        .map(|(name, value)| Ok((name.extract()?, attribute(&value)?)))
        .collect()
}

/// Changes from `{name: [type, value]}`; None takes a name away.
fn attribute_changes(given: &Bound<'_, PyDict>) -> PyResult<Vec<(String, Option<SearchValue>)>> {
    given
        .iter()
        .map(|(name, value)| {
            let value = (!value.is_none()).then(|| attribute(&value)).transpose()?;
            Ok((name.extract()?, value))
        })
        .collect()
}

/// A memo from `{key: encoded}`.
pub(crate) fn memo(given: &Bound<'_, PyDict>) -> PyResult<Vec<(String, Payload)>> {
    given
        .iter()
        .map(|(key, value)| Ok((key.extract()?, payload(&value)?)))
        .collect()
}

/// Changes of a memo from `{key: encoded}`; None takes a key away.
fn memo_changes(given: &Bound<'_, PyDict>) -> PyResult<Vec<(String, Option<Payload>)>> {
    given
        .iter()
        .map(|(key, value)| {
            let value = (!value.is_none()).then(|| payload(&value)).transpose()?;
            Ok((key.extract()?, value))
        })
        .collect()
}

/// `{name: (type, value)}`.
pub(crate) fn attribute_fields<'py>(
    py: Python<'py>,
    attributes: &[(String, SearchValue)],
) -> PyResult<Bound<'py, PyDict>> {
    let fields = PyDict::new(py);
    for (name, value) in attributes {
        match value {
            SearchValue::Keyword(text) => fields.set_item(name, ("keyword", text)),
            SearchValue::Int(number) => fields.set_item(name, ("int", number)),
            SearchValue::Double(number) => fields.set_item(name, ("double", number)),
            SearchValue::Bool(truth) => fields.set_item(name, ("bool", truth)),
            SearchValue::Datetime(at) => fields.set_item(name, ("datetime_us", at.as_micros())),
            SearchValue::KeywordList(texts) => fields.set_item(name, ("keyword_list", texts)),
            // Shown by the version that knows it.
            _ => Ok(()),
        }?;
    }
    Ok(fields)
}

/// `{key: encoded}`.
pub(crate) fn memo_fields<'py>(
    py: Python<'py>,
    memo: &[(String, Payload)],
) -> PyResult<Bound<'py, PyDict>> {
    let fields = PyDict::new(py);
    for (key, value) in memo {
        fields.set_item(key, PyBytes::new(py, &value.0))?;
    }
    Ok(fields)
}

fn payload(value: &Bound<'_, PyAny>) -> PyResult<Payload> {
    Ok(Payload(value.extract::<Vec<u8>>()?.into()))
}

fn attribute(given: &Bound<'_, PyAny>) -> PyResult<SearchValue> {
    let kind: String = given.get_item(0)?.extract()?;
    let value = given.get_item(1)?;
    Ok(match kind.as_str() {
        "keyword" => SearchValue::Keyword(value.extract()?),
        "int" => SearchValue::Int(value.extract()?),
        "double" => SearchValue::Double(value.extract()?),
        "bool" => SearchValue::Bool(value.extract()?),
        "datetime_us" => SearchValue::Datetime(Timestamp::from_micros(value.extract()?)),
        "keyword_list" => SearchValue::KeywordList(value.extract()?),
        other => {
            return Err(PyValueError::new_err(format!(
                "no search attribute has type {other:?}"
            )));
        }
    })
}

/// A dictionary among the fields of a message; an empty one where there is none.
pub(crate) fn dictionary<'py>(
    fields: &Bound<'py, PyDict>,
    name: &'static str,
) -> PyResult<Bound<'py, PyDict>> {
    match fields.get_item(name)? {
        Some(value) => Ok(value.cast_into::<PyDict>()?),
        None => Ok(PyDict::new(fields.py())),
    }
}
