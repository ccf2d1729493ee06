//! The request target: an escaped path and a query, in one string.
//!
//! There is one representation, the escaped one. It is normalised once, when the request enters; the same bytes are
//! matched, authorised, logged and forwarded. What needs decoded text asks for it and never writes offsets of the decoded
//! text back into the escaped one.

use std::borrow::Cow;
use std::fmt;

/// Path and query of a request, escaped, ASCII.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Target {
    text: String,
    query_at: Option<u32>,
    /// The path is nothing at all; `/` stands in the text for it.
    bare: bool,
}

impl Target {
    /// From an origin-form target (`/path?query`). Bytes that may not stand in one are escaped.
    pub fn new(text: &str) -> Target {
        let text = escape_invalid(text).into_owned();
        let query_at = text.find('?').map(|at| at as u32);
        Target {
            text,
            query_at,
            bare: false,
        }
    }

    /// From a path without query.
    pub fn from_path(path: &str) -> Target {
        let mut target = Target::default();
        target.set_path(path);
        target
    }

    /// Path and query as they go on the wire.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The escaped path.
    pub fn path(&self) -> &str {
        match self.query_at {
            Some(at) => &self.text[..at as usize],
            None => &self.text,
        }
    }

    /// The raw query without `?`; an empty one (`/a?`) is `Some("")`.
    pub fn query(&self) -> Option<&str> {
        self.query_at.map(|at| &self.text[at as usize + 1..])
    }

    /// The path with every `%xx` decoded; may hold any bytes.
    pub fn decoded_path(&self) -> Cow<'_, [u8]> {
        decode(self.path())
    }

    /// Whether the path is nothing at all: what is left when a prefix was the whole path. It is matched and sent as `/`, but
    /// what is put in front of it gets no slash behind.
    pub fn is_bare(&self) -> bool {
        self.bare
    }

    /// Replaces the first `len` bytes of the path by `with`, which is escaped already, in place. The path stays one that
    /// starts with a slash; of nothing at all, `/` is left ([`Target::is_bare`]).
    pub fn replace_prefix(&mut self, len: usize, with: &str) {
        let path_end = self.path().len();
        let len = if self.bare { path_end } else { len.min(path_end) };
        if !self.text.is_char_boundary(len) {
            return;
        }
        self.text.replace_range(..len, with);
        let mut path_len = path_end - len + with.len();
        self.bare = path_len == 0;
        if !self.text[..path_len].starts_with('/') {
            self.text.insert(0, '/');
            path_len += 1;
        }
        self.query_at = self.query_at.map(|_| path_len as u32);
    }

    /// Replaces the path by an escaped one; `?` and `#` in it are escaped, so that it cannot become a query. A missing leading
    /// slash is added.
    pub fn set_path(&mut self, path: &str) {
        let query = self.query().map(str::to_owned);
        let path = escape_invalid(path);
        self.text.clear();
        self.bare = path.is_empty();
        if !path.starts_with('/') {
            self.text.push('/');
        }
        for c in path.chars() {
            match c {
                '?' => self.text.push_str("%3F"),
                c => self.text.push(c),
            }
        }
        self.query_at = None;
        self.set_query(query.as_deref());
    }

    /// Replaces the path by decoded bytes, escaping what has to be.
    pub fn set_decoded_path(&mut self, path: &[u8]) {
        self.set_path(&escape_path(path));
    }

    /// Replaces the query; `None` removes the `?` as well.
    pub fn set_query(&mut self, query: Option<&str>) {
        if let Some(at) = self.query_at.take() {
            self.text.truncate(at as usize);
        }
        if let Some(query) = query {
            self.query_at = Some(self.text.len() as u32);
            self.text.push('?');
            self.text.push_str(&escape_invalid(query));
        }
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

const HEX: &[u8; 16] = b"0123456789ABCDEF";

fn push_escaped(out: &mut String, b: u8) {
    out.push('%');
    out.push(HEX[(b >> 4) as usize] as char);
    out.push(HEX[(b & 15) as usize] as char);
}

/// Escapes the bytes that may not stand in a target at all: controls, space, quotes, angle brackets, `\`, `^`, `` ` ``,
/// `{|}`, and everything that is not ASCII.
pub fn escape_invalid(text: &str) -> Cow<'_, str> {
    let bad = |b: u8| {
        b <= b' '
            || b >= 0x7f
            || matches!(
                b,
                b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}' | b'#'
            )
    };
    if !text.bytes().any(bad) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for b in text.bytes() {
        if bad(b) {
            push_escaped(&mut out, b)
        } else {
            out.push(b as char)
        }
    }
    Cow::Owned(out)
}

