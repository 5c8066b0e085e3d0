//! Payload bytes to Python values of a declared shape.

use std::ptr;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyFloat, PyList, PyString, PyTuple};

use super::path::Fault;
use super::shape::{Node, RecordShape, Shape};
use super::{MAXIMUM_DEPTH, extension, misfit};

type Decoded = Result<Py<PyAny>, Fault>;

/// Decodes exactly one value.
pub(crate) fn whole(py: Python<'_>, data: &[u8], shape: &Shape) -> Decoded {
    let mut reader = Reader {
        rest: data,
        exact: false,
    };
    let value = decode(py, &mut reader, shape, 0)?;
    if reader.rest.is_empty() {
        Ok(value)
    } else {
        Err(Fault::new("bytes follow the value"))
    }
}

struct Reader<'a> {
    rest: &'a [u8],
    /// Inside a union, at first: records have all their fields and no others, floats are floats.
    exact: bool,
}

/// What stands next, with its length or number already read.
#[derive(Clone, Copy, Debug)]
enum Head<'a> {
    Nothing,
    Bool(bool),
    Signed(i64),
    Unsigned(u64),
    Float(f64),
    Text(&'a [u8]),
    Bytes(&'a [u8]),
    List(usize),
    Map(usize),
    Extended(i8, &'a [u8]),
}

impl Head<'_> {
    fn name(self) -> &'static str {
        match self {
            Self::Nothing => "null",
            Self::Bool(_) => "a boolean",
            Self::Signed(_) | Self::Unsigned(_) => "an integer",
            Self::Float(_) => "a float",
            Self::Text(_) => "a string",
            Self::Bytes(_) => "bytes",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
            Self::Extended(extension::TIMESTAMP, _) => "a timestamp",
            Self::Extended(extension::DURATION, _) => "a duration",
            Self::Extended(extension::DECIMAL, _) => "a decimal",
            Self::Extended(extension::UUID, _) => "a UUID",
            Self::Extended(..) => "an extension of a newer version",
        }
    }
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Fault> {
        match self.rest.split_at_checked(count) {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(taken)
            }
            None => Err(Fault::new("the bytes end in the middle of a value")),
        }
    }

    fn number(&mut self, size: usize) -> Result<u64, Fault> {
        Ok(self
            .take(size)?
            .iter()
            .fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    fn length(&mut self, size: usize) -> Result<usize, Fault> {
        Ok(usize::try_from(self.number(size)?).unwrap_or(usize::MAX))
    }

    /// A list or map of a lying length is refused before anything is reserved for it.
    fn items(&self, count: usize) -> Result<usize, Fault> {
        if count > self.rest.len() {
            // Each item takes a byte at least, so that this one cannot be there.
            let fault = Fault::new("the bytes end in the middle of a list or map");
            return Err(fault.at_item(self.rest.len()));
        }
        Ok(count)
    }

    fn head(&mut self) -> Result<Head<'a>, Fault> {
        let mark = self.number(1)?;
        let low = |mask: u64| usize::try_from(mark & mask).unwrap_or(0);
        Ok(match mark {
            0x00..=0x7f => Head::Unsigned(mark),
            0x80..=0x8f => Head::Map(self.items(low(0x0f))?),
            0x90..=0x9f => Head::List(self.items(low(0x0f))?),
            0xa0..=0xbf => Head::Text(self.take(low(0x1f))?),
            0xc0 => Head::Nothing,
            0xc2 | 0xc3 => Head::Bool(mark == 0xc3),
            0xc4..=0xc6 => {
                let size = self.length(1 << (mark - 0xc4))?;
                Head::Bytes(self.take(size)?)
            }
            0xc7..=0xc9 => {
                let size = self.length(1 << (mark - 0xc7))?;
                self.extended(size)?
            }
            0xca => {
                let bits = u32::try_from(self.number(4)?).unwrap_or(0);
                Head::Float(f64::from(f32::from_bits(bits)))
            }
            0xcb => Head::Float(f64::from_bits(self.number(8)?)),
            0xcc..=0xcf => Head::Unsigned(self.number(1 << (mark - 0xcc))?),
            0xd0..=0xd3 => {
                let size = 1 << (mark - 0xd0);
                let unused = 64 - 8 * u32::try_from(size).unwrap_or(8);
                Head::Signed((self.number(size)? << unused).cast_signed() >> unused)
            }
            0xd4..=0xd8 => self.extended(1 << (mark - 0xd4))?,
            0xd9..=0xdb => {
                let size = self.length(1 << (mark - 0xd9))?;
                Head::Text(self.take(size)?)
            }
            0xdc | 0xdd => {
                let count = self.length(2 << (mark - 0xdc))?;
                Head::List(self.items(count)?)
            }
            0xde | 0xdf => {
                let count = self.length(2 << (mark - 0xde))?;
                Head::Map(self.items(count)?)
            }
            0xe0..=0xff => Head::Signed((mark << 56).cast_signed() >> 56),
            _ => return Err(Fault::new("a byte that begins no value")),
        })
    }

    fn extended(&mut self, size: usize) -> Result<Head<'a>, Fault> {
        let kind = (self.number(1)? << 56).cast_signed() >> 56;
        Ok(Head::Extended(
            i8::try_from(kind).unwrap_or(0),
            self.take(size)?,
        ))
    }
}

