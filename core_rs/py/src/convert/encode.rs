//! Python values to payload bytes.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};

use super::path::Fault;
use super::plan::{self, Plan, RecordField};
use super::{MAXIMUM_DEPTH, extension};

type Encoded = Result<(), Fault>;

/// Appends one value. The plain types are tried by exact class first: they are nearly all there is.
pub(crate) fn value(out: &mut Vec<u8>, value: &Bound<'_, PyAny>, depth: usize) -> Encoded {
    if let Ok(string) = value.cast_exact::<PyString>() {
        return python_text(out, string);
    }
    if value.is_none() {
        out.push(0xc0);
        return Ok(());
    }
    if let Ok(boolean) = value.cast_exact::<PyBool>() {
        out.push(if boolean.is_true() { 0xc3 } else { 0xc2 });
        return Ok(());
    }
    if let Ok(integer) = value.cast_exact::<PyInt>() {
        return python_integer(out, integer);
    }
    if let Ok(number) = value.cast_exact::<PyFloat>() {
        float(out, number.value());
        return Ok(());
    }
    if let Ok(map) = value.cast_exact::<PyDict>() {
        return python_map(out, map, deeper(depth)?);
    }
    if let Ok(list) = value.cast_exact::<PyList>() {
        return python_list(out, list, deeper(depth)?);
    }
    if let Ok(items) = value.cast_exact::<PyTuple>() {
        return tuple(out, items, depth);
    }
    if let Ok(data) = value.cast_exact::<PyBytes>() {
        return bytes(out, data.as_bytes());
    }
    planned(out, value, depth)
}

/// Appends a tuple as a list.
pub(crate) fn tuple(out: &mut Vec<u8>, items: &Bound<'_, PyTuple>, depth: usize) -> Encoded {
    let depth = deeper(depth)?;
    length(out, items.len(), 0x90, 16, 0xdc)?;
    for (index, item) in items.iter_borrowed().enumerate() {
        value(out, &item, depth).map_err(|fault| fault.at_item(index))?;
    }
    Ok(())
}

/// Appends a string.
pub(crate) fn text(out: &mut Vec<u8>, text: &str) {
    // A length beyond u32 cannot occur: it is more than the largest payload.
    let size = u32::try_from(text.len()).unwrap_or(u32::MAX);
    match size {
        0..32 => out.push(0xa0 | size.to_le_bytes()[0]),
        32..0x100 => out.extend([0xd9, size.to_le_bytes()[0]]),
        0x100..0x1_0000 => {
            out.push(0xda);
            out.extend_from_slice(&size.to_be_bytes()[2..]);
        }
        _ => {
            out.push(0xdb);
            out.extend_from_slice(&size.to_be_bytes());
        }
    }
    out.extend_from_slice(text.as_bytes());
}

/// Appends a signed integer in its shortest form.
pub(crate) fn integer(out: &mut Vec<u8>, number: i64) {
    if let Ok(number) = u64::try_from(number) {
        return unsigned(out, number);
    }
    if number >= -32 {
        out.push(number.to_le_bytes()[0]);
    } else if i8::try_from(number).is_ok() {
        out.push(0xd0);
        out.push(number.to_le_bytes()[0]);
    } else if i16::try_from(number).is_ok() {
        out.push(0xd1);
        out.extend_from_slice(&number.to_be_bytes()[6..]);
    } else if i32::try_from(number).is_ok() {
        out.push(0xd2);
        out.extend_from_slice(&number.to_be_bytes()[4..]);
    } else {
        out.push(0xd3);
        out.extend_from_slice(&number.to_be_bytes());
    }
}

fn unsigned(out: &mut Vec<u8>, number: u64) {
    let digits = number.to_be_bytes();
    match number {
        0..0x80 => out.push(digits[7]),
        0x80..0x100 => out.extend([0xcc, digits[7]]),
        0x100..0x1_0000 => {
            out.push(0xcd);
            out.extend_from_slice(&digits[6..]);
        }
        0x1_0000..0x1_0000_0000 => {
            out.push(0xce);
            out.extend_from_slice(&digits[4..]);
        }
        _ => {
            out.push(0xcf);
            out.extend_from_slice(&digits);
        }
    }
}

fn float(out: &mut Vec<u8>, number: f64) {
    // One NaN: the digest must not depend on which of its many bit patterns a computation left.
    let number = if number.is_nan() { f64::NAN } else { number };
    out.push(0xcb);
    out.extend_from_slice(&number.to_be_bytes());
}

fn bytes(out: &mut Vec<u8>, data: &[u8]) -> Encoded {
    let size = size_of(data.len())?;
    match size {
        0..0x100 => out.extend([0xc4, size.to_le_bytes()[0]]),
        0x100..0x1_0000 => {
            out.push(0xc5);
            out.extend_from_slice(&size.to_be_bytes()[2..]);
        }
        _ => {
            out.push(0xc6);
            out.extend_from_slice(&size.to_be_bytes());
        }
    }
    out.extend_from_slice(data);
    Ok(())
}

