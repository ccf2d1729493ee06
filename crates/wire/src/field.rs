//! Field lines into a header list (RFC 9112 §5): one pass that checks, copies and canonicalizes.

use crate::headers::{Headers, canonicalize, is_token};
use crate::reject::Reject;
use crate::scan::{find_below, name_word, word};

/// Reads field lines from `at` up to the empty line that ends them and gives the position after it; `None` when that
/// line is not there yet.
#[inline]
pub fn parse_fields(
    buf: &[u8],
    mut at: usize,
    headers: &mut Headers,
    max_fields: usize,
) -> Result<Option<usize>, Reject> {
    loop {
        match buf.get(at) {
            None => return Ok(None),
            Some(b'\r') => return Ok(line_end(buf, at)?.then_some(at + 2)),
            Some(_) => {}
        }
        if headers.len() >= max_fields {
            return Err(Reject::HeadFields);
        }
        match parse_field(buf, at, headers)? {
            Some(next) => at = next,
            None => return Ok(None),
        }
    }
}

/// Whether CRLF stands at `at`, where a CR is; `false` when the LF is still to come.
#[inline(always)]
pub fn line_end(buf: &[u8], at: usize) -> Result<bool, Reject> {
    match buf.get(at + 1) {
        Some(b'\n') => Ok(true),
        Some(_) => Err(Reject::LineEnd),
        None => Ok(false),
    }
}

#[inline(always)]
fn parse_field(buf: &[u8], at: usize, headers: &mut Headers) -> Result<Option<usize>, Reject> {
    let line = headers.text_mut().len();
    let Some(colon) = copy_name(buf, at, headers.text_mut())? else {
        return Ok(None);
    };
    let mut from = colon + 1;
    while matches!(buf.get(from), Some(b' ' | b'\t')) {
        from += 1;
    }
    let Some(cr) = value_end(buf, from)? else {
        return Ok(None);
    };
    let mut to = cr;
    while to > from && matches!(buf[to - 1], b' ' | b'\t') {
        to -= 1;
    }
    let text = headers.text_mut();
    // The common line is written as it stands.
    if to == cr && from == colon + 2 && buf[colon + 1] == b' ' {
        text.extend_from_slice(&buf[colon..cr + 2]);
    } else {
        text.extend_from_slice(b": ");
        text.extend_from_slice(&buf[from..to]);
        text.extend_from_slice(b"\r\n");
    }
    headers.end_parsed(line, colon - at, to - from);
    Ok(Some(cr + 2))
}

/// Writes the name at `at` to `text` in canonical spelling; gives the position of its colon.
#[inline(always)]
fn copy_name(buf: &[u8], at: usize, text: &mut Vec<u8>) -> Result<Option<usize>, Reject> {
    let start = text.len();
    let (mut i, mut upper) = (at, true);
    while let Some(part) = word(buf, i).and_then(|w| name_word(w, upper)) {
        text.extend_from_slice(&part.bytes.to_le_bytes());
        i += part.len;
        upper = part.upper;
        if part.len < 8 {
            let len = i - at;
            if len == 0 || len > u16::MAX as usize {
                return Err(Reject::FieldName);
            }
            text.truncate(start + len);
            return Ok(Some(i));
        }
    }
    text.truncate(start);
    copy_name_slowly(buf, at, text)
}

/// For names with other letters than usual, and at the end of the input.
#[cold]
fn copy_name_slowly(buf: &[u8], at: usize, text: &mut Vec<u8>) -> Result<Option<usize>, Reject> {
    let Some(end) = buf[at..].iter().position(|&b| !is_token(b)).map(|n| at + n) else {
        return Ok(None);
    };
    let name = &buf[at..end];
    match buf[end] {
        b':' if !name.is_empty() && name.len() <= u16::MAX as usize => {}
        b' ' | b'\t' if name.is_empty() => return Err(Reject::Folded),
        b'\n' | b'\r' | 0 => return Err(Reject::LineEnd),
        _ => return Err(Reject::FieldName),
    }
    if is_framing_alias(name) {
        return Err(Reject::FramingAlias);
    }
    let start = text.len();
    text.extend_from_slice(name);
    canonicalize(&mut text[start..]);
    Ok(Some(end))
}

/// `Transfer_Encoding`, `Content.Length`: software behind us may read these as the framing headers.
fn is_framing_alias(name: &[u8]) -> bool {
    let alias = |of: &[u8]| {
        name.len() == of.len()
            && name
                .iter()
                .zip(of)
                .all(|(&a, &b)| a.eq_ignore_ascii_case(&b) || (b == b'-' && matches!(a, b'_' | b'.')))
            && !name.eq_ignore_ascii_case(of)
    };
    alias(b"transfer-encoding") || alias(b"content-length")
}

/// Position of the CR that ends the value starting at `from`.
#[inline(always)]
fn value_end(buf: &[u8], from: usize) -> Result<Option<usize>, Reject> {
    let mut i = from;
    loop {
        i = find_below(buf, i, 0x20);
        match buf.get(i) {
            None => return Ok(None),
            Some(b'\r') => return Ok(line_end(buf, i)?.then_some(i)),
            Some(b'\t') => i += 1,
            Some(b'\n' | 0) => return Err(Reject::LineEnd),
            Some(_) => return Err(Reject::FieldValue),
        }
    }
}
