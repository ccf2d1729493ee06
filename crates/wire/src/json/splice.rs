//! Changing a document where it must be changed, and nowhere else.

use super::check::special;
use super::{Kind, Value};
use std::fmt;
use std::ops::Range;

/// Replacements of ranges of one document, in the order of their places.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Splice {
    edits: Vec<(Range<usize>, Vec<u8>)>,
}

/// Two replacements of the same bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overlap;

impl fmt::Display for Overlap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("two replacements of the same bytes")
    }
}

impl std::error::Error for Overlap {}

impl Splice {
    pub fn new() -> Splice {
        Splice::default()
    }

    /// Whether nothing is to be changed.
    pub fn is_empty(&self) -> bool {
        self.edits.is_empty()
    }

    /// Puts `bytes` in the place of a range; an empty range is an insertion, and stands behind those at its place.
    ///
    /// # Errors
    /// Part of the range is replaced already.
    pub fn replace(&mut self, range: Range<usize>, bytes: impl Into<Vec<u8>>) -> Result<(), Overlap> {
        let at = self
            .edits
            .partition_point(|(r, _)| (r.start, r.end) <= (range.start, range.end));
        let before = at.checked_sub(1).and_then(|i| self.edits.get(i));
        let clear = before.is_none_or(|(r, _)| r.end <= range.start && (r.is_empty() || *r != range))
            && self.edits.get(at).is_none_or(|(r, _)| range.end <= r.start);
        if !clear {
            return Err(Overlap);
        }
        self.edits.insert(at, (range, bytes.into()));
        Ok(())
    }

    /// Gives an object's member a value, which is written JSON: in its place, or as a new member in front.
    ///
    /// # Errors
    /// It is replaced already, or `object` is none.
    pub fn set(&mut self, object: &Value<'_>, name: &str, json: &str) -> Result<(), Overlap> {
        if object.kind() != Kind::Object {
            return Err(Overlap);
        }
        if let Some(value) = object.get(name) {
            return self.replace(value.range(), json);
        }
        let at = object.range().start + 1;
        let mut member = Vec::with_capacity(name.len() + json.len() + 4);
        let is_empty = object.members().next().is_none();
        if is_empty && self.edits.iter().any(|(r, _)| *r == (at..at)) {
            member.push(b',');
        }
        member.extend_from_slice(&quote(name));
        member.push(b':');
        member.extend_from_slice(json.as_bytes());
        if !is_empty {
            member.push(b',');
        }
        self.replace(at..at, member)
    }

    /// Where a part of the document stands in the one with everything replaced. What is replaced stands within it, or is all of it.
    pub fn moved(&self, part: Range<usize>) -> Range<usize> {
        let place = |at: usize| {
            let before = self.edits.iter().take_while(|(range, _)| range.end <= at);
            before.fold(at, |to, (range, bytes)| to + bytes.len() - range.len())
        };
        place(part.start)..place(part.end)
    }

    /// The document with everything replaced.
    pub fn apply(&self, doc: &[u8]) -> Vec<u8> {
        let grown: usize = self.edits.iter().map(|(_, bytes)| bytes.len()).sum();
        let mut out = Vec::with_capacity(doc.len() + grown);
        let mut at = 0;
        for (range, bytes) in &self.edits {
            out.extend_from_slice(doc.get(at..range.start).unwrap_or_default());
            out.extend_from_slice(bytes);
            at = range.end;
        }
        out.extend_from_slice(doc.get(at..).unwrap_or_default());
        out
    }
}

/// A text as a JSON string, with its quotes.
pub fn quote(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 2);
    quote_into(text, &mut out);
    out
}

/// The same, behind what is there.
pub fn quote_into(text: &str, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    let mut at = 0;
    out.push(b'"');
    loop {
        let next = special(bytes, at);
        out.extend_from_slice(&bytes[at..next]);
        let Some(byte) = bytes.get(next) else { break };
        escape(*byte, out);
        at = next + 1;
    }
    out.push(b'"');
}

fn escape(byte: u8, out: &mut Vec<u8>) {
    match byte {
        b'\n' => out.extend_from_slice(b"\\n"),
        b'\r' => out.extend_from_slice(b"\\r"),
        b'\t' => out.extend_from_slice(b"\\t"),
        0..0x20 => {
            let digit = |n: u8| b"0123456789abcdef"[usize::from(n & 15)];
            out.extend_from_slice(&[b'\\', b'u', b'0', b'0', digit(byte >> 4), digit(byte)]);
        }
        _ => out.extend_from_slice(&[b'\\', byte]),
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    #[test]
    fn members_are_set() {
        let check = |doc: &str, sets: &[(&str, &str)], want: &str| {
            let root = parse(doc.as_bytes()).unwrap();
            let mut splice = Splice::new();
            for (name, json) in sets {
                splice.set(&root, name, json).unwrap();
            }
            assert_eq!(String::from_utf8(splice.apply(doc.as_bytes())).unwrap(), want);
        };
        check(
            r#"{"a": 1 , "b":[2]}"#,
            &[("a", "\"x\"")],
            r#"{"a": "x" , "b":[2]}"#,
        );
        check(
            r#"{"a":1}"#,
            &[("b", "2"), ("a", "3"), ("c", "4")],
            r#"{"b":2,"c":4,"a":3}"#,
        );
        check("{ }", &[("b", "2"), ("c", "4")], r#"{"b":2,"c":4 }"#);
        check(r#"{"a":1}"#, &[], r#"{"a":1}"#);
    }

    #[test]
    fn nothing_is_replaced_twice() {
        let mut splice = Splice::new();
        splice.replace(4..6, "x").unwrap();
        splice.replace(0..2, "y").unwrap();
        splice.replace(6..6, "z").unwrap();
        for range in [4..6, 5..7, 3..5, 0..9, 1..1] {
            assert_eq!(splice.replace(range.clone(), "n"), Err(Overlap), "{range:?}");
        }
        splice.replace(2..4, "-").unwrap();
        assert_eq!(splice.apply(b"01234567"), b"y-xz67");
    }

    #[test]
    fn parts_move() {
        let doc = r#"{"a":[1],"b":{"c":"d"},"e":7}"#;
        let root = parse(doc.as_bytes()).unwrap();
        let [a, b, e] = ["a", "b", "e"].map(|name| root.get(name).unwrap());
        let mut splice = Splice::new();
        splice.set(&b, "c", "null").unwrap();
        splice.set(&b, "x", "[]").unwrap();
        let changed = splice.apply(doc.as_bytes());
        let check = |part: Range<usize>, want: &str| {
            assert_eq!(std::str::from_utf8(&changed[splice.moved(part)]).unwrap(), want);
        };
        check(a.range(), "[1]");
        check(b.range(), r#"{"x":[],"c":null}"#);
        check(e.range(), "7");
        check(root.range(), r#"{"a":[1],"b":{"x":[],"c":null},"e":7}"#);
    }

    #[test]
    fn quoted_text_reads_as_itself() {
        for text in ["", "a\"b\\c\n\r\t\u{1}\u{1f}é😀/", "\u{7f}"] {
            let doc = quote(text);
            assert_eq!(parse(&doc).unwrap().text().unwrap().to_str(), text);
        }
    }
}
