//! Reading the `MessagePack` profile, one head at a time, from bytes that nobody has to trust.

use super::extension;
use super::path::{Reason, Refusal};

/// What stands next, with its length or number read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Head<'a> {
    Nothing,
    Bool(bool),
    Signed(i64),
    Unsigned(u64),
    Float(f64),
    Text(&'a str),
    Bytes(&'a [u8]),
    List(usize),
    Map(usize),
    Extended(i8, &'a [u8]),
}

/// A position in encoded bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(data: &'a [u8]) -> Self {
        Self { rest: data }
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Refusal> {
        let (taken, rest) = self
            .rest
            .split_at_checked(count)
            .ok_or(Refusal::new(Reason::Malformed))?;
        self.rest = rest;
        Ok(taken)
    }

    fn number(&mut self, size: usize) -> Result<u64, Refusal> {
        Ok(self
            .take(size)?
            .iter()
            .fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    fn length(&mut self, size: usize) -> Result<usize, Refusal> {
        Ok(usize::try_from(self.number(size)?).unwrap_or(usize::MAX))
    }

    /// The number of items, refused when there cannot be so many: each takes a byte at least.
    fn items(&self, count: usize) -> Result<usize, Refusal> {
        if count > self.rest.len() {
            return Err(Refusal::new(Reason::Malformed).at_item(self.rest.len()));
        }
        Ok(count)
    }

    fn text(&mut self, size: usize) -> Result<Head<'a>, Refusal> {
        let text = std::str::from_utf8(self.take(size)?);
        text.map(Head::Text)
            .map_err(|_| Refusal::new(Reason::InvalidUnicode))
    }

    fn extended(&mut self, size: usize) -> Result<Head<'a>, Refusal> {
        let kind = self
            .number(1)?
            .to_le_bytes()
            .first()
            .copied()
            .unwrap_or(0)
            .cast_signed();
        Ok(Head::Extended(kind, self.take(size)?))
    }

    pub(crate) fn head(&mut self) -> Result<Head<'a>, Refusal> {
        let mark = self.number(1)?;
        let low = |mask: u64| usize::try_from(mark & mask).unwrap_or(0);
        Ok(match mark {
            0x00..=0x7f => Head::Unsigned(mark),
            0x80..=0x8f => Head::Map(self.items(low(0x0f))?),
            0x90..=0x9f => Head::List(self.items(low(0x0f))?),
            0xa0..=0xbf => self.text(low(0x1f))?,
            0xc0 => Head::Nothing,
            0xc2 | 0xc3 => Head::Bool(mark == 0xc3),
            0xc4..=0xc6 => {
                let size = self.length(1 << (mark - 0xc4))?;
                Head::Bytes(self.take(size)?)
            }
            0xc7..=0xc9 => {
                let size = self.length(1 << (mark - 0xc7))?;
                self.extended(size)?
            }
            0xca => {
                let bits = u32::try_from(self.number(4)?).unwrap_or(0);
                Head::Float(f64::from(f32::from_bits(bits)))
            }
            0xcb => Head::Float(f64::from_bits(self.number(8)?)),
            0xcc..=0xcf => Head::Unsigned(self.number(1 << (mark - 0xcc))?),
            0xd0..=0xd3 => {
                let size = 1_usize << (mark - 0xd0);
                let unused = 64 - 8 * size;
                Head::Signed((self.number(size)? << unused).cast_signed() >> unused)
            }
            0xd4..=0xd8 => self.extended(1 << (mark - 0xd4))?,
            0xd9..=0xdb => {
                let size = self.length(1 << (mark - 0xd9))?;
                self.text(size)?
            }
            0xdc | 0xdd => {
                let count = self.length(2 << (mark - 0xdc))?;
                Head::List(self.items(count)?)
            }
            0xde | 0xdf => {
                let count = self.length(2 << (mark - 0xde))?;
                Head::Map(self.items(count)?)
            }
            0xe0..=0xff => Head::Signed((mark << 56).cast_signed() >> 56),
            _ => return Err(Refusal::new(Reason::Malformed)),
        })
    }

    /// A map key.
    pub(crate) fn key(&mut self) -> Result<&'a str, Refusal> {
        match self.head()? {
            Head::Text(key) => Ok(key),
            _ => Err(Refusal::new(Reason::KeyNotString)),
        }
    }

    /// The bytes of the next value, checked and whole.
    pub(crate) fn raw(&mut self, depth: usize, limit: usize) -> Result<&'a [u8], Refusal> {
        let start = self.rest;
        self.check(depth, limit)?;
        let size = start.len() - self.rest.len();
        Ok(start
            .split_at_checked(size)
            .map_or(start, |(value, _)| value))
    }

    /// Passes over one value, refusing whatever the profile refuses.
    fn check(&mut self, depth: usize, limit: usize) -> Result<(), Refusal> {
        match self.head()? {
            Head::List(count) => {
                deeper(depth, limit)?;
                for index in 0..count {
                    self.check(depth + 1, limit)
                        .map_err(|refusal| refusal.at_item(index))?;
                }
            }
            Head::Map(count) => {
                deeper(depth, limit)?;
                let mut seen = Keys::default();
                for _ in 0..count {
                    let key = self.key()?;
                    seen.add(key)?;
                    self.check(depth + 1, limit)
                        .map_err(|refusal| refusal.at_key(key))?;
                }
            }
            Head::Extended(kind, data) => check_extension(kind, data)?,
            _ => {}
        }
        Ok(())
    }
}

