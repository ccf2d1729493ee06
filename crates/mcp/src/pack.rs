//! Texts one behind the other, each with its length: how what is sealed is written.

/// Puts `part` behind what is written.
pub fn put(out: &mut Vec<u8>, part: &[u8]) {
    // Nothing that is written here comes near four gigabytes.
    let len = u32::try_from(part.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&len.to_be_bytes());
    out.extend_from_slice(part);
}

/// What is left to be read.
pub struct Parts<'a>(pub &'a [u8]);

impl<'a> Parts<'a> {
    /// The next part; `None` at the end, and where nothing whole follows.
    pub fn next(&mut self) -> Option<&'a [u8]> {
        let (len, rest) = self.0.split_at_checked(4)?;
        let len = u32::from_be_bytes(len.try_into().ok()?);
        let (part, rest) = rest.split_at_checked(len as usize)?;
        self.0 = rest;
        Some(part)
    }

    /// The next part as text.
    pub fn text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.next()?).ok()
    }

    /// The next part, if it has this length.
    pub fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.next()?.try_into().ok()
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_come_back() {
        let mut out = Vec::new();
        for part in [&b"ab"[..], b"", &[0xff], b"1234"] {
            put(&mut out, part);
        }
        let mut parts = Parts(&out);
        assert_eq!((parts.text(), parts.next()), (Some("ab"), Some(&b""[..])));
        assert_eq!((parts.text(), parts.array::<4>()), (None, Some(*b"1234")));
        assert!(parts.is_empty() && parts.next().is_none());
        for cut in 0..out.len() {
            let mut parts = Parts(&out[..cut]);
            let whole = std::iter::from_fn(|| parts.next()).count();
            assert!(whole < 4, "{cut}");
        }
    }
}