fn decode(py: Python<'_>, reader: &mut Reader<'_>, shape: &Shape, depth: usize) -> Decoded {
    match &shape.node {
        Node::Optional(inner) => {
            if reader.rest.first() == Some(&0xc0) {
                reader.take(1)?;
                return Ok(py.None());
            }
            decode(py, reader, inner.get(), depth)
        }
        Node::Deferred(cell) => match cell.get(py) {
            Some(inner) => decode(py, reader, inner.get(), depth),
            None => Err(Fault::new("the declared type was never resolved")),
        },
        Node::Union(alternatives) => union(py, reader, alternatives, depth),
        Node::Call(function, inner) => {
            let value = decode(py, reader, inner.get(), depth)?;
            function
                .call1(py, (value,))
                .map_err(|error| misfit(py, error))
        }
        node => {
            let head = reader.head()?;
            shaped(py, reader, head, node, depth)
        }
    }
}

fn shaped(
    py: Python<'_>,
    reader: &mut Reader<'_>,
    head: Head<'_>,
    node: &Node,
    depth: usize,
) -> Decoded {
    match (node, head) {
        (Node::Any, head) => plain(py, reader, head, depth),
        (Node::Nothing, Head::Nothing)
        | (Node::Bool, Head::Bool(_))
        | (Node::Integer, Head::Signed(_) | Head::Unsigned(_))
        | (Node::Float, Head::Float(_))
        | (Node::Text, Head::Text(_))
        | (Node::Bytes, Head::Bytes(_))
        | (Node::Timestamp, Head::Extended(extension::TIMESTAMP, _))
        | (Node::Duration, Head::Extended(extension::DURATION, _))
        | (Node::Decimal, Head::Extended(extension::DECIMAL, _))
        | (Node::Uuid, Head::Extended(extension::UUID, _)) => plain(py, reader, head, depth),
        (Node::Float, Head::Signed(number)) if !reader.exact => {
            Ok(PyFloat::new(py, float_of(number.into())).into())
        }
        (Node::Float, Head::Unsigned(number)) if !reader.exact => {
            Ok(PyFloat::new(py, float_of(number.into())).into())
        }
        (Node::List(item), Head::List(count)) => {
            Ok(PyList::new(py, items(py, reader, item.get(), count, depth)?)?.into())
        }
        (Node::Collection(class, item), Head::List(count)) => {
            let items = PyList::new(py, items(py, reader, item.get(), count, depth)?)?;
            class.call1(py, (items,)).map_err(|error| misfit(py, error))
        }
        (Node::Tuple(shapes), Head::List(count)) => tuple(py, reader, shapes, count, depth),
        (Node::Map(value), Head::Map(count)) => map(py, reader, Some(value.get()), count, depth),
        (Node::Record(record), Head::Map(count)) => object(py, reader, record, count, depth),
        (node, head) => Err(Fault::new(format!(
            "expected {}, found {}",
            expected(node),
            head.name()
        ))),
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "as Python's own float(int) does"
)]
fn float_of(number: i128) -> f64 {
    number as f64
}

