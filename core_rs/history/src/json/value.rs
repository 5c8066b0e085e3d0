//! The values that JSON and `MessagePack` share, with maps in their order.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::codec::reader::Reader;
use crate::codec::writer::Writer;

/// Deeper payloads are exported as bytes: neither side may recurse without end.
const MAXIMUM_DEPTH: usize = 64;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Nil,
    Boolean(bool),
    Unsigned(u64),
    Negative(i64),
    Float(f64),
    Text(String),
    List(Vec<Value>),
    Map(Vec<(String, Value)>),
}

impl Value {
    /// Reads one value; `None` when JSON has no like, or the bytes are not one value.
    pub(crate) fn decode(bytes: &Bytes) -> Option<Self> {
        let mut reader = Reader::new(bytes, bytes.len());
        let value = Self::read(&mut reader, MAXIMUM_DEPTH)?;
        (reader.remaining() == 0).then_some(value)
    }

    fn read(reader: &mut Reader<'_>, depth: usize) -> Option<Self> {
        let deeper = depth.checked_sub(1)?;
        Some(match reader.peek()? {
            0xc0 => {
                reader.nil();
                Self::Nil
            }
            0xc2 | 0xc3 => Self::Boolean(reader.boolean().ok()?),
            0..=0x7f | 0xcc..=0xcf => Self::Unsigned(reader.unsigned().ok()?),
            0xe0..=0xff | 0xd0..=0xd3 => Self::Negative(reader.signed().ok()?),
            0xcb => Self::Float(reader.float().ok().filter(|value| value.is_finite())?),
            0xa0..=0xbf | 0xd9..=0xdb => Self::Text(reader.text().ok()?.into()),
            0x90..=0x9f | 0xdc | 0xdd => {
                let mut values = Vec::new();
                for _ in 0..reader.array().ok()? {
                    values.push(Self::read(reader, deeper)?);
                }
                Self::List(values)
            }
            0x80..=0x8f | 0xde | 0xdf => {
                let mut entries = Vec::new();
                for _ in 0..reader.map().ok()? {
                    let key = reader.text().ok()?.into();
                    entries.push((key, Self::read(reader, deeper)?));
                }
                Self::Map(entries)
            }
            _ => return None,
        })
    }

    pub(crate) fn encode(&self) -> Bytes {
        let mut writer = Writer::with_capacity(16);
        self.write(&mut writer);
        writer.bytes.into()
    }

    fn write(&self, writer: &mut Writer) {
        match self {
            Self::Nil => writer.nil(),
            Self::Boolean(value) => writer.boolean(*value),
            Self::Unsigned(value) => writer.unsigned(*value),
            Self::Negative(value) => writer.signed(*value),
            Self::Float(value) => writer.float(*value),
            Self::Text(value) => writer.text(value),
            Self::List(values) => {
                writer.array(values.len());
                values.iter().for_each(|value| value.write(writer));
            }
            Self::Map(entries) => {
                writer.map(entries.len());
                for (key, value) in entries {
                    writer.text(key);
                    value.write(writer);
                }
            }
        }
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Nil => serializer.serialize_unit(),
            Self::Boolean(value) => serializer.serialize_bool(*value),
            Self::Unsigned(value) => serializer.serialize_u64(*value),
            Self::Negative(value) => serializer.serialize_i64(*value),
            Self::Float(value) => serializer.serialize_f64(*value),
            Self::Text(value) => serializer.serialize_str(value),
            Self::List(values) => values.serialize(serializer),
            Self::Map(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for (key, value) in entries {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Nil)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Boolean(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Unsigned(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(u64::try_from(value).map_or(Value::Negative(value), Value::Unsigned))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Float(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = elements.next_element()? {
            values.push(value);
        }
        Ok(Value::List(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = access.next_entry()? {
            entries.push(entry);
        }
        Ok(Value::Map(entries))
    }
}