pub(crate) fn deeper(depth: usize, limit: usize) -> Result<(), Refusal> {
    if depth >= limit {
        Err(Refusal::new(Reason::TooDeep))
    } else {
        Ok(())
    }
}

/// Checks that bytes are exactly one value of the profile.
pub(crate) fn validate(data: &[u8], limit: usize) -> Result<(), Refusal> {
    let mut reader = Reader::new(data);
    reader.check(0, limit)?;
    if reader.is_at_end() {
        Ok(())
    } else {
        Err(Refusal::new(Reason::Malformed))
    }
}

/// The keys of one map, to notice one that stands twice.
#[derive(Default)]
pub(crate) struct Keys<'a> {
    few: Vec<&'a str>,
    many: std::collections::HashSet<&'a str>,
}

impl<'a> Keys<'a> {
    /// Maps are nearly always small: a scan of a few keys beats hashing them.
    const FEW: usize = 16;

    pub(crate) fn add(&mut self, key: &'a str) -> Result<(), Refusal> {
        if self.few.len() < Self::FEW {
            if self.few.contains(&key) {
                return Err(Refusal::new(Reason::DuplicateKey));
            }
            self.few.push(key);
            return Ok(());
        }
        if self.many.is_empty() {
            self.many.extend(self.few.iter().copied());
        }
        if self.many.insert(key) {
            Ok(())
        } else {
            Err(Refusal::new(Reason::DuplicateKey))
        }
    }
}

/// Seconds since the Unix epoch and nanoseconds of a timestamp.
pub(crate) fn timestamp(data: &[u8]) -> Result<(i64, u32), Refusal> {
    const FIRST: i64 = -62_135_596_800;
    const LAST: i64 = 253_402_300_799;
    let mut reader = Reader::new(data);
    let (seconds, nanoseconds) = match data.len() {
        4 => (reader.number(4)?.cast_signed(), 0),
        8 => {
            let packed = reader.number(8)?;
            ((packed & 0x3_ffff_ffff).cast_signed(), packed >> 34)
        }
        12 => {
            let nanoseconds = reader.number(4)?;
            (reader.number(8)?.cast_signed(), nanoseconds)
        }
        _ => return Err(Refusal::new(Reason::InvalidScalar)),
    };
    let nanoseconds = u32::try_from(nanoseconds).unwrap_or(u32::MAX);
    if nanoseconds >= 1_000_000_000 || !(FIRST..=LAST).contains(&seconds) {
        return Err(Refusal::new(Reason::InvalidScalar));
    }
    Ok((seconds, nanoseconds))
}

fn check_extension(kind: i8, data: &[u8]) -> Result<(), Refusal> {
    let valid = match kind {
        extension::TIMESTAMP => timestamp(data).is_ok(),
        extension::DURATION => data.len() == 8,
        extension::DECIMAL => std::str::from_utf8(data).is_ok_and(is_decimal),
        extension::UUID => data.len() == 16,
        _ => return Err(Refusal::new(Reason::UnknownExtension)),
    };
    if valid {
        Ok(())
    } else {
        Err(Refusal::new(Reason::InvalidScalar))
    }
}

/// `-?digits(.digits)?([eE][+-]?digits)?`, or `NaN`, `Infinity`, `-Infinity`.
pub(crate) fn is_decimal(text: &str) -> bool {
    if matches!(text, "NaN" | "Infinity" | "-Infinity") {
        return true;
    }
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let text = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    digits(whole) && digits(fraction) && digits(exponent)
}
