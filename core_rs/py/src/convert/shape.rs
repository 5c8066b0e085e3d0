//! The shape that code declares for a value: type hints, compiled once into a tree.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyString, PyTuple, PyType};

/// What a value should look like. Python compiles type hints into it with the static methods.
#[pyclass(frozen, module = "perdure._core._native")]
pub(crate) struct Shape {
    pub(crate) node: Node,
}

/// The sorts of shape.
pub(crate) enum Node {
    /// Plain values as they come.
    Any,
    /// Only null.
    Nothing,
    /// `bool`.
    Bool,
    /// `int`.
    Integer,
    /// `float`, which takes integers too: not every language can tell 1 from 1.0.
    Float,
    /// `str`.
    Text,
    /// `bytes`.
    Bytes,
    /// `datetime`, in UTC.
    Timestamp,
    /// `timedelta`.
    Duration,
    /// `Decimal`.
    Decimal,
    /// `UUID`.
    Uuid,
    /// `list[T]`.
    List(Py<Shape>),
    /// `set[T]` or `frozenset[T]`: the class is called with the items.
    Collection(Py<PyType>, Py<Shape>),
    /// `tuple[A, B]`.
    Tuple(Vec<Py<Shape>>),
    /// `dict[str, T]`.
    Map(Py<Shape>),
    /// A dataclass.
    Record(RecordShape),
    /// `T | None`.
    Optional(Py<Shape>),
    /// `A | B`: the first that fits.
    Union(Vec<Py<Shape>>),
    /// A value given to a callable: enums, and classes with a converter of their own.
    Call(Py<PyAny>, Py<Shape>),
    /// A shape made later: types that contain themselves.
    Deferred(PyOnceLock<Py<Shape>>),
}

/// A class with named fields.
pub(crate) struct RecordShape {
    /// The class, called with keyword arguments.
    pub(crate) class: Py<PyType>,
    /// Its fields in the order of `__init__`.
    pub(crate) fields: Vec<FieldShape>,
    /// The field names, as the vectorcall protocol wants them.
    pub(crate) names: Py<PyTuple>,
    /// Positions in `fields` in the order in which the encoder writes them.
    pub(crate) encoded_order: Vec<usize>,
}

/// One field.
pub(crate) struct FieldShape {
    /// Its name.
    pub(crate) name: String,
    /// As an interned Python string.
    pub(crate) python_name: Py<PyString>,
    /// Its shape.
    pub(crate) shape: Py<Shape>,
    /// Whether it has no default.
    pub(crate) required: bool,
}

fn new(node: Node) -> Shape {
    Shape { node }
}

#[pymethods]
impl Shape {
    /// A shape without parts, by name: `any`, `none`, `bool`, `int`, `float`, `str`, `bytes`,
    /// `datetime`, `timedelta`, `decimal`, `uuid`.
    #[staticmethod]
    fn simple(name: &str) -> PyResult<Self> {
        Ok(new(match name {
            "any" => Node::Any,
            "none" => Node::Nothing,
            "bool" => Node::Bool,
            "int" => Node::Integer,
            "float" => Node::Float,
            "str" => Node::Text,
            "bytes" => Node::Bytes,
            "datetime" => Node::Timestamp,
            "timedelta" => Node::Duration,
            "decimal" => Node::Decimal,
            "uuid" => Node::Uuid,
            other => {
                let message = format!("no simple shape is called {other:?}");
                return Err(pyo3::exceptions::PyValueError::new_err(message));
            }
        }))
    }

    /// `list[item]`.
    #[staticmethod]
    fn list(item: Py<Shape>) -> Self {
        new(Node::List(item))
    }

    /// A class called with a list of items: `set`, `frozenset`, `tuple[item, ...]`.
    #[staticmethod]
    fn collection(class: Py<PyType>, item: Py<Shape>) -> Self {
        new(Node::Collection(class, item))
    }

    /// `tuple[…]` of fixed length.
    #[staticmethod]
    fn tuple(items: Vec<Py<Shape>>) -> Self {
        new(Node::Tuple(items))
    }

    /// `dict[str, value]`.
    #[staticmethod]
    fn map(value: Py<Shape>) -> Self {
        new(Node::Map(value))
    }

    /// A class with named fields: `(name, shape, required)` in the order of `__init__`.
    #[staticmethod]
    fn record(
        py: Python<'_>,
        class: Py<PyType>,
        fields: Vec<(String, Py<Shape>, bool)>,
    ) -> PyResult<Self> {
        let fields: Vec<FieldShape> = fields
            .into_iter()
            .map(|(name, shape, required)| {
                let python_name = PyString::intern(py, &name).unbind();
                FieldShape {
                    name,
                    python_name,
                    shape,
                    required,
                }
            })
            .collect();
        let names = PyTuple::new(py, fields.iter().map(|field| &field.python_name))?.unbind();
        let mut named: Vec<(&str, usize)> = fields
            .iter()
            .enumerate()
            .map(|(index, field)| (field.name.as_str(), index))
            .collect();
        named.sort_unstable();
        let encoded_order = named.into_iter().map(|(_, index)| index).collect();
        Ok(new(Node::Record(RecordShape {
            class,
            fields,
            names,
            encoded_order,
        })))
    }

    /// `inner | None`.
    #[staticmethod]
    fn optional(inner: Py<Shape>) -> Self {
        new(Node::Optional(inner))
    }

    /// `A | B | …`: the first that fits.
    #[staticmethod]
    fn union(alternatives: Vec<Py<Shape>>) -> Self {
        new(Node::Union(alternatives))
    }

    /// What `function` makes of the inner value; a `ValueError` or `TypeError` means it does not
    /// fit.
    #[staticmethod]
    fn call(function: Py<PyAny>, inner: Py<Shape>) -> Self {
        new(Node::Call(function, inner))
    }

    /// A shape to be resolved later.
    #[staticmethod]
    fn deferred() -> Self {
        new(Node::Deferred(PyOnceLock::new()))
    }

    /// Resolves a deferred shape, once.
    fn resolve(&self, py: Python<'_>, shape: Py<Shape>) {
        if let Node::Deferred(cell) = &self.node {
            let _ = cell.set(py, shape);
        }
    }
}
