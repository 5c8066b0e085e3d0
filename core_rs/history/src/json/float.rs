//! Floats: JSON has no number for NaN and the infinities, so these are text.

use alloc::format;
use alloc::string::String;

use serde::{Deserialize, Deserializer, Serializer, de};

#[derive(Deserialize)]
#[serde(untagged)]
enum Form {
    Number(f64),
    Text(String),
}

pub(crate) fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    if value.is_finite() {
        serializer.serialize_f64(*value)
    } else {
        // The bits, since a NaN has many.
        serializer.serialize_str(&format!("{:016x}", value.to_bits()))
    }
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    match Form::deserialize(deserializer)? {
        Form::Number(value) => Ok(value),
        Form::Text(bits) => u64::from_str_radix(&bits, 16)
            .map(f64::from_bits)
            .map_err(|_| de::Error::custom("a float is a number, or its 64 bits in hexadecimal")),
    }
}
