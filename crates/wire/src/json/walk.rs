//! Walking over members and items of a checked document, past what nobody asks for.

use super::check::{past_space, special};
use super::{Kind, Text, Value};

/// The members of an object: name and value.
pub struct Members<'j> {
    doc: &'j str,
    /// Where the next name may begin.
    at: usize,
}

/// The items of an array.
pub struct Items<'j> {
    doc: &'j str,
    at: usize,
}

impl<'j> Members<'j> {
    pub(super) fn new(value: &Value<'j>) -> Members<'j> {
        Members {
            doc: value.doc,
            at: first(value, Kind::Object),
        }
    }
}

impl<'j> Iterator for Members<'j> {
    type Item = (Text<'j>, Value<'j>);

    fn next(&mut self) -> Option<Self::Item> {
        let doc = self.doc.as_bytes();
        let start = past_space(doc, self.at);
        if doc.get(start) != Some(&b'"') {
            return None;
        }
        let name = Text::new(self.doc, start + 1..past_string(doc, start) - 1);
        let colon = past_space(doc, name.range().end + 1);
        let value = value_at(self.doc, past_space(doc, colon + 1));
        self.at = past_comma(doc, value.range.end);
        Some((name, value))
    }
}

impl<'j> Items<'j> {
    pub(super) fn new(value: &Value<'j>) -> Items<'j> {
        Items {
            doc: value.doc,
            at: first(value, Kind::Array),
        }
    }
}

impl<'j> Iterator for Items<'j> {
    type Item = Value<'j>;

    fn next(&mut self) -> Option<Value<'j>> {
        let doc = self.doc.as_bytes();
        let start = past_space(doc, self.at);
        if matches!(doc.get(start), None | Some(b']')) {
            return None;
        }
        let value = value_at(self.doc, start);
        self.at = past_comma(doc, value.range.end);
        Some(value)
    }
}

/// Behind the opening bracket; behind the document where the value is of another kind.
fn first(value: &Value<'_>, kind: Kind) -> usize {
    match value.kind() == kind {
        true => value.range.start + 1,
        false => value.doc.len(),
    }
}

fn value_at(doc: &str, start: usize) -> Value<'_> {
    Value {
        doc,
        range: start..past_value(doc.as_bytes(), start),
    }
}

/// Behind a comma; at a closing bracket otherwise, where the walk ends.
fn past_comma(doc: &[u8], at: usize) -> usize {
    let at = past_space(doc, at);
    at + usize::from(doc.get(at) == Some(&b','))
}

fn past_value(doc: &[u8], start: usize) -> usize {
    match doc.get(start) {
        Some(b'"') => past_string(doc, start),
        Some(b'{' | b'[') => past_nested(doc, start),
        _ => {
            let rest = doc.get(start..).unwrap_or_default();
            let ends = |b: &u8| matches!(b, b',' | b']' | b'}' | b' ' | b'\n' | b'\r' | b'\t');
            start + rest.iter().position(ends).unwrap_or(rest.len())
        }
    }
}

pub(super) fn past_string(doc: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    loop {
        at = special(doc, at);
        match doc.get(at) {
            Some(b'\\') => at += 2,
            Some(_) => return at + 1,
            None => return doc.len(),
        }
    }
}

fn past_nested(doc: &[u8], start: usize) -> usize {
    let (mut at, mut depth) = (start, 0u32);
    while let Some(byte) = doc.get(at) {
        match byte {
            b'"' => at = past_string(doc, at),
            b'{' | b'[' => {
                depth += 1;
                at += 1;
            }
            b'}' | b']' => {
                depth -= 1;
                at += 1;
                if depth == 0 {
                    break;
                }
            }
            _ => at += 1,
        }
    }
    at
}
