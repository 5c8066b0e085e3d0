//! Ids, digests and payloads in JSON.

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::value::Value;
use crate::ids::RunId;
use crate::payload::{Digest, Payload};

impl Serialize for RunId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RunId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        Self::parse(&text)
            .ok_or_else(|| de::Error::custom(format!("{text:?} is no run id of 32 hex digits")))
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format!("{:032x}", self.0))
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        u128::from_str_radix(&text, 16)
            .map(Self)
            .map_err(|_| de::Error::custom(format!("{text:?} is no digest of 32 hex digits")))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum PayloadForm {
    Value(Value),
    Hex(String),
}

impl Serialize for Payload {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let form = match Value::decode(&self.0) {
            Some(value) if value.encode() == self.0 => PayloadForm::Value(value),
            _ => PayloadForm::Hex(self.0.iter().map(|byte| format!("{byte:02x}")).collect()),
        };
        form.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Payload {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match PayloadForm::deserialize(deserializer)? {
            PayloadForm::Value(value) => Ok(Self(value.encode())),
            PayloadForm::Hex(text) => match parse_hex(&text) {
                Some(bytes) => Ok(Self(Bytes::from(bytes))),
                None => Err(de::Error::custom(
                    "a payload's hex has two digits a byte".to_string(),
                )),
            },
        }
    }
}

fn parse_hex(text: &str) -> Option<Vec<u8>> {
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else {
        return None;
    };
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let byte = |[high, low]: &[u8; 2]| u8::try_from(digit(*high)? << 4 | digit(*low)?).ok();
    pairs.iter().map(byte).collect()
}
