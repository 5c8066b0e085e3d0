//! Writing the `MessagePack` profile: the smallest form of everything.

/// Appends a map's head.
pub(crate) fn map(out: &mut Vec<u8>, count: usize) {
    container(out, count, 0x80, 0xde);
}

/// Appends a list's head.
pub(crate) fn list(out: &mut Vec<u8>, count: usize) {
    container(out, count, 0x90, 0xdc);
}

fn container(out: &mut Vec<u8>, count: usize, short: u8, wide: u8) {
    let digits = low_digits(count);
    match count {
        0..16 => out.push(short | digits[3]),
        16..0x1_0000 => {
            out.push(wide);
            out.extend_from_slice(&digits[2..]);
        }
        _ => {
            out.push(wide + 1);
            out.extend_from_slice(&digits);
        }
    }
}

/// A length as 32 bits: documents are far shorter than that allows.
fn low_digits(count: usize) -> [u8; 4] {
    u32::try_from(count).unwrap_or(u32::MAX).to_be_bytes()
}

/// Appends null.
pub(crate) fn nothing(out: &mut Vec<u8>) {
    out.push(0xc0);
}

/// Appends a boolean.
pub(crate) fn boolean(out: &mut Vec<u8>, value: bool) {
    out.push(if value { 0xc3 } else { 0xc2 });
}

/// Appends an integer that is not negative.
pub(crate) fn unsigned(out: &mut Vec<u8>, number: u64) {
    let digits = number.to_be_bytes();
    match number {
        0..0x80 => out.push(digits[7]),
        0x80..0x100 => out.extend([0xcc, digits[7]]),
        0x100..0x1_0000 => {
            out.push(0xcd);
            out.extend_from_slice(&digits[6..]);
        }
        0x1_0000..0x1_0000_0000 => {
            out.push(0xce);
            out.extend_from_slice(&digits[4..]);
        }
        _ => {
            out.push(0xcf);
            out.extend_from_slice(&digits);
        }
    }
}

/// Appends an integer.
pub(crate) fn signed(out: &mut Vec<u8>, number: i64) {
    if let Ok(number) = u64::try_from(number) {
        return unsigned(out, number);
    }
    let digits = number.to_be_bytes();
    match number {
        -32..0 => out.push(digits[7]),
        -0x80..-32 => out.extend([0xd0, digits[7]]),
        -0x8000..-0x80 => {
            out.push(0xd1);
            out.extend_from_slice(&digits[6..]);
        }
        -0x8000_0000..-0x8000 => {
            out.push(0xd2);
            out.extend_from_slice(&digits[4..]);
        }
        _ => {
            out.push(0xd3);
            out.extend_from_slice(&digits);
        }
    }
}

/// Appends a float; all NaN are one.
pub(crate) fn float(out: &mut Vec<u8>, number: f64) {
    let number = if number.is_nan() { f64::NAN } else { number };
    out.push(0xcb);
    out.extend_from_slice(&number.to_be_bytes());
}

/// Appends a string.
pub(crate) fn text(out: &mut Vec<u8>, text: &str) {
    if text.len() < 32 {
        out.push(0xa0 | low_digits(text.len())[3]);
    } else {
        sized(out, text.len(), 0xd9);
    }
    out.extend_from_slice(text.as_bytes());
}

/// Appends bytes.
pub(crate) fn bytes(out: &mut Vec<u8>, data: &[u8]) {
    sized(out, data.len(), 0xc4);
    out.extend_from_slice(data);
}

/// Appends an extension.
pub(crate) fn extended(out: &mut Vec<u8>, kind: i8, data: &[u8]) {
    match data.len() {
        1 => out.push(0xd4),
        2 => out.push(0xd5),
        4 => out.push(0xd6),
        8 => out.push(0xd7),
        16 => out.push(0xd8),
        size => sized(out, size, 0xc7),
    }
    out.push(kind.cast_unsigned());
    out.extend_from_slice(data);
}

/// A mark and an 8, 16 or 32 bit length.
fn sized(out: &mut Vec<u8>, size: usize, mark: u8) {
    let digits = low_digits(size);
    match size {
        0..0x100 => out.extend([mark, digits[3]]),
        0x100..0x1_0000 => {
            out.push(mark + 1);
            out.extend_from_slice(&digits[2..]);
        }
        _ => {
            out.push(mark + 2);
            out.extend_from_slice(&digits);
        }
    }
}

/// Appends a timestamp in the smallest of its three forms.
pub(crate) fn timestamp(out: &mut Vec<u8>, seconds: i64, nanoseconds: u32) {
    use super::extension::TIMESTAMP;
    match u64::try_from(seconds) {
        Ok(seconds) if nanoseconds == 0 && seconds < 1 << 32 => {
            extended(out, TIMESTAMP, &seconds.to_be_bytes()[4..]);
        }
        Ok(seconds) if seconds < 1 << 34 => {
            let packed = u64::from(nanoseconds) << 34 | seconds;
            extended(out, TIMESTAMP, &packed.to_be_bytes());
        }
        _ => {
            let mut data = [0; 12];
            data[..4].copy_from_slice(&nanoseconds.to_be_bytes());
            data[4..].copy_from_slice(&seconds.to_be_bytes());
            extended(out, TIMESTAMP, &data);
        }
    }
}
