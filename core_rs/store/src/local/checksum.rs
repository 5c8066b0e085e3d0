//! Each row carries a checksum of itself: a flipped bit becomes a typed error, never a guess.

use xxhash_rust::xxh3::xxh3_64;

/// An odd constant with well-mixed bits, the golden ratio's.
const MIX: u64 = 0x9E37_79B9_7F4A_7C15;

/// A 32-bit checksum over the fields of a row, each at its place and with its length.
#[derive(Clone, Copy)]
pub(crate) struct Checksum(u64);

impl Checksum {
    pub(crate) const fn new() -> Self {
        Self(MIX)
    }

    pub(crate) const fn number(self, number: i64) -> Self {
        // Multiplying by an odd number loses nothing: any one changed bit changes the result.
        let mixed = (self.0 ^ number.cast_unsigned()).wrapping_mul(MIX);
        Self(mixed ^ (mixed >> 32))
    }

    pub(crate) fn option(self, number: Option<i64>) -> Self {
        match number {
            Some(number) => self.number(1).number(number),
            None => self.number(0),
        }
    }

    pub(crate) fn bytes(self, bytes: &[u8]) -> Self {
        self.number(xxh3_64(bytes).cast_signed())
    }

    pub(crate) const fn finish(self) -> i64 {
        let mixed = self.0.wrapping_mul(MIX);
        (mixed >> 32).cast_signed()
    }
}
