//! The JSON profile to the storage form. A parser of its own, since the profile tells `1` from
//! `1.0`, refuses duplicate keys and unsafe integers, and says where.

use super::json_writer::MAXIMUM_SAFE_INTEGER;
use super::path::{Reason, Refusal};
use super::reader::deeper;
use super::{extension, reader, writer};

/// Encodes the JSON text of exactly one value.
pub(crate) fn from_json(json: &[u8], limit: usize) -> Result<Vec<u8>, Refusal> {
    let text = std::str::from_utf8(json).map_err(|_| Refusal::new(Reason::InvalidUnicode))?;
    let mut parser = Parser {
        text,
        position: 0,
        limit,
    };
    let mut out = Vec::with_capacity(json.len());
    parser.value(&mut out, 0)?;
    parser.space();
    if parser.position == text.len() {
        Ok(out)
    } else {
        Err(malformed())
    }
}

/// The keys that make an object a scalar of another kind.
const TAGS: [&str; 7] = [
    "$int",
    "$float",
    "$bytes",
    "$timestamp",
    "$duration",
    "$decimal",
    "$uuid",
];

fn malformed() -> Refusal {
    Refusal::new(Reason::Malformed)
}

fn invalid() -> Refusal {
    Refusal::new(Reason::InvalidScalar)
}

struct Parser<'a> {
    text: &'a str,
    position: usize,
    limit: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.position).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.position += 1;
        }
    }

    /// Whether the next byte, after space, is `byte`; it is taken then.
    fn takes(&mut self, byte: u8) -> bool {
        self.space();
        let found = self.peek() == Some(byte);
        self.position += usize::from(found);
        found
    }

    fn expect(&mut self, byte: u8) -> Result<(), Refusal> {
        if self.takes(byte) {
            Ok(())
        } else {
            Err(malformed())
        }
    }

    fn word(&mut self, word: &str) -> Result<(), Refusal> {
        let rest = self.text.get(self.position..).unwrap_or("");
        if !rest.starts_with(word) {
            return Err(malformed());
        }
        self.position += word.len();
        Ok(())
    }

    fn value(&mut self, out: &mut Vec<u8>, depth: usize) -> Result<(), Refusal> {
        self.space();
        match self.peek() {
            Some(b'n') => {
                self.word("null")?;
                writer::nothing(out);
            }
            Some(b't') => {
                self.word("true")?;
                writer::boolean(out, true);
            }
            Some(b'f') => {
                self.word("false")?;
                writer::boolean(out, false);
            }
            Some(b'"') => {
                let string = self.string()?;
                writer::text(out, &string);
            }
            Some(b'[') => {
                deeper(depth, self.limit)?;
                self.list(out, depth + 1)?;
            }
            Some(b'{') => self.map(out, depth)?,
            Some(b'-' | b'0'..=b'9') => self.number(out)?,
            _ => return Err(malformed()),
        }
        Ok(())
    }

    fn list(&mut self, out: &mut Vec<u8>, depth: usize) -> Result<(), Refusal> {
        self.expect(b'[')?;
        let mut items = Vec::new();
        let mut count = 0;
        if !self.takes(b']') {
            loop {
                self.value(&mut items, depth)
                    .map_err(|refusal| refusal.at_item(count))?;
                count += 1;
                if self.takes(b']') {
                    break;
                }
                self.expect(b',')?;
            }
        }
        writer::list(out, count);
        out.extend_from_slice(&items);
        Ok(())
    }

    fn map(&mut self, out: &mut Vec<u8>, depth: usize) -> Result<(), Refusal> {
        self.expect(b'{')?;
        let mut keys: Vec<String> = Vec::new();
        let mut seen = std::collections::HashSet::new();
        let mut entries = Vec::new();
        if self.takes(b'}') {
            deeper(depth, self.limit)?;
            writer::map(out, 0);
            return Ok(());
        }
        loop {
            self.space();
            let key = self.string().map_err(|_| self.bad_key())?;
            self.expect(b':')?;
            if keys.is_empty() && is_tag(&key) {
                return self.tagged(out, &key);
            }
            let key = unescaped(&key)?.to_owned();
            deeper(depth, self.limit)?;
            if !seen.insert(key.clone()) {
                return Err(Refusal::new(Reason::DuplicateKey));
            }
            writer::text(&mut entries, &key);
            self.value(&mut entries, depth + 1)
                .map_err(|refusal| refusal.at_key(&key))?;
            keys.push(key);
            if self.takes(b'}') {
                break;
            }
            self.expect(b',')?;
        }
        writer::map(out, keys.len());
        out.extend_from_slice(&entries);
        Ok(())
    }

    /// JSON has only string keys: anything else is no JSON; a string may still be bad Unicode.
    fn bad_key(&self) -> Refusal {
        let reason = if self.peek() == Some(b'"') {
            Reason::InvalidUnicode
        } else {
            Reason::Malformed
        };
        Refusal::new(reason)
    }

    /// The content of `{"$tag": …}`, whose key is read.
    fn tagged(&mut self, out: &mut Vec<u8>, tag: &str) -> Result<(), Refusal> {
        if !TAGS.contains(&tag) {
            return Err(Refusal::new(Reason::UnknownTag));
        }
        self.space();
        if self.peek() != Some(b'"') {
            return Err(invalid());
        }
        let content = self.string()?;
        if !self.takes(b'}') {
            return Err(Refusal::new(Reason::UnknownTag));
        }
        scalar(out, tag, &content)
    }

    fn number(&mut self, out: &mut Vec<u8>) -> Result<(), Refusal> {
        let start = self.position;
        let rest = self.text.as_bytes().get(start..).unwrap_or(&[]);
        let size = rest.iter().take_while(|byte| is_numeric(**byte)).count();
        self.position += size;
        let text = self.text.get(start..self.position).unwrap_or("");
        let digits = text.strip_prefix('-').unwrap_or(text);
        let leading_zero = digits.len() > 1
            && digits.starts_with('0')
            && digits.as_bytes().get(1).is_some_and(u8::is_ascii_digit);
        if leading_zero || !reader::is_decimal(text) {
            return Err(malformed());
        }
        if text.contains(['.', 'e', 'E']) {
            let number: f64 = text.parse().map_err(|_| malformed())?;
            if number.is_infinite() {
                return Err(invalid());
            }
            writer::float(out, number);
            return Ok(());
        }
        match text.parse::<i64>() {
            Ok(number) if number.unsigned_abs() <= MAXIMUM_SAFE_INTEGER => {
                writer::signed(out, number);
                Ok(())
            }
            _ => Err(Refusal::new(Reason::UnsafeInteger)),
        }
    }

    fn string(&mut self) -> Result<String, Refusal> {
        if self.peek() != Some(b'"') {
            return Err(malformed());
        }
        self.position += 1;
        let mut string = String::new();
        loop {
            let rest = self.text.get(self.position..).unwrap_or("");
            let end = rest.find(['"', '\\']).ok_or_else(malformed)?;
            let plain = rest.get(..end).unwrap_or("");
            if plain.bytes().any(|byte| byte < b' ') {
                return Err(malformed());
            }
            string.push_str(plain);
            self.position += end + 1;
            if rest.as_bytes().get(end) == Some(&b'"') {
                return Ok(string);
            }
            string.push(self.escape()?);
        }
    }

    /// The letter of an escape whose backslash is read.
    fn escape(&mut self) -> Result<char, Refusal> {
        let mark = self.peek().ok_or_else(malformed)?;
        self.position += 1;
        Ok(match mark {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => self.unicode_escape()?,
            _ => return Err(malformed()),
        })
    }

    fn unicode_escape(&mut self) -> Result<char, Refusal> {
        let lone = || Refusal::new(Reason::InvalidUnicode);
        let first = self.hexadecimal()?;
        if !(0xd800..0xe000).contains(&first) {
            return char::from_u32(first).ok_or_else(lone);
        }
        let rest = self.text.get(self.position..).unwrap_or("");
        if first >= 0xdc00 || !rest.starts_with("\\u") {
            return Err(lone());
        }
        self.position += 2;
        let second = self.hexadecimal()?;
        if !(0xdc00..0xe000).contains(&second) {
            return Err(lone());
        }
        char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00)).ok_or_else(lone)
    }

    fn hexadecimal(&mut self) -> Result<u32, Refusal> {
        let digits: &'a str = self
            .text
            .get(self.position..self.position + 4)
            .ok_or_else(malformed)?;
        self.position += 4;
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(malformed());
        }
        u32::from_str_radix(digits, 16).map_err(|_| malformed())
    }
}

