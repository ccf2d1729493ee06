//! The query as Go's `url.ParseQuery` reads it, without a map and without copies.
//!
//! Pairs are separated by `&`, and by `;` where the server has not encoded it. A pair with a broken escape is skipped.

use std::borrow::Cow;

use crate::path::hex_pair;

/// A key or a value, still encoded but sound.
#[derive(Clone, Copy)]
pub(crate) struct Piece<'a>(&'a [u8]);

impl<'a> Piece<'a> {
    fn new(raw: &'a [u8]) -> Option<Self> {
        let mut rest = raw;
        while let Some(at) = rest.iter().position(|b| *b == b'%') {
            hex_pair(*rest.get(at + 1)?, *rest.get(at + 2)?)?;
            rest = &rest[at + 3..];
        }
        Some(Self(raw))
    }

    fn bytes(self) -> impl Iterator<Item = u8> + use<'a> {
        let mut raw = self.0;
        std::iter::from_fn(move || {
            let (byte, used) = match raw {
                [] => return None,
                [b'+', ..] => (b' ', 1),
                [b'%', high, low, ..] => (hex_pair(*high, *low)?, 3),
                [byte, ..] => (*byte, 1),
            };
            raw = &raw[used..];
            Some(byte)
        })
    }

    pub(crate) fn is(self, decoded: &[u8]) -> bool {
        self.0.len() >= decoded.len() && self.bytes().eq(decoded.iter().copied())
    }

    /// The decoded bytes; copied only where something is encoded.
    pub(crate) fn decoded(self) -> Cow<'a, [u8]> {
        if self.0.iter().any(|b| matches!(b, b'%' | b'+')) {
            self.bytes().collect()
        } else {
            self.0.into()
        }
    }
}

pub(crate) fn pairs(query: &[u8]) -> impl Iterator<Item = (Piece<'_>, Piece<'_>)> {
    query
        .split(|b| matches!(b, b'&' | b';'))
        .filter(|pair| !pair.is_empty())
        .filter_map(|pair| {
            let equals = pair.iter().position(|b| *b == b'=');
            let (key, value) = match equals {
                Some(at) => (&pair[..at], &pair[at + 1..]),
                None => (pair, &pair[pair.len()..]),
            };
            Some((Piece::new(key)?, Piece::new(value)?))
        })
}

/// The values of `key`, in order.
pub(crate) fn values<'a>(query: &'a [u8], key: &[u8]) -> impl Iterator<Item = Piece<'a>> {
    pairs(query)
        .filter(move |(k, _)| k.is(key))
        .map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(query: &str, key: &str, expected: &[&str]) {
        let seen: Vec<_> = values(query.as_bytes(), key.as_bytes())
            .map(|v| String::from_utf8(v.decoded().into_owned()).unwrap())
            .collect();
        assert_eq!(seen, expected, "{query}");
    }

    #[test]
    fn values_of_a_key() {
        check("a=1", "a", &["1"]);
        check("b=2&a=1&a", "a", &["1", ""]);
        check("a=1;b=2;a=3", "a", &["1", "3"]);
        check("&&a&", "a", &[""]);
        check("k+y=a%20b&k%20y=a%2Bb", "k y", &["a b", "a+b"]);
        check("a=%zz&%zz=1&a=2&a=%1", "a", &["2"]);
        check("a=b=c", "a", &["b=c"]);
        check("A=1", "a", &[]);
        check("=1", "", &["1"]);
        check("", "", &[]);
    }
}
