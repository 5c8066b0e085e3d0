//! A 4-byte big-endian length, and one document.

use std::io::{self, Read};

use crate::frame::Encoding;
use crate::payload::{MAXIMUM_DOCUMENT_DEPTH, to_json};

/// The longest document.
pub(crate) const MAXIMUM_DOCUMENT_BYTES: usize = 64 * 1024 * 1024 + 64 * 1024;

/// Why no document could be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FramingError {
    #[error("a document of {0} bytes: the limit is {MAXIMUM_DOCUMENT_BYTES}, and 0 is none")]
    Length(usize),
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// The bytes of a document in an encoding; `None` when it is longer than any worker takes.
pub(crate) fn encode(document: &[u8], encoding: Encoding) -> Option<Vec<u8>> {
    let body = match encoding {
        Encoding::MessagePack => document.to_vec(),
        Encoding::Json => to_json(document, MAXIMUM_DOCUMENT_DEPTH).ok()?.into_bytes(),
    };
    if body.len() > MAXIMUM_DOCUMENT_BYTES {
        return None;
    }
    let length = u32::try_from(body.len()).ok()?;
    let mut framed = Vec::with_capacity(body.len() + 4);
    framed.extend_from_slice(&length.to_be_bytes());
    framed.extend_from_slice(&body);
    Some(framed)
}

/// Reads one document's bytes; `None` at the end of the stream, between documents or within one.
pub(crate) fn read(stream: &mut impl Read) -> Result<Option<Vec<u8>>, FramingError> {
    let mut prefix = [0; 4];
    match stream.read_exact(&mut prefix) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error.into()),
    }
    let length = usize::try_from(u32::from_be_bytes(prefix)).unwrap_or(usize::MAX);
    if length == 0 || length > MAXIMUM_DOCUMENT_BYTES {
        return Err(FramingError::Length(length));
    }
    // The body is read as it comes, so that a lying length reserves nothing.
    let mut body = Vec::new();
    stream
        .take(u64::try_from(length).unwrap_or(0))
        .read_to_end(&mut body)?;
    Ok((body.len() == length).then_some(body))
}