fn expected(node: &Node) -> String {
    match node {
        Node::Nothing => "null".into(),
        Node::Bool => "a boolean".into(),
        Node::Integer => "an integer".into(),
        Node::Float => "a float".into(),
        Node::Text => "a string".into(),
        Node::Bytes => "bytes".into(),
        Node::Timestamp => "a timestamp".into(),
        Node::Duration => "a duration".into(),
        Node::Decimal => "a decimal".into(),
        Node::Uuid => "a UUID".into(),
        Node::List(_) | Node::Collection(..) | Node::Tuple(_) => "a list".into(),
        Node::Map(_) => "a map".into(),
        Node::Record(record) => {
            Python::attach(|py| format!("the fields of {}", record.class.bind(py)))
        }
        _ => "another value".into(),
    }
}

/// The depth inside a list or map; the stack of whoever reads it is limited too.
fn deeper(depth: usize) -> Result<usize, Fault> {
    if depth >= MAXIMUM_DEPTH {
        return Err(Fault::new(format!(
            "nested more than {MAXIMUM_DEPTH} levels deep: too deep"
        )));
    }
    Ok(depth + 1)
}

fn items(
    py: Python<'_>,
    reader: &mut Reader<'_>,
    shape: &Shape,
    count: usize,
    depth: usize,
) -> Result<Vec<Py<PyAny>>, Fault> {
    let depth = deeper(depth)?;
    let mut items = Vec::with_capacity(count);
    for index in 0..count {
        items.push(decode(py, reader, shape, depth).map_err(|fault| fault.at_item(index))?);
    }
    Ok(items)
}

fn tuple(
    py: Python<'_>,
    reader: &mut Reader<'_>,
    shapes: &[Py<Shape>],
    count: usize,
    depth: usize,
) -> Decoded {
    if shapes.len() != count {
        return Err(Fault::new(format!(
            "expected {} items, found {count}",
            shapes.len()
        )));
    }
    let depth = deeper(depth)?;
    let mut items = Vec::with_capacity(count);
    for (index, shape) in shapes.iter().enumerate() {
        items.push(decode(py, reader, shape.get(), depth).map_err(|fault| fault.at_item(index))?);
    }
    Ok(PyTuple::new(py, items)?.into())
}

fn map(
    py: Python<'_>,
    reader: &mut Reader<'_>,
    shape: Option<&Shape>,
    count: usize,
    depth: usize,
) -> Decoded {
    let depth = deeper(depth)?;
    let result = PyDict::new(py);
    for _ in 0..count {
        let name = key(reader)?;
        let value = match shape {
            Some(shape) => decode(py, reader, shape, depth),
            None => any(py, reader, depth),
        }
        .map_err(|fault| fault.at_field(name))?;
        let name = PyString::new(py, name);
        if result.contains(&name)? {
            return Err(Fault::new(format!("the key {name} stands twice in a map")));
        }
        result.set_item(name, value)?;
    }
    Ok(result.into())
}

fn key<'a>(reader: &mut Reader<'a>) -> Result<&'a str, Fault> {
    match reader.head()? {
        Head::Text(text) => utf8(text),
        head => Err(Fault::new(format!(
            "a map key is {}, not a string",
            head.name()
        ))),
    }
}

fn utf8(text: &[u8]) -> Result<&str, Fault> {
    std::str::from_utf8(text).map_err(|_| Fault::new("the text is not UTF-8"))
}

