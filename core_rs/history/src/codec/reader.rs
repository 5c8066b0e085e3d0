//! Reads the subset of `MessagePack` that batches use. Nothing is trusted: a length is checked
//! against what is left before anything is allocated for it.

use core::ops::Range;

use bytes::Bytes;

use crate::batch::BatchError;

type Read<T> = Result<T, BatchError>;

pub(crate) struct Reader<'a> {
    /// The batch, of which payloads are slices: reading one copies nothing.
    batch: &'a Bytes,
    at: usize,
    end: usize,
    /// The record being read, for messages.
    pub(crate) n: u64,
    /// Its kind.
    pub(crate) kind: u64,
}

impl<'a> Reader<'a> {
    /// Reads `batch` up to `end`, which is within it.
    pub(crate) fn new(batch: &'a Bytes, end: usize) -> Self {
        Self {
            batch,
            at: 0,
            end: end.min(batch.len()),
            n: 0,
            kind: 0,
        }
    }

    pub(crate) fn position(&self) -> usize {
        self.at
    }

    pub(crate) fn remaining(&self) -> usize {
        self.end - self.at
    }

    pub(crate) fn malformed<T>(&self, expected: &'static str) -> Read<T> {
        Err(BatchError::Malformed {
            at: self.at,
            expected,
        })
    }

    /// A number that an enumeration does not have.
    pub(crate) fn unknown<T>(&self, what: &'static str, value: u64) -> Read<T> {
        Err(BatchError::UnknownValue {
            at: self.at,
            what,
            value,
        })
    }

