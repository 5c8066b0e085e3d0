//! Values of workflow code, already encoded: `MessagePack` with the type mapping of the bridge
//! protocol, which this crate carries and compares but never interprets.

use bytes::Bytes;

/// One encoded value. Cloning shares the bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Payload(pub Bytes);

impl Payload {
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
