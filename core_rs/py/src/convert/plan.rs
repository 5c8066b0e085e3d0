//! How to encode objects of a class, worked out once a class.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyString, PyType};

/// What to do with an object that is none of the plain types.
pub(crate) enum Plan {
    /// A dataclass: its fields by name, with the encoded keys.
    Record(Vec<RecordField>),
    /// An enum member: its value stands for it.
    Enum,
    /// A set or frozen set.
    Set,
    /// A `datetime`, which must know its offset.
    Timestamp,
    /// A `timedelta`.
    Duration,
    /// A `Decimal`.
    Decimal,
    /// A `UUID`.
    Uuid,
    /// A subclass of a plain type, taken as that type.
    Text,
    /// As `Text`.
    Integer,
    /// As `Text`.
    Float,
    /// As `Text`.
    Bytes,
    /// As `Text`.
    List,
    /// As `Text`.
    Tuple,
    /// As `Text`.
    Map,
    /// A class that the hook knows: this function gives a plain value for each object.
    Convert(Py<PyAny>),
    /// Anything else: refused.
    Unknown,
}

/// One field of a dataclass.
pub(crate) struct RecordField {
    /// The attribute.
    pub(crate) name: Py<PyString>,
    /// The map key, encoded.
    pub(crate) key: Vec<u8>,
    /// The name for paths.
    pub(crate) text: String,
}

/// A class by its address, with what to do with its objects.
type Plans = HashMap<usize, (Py<PyType>, Rc<Plan>)>;

thread_local! {
    // Classes are kept alive with their plans, so that an address is never another class's.
    static PLANS: RefCell<Plans> = RefCell::new(HashMap::new());
}

static CLASS_HOOK: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

/// Sets the function that is asked once about each class, before all else: it gives a function
/// from its objects to plain values, or None. The first one stays.
#[pyfunction]
pub(crate) fn set_class_hook(py: Python<'_>, function: Py<PyAny>) {
    let _ = CLASS_HOOK.set(py, function);
}

/// The plan for objects of the value's class.
pub(crate) fn of(value: &Bound<'_, PyAny>) -> PyResult<Rc<Plan>> {
    let class = value.get_type();
    let address = class.as_ptr() as usize;
    let known = PLANS.with_borrow(|plans| plans.get(&address).map(|(_, plan)| Rc::clone(plan)));
    if let Some(plan) = known {
        return Ok(plan);
    }
    let plan = Rc::new(make(&class)?);
    if matches!(*plan, Plan::Unknown) {
        // Not remembered: somebody may register the class yet.
        return Ok(plan);
    }
    PLANS.with_borrow_mut(|plans| plans.insert(address, (class.unbind(), Rc::clone(&plan))));
    Ok(plan)
}

fn make(class: &Bound<'_, PyType>) -> PyResult<Plan> {
    let py = class.py();
    if let Some(hook) = CLASS_HOOK.get(py) {
        let convert = hook.bind(py).call1((class,))?;
        if !convert.is_none() {
            return Ok(Plan::Convert(convert.unbind()));
        }
    }
    let is = |module: &str, name: &str| -> PyResult<bool> {
        class.is_subclass(&py.import(module)?.getattr(name)?)
    };
    if is("enum", "Enum")? {
        return Ok(Plan::Enum);
    }
    if class.hasattr(intern!(py, "__dataclass_fields__"))? {
        return Ok(Plan::Record(record_fields(class)?));
    }
    for (module, name, plan) in [
        ("builtins", "set", Plan::Set),
        ("builtins", "frozenset", Plan::Set),
        ("datetime", "datetime", Plan::Timestamp),
        ("datetime", "timedelta", Plan::Duration),
        ("decimal", "Decimal", Plan::Decimal),
        ("uuid", "UUID", Plan::Uuid),
        ("builtins", "str", Plan::Text),
        ("builtins", "int", Plan::Integer),
        ("builtins", "float", Plan::Float),
        ("builtins", "bytes", Plan::Bytes),
        ("builtins", "bytearray", Plan::Bytes),
        ("builtins", "memoryview", Plan::Bytes),
        ("builtins", "list", Plan::List),
        ("builtins", "tuple", Plan::Tuple),
        ("builtins", "dict", Plan::Map),
    ] {
        if is(module, name)? {
            return Ok(plan);
        }
    }
    Ok(Plan::Unknown)
}

/// Fields in the order of their encoded keys: records by field name is the canonical form.
fn record_fields(class: &Bound<'_, PyType>) -> PyResult<Vec<RecordField>> {
    let py = class.py();
    let fields = py.import("dataclasses")?.call_method1("fields", (class,))?;
    let mut result = Vec::new();
    for field in fields.try_iter()? {
        let text: String = field?.getattr(intern!(py, "name"))?.extract()?;
        let mut key = Vec::new();
        super::encode::text(&mut key, &text);
        result.push(RecordField {
            name: PyString::intern(py, &text).unbind(),
            key,
            text,
        });
    }
    result.sort_by(|left, right| left.text.cmp(&right.text));
    Ok(result)
}
