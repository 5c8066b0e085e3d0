//! The form in which a batch lies in its row when parts of it lie in chunks.
//!
//! ```text
//! c1 01                 a byte with which no batch begins, and the version of this form
//! piece …               until the end
//!   nn bytes            nn even: nn / 2 bytes as they are
//!   nn dd …             nn odd: nn / 2 chunks, each by the distance of its number from the one
//!                       before (the first: from 0), a signed number in zigzag form
//! ```
//!
//! Numbers are LEB128. A batch without such parts lies in its row as it is.

/// Begins no MessagePack value, so no batch.
const MARK: u8 = 0xc1;

/// The version of the form.
const VERSION: u8 = 1;

/// A part of a stored batch.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'body> {
    /// As it is.
    Bytes(&'body [u8]),
    /// Chunks, by their numbers.
    Chunks(Vec<i64>),
}

/// Whether a row's body is in this form.
pub(super) fn is_stored_form(body: &[u8]) -> bool {
    body.first() == Some(&MARK)
}

/// Writes the form.
pub(super) struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    pub(super) fn new() -> Self {
        Self {
            bytes: vec![MARK, VERSION],
        }
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.number((bytes.len() as u64) << 1);
            self.bytes.extend_from_slice(bytes);
        }
    }

    pub(super) fn chunks(&mut self, chunks: &[i64]) {
        self.number((chunks.len() as u64) << 1 | 1);
        let mut before = 0;
        for &chunk in chunks {
            let distance = chunk.wrapping_sub(before);
            self.number(((distance << 1) ^ (distance >> 63)).cast_unsigned());
            before = chunk;
        }
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.bytes
    }

    fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.bytes.push((number & 0x7f) as u8 | 0x80);
            number >>= 7;
        }
        self.bytes.push(number as u8);
    }
}

/// Reads the pieces of a body in this form; `None` where it is not one.
pub(super) fn pieces(body: &[u8]) -> Option<Vec<Piece<'_>>> {
    let mut rest = body.strip_prefix(&[MARK, VERSION])?;
    let mut pieces = Vec::new();
    while !rest.is_empty() {
        let head = number(&mut rest)?;
        let count = usize::try_from(head >> 1).ok()?;
        // Each chunk takes a byte at least, so the count is bounded by the body.
        if count > rest.len() {
            return None;
        }
        if head & 1 == 0 {
            let (bytes, after) = rest.split_at(count);
            pieces.push(Piece::Bytes(bytes));
            rest = after;
        } else {
            pieces.push(Piece::Chunks(chunks(&mut rest, count)?));
        }
    }
    Some(pieces)
}

/// The numbers of the chunks that a row's body refers to.
pub(crate) fn refers_to(body: &[u8]) -> Vec<i64> {
    let chunks = |piece| match piece {
        Piece::Chunks(chunks) => chunks,
        Piece::Bytes(_) => Vec::new(),
    };
    let pieces = pieces(body).unwrap_or_default();
    pieces.into_iter().flat_map(chunks).collect()
}

fn chunks(rest: &mut &[u8], count: usize) -> Option<Vec<i64>> {
    let mut before: i64 = 0;
    let mut chunks = Vec::with_capacity(count);
    for _ in 0..count {
        let zigzag = number(rest)?;
        let distance = (zigzag >> 1).cast_signed() ^ -((zigzag & 1).cast_signed());
        before = before.wrapping_add(distance);
        chunks.push(before);
    }
    Some(chunks)
}

fn number(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, after) = rest.split_first()?;
        *rest = after;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_read_as_they_were_written() {
        let mut writer = Writer::new();
        writer.bytes(b"head");
        writer.chunks(&[7, 8, 3, i64::MAX, 1]);
        writer.bytes(b"");
        writer.bytes(&[1; 300]);
        let body = writer.finish();
        let expected = vec![
            Piece::Bytes(b"head"),
            Piece::Chunks(vec![7, 8, 3, i64::MAX, 1]),
            Piece::Bytes(&[1; 300]),
        ];
        assert_eq!(pieces(&body).unwrap(), expected);
        assert_eq!(refers_to(&body), [7, 8, 3, i64::MAX, 1]);
        assert_eq!(refers_to(b"\x98 a batch"), [] as [i64; 0]);
        for length in 2..body.len() {
            // A cut at a border of pieces is found by the row's checksum, and by the batch's own.
            if let Some(found) = pieces(&body[..length]) {
                assert!(found.len() < expected.len());
            }
        }
    }

    #[test]
    fn the_form_is_fixed() {
        let mut writer = Writer::new();
        writer.bytes(b"ab");
        writer.chunks(&[300, 301, 299]);
        assert_eq!(
            writer.finish(),
            [0xc1, 0x01, 0x04, b'a', b'b', 0x07, 0xd8, 0x04, 0x02, 0x03]
        );
    }
}