fn object(
    py: Python<'_>,
    reader: &mut Reader<'_>,
    record: &RecordShape,
    count: usize,
    depth: usize,
) -> Decoded {
    let depth = deeper(depth)?;
    let mut values: Vec<Option<Py<PyAny>>> = Vec::new();
    values.resize_with(record.fields.len(), || None);
    let mut guess = record.encoded_order.iter();
    for _ in 0..count {
        let name = key(reader)?;
        // Our own encoder writes fields in this order; other languages may not.
        let guessed = guess.next().copied();
        let position = guessed
            .filter(|index| {
                record
                    .fields
                    .get(*index)
                    .is_some_and(|field| field.name == name)
            })
            .or_else(|| record.fields.iter().position(|field| field.name == name));
        let slot =
            position.and_then(|index| Some((record.fields.get(index)?, values.get_mut(index)?)));
        let Some((field, slot)) = slot else {
            // A field that this code does not know: a newer writer may add some.
            if reader.exact {
                return Err(Fault::new("the field is not known").at_field(name));
            }
            any(py, reader, depth)?;
            continue;
        };
        let value =
            decode(py, reader, field.shape.get(), depth).map_err(|fault| fault.at_field(name))?;
        if slot.replace(value).is_some() {
            return Err(Fault::new(format!("the field {name:?} stands twice")));
        }
    }
    if reader.exact && values.iter().any(Option::is_none) {
        return Err(Fault::new("a field is missing"));
    }
    construct(py, record, values)
}

fn construct(py: Python<'_>, record: &RecordShape, values: Vec<Option<Py<PyAny>>>) -> Decoded {
    for (field, value) in record.fields.iter().zip(&values) {
        if value.is_none() && field.required {
            return Err(Fault::new("a field without default is missing").at_field(&field.name));
        }
    }
    if values.iter().all(Option::is_some) {
        let pointers: Vec<*mut ffi::PyObject> = values.iter().flatten().map(Py::as_ptr).collect();
        // SAFETY: the class is callable; `pointers` holds as many valid references as `names` has
        // strings, all passed by keyword, and `values` keeps them alive over the call.
        let made = unsafe {
            let made = ffi::PyObject_Vectorcall(
                record.class.as_ptr(),
                if pointers.is_empty() {
                    ptr::null()
                } else {
                    pointers.as_ptr()
                },
                0,
                record.names.as_ptr(),
            );
            Bound::from_owned_ptr_or_err(py, made)
        };
        return made.map(Bound::unbind).map_err(|error| misfit(py, error));
    }
    let kwargs = PyDict::new(py);
    for (field, value) in record.fields.iter().zip(values) {
        if let Some(value) = value {
            kwargs.set_item(&field.python_name, value)?;
        }
    }
    record
        .class
        .call(py, (), Some(&kwargs))
        .map_err(|error| misfit(py, error))
}

fn union(
    py: Python<'_>,
    reader: &mut Reader<'_>,
    alternatives: &[Py<Shape>],
    depth: usize,
) -> Decoded {
    let (start, outer) = (reader.rest, reader.exact);
    // What our own code wrote fits exactly; only then may a record miss fields, or have more.
    reader.exact = true;
    for alternative in alternatives {
        reader.rest = start;
        match decode(py, reader, alternative.get(), depth) {
            Ok(value) => {
                reader.exact = outer;
                return Ok(value);
            }
            Err(fault) => fault.unless_raised()?,
        }
    }
    reader.exact = outer;
    if outer {
        return Err(Fault::new("no alternative fits exactly"));
    }
    let mut messages = Vec::new();
    for alternative in alternatives {
        reader.rest = start;
        match decode(py, reader, alternative.get(), depth) {
            Ok(value) => return Ok(value),
            Err(fault) => messages.push(fault.into_error(py, "DecodeError").value(py).to_string()),
        }
    }
    Err(Fault::new(format!(
        "no alternative fits: {}",
        messages.join("; ")
    )))
}

fn any(py: Python<'_>, reader: &mut Reader<'_>, depth: usize) -> Decoded {
    let head = reader.head()?;
    plain(py, reader, head, depth)
}

