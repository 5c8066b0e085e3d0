//! Values of workflow code, already encoded: `MessagePack` with the type mapping of the bridge
//! protocol, which this crate carries and compares but never interprets.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;

use bytes::Bytes;

/// One encoded value. Cloning shares the bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Payload(pub Bytes);

/// The first byte of a payload that a codec has encoded: none that `MessagePack` begins with.
///
/// `[0xc1, version, name length, name, note length, note, what the codec gave]`; the note says for
/// people what the codec needs besides, such as which key.
pub const ENCODED: u8 = 0xc1;

/// The version of that header.
const HEADER_VERSION: u8 = 1;

impl Payload {
    /// Whether a codec has encoded it, so that it must be decoded before it is a value.
    #[must_use]
    pub fn is_encoded(&self) -> bool {
        self.0.first() == Some(&ENCODED)
    }

    /// What it is encoded with, such as `aes-gcm, key 2026-11`; `None` for a plain value.
    #[must_use]
    pub fn encoded_with(&self) -> Option<String> {
        let rest = self.0.strip_prefix(&[ENCODED])?;
        let header = rest.strip_prefix(&[HEADER_VERSION]).and_then(|rest| {
            let (name, rest) = short_text(rest)?;
            let (note, _) = short_text(rest)?;
            Some((name, note))
        });
        Some(match header {
            Some((name, "")) => name.to_owned(),
            Some((name, note)) => format!("{name}, {note}"),
            None => "something that a newer version knows".to_owned(),
        })
    }

    /// The digest by which replay compares arguments.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest(xxhash_rust::xxh3::xxh3_128(&self.0))
    }
}

/// A 128-bit XXH3 digest of a value in canonical form.
///
/// Canonical means: records by field name, sets sorted by encoding, dicts in order, one NaN.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub u128);

fn short_text(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let (length, rest) = bytes.split_first()?;
    let (text, rest) = rest.split_at_checked(usize::from(*length))?;
    core::str::from_utf8(text).ok().map(|text| (text, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encoded_payload_says_with_what() {
        let header = |bytes: &'static [u8]| Payload(Bytes::from_static(bytes)).encoded_with();
        assert_eq!(header(b"\xc1\x01\x04zlib\x00rest").unwrap(), "zlib");
        let keyed = header(b"\xc1\x01\x07aes-gcm\x05key 1rest");
        assert_eq!(keyed.unwrap(), "aes-gcm, key 1");
        assert_eq!(header(b"\x91\x01"), None);
        for damaged in [
            &b"\xc1"[..],
            b"\xc1\x02",
            b"\xc1\x01\xffz",
            b"\xc1\x01\x01\xff\x00",
        ] {
            assert!(header(damaged).unwrap().contains("newer"));
        }
    }
}