/// Escapes decoded path bytes as Go's `url.URL.EscapedPath` does: unreserved characters, `$&+,/:;=@` and `!'()*[]` stay.
pub fn escape_path(path: &[u8]) -> String {
    let mut out = String::with_capacity(path.len() + 8);
    for &b in path {
        let stays = b.is_ascii_alphanumeric() || b"-_.~$&+,/:;=@!'()*[]".contains(&b);
        if stays {
            out.push(b as char)
        } else {
            push_escaped(&mut out, b)
        }
    }
    out
}

/// Escapes all but unreserved characters (RFC 3986 §2.3): a text as one segment of a path, as a name or value of a query.
pub fn escape_component(text: &str) -> String {
    let is_unreserved = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~');
    if text.bytes().all(is_unreserved) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len() + 8);
    for b in text.bytes() {
        if is_unreserved(b) {
            out.push(b as char)
        } else {
            push_escaped(&mut out, b)
        }
    }
    out
}

/// Decodes every `%xx`; a `%` that starts no valid escape stays.
pub fn decode(text: &str) -> Cow<'_, [u8]> {
    let bytes = text.as_bytes();
    if !bytes.contains(&b'%') {
        return Cow::Borrowed(bytes);
    }
    let hex = |b: Option<&u8>| b.and_then(|b| (*b as char).to_digit(16));
    let mut out = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while i < bytes.len() {
        if bytes[i] == b'%'
            && let (Some(hi), Some(lo)) = (hex(bytes.get(i + 1)), hex(bytes.get(i + 2)))
        {
            out.push((hi * 16 + lo) as u8);
            i += 3;
        } else {
            out.push(bytes[i]);
            i += 1;
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts() {
        let t = Target::new("/a%2Fb?x=1?y");
        assert_eq!((t.path(), t.query()), ("/a%2Fb", Some("x=1?y")));
        assert_eq!(&*t.decoded_path(), b"/a/b");
        assert_eq!(Target::new("/a?").query(), Some(""));
        assert_eq!(Target::new("/a").query(), None);
    }

    #[test]
    fn a_new_path_never_becomes_a_query() {
        let mut t = Target::new("/a?q=1");
        t.set_path("/b?c#d é");
        assert_eq!(t.as_str(), "/b%3Fc%23d%20%C3%A9?q=1");
        t.set_query(None);
        assert_eq!(t.as_str(), "/b%3Fc%23d%20%C3%A9");
        t.set_decoded_path(b"/x y%");
        assert_eq!(t.as_str(), "/x%20y%25");
    }

    #[test]
    fn prefixes_are_replaced_in_place() {
        let check = |text: &str, len: usize, with: &str, want: &str, bare: bool| {
            let mut t = Target::new(text);
            t.replace_prefix(len, with);
            assert_eq!((t.as_str(), t.is_bare()), (want, bare), "{text} {len} {with}");
            assert_eq!(t.query(), Target::new(text).query(), "{text} {len} {with}");
        };
        check("/a/b?q=/", 2, "", "/b?q=/", false);
        check("/a/b?q", 0, "/p", "/p/a/b?q", false);
        check("/ab?q", 2, "", "/b?q", false);
        check("/a?q", 2, "", "/?q", true);
        check("/a", 9, "", "/", true);
        check("/a?", 2, "/", "/?", false);
    }

    #[test]
    fn a_bare_path_is_nothing_to_what_comes_in_front() {
        let mut t = Target::new("/a?q");
        t.replace_prefix(2, "");
        t.replace_prefix(0, "/b");
        assert_eq!((t.as_str(), t.path(), t.is_bare()), ("/b?q", "/b", false));
    }
}
