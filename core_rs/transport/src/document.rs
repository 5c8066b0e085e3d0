//! One document of the protocol: a map whose fields are cut out whole, and built by splicing.

use perdure_history::Payload;

use crate::payload::reader::{Head, Keys, Reader};
use crate::payload::{MAXIMUM_DOCUMENT_DEPTH, Reason, Refusal, writer};

/// A document that was read: its fields as encoded values.
#[derive(Debug)]
pub(crate) struct Document<'a> {
    fields: Vec<(&'a str, &'a [u8])>,
}

impl<'a> Document<'a> {
    /// Reads the outer map and checks everything inside it.
    pub(crate) fn read(data: &'a [u8]) -> Result<Self, Refusal> {
        let mut reader = Reader::new(data);
        let Head::Map(count) = reader.head()? else {
            return Err(Refusal::new(Reason::Malformed));
        };
        let mut fields = Vec::with_capacity(count);
        let mut keys = Keys::default();
        for _ in 0..count {
            let key = reader.key()?;
            keys.add(key)?;
            let value = reader.raw(1, MAXIMUM_DOCUMENT_DEPTH);
            fields.push((key, value.map_err(|refusal| refusal.at_key(key))?));
        }
        if reader.is_at_end() {
            Ok(Self { fields })
        } else {
            Err(Refusal::new(Reason::Malformed))
        }
    }

    /// The encoded value of a field.
    pub(crate) fn raw(&self, key: &str) -> Option<&'a [u8]> {
        self.fields
            .iter()
            .find(|(name, _)| *name == key)
            .map(|(_, value)| *value)
    }

    /// The encoded value of a field, as a payload of its own.
    pub(crate) fn payload(&self, key: &str) -> Option<Payload> {
        self.raw(key)
            .map(|value| Payload(bytes::Bytes::copy_from_slice(value)))
    }

    fn head(&self, key: &str) -> Option<Head<'a>> {
        self.raw(key)
            .and_then(|value| Reader::new(value).head().ok())
    }

    /// A string field; absent or another kind is `None`.
    pub(crate) fn text(&self, key: &str) -> Option<&'a str> {
        match self.head(key) {
            Some(Head::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// An integer field that is not negative.
    pub(crate) fn unsigned(&self, key: &str) -> Option<u64> {
        match self.head(key) {
            Some(Head::Unsigned(number)) => Some(number),
            _ => None,
        }
    }

    /// A boolean field.
    pub(crate) fn boolean(&self, key: &str) -> Option<bool> {
        match self.head(key) {
            Some(Head::Bool(value)) => Some(value),
            _ => None,
        }
    }

    /// The items of a list field, encoded.
    pub(crate) fn items(&self, key: &str) -> Vec<&'a [u8]> {
        let Some(mut reader) = self.raw(key).map(Reader::new) else {
            return Vec::new();
        };
        let Ok(Head::List(count)) = reader.head() else {
            return Vec::new();
        };
        (0..count)
            .map_while(|_| reader.raw(0, MAXIMUM_DOCUMENT_DEPTH).ok())
            .collect()
    }

    /// The strings of a list field; other items are passed over.
    pub(crate) fn texts(&self, key: &str) -> Vec<&'a str> {
        let text = |item: &'a [u8]| match Reader::new(item).head() {
            Ok(Head::Text(text)) => Some(text),
            _ => None,
        };
        self.items(key).into_iter().filter_map(text).collect()
    }
}

/// A document being built.
#[derive(Debug, Default)]
pub(crate) struct Builder {
    count: usize,
    fields: Vec<u8>,
}

impl Builder {
    /// A document of a frame's kind.
    pub(crate) fn frame(kind: &str) -> Self {
        Self::default().text("frame", kind)
    }

    fn key(&mut self, key: &str) -> &mut Vec<u8> {
        self.count += 1;
        writer::text(&mut self.fields, key);
        &mut self.fields
    }

    pub(crate) fn text(mut self, key: &str, value: &str) -> Self {
        writer::text(self.key(key), value);
        self
    }

    pub(crate) fn unsigned(mut self, key: &str, value: u64) -> Self {
        writer::unsigned(self.key(key), value);
        self
    }

    pub(crate) fn boolean(mut self, key: &str, value: bool) -> Self {
        writer::boolean(self.key(key), value);
        self
    }

    /// An encoded value, spliced in; nothing when absent.
    pub(crate) fn payload(mut self, key: &str, value: Option<&Payload>) -> Self {
        if let Some(value) = value {
            self.key(key).extend_from_slice(&value.0);
        }
        self
    }

    /// A document inside this one; nothing when absent.
    pub(crate) fn document(mut self, key: &str, value: Option<Builder>) -> Self {
        if let Some(value) = value {
            let bytes = value.finish();
            self.key(key).extend_from_slice(&bytes);
        }
        self
    }

    /// A map of strings; nothing when empty.
    pub(crate) fn texts(mut self, key: &str, entries: &[(String, String)]) -> Self {
        if !entries.is_empty() {
            let out = self.key(key);
            writer::map(out, entries.len());
            for (name, value) in entries {
                writer::text(out, name);
                writer::text(out, value);
            }
        }
        self
    }

    /// The encoded document.
    pub(crate) fn finish(self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.fields.len() + 3);
        writer::map(&mut out, self.count);
        out.extend_from_slice(&self.fields);
        out
    }
}
