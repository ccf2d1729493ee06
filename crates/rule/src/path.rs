//! The routing path: what path matchers compare.

use std::borrow::Cow;

/// A percent sign without two hexadecimal digits: the request is answered 400 before any rule is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid percent-encoding at byte `{at}` of the path")]
pub struct BadPath {
    pub at: usize,
}

/// Decodes the escaped path of a request, but leaves reserved characters (RFC 3986 §2.2) and `%` encoded, in upper case:
/// `/a%20b%2fc` is `/a b%2Fc`. Borrows where nothing changes.
///
/// # Errors
/// A percent sign that two hexadecimal digits do not follow.
pub fn routing_path(escaped: &[u8]) -> Result<Cow<'_, [u8]>, BadPath> {
    let Some(first) = escaped.iter().position(|b| *b == b'%') else {
        return Ok(escaped.into());
    };
    let mut out = Vec::with_capacity(escaped.len());
    out.extend_from_slice(&escaped[..first]);
    let mut at = first;
    while let Some(&byte) = escaped.get(at) {
        if byte != b'%' {
            out.push(byte);
            at += 1;
            continue;
        }
        let digits = escaped.get(at + 1..at + 3).ok_or(BadPath { at })?;
        let value = hex_pair(digits[0], digits[1]).ok_or(BadPath { at })?;
        if is_reserved(value) {
            out.extend([
                b'%',
                digits[0].to_ascii_uppercase(),
                digits[1].to_ascii_uppercase(),
            ]);
        } else {
            out.push(value);
        }
        at += 3;
    }
    Ok(out.into())
}

fn is_reserved(byte: u8) -> bool {
    b":/?#[]@!$&'()*+,;=%".contains(&byte)
}

pub(crate) fn hex_pair(high: u8, low: u8) -> Option<u8> {
    let digit = |b: u8| char::from(b).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(escaped: &[u8], expected: Result<&[u8], usize>) {
        let seen = routing_path(escaped);
        assert_eq!(seen.as_deref(), expected.map_err(|at| BadPath { at }).as_deref());
    }

    #[test]
    fn reserved_characters_stay_encoded() {
        check(b"/p", Ok(b"/p"));
        check(b"/foo%20bar", Ok(b"/foo bar"));
        check(b"/%70%2e", Ok(b"/p."));
        check(b"/a%2fb%2Fc", Ok(b"/a%2Fb%2Fc"));
        check(b"/%7Bid%7D", Ok(b"/{id}"));
        check(b"/100%25", Ok(b"/100%25"));
        check(b"/caf%C3%A9", Ok("/caf\u{e9}".as_bytes()));
        check(b"/%ff", Ok(b"/\xff"));
        check(
            b"/%3a%3F%23%5b%5D%40%21%24%26%27%28%29%2a%2B%2c%3b%3D",
            Ok(b"/%3A%3F%23%5B%5D%40%21%24%26%27%28%29%2A%2B%2C%3B%3D"),
        );
        check(b"/a:b", Ok(b"/a:b"));
    }

    #[test]
    fn broken_encoding() {
        check(b"/%", Err(1));
        check(b"/%2", Err(1));
        check(b"/a%20%zz", Err(5));
        check(b"/%+1", Err(1));
    }
}