fn extended(out: &mut Vec<u8>, kind: i8, data: &[u8]) -> Encoded {
    match data.len() {
        1 => out.push(0xd4),
        2 => out.push(0xd5),
        4 => out.push(0xd6),
        8 => out.push(0xd7),
        16 => out.push(0xd8),
        size => {
            let size = size_of(size)?;
            match size {
                0..0x100 => out.extend([0xc7, size.to_le_bytes()[0]]),
                0x100..0x1_0000 => {
                    out.push(0xc8);
                    out.extend_from_slice(&size.to_be_bytes()[2..]);
                }
                _ => {
                    out.push(0xc9);
                    out.extend_from_slice(&size.to_be_bytes());
                }
            }
        }
    }
    out.push(kind.to_le_bytes()[0]);
    out.extend_from_slice(data);
    Ok(())
}

/// The head of a list or map: a short form up to `short` items, then 16 and 32 bit lengths.
fn length(out: &mut Vec<u8>, items: usize, mark: u8, short: u32, wide: u8) -> Encoded {
    let size = size_of(items)?;
    if size < short {
        out.push(mark | size.to_le_bytes()[0]);
    } else if size < 0x1_0000 {
        out.push(wide);
        out.extend_from_slice(&size.to_be_bytes()[2..]);
    } else {
        out.push(wide + 1);
        out.extend_from_slice(&size.to_be_bytes());
    }
    Ok(())
}

fn size_of(items: usize) -> Result<u32, Fault> {
    u32::try_from(items).map_err(|_| Fault::new("more than 2^32 - 1 items or bytes"))
}

fn deeper(depth: usize) -> Result<usize, Fault> {
    if depth >= MAXIMUM_DEPTH {
        let limit = MAXIMUM_DEPTH;
        return Err(Fault::new(format!(
            "nested more than {limit} levels deep: flatten it, or pass it as bytes"
        )));
    }
    Ok(depth + 1)
}

fn python_text(out: &mut Vec<u8>, string: &Bound<'_, PyString>) -> Encoded {
    match string.to_str() {
        Ok(valid) => {
            size_of(valid.len())?;
            text(out, valid);
            Ok(())
        }
        Err(_) => Err(Fault::new(
            "text with a lone surrogate is not valid Unicode: pass bytes",
        )),
    }
}

fn python_integer(out: &mut Vec<u8>, number: &Bound<'_, PyInt>) -> Encoded {
    if let Ok(signed) = number.extract::<i64>() {
        integer(out, signed);
    } else if let Ok(large) = number.extract::<u64>() {
        unsigned(out, large);
    } else {
        return Err(Fault::new(
            "an integer outside -2^63 to 2^64 - 1 fits no other language: pass a str or a Decimal",
        ));
    }
    Ok(())
}

fn python_list(out: &mut Vec<u8>, list: &Bound<'_, PyList>, depth: usize) -> Encoded {
    length(out, list.len(), 0x90, 16, 0xdc)?;
    for (index, item) in list.iter().enumerate() {
        value(out, &item, depth).map_err(|fault| fault.at_item(index))?;
    }
    Ok(())
}

fn python_map(out: &mut Vec<u8>, map: &Bound<'_, PyDict>, depth: usize) -> Encoded {
    length(out, map.len(), 0x80, 16, 0xde)?;
    for (key, item) in map.iter() {
        let Ok(key) = key.cast::<PyString>() else {
            let class = key.get_type().name()?.to_string();
            return Err(Fault::new(format!(
                "a map key of type {class}: keys must be str"
            )));
        };
        python_text(out, key)?;
        value(out, &item, depth).map_err(|fault| fault.at_field(&key.to_string_lossy()))?;
    }
    Ok(())
}