fn plain(py: Python<'_>, reader: &mut Reader<'_>, head: Head<'_>, depth: usize) -> Decoded {
    Ok(match head {
        Head::Nothing => py.None(),
        Head::Bool(boolean) => pyo3::types::PyBool::new(py, boolean)
            .to_owned()
            .into_any()
            .unbind(),
        Head::Signed(number) => number
            .into_pyobject(py)
            .map_err(PyErr::from)?
            .into_any()
            .unbind(),
        Head::Unsigned(number) => number
            .into_pyobject(py)
            .map_err(PyErr::from)?
            .into_any()
            .unbind(),
        Head::Float(number) => PyFloat::new(py, number).into(),
        Head::Text(text) => PyString::new(py, utf8(text)?).into(),
        Head::Bytes(data) => PyBytes::new(py, data).into(),
        Head::List(count) => {
            let depth = deeper(depth)?;
            let mut items = Vec::with_capacity(count);
            for index in 0..count {
                items.push(any(py, reader, depth).map_err(|fault| fault.at_item(index))?);
            }
            PyList::new(py, items)?.into()
        }
        Head::Map(count) => return map(py, reader, None, count, depth),
        Head::Extended(kind, data) => return extended(py, kind, data),
    })
}

fn extended(py: Python<'_>, kind: i8, data: &[u8]) -> Decoded {
    let mut reader = Reader {
        rest: data,
        exact: false,
    };
    match (kind, data.len()) {
        (extension::TIMESTAMP, 4) => instant(py, reader.number(4)?.cast_signed(), 0),
        (extension::TIMESTAMP, 8) => {
            let packed = reader.number(8)?;
            instant(py, (packed & 0x3_ffff_ffff).cast_signed(), packed >> 34)
        }
        (extension::TIMESTAMP, 12) => {
            let nanoseconds = reader.number(4)?;
            instant(py, reader.number(8)?.cast_signed(), nanoseconds)
        }
        (extension::DURATION, 8) => {
            // Python's spans have microseconds; finer parts are cut off towards zero.
            let microseconds = reader.number(8)?.cast_signed() / 1_000;
            Ok(timedelta(py, 0, microseconds)?.unbind())
        }
        (extension::DECIMAL, _) => {
            let class = py.import("decimal")?.getattr("Decimal")?;
            let decimal = class.call1((utf8(data)?,));
            decimal
                .map(Bound::unbind)
                .map_err(|_| Fault::new("the decimal is not a number"))
        }
        (extension::UUID, 16) => {
            let class = py.import("uuid")?.getattr("UUID")?;
            Ok(class.call1((py.None(), PyBytes::new(py, data)))?.unbind())
        }
        _ => Err(Fault::new(format!(
            "extension type {kind} of {} bytes is unknown: a newer version wrote it",
            data.len()
        ))),
    }
}

/// Python's instants have microseconds; finer parts are cut off, as the protocol page says.
fn instant(py: Python<'_>, seconds: i64, nanoseconds: u64) -> Decoded {
    if nanoseconds >= 1_000_000_000 {
        return Err(Fault::new(
            "the timestamp has a second or more of nanoseconds",
        ));
    }
    let datetime = py.import("datetime")?;
    let utc = datetime.getattr("timezone")?.getattr("utc")?;
    let epoch = datetime
        .getattr("datetime")?
        .call1((1970, 1, 1, 0, 0, 0, 0, utc))?;
    let outside = |_| Fault::new("the timestamp is outside the years 1 to 9999");
    let delta = timedelta(py, seconds, nanoseconds.cast_signed() / 1_000).map_err(outside)?;
    epoch.add(delta).map(Bound::unbind).map_err(outside)
}

fn timedelta(py: Python<'_>, seconds: i64, microseconds: i64) -> PyResult<Bound<'_, PyAny>> {
    py.import("datetime")?
        .getattr("timedelta")?
        .call1((0, seconds, microseconds))
}
