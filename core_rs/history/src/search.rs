//! What runs are found by, and what is said of them to people.

use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;

use crate::batch::BatchError;
use crate::codec::common::{read_pairs, read_payload, write_pairs, write_payload};
use crate::codec::reader::Reader;
use crate::codec::search::{read_value, write_value};
use crate::codec::writer::Writer;
use crate::payload::Payload;
use crate::time::Timestamp;

/// The search attribute of open runs that lists the patches whose new branch they took.
pub const PATCHES: &str = "PerdurePatches";

/// The search attribute of open runs that lists the patches that they know as deprecated.
pub const DEPRECATED_PATCHES: &str = "PerdureDeprecatedPatches";

/// The value of a search attribute, with its type.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "json", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "json", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum SearchValue {
    /// A text, compared as a whole.
    Keyword(String),
    /// A whole number.
    Int(i64),
    /// A floating-point number.
    #[cfg_attr(feature = "json", serde(with = "crate::json::float"))]
    Double(f64),
    /// A truth value.
    Bool(bool),
    /// An instant.
    #[cfg_attr(feature = "json", serde(rename = "datetime_us"))]
    Datetime(Timestamp),
    /// Several texts, each of which finds the run.
    KeywordList(Vec<String>),
}

/// The search attributes and the memo of a run, each by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Visibility {
    /// What it is found by.
    pub search_attributes: Vec<(String, SearchValue)>,
    /// What is said of it to people.
    pub memo: Vec<(String, Payload)>,
}

/// What a write changes of them; `None` takes a name away.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct VisibilityChange {
    /// Changed search attributes, the last of a name counts.
    pub search_attributes: Vec<(String, Option<SearchValue>)>,
    /// Changed entries of the memo, the last of a name counts.
    pub memo: Vec<(String, Option<Payload>)>,
}

impl VisibilityChange {
    /// Whether nothing changes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.search_attributes.is_empty() && self.memo.is_empty()
    }
}

impl Visibility {
    /// Whether there is nothing to be found or said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.search_attributes.is_empty() && self.memo.is_empty()
    }

    /// Makes the change; names stay sorted.
    pub fn apply(&mut self, change: &VisibilityChange) {
        merge(&mut self.search_attributes, &change.search_attributes);
        merge(&mut self.memo, &change.memo);
    }

    /// The stored form.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut writer = Writer::with_capacity(64);
        writer.fields(|fields| {
            let attributes = &self.search_attributes;
            fields.required(|writer| write_pairs(writer, attributes, write_value));
            fields.required(|writer| write_pairs(writer, &self.memo, write_payload));
        });
        writer.bytes.into()
    }

    /// Reads the form of [`Visibility::encode`].
    ///
    /// # Errors
    /// [`BatchError`] when it is not that form, or a newer one.
    pub fn decode(bytes: &Bytes) -> Result<Self, BatchError> {
        Reader::new(bytes, bytes.len()).fields(|fields| {
            Ok(Self {
                search_attributes: fields.required(|reader| read_pairs(reader, read_value))?,
                memo: fields.required(|reader| read_pairs(reader, read_payload))?,
            })
        })
    }
}

fn merge<V: Clone>(entries: &mut Vec<(String, V)>, changes: &[(String, Option<V>)]) {
    for (name, value) in changes {
        let found = entries.binary_search_by(|(each, _)| each.cmp(name));
        match (found, value) {
            (Ok(at), Some(value)) => {
                if let Some((_, old)) = entries.get_mut(at) {
                    *old = value.clone();
                }
            }
            (Ok(at), None) => drop(entries.remove(at)),
            (Err(at), Some(value)) => entries.insert(at, (name.clone(), value.clone())),
            (Err(_), None) => {}
        }
    }
}
