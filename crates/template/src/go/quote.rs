//! Go's quoted text: `strconv.Quote` and `strconv.Unquote`.

use std::fmt::Write;

/// The text inside quotes without its escapes; nothing where Go sees a syntax error, or bytes that are no UTF-8.
pub(crate) fn unquote(text: &str) -> Option<String> {
    if !text.contains('\\') {
        return Some(text.to_owned());
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.extend_from_slice(&rest.as_bytes()[..at]);
        rest = escape(&rest[at + 1..], &mut out)?;
    }
    out.extend_from_slice(rest.as_bytes());
    String::from_utf8(out).ok()
}

/// One escape, without its backslash; returns what follows.
fn escape<'a>(text: &'a str, out: &mut Vec<u8>) -> Option<&'a str> {
    let c = text.chars().next()?;
    let after = &text[c.len_utf8()..];
    let byte = match c {
        'a' => 7,
        'b' => 8,
        'f' => 12,
        'n' => b'\n',
        'r' => b'\r',
        't' => b'\t',
        'v' => 11,
        '\\' | '"' => c as u8,
        'x' => return byte_of(after, 16, 2, out),
        '0'..='7' => return byte_of(text, 8, 3, out),
        'u' => return char_of(after, 4, out),
        'U' => return char_of(after, 8, out),
        _ => return None,
    };
    out.push(byte);
    Some(after)
}

fn byte_of<'a>(text: &'a str, radix: u32, digits: usize, out: &mut Vec<u8>) -> Option<&'a str> {
    let number = number_of(text, radix, digits)?;
    out.push(u8::try_from(number).ok()?);
    text.get(digits..)
}

fn char_of<'a>(text: &'a str, digits: usize, out: &mut Vec<u8>) -> Option<&'a str> {
    let c = char::from_u32(number_of(text, 16, digits)?)?;
    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    text.get(digits..)
}

fn number_of(text: &str, radix: u32, digits: usize) -> Option<u32> {
    let digits = text.get(..digits)?;
    if digits.starts_with('+') {
        return None;
    }
    u32::from_str_radix(digits, radix).ok()
}

/// The text in quotes of a Go program.
pub(crate) fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        push(c, '"', false, &mut out);
    }
    out.push('"');
    out
}

/// The text in quotes, with nothing but ASCII.
pub(crate) fn quote_ascii(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        push(c, '"', true, &mut out);
    }
    out.push('"');
    out
}

/// The character in quotes of a Go program.
pub(crate) fn quote_char(c: char) -> String {
    let mut out = String::from("'");
    push(c, '\'', false, &mut out);
    out.push('\'');
    out
}

fn push(c: char, quote: char, ascii: bool, out: &mut String) {
    let short = match c {
        '\x07' => 'a',
        '\x08' => 'b',
        '\x0c' => 'f',
        '\n' => 'n',
        '\r' => 'r',
        '\t' => 't',
        '\x0b' => 'v',
        '\\' => '\\',
        c if c == quote => quote,
        c if is_print(c) && (c.is_ascii() || !ascii) => return out.push(c),
        c => {
            let number = u32::from(c);
            let _ = match number {
                0..0x80 => write!(out, "\\x{number:02x}"),
                0x80..0x1_0000 => write!(out, "\\u{number:04x}"),
                _ => write!(out, "\\U{number:08x}"),
            };
            return;
        }
    };
    out.push('\\');
    out.push(short);
}

/// Go's `unicode.IsPrint`: what the standard library's `escape_debug` leaves as it is, and marks that combine.
pub(crate) fn is_print(c: char) -> bool {
    if c.is_ascii() {
        return (' '..='~').contains(&c);
    }
    !c.is_control()
        && !c.is_whitespace()
        && (c.is_alphanumeric() || c.escape_debug().count() == 1 || is_mark(c))
}

/// Marks of the blocks that are in use for combining.
fn is_mark(c: char) -> bool {
    matches!(u32::from(c), 0x300..=0x36F | 0x1AB0..=0x1AFF | 0x1DC0..=0x1DFF | 0x20D0..=0x20F0 | 0xFE00..=0xFE0F | 0xFE20..=0xFE2F)
}
