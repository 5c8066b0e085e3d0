//! Writes the subset of `MessagePack` that batches use, each value in its shortest form, so that
//! one batch has one encoding.

use alloc::vec::Vec;

pub(crate) struct Writer {
    pub(crate) bytes: Vec<u8>,
}

impl Writer {
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(capacity),
        }
    }

    pub(crate) fn nil(&mut self) {
        self.bytes.push(0xc0);
    }

    pub(crate) fn boolean(&mut self, value: bool) {
        self.bytes.push(if value { 0xc3 } else { 0xc2 });
    }

    pub(crate) fn unsigned(&mut self, value: u64) {
        match value {
            0..=0x7f => self.bytes.push(value.to_le_bytes()[0]),
            0x80..=0xff => self.tagged(0xcc, value, 1),
            0x100..=0xffff => self.tagged(0xcd, value, 2),
            0x1_0000..=0xffff_ffff => self.tagged(0xce, value, 4),
            _ => self.tagged(0xcf, value, 8),
        }
    }

    pub(crate) fn signed(&mut self, value: i64) {
        if let Ok(value) = u64::try_from(value) {
            return self.unsigned(value);
        }
        let bits = value.cast_unsigned();
        match value {
            -0x20..=-1 => self.bytes.push(bits.to_le_bytes()[0]),
            -0x80..=-0x21 => self.tagged(0xd0, bits, 1),
            -0x8000..=-0x81 => self.tagged(0xd1, bits, 2),
            -0x8000_0000..=-0x8001 => self.tagged(0xd2, bits, 4),
            _ => self.tagged(0xd3, bits, 8),
        }
    }

    pub(crate) fn float(&mut self, value: f64) {
        self.tagged(0xcb, value.to_bits(), 8);
    }

    pub(crate) fn text(&mut self, value: &str) {
        match value.len() as u64 {
            length @ 0..=31 => self.bytes.push(0xa0 | length.to_le_bytes()[0]),
            length @ 32..=0xff => self.tagged(0xd9, length, 1),
            length @ 0x100..=0xffff => self.tagged(0xda, length, 2),
            length => self.tagged(0xdb, length, 4),
        }
        self.bytes.extend_from_slice(value.as_bytes());
    }

    pub(crate) fn binary(&mut self, value: &[u8]) {
        match value.len() as u64 {
            length @ 0..=0xff => self.tagged(0xc4, length, 1),
            length @ 0x100..=0xffff => self.tagged(0xc5, length, 2),
            length => self.tagged(0xc6, length, 4),
        }
        self.bytes.extend_from_slice(value);
    }

    pub(crate) fn array(&mut self, length: usize) {
        match length as u64 {
            length @ 0..=15 => self.bytes.push(0x90 | length.to_le_bytes()[0]),
            length @ 16..=0xffff => self.tagged(0xdc, length, 2),
            length => self.tagged(0xdd, length, 4),
        }
    }

    #[cfg(feature = "json")]
    pub(crate) fn map(&mut self, length: usize) {
        match length as u64 {
            length @ 0..=15 => self.bytes.push(0x80 | length.to_le_bytes()[0]),
            length @ 16..=0xffff => self.tagged(0xde, length, 2),
            length => self.tagged(0xdf, length, 4),
        }
    }

    /// Writes the fields of a body: an array that ends with its last field that is not a default.
    pub(crate) fn fields(&mut self, write: impl FnOnce(&mut Fields<'_>)) {
        let start = self.bytes.len();
        self.bytes.push(0x90);
        let mut fields = Fields {
            kept_length: start + 1,
            writer: self,
            count: 0,
            kept_count: 0,
        };
        write(&mut fields);
        let Fields {
            kept_length,
            kept_count,
            ..
        } = fields;
        self.bytes.truncate(kept_length);
        if kept_count > 15 {
            self.bytes.splice(start..=start, [0xdc, 0, kept_count]);
        } else if let Some(header) = self.bytes.get_mut(start) {
            *header = 0x90 | kept_count;
        }
    }

    /// Writes `tag` and the lowest `width` bytes of `value`, most significant first.
    fn tagged(&mut self, tag: u8, value: u64, width: usize) {
        self.bytes.push(tag);
        self.bytes
            .extend(value.to_be_bytes().iter().skip(8 - width));
    }
}

/// The fields of one body. A body never has more than 15, so its header is one byte.
pub(crate) struct Fields<'a> {
    writer: &'a mut Writer,
    count: u8,
    kept_count: u8,
    kept_length: usize,
}

impl Fields<'_> {
    /// A field that is always there.
    pub(crate) fn required(&mut self, write: impl FnOnce(&mut Writer)) {
        self.optional(false, write);
    }

    /// A field that may be left out at the end of the array when it equals its default.
    pub(crate) fn optional(&mut self, is_default: bool, write: impl FnOnce(&mut Writer)) {
        write(self.writer);
        self.count += 1;
        if !is_default {
            self.kept_count = self.count;
            self.kept_length = self.writer.bytes.len();
        }
    }
}