fn planned(out: &mut Vec<u8>, object: &Bound<'_, PyAny>, depth: usize) -> Encoded {
    let py = object.py();
    let plan = plan::of(object)?;
    match &*plan {
        Plan::Record(fields) => record(out, object, fields, deeper(depth)?),
        Plan::Enum => value(out, &object.getattr(intern!(py, "value"))?, deeper(depth)?),
        Plan::Set => set(out, object, deeper(depth)?),
        Plan::Timestamp => timestamp(out, object),
        Plan::Duration => duration(out, object),
        Plan::Decimal => extended(out, extension::DECIMAL, object.str()?.to_str()?.as_bytes()),
        Plan::Uuid => {
            let data = object.getattr(intern!(py, "bytes"))?;
            extended(
                out,
                extension::UUID,
                data.cast::<PyBytes>().map_err(PyErr::from)?.as_bytes(),
            )
        }
        Plan::Text => python_text(out, object.cast::<PyString>().map_err(PyErr::from)?),
        Plan::Integer => python_integer(out, object.cast::<PyInt>().map_err(PyErr::from)?),
        Plan::Float => {
            float(out, object.cast::<PyFloat>().map_err(PyErr::from)?.value());
            Ok(())
        }
        Plan::Bytes => {
            let data = py.get_type::<PyBytes>().call1((object,))?;
            bytes(out, data.cast::<PyBytes>().map_err(PyErr::from)?.as_bytes())
        }
        Plan::List => python_list(
            out,
            object.cast::<PyList>().map_err(PyErr::from)?,
            deeper(depth)?,
        ),
        Plan::Tuple => tuple(out, object.cast::<PyTuple>().map_err(PyErr::from)?, depth),
        Plan::Map => python_map(
            out,
            object.cast::<PyDict>().map_err(PyErr::from)?,
            deeper(depth)?,
        ),
        Plan::Convert(function) => {
            let plain = function
                .bind(py)
                .call1((object,))
                .map_err(|error| super::misfit(py, error))?;
            value(out, &plain, deeper(depth)?)
        }
        Plan::Unknown => {
            let class = object.get_type().qualname()?.to_string();
            Err(Fault::new(format!(
                "a {class} has no representation in other languages: use a dataclass, or \
                 perdure.register_type"
            )))
        }
    }
}

fn record(
    out: &mut Vec<u8>,
    object: &Bound<'_, PyAny>,
    fields: &[RecordField],
    depth: usize,
) -> Encoded {
    let py = object.py();
    length(out, fields.len(), 0x80, 16, 0xde)?;
    for field in fields {
        out.extend_from_slice(&field.key);
        let item = object.getattr(field.name.bind(py))?;
        value(out, &item, depth).map_err(|fault| fault.at_field(&field.text))?;
    }
    Ok(())
}

fn set(out: &mut Vec<u8>, object: &Bound<'_, PyAny>, depth: usize) -> Encoded {
    let mut items = Vec::new();
    for (index, item) in object.try_iter()?.enumerate() {
        let mut encoded = Vec::new();
        value(&mut encoded, &item?, depth).map_err(|fault| fault.at_item(index))?;
        items.push(encoded);
    }
    items.sort_unstable();
    length(out, items.len(), 0x90, 16, 0xdc)?;
    for item in items {
        out.extend_from_slice(&item);
    }
    Ok(())
}

/// Seconds and microseconds of a `datetime` since the Unix epoch, by integer arithmetic.
fn timestamp(out: &mut Vec<u8>, object: &Bound<'_, PyAny>) -> Encoded {
    let py = object.py();
    if object.call_method0(intern!(py, "utcoffset"))?.is_none() {
        return Err(Fault::new(
            "a datetime without time zone is not an instant: give it a tzinfo",
        ));
    }
    let datetime = py.import("datetime")?;
    let utc = datetime.getattr("timezone")?.getattr("utc")?;
    let epoch = datetime
        .getattr("datetime")?
        .call1((1970, 1, 1, 0, 0, 0, 0, utc))?;
    let (seconds, microseconds) = span(&object.sub(epoch)?)?;
    let nanoseconds = u64::from(microseconds) * 1_000;
    match u64::try_from(seconds) {
        Ok(seconds) if nanoseconds == 0 && u32::try_from(seconds).is_ok() => {
            extended(out, extension::TIMESTAMP, &seconds.to_be_bytes()[4..])
        }
        Ok(seconds) if seconds < 1 << 34 => {
            let packed = (nanoseconds << 34) | seconds;
            extended(out, extension::TIMESTAMP, &packed.to_be_bytes())
        }
        _ => {
            out.extend([0xc7, 12, extension::TIMESTAMP.to_le_bytes()[0]]);
            out.extend_from_slice(&nanoseconds.to_be_bytes()[4..]);
            out.extend_from_slice(&seconds.to_be_bytes());
            Ok(())
        }
    }
}

fn duration(out: &mut Vec<u8>, object: &Bound<'_, PyAny>) -> Encoded {
    let (seconds, microseconds) = span(object)?;
    let nanoseconds = i128::from(seconds) * 1_000_000_000 + i128::from(microseconds) * 1_000;
    match i64::try_from(nanoseconds) {
        Ok(nanoseconds) => extended(out, extension::DURATION, &nanoseconds.to_be_bytes()),
        Err(_) => Err(Fault::new(
            "a timedelta beyond ±292 years fits no other language",
        )),
    }
}

fn span(delta: &Bound<'_, PyAny>) -> PyResult<(i64, u32)> {
    let py = delta.py();
    let days: i64 = delta.getattr(intern!(py, "days"))?.extract()?;
    let seconds: i64 = delta.getattr(intern!(py, "seconds"))?.extract()?;
    let microseconds: u32 = delta.getattr(intern!(py, "microseconds"))?.extract()?;
    Ok((days * 86_400 + seconds, microseconds))
}