fn is_numeric(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E')
}

/// Whether a key is a single `$` and something: a tag, known or not.
fn is_tag(key: &str) -> bool {
    key.starts_with('$') && !key.starts_with("$$")
}

/// A user's key: `$$` at the start stands for `$`.
fn unescaped(key: &str) -> Result<&str, Refusal> {
    if is_tag(key) {
        return Err(Refusal::new(Reason::UnknownTag));
    }
    Ok(if key.starts_with("$$") {
        key.get(1..).unwrap_or(key)
    } else {
        key
    })
}

fn scalar(out: &mut Vec<u8>, tag: &str, content: &str) -> Result<(), Refusal> {
    match tag {
        "$int" => integer(out, content)?,
        "$bytes" => {
            use base64::Engine;
            let data = base64::engine::general_purpose::STANDARD.decode(content);
            writer::bytes(out, &data.map_err(|_| invalid())?);
        }
        "$float" => writer::float(
            out,
            match content {
                "NaN" => f64::NAN,
                "Infinity" => f64::INFINITY,
                "-Infinity" => f64::NEG_INFINITY,
                "-0" => -0.0,
                _ => return Err(invalid()),
            },
        ),
        "$timestamp" => {
            let (seconds, nanoseconds) = super::instant::parse(content).ok_or_else(invalid)?;
            writer::timestamp(out, seconds, nanoseconds);
        }
        "$duration" => {
            let nanoseconds: i64 = whole_number(content)?.parse().map_err(|_| invalid())?;
            writer::extended(out, extension::DURATION, &nanoseconds.to_be_bytes());
        }
        "$decimal" if reader::is_decimal(content) => {
            writer::extended(out, extension::DECIMAL, content.as_bytes());
        }
        "$uuid" if content.len() == 36 => {
            let uuid = uuid::Uuid::try_parse(content).map_err(|_| invalid())?;
            writer::extended(out, extension::UUID, uuid.as_bytes());
        }
        "$decimal" | "$uuid" => return Err(invalid()),
        _ => return Err(Refusal::new(Reason::UnknownTag)),
    }
    Ok(())
}

/// `-?digits`, without the `+` and the spaces that a number parser may take.
fn whole_number(content: &str) -> Result<&str, Refusal> {
    let digits = content.strip_prefix('-').unwrap_or(content);
    let valid = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if valid { Ok(content) } else { Err(invalid()) }
}

fn integer(out: &mut Vec<u8>, content: &str) -> Result<(), Refusal> {
    let content = whole_number(content)?;
    if let Ok(number) = content.parse::<i64>() {
        writer::signed(out, number);
    } else if let Ok(number) = content.parse::<u64>() {
        writer::unsigned(out, number);
    } else {
        return Err(Refusal::new(Reason::IntegerOutOfRange));
    }
    Ok(())
}