    fn take(&mut self, length: usize) -> Read<&'a [u8]> {
        let rest = self.batch.get(self.at..self.end).unwrap_or_default();
        match rest.get(..length) {
            Some(taken) => {
                self.at += length;
                Ok(taken)
            }
            None => Err(BatchError::Truncated { at: self.end }),
        }
    }

    fn byte(&mut self) -> Read<u8> {
        match self.batch.get(self.at) {
            Some(byte) if self.at < self.end => {
                self.at += 1;
                Ok(*byte)
            }
            _ => Err(BatchError::Truncated { at: self.end }),
        }
    }

    pub(crate) fn peek(&self) -> Option<u8> {
        if self.at < self.end {
            self.batch.get(self.at).copied()
        } else {
            None
        }
    }

    fn big_endian(&mut self, width: usize) -> Read<u64> {
        Ok(self
            .take(width)?
            .iter()
            .fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    /// A length of so many bytes that follow.
    fn length(&mut self, width: usize) -> Read<usize> {
        let length = self.big_endian(width)?;
        usize::try_from(length).or(Err(BatchError::Truncated { at: self.end }))
    }

    /// Consumes a nil, if one is next.
    pub(crate) fn nil(&mut self) -> bool {
        let is_nil = self.peek() == Some(0xc0);
        self.at += usize::from(is_nil);
        is_nil
    }

    pub(crate) fn boolean(&mut self) -> Read<bool> {
        match self.byte()? {
            0xc2 => Ok(false),
            0xc3 => Ok(true),
            _ => self.malformed("a boolean"),
        }
    }

    pub(crate) fn unsigned(&mut self) -> Read<u64> {
        match self.byte()? {
            byte @ 0..=0x7f => Ok(u64::from(byte)),
            0xcc => self.big_endian(1),
            0xcd => self.big_endian(2),
            0xce => self.big_endian(4),
            0xcf => self.big_endian(8),
            _ => self.malformed("an unsigned integer"),
        }
    }

    pub(crate) fn unsigned32(&mut self) -> Read<u32> {
        let value = self.unsigned()?;
        u32::try_from(value).or_else(|_| self.malformed("an integer below 2^32"))
    }

    pub(crate) fn signed(&mut self) -> Read<i64> {
        let (width, from_width): (usize, fn(u64) -> i64) = match self.peek() {
            Some(0xe0..=0xff) => return Ok(i64::from(self.byte()?.cast_signed())),
            Some(0xd0) => (1, |bits| i64::from(bits as u8 as i8)),
            Some(0xd1) => (2, |bits| i64::from(bits as u16 as i16)),
            Some(0xd2) => (4, |bits| i64::from(bits as u32 as i32)),
            Some(0xd3) => (8, |bits| bits.cast_signed()),
            _ => {
                let value = self.unsigned()?;
                return i64::try_from(value).or_else(|_| self.malformed("an integer below 2^63"));
            }
        };
        self.byte()?;
        self.big_endian(width).map(from_width)
    }

    pub(crate) fn float(&mut self) -> Read<f64> {
        match self.byte()? {
            0xcb => self.big_endian(8).map(f64::from_bits),
            _ => self.malformed("a 64-bit float"),
        }
    }

    pub(crate) fn text(&mut self) -> Read<&'a str> {
        let length = match self.byte()? {
            byte @ 0xa0..=0xbf => usize::from(byte & 0x1f),
            0xd9 => self.length(1)?,
            0xda => self.length(2)?,
            0xdb => self.length(4)?,
            _ => return self.malformed("a string"),
        };
        let at = self.at;
        core::str::from_utf8(self.take(length)?).or(Err(BatchError::NotUtf8 { at }))
    }

    pub(crate) fn binary(&mut self) -> Read<Bytes> {
        let length = self.binary_length()?;
        let start = self.at;
        self.take(length)?;
        Ok(self.batch.slice(start..self.at))
    }

    /// Exactly 16 bytes: an id, a hash, a digest.
    pub(crate) fn binary16(&mut self) -> Read<[u8; 16]> {
        let length = self.binary_length()?;
        self.take(length)?
            .try_into()
            .or_else(|_| self.malformed("16 bytes"))
    }

    fn binary_length(&mut self) -> Read<usize> {
        match self.byte()? {
            0xc4 => self.length(1),
            0xc5 => self.length(2),
            0xc6 => self.length(4),
            _ => self.malformed("bytes"),
        }
    }

    /// The number of elements that follow; each takes at least one byte.
    pub(crate) fn array(&mut self) -> Read<usize> {
        let length = match self.byte()? {
            byte @ 0x90..=0x9f => usize::from(byte & 0x0f),
            0xdc => self.length(2)?,
            0xdd => self.length(4)?,
            _ => return self.malformed("an array"),
        };
        if length > self.remaining() {
            return Err(BatchError::Truncated { at: self.end });
        }
        Ok(length)
    }

    /// The number of entries of a map that follow; each takes at least two bytes.
    #[cfg(feature = "json")]
    pub(crate) fn map(&mut self) -> Read<usize> {
        let length = match self.byte()? {
            byte @ 0x80..=0x8f => usize::from(byte & 0x0f),
            0xde => self.length(2)?,
            0xdf => self.length(4)?,
            _ => return self.malformed("a map"),
        };
        if length > self.remaining() / 2 {
            return Err(BatchError::Truncated { at: self.end });
        }
        Ok(length)
    }

    pub(crate) fn next_is_array(&self) -> bool {
        matches!(self.peek(), Some(0x90..=0x9f | 0xdc | 0xdd))
    }

    /// Reads a body: `read` gets its fields; any that it leaves are from a newer version.
    pub(crate) fn fields<T>(
        &mut self,
        read: impl FnOnce(&mut FieldsReader<'_, 'a>) -> Read<T>,
    ) -> Read<T> {
        let found = self.array()?;
        let mut fields = FieldsReader {
            reader: self,
            left: found,
        };
        let value = read(&mut fields)?;
        let left = fields.left;
        if left > 0 {
            let (n, kind) = (self.n, self.kind);
            return Err(BatchError::NewerField {
                n,
                kind,
                known: found - left,
                found,
            });
        }
        Ok(value)
    }

    /// Passes over one value of any sort without recursion.
    pub(crate) fn skip(&mut self) -> Read<()> {
        self.walk(|_| ())
    }

    /// Passes over one value of any sort without recursion, and shows where each string, binary
    /// and extension value in it lies, its head left out.
    pub(crate) fn walk(&mut self, mut found: impl FnMut(Range<usize>)) -> Read<()> {
        let mut left: u64 = 1;
        while left > 0 {
            left -= 1;
            let (length, elements): (usize, u64) = match self.byte()? {
                0..=0x7f | 0xc0 | 0xc2 | 0xc3 | 0xe0..=0xff => (0, 0),
                byte @ 0x80..=0x8f => (0, 2 * u64::from(byte & 0x0f)),
                byte @ 0x90..=0x9f => (0, u64::from(byte & 0x0f)),
                byte @ 0xa0..=0xbf => (usize::from(byte & 0x1f), 0),
                0xcc | 0xd0 => (1, 0),
                0xcd | 0xd1 | 0xd4 => (2, 0),
                0xd5 => (3, 0),
                0xce | 0xd2 | 0xca => (4, 0),
                0xd6 => (5, 0),
                0xcf | 0xd3 | 0xcb => (8, 0),
                0xd7 => (9, 0),
                0xd8 => (17, 0),
                0xc4 | 0xd9 => (self.length(1)?, 0),
                0xc5 | 0xda => (self.length(2)?, 0),
                0xc6 | 0xdb => (self.length(4)?, 0),
                0xc7 => (self.length(1)?.saturating_add(1), 0),
                0xc8 => (self.length(2)?.saturating_add(1), 0),
                0xc9 => (self.length(4)?.saturating_add(1), 0),
                0xdc => (0, self.big_endian(2)?),
                0xdd => (0, self.big_endian(4)?),
                0xde => (0, 2 * self.big_endian(2)?),
                0xdf => (0, 2 * self.big_endian(4)?),
                0xc1 => return self.malformed("a MessagePack value"),
            };
            let start = self.at;
            self.take(length)?;
            found(start..self.at);
            left = left.saturating_add(elements);
        }
        Ok(())
    }
}

/// The fields of one body being read.
pub(crate) struct FieldsReader<'r, 'a> {
    reader: &'r mut Reader<'a>,
    left: usize,
}

impl<'a> FieldsReader<'_, 'a> {
    /// A field that must be there.
    pub(crate) fn required<T>(&mut self, read: impl FnOnce(&mut Reader<'a>) -> Read<T>) -> Read<T> {
        match self.left.checked_sub(1) {
            Some(left) => {
                self.left = left;
                read(self.reader)
            }
            None => self.reader.malformed("another field"),
        }
    }

    /// A number that an enumeration does not have.
    pub(crate) fn unknown<T>(&self, what: &'static str, value: u64) -> Read<T> {
        self.reader.unknown(what, value)
    }

    /// A field that was left out when it equalled its default.
    pub(crate) fn optional<T>(
        &mut self,
        default: impl FnOnce() -> T,
        read: impl FnOnce(&mut Reader<'a>) -> Read<T>,
    ) -> Read<T> {
        if self.left == 0 {
            Ok(default())
        } else {
            self.required(read)
        }
    }
}
