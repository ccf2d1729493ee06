//! JSON (RFC 8259) as bytes: a document is checked once, strictly, and then looked at where it lies. A
//! [`Value`] is a range of the document, so that what nobody changes stays as it was written; only [`tree`] makes a tree.

mod canonical;
mod check;
mod i_json;
mod name;
mod parts;
mod splice;
mod text;
mod tree;
mod walk;

use std::fmt;
use std::ops::Range;

pub use canonical::{canonical, canonical_without};
pub use name::alike;
pub use parts::{Parts, Wanted};
pub use splice::{Overlap, Splice, quote, quote_into};
pub use text::{Decoded, Text};
pub use tree::tree;
pub use walk::{Items, Members};

/// Arrays and objects within each other, at most.
pub const MAX_DEPTH: u32 = 128;

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Null,
    Bool,
    Number,
    String,
    Array,
    Object,
}

/// Why a text is not taken for JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Error {
    pub what: Fault,
    /// Where, in bytes from the beginning of the document.
    pub at: usize,
}

/// What is wrong with a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It ends too early.
    End,
    /// A byte that cannot stand there.
    Unexpected,
    /// Something follows the value.
    Trailing,
    /// A control character, or a bad escape, in a string.
    Text,
    /// It is no UTF-8.
    Encoding,
    /// Deeper than [`MAX_DEPTH`].
    Depth,
    /// An object has a name twice, or in two spellings that some readers take for one.
    Twice,
    /// A number that readers with doubles take for another.
    Number,
    /// Half of a surrogate pair: readers replace it, each by its own.
    Surrogate,
    /// It is larger than 4 GiB.
    Size,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Fault::End => "it ends too early",
            Fault::Unexpected => "unexpected character",
            Fault::Trailing => "something follows the value",
            Fault::Text => "bad string",
            Fault::Encoding => "it is not UTF-8",
            Fault::Depth => "nested too deeply",
            Fault::Twice => "a name is there twice",
            Fault::Number => "a number that is not the same to all readers; write it as a string",
            Fault::Surrogate => "half of a surrogate pair",
            Fault::Size => "it is larger than 4 GiB",
        })
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.what, self.at)
    }
}

impl std::error::Error for Error {}

/// Checks a document and gives its value.
///
/// Surrogates that stand alone (`\ud800`) are in the grammar and are taken; they read as U+FFFD.
///
/// # Errors
/// It is not one value by the grammar, not UTF-8, or too deep.
pub fn parse(doc: &[u8]) -> Result<Value<'_>, Error> {
    let range = check::document(doc, &mut ())?;
    Ok(Value::at(text_of(doc)?, range))
}

/// The same for who only looks at texts, and in one pass whether all readers find the same members: whoever judges what somebody else
/// reads would else look at one of two members with a name, and the other would be read.
///
/// # Errors
/// As [`parse`]. Within: an object has a name twice, or in two cases.
pub fn parse_names(doc: &[u8]) -> Result<(Value<'_>, Result<(), Error>), Error> {
    let text = text_of(doc)?;
    let mut alike = i_json::Alike::new(text, i_json::What::Names);
    let range = check::document(doc, &mut alike)?;
    Ok((Value::at(text, range), alike.verdict()))
}

/// As [`parse`], and in the same pass finds members: what [`Value::fields`] finds in one object, in several.
///
/// # Errors
/// As [`parse`]; a member that is looked for is there twice, or in another spelling; the document is larger than 4 GiB.
pub fn find<'j, const N: usize>(
    doc: &'j [u8],
    wanted: &'static [Wanted],
) -> Result<(Value<'j>, Parts<N>), Error> {
    let text = small(doc)?;
    let mut search = parts::Search::new(text, wanted);
    let range = check::document(doc, &mut search)?;
    Ok((Value::at(text, range), search.parts()?))
}

/// As [`find`], and in the same pass whether all readers take the same from it, however lenient: I-JSON (RFC 7493 §2), names also told
/// apart without their case.
///
/// # Errors
/// As [`parse`]; the document is larger than 4 GiB. Within, what was found first: an object with a name twice or in two cases, a number
/// that no double holds, half of a surrogate pair; or else a member that is looked for in another spelling.
pub fn find_alike<'j, const N: usize>(
    doc: &'j [u8],
    wanted: &'static [Wanted],
) -> Result<(Value<'j>, Result<Parts<N>, Error>), Error> {
    let text = small(doc)?;
    let alike = i_json::Alike::new(text, i_json::What::All);
    let mut both = (alike, parts::Search::new(text, wanted));
    let range = check::document(doc, &mut both)?;
    let (alike, search) = both;
    let parts = alike.verdict().and_then(|()| search.parts());
    Ok((Value::at(text, range), parts))
}

/// A text whose places are told in four bytes.
fn small(doc: &[u8]) -> Result<&str, Error> {
    match u32::try_from(doc.len()) {
        Ok(_) => text_of(doc),
        Err(_) => Err(Error {
            what: Fault::Size,
            at: doc.len(),
        }),
    }
}

fn text_of(doc: &[u8]) -> Result<&str, Error> {
    std::str::from_utf8(doc).map_err(|e| Error {
        what: Fault::Encoding,
        at: e.valid_up_to(),
    })
}

/// A value of a document that was checked.
#[derive(Clone)]
pub struct Value<'j> {
    doc: &'j str,
    range: Range<usize>,
}

impl<'j> Value<'j> {
    /// A value that was found before, at its range in a document that was checked.
    pub fn at(doc: &'j str, range: Range<usize>) -> Value<'j> {
        Value { doc, range }
    }

    pub fn kind(&self) -> Kind {
        match self.doc.as_bytes().get(self.range.start) {
            Some(b'{') => Kind::Object,
            Some(b'[') => Kind::Array,
            Some(b'"') => Kind::String,
            Some(b't' | b'f') => Kind::Bool,
            Some(b'n') | None => Kind::Null,
            Some(_) => Kind::Number,
        }
    }

    /// The document.
    pub fn doc(&self) -> &'j str {
        self.doc
    }

    /// Where it stands in the document; for a string with its quotes.
    pub fn range(&self) -> Range<usize> {
        self.range.clone()
    }

    /// As it is written.
    pub fn raw(&self) -> &'j str {
        self.doc.get(self.range.clone()).unwrap_or_default()
    }

    pub fn is_null(&self) -> bool {
        self.kind() == Kind::Null
    }

    pub fn as_bool(&self) -> Option<bool> {
        (self.kind() == Kind::Bool).then(|| self.raw() == "true")
    }

    /// A number that is a whole one and is written so.
    pub fn as_u64(&self) -> Option<u64> {
        self.raw().parse().ok()
    }

    /// A number, as near as a double comes.
    pub fn as_f64(&self) -> Option<f64> {
        let number = (self.kind() == Kind::Number).then(|| self.raw())?;
        number.parse().ok().filter(|n: &f64| n.is_finite())
    }

    /// The text of a string.
    pub fn text(&self) -> Option<Text<'j>> {
        (self.kind() == Kind::String).then(|| Text::new(self.doc, self.range.start + 1..self.range.end - 1))
    }

    /// The members of an object, in their order; none for another kind.
    pub fn members(&self) -> Members<'j> {
        Members::new(self)
    }

    /// The items of an array, in their order; none for another kind.
    pub fn items(&self) -> Items<'j> {
        Items::new(self)
    }

    /// The members of an object with these names, in one pass.
    ///
    /// # Errors
    /// One of them is there twice, or in another spelling that lenient readers take for it (`Model`, `\u006dodel` is the
    /// same name): the server behind could then read another value than the one looked at.
    pub fn fields<const N: usize>(&self, names: [&str; N]) -> Result<[Option<Value<'j>>; N], Error> {
        let mut found = [const { None }; N];
        for (name, value) in self.members() {
            let Some(i) = name::position(&name, names.iter().copied()) else {
                continue;
            };
            if found[i].is_some() || !name.is(names[i]) {
                return Err(Error {
                    what: Fault::Twice,
                    at: name.range().start,
                });
            }
            found[i] = Some(value);
        }
        Ok(found)
    }

    /// The first member of this name. What decides something is read with [`Value::fields`].
    pub fn get(&self, name: &str) -> Option<Value<'j>> {
        self.members().find(|(n, _)| n.is(name)).map(|(_, value)| value)
    }
}

impl fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} at {:?}", self.kind(), self.range)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_where_they_stand() {
        let doc = br#" {"model": "gpt", "n":2, "list":[1, {"a":null}, "x"], "flag":true} "#;
        let root = parse(doc).unwrap();
        assert_eq!((root.kind(), root.range()), (Kind::Object, 1..doc.len() - 1));
        let names: Vec<_> = root
            .members()
            .map(|(n, v)| (n.to_str().into_owned(), v.kind()))
            .collect();
        let want = [
            ("model", Kind::String),
            ("n", Kind::Number),
            ("list", Kind::Array),
            ("flag", Kind::Bool),
        ];
        assert_eq!(names, want.map(|(n, k)| (n.to_owned(), k)));
        let list: Vec<_> = root.get("list").unwrap().items().map(|v| v.raw()).collect();
        assert_eq!(list, ["1", r#"{"a":null}"#, r#""x""#]);
        assert_eq!(root.get("n").unwrap().as_u64(), Some(2));
        assert_eq!(root.get("flag").unwrap().as_bool(), Some(true));
        assert_eq!(root.get("model").unwrap().text().unwrap().to_str(), "gpt");
        assert!(root.get("none").is_none() && root.get("n").unwrap().text().is_none());
    }

    #[test]
    fn a_name_that_decides_is_there_once() {
        let check = |doc: &str, want: Result<Option<&str>, Fault>| {
            let root = parse(doc.as_bytes()).unwrap();
            let got = root
                .fields(["model"])
                .map(|[v]| v.map(|v| v.raw()))
                .map_err(|e| e.what);
            assert_eq!(got, want, "{doc}");
        };
        check(r#"{"x":1,"x":2,"model":3}"#, Ok(Some("3")));
        check(r#"{}"#, Ok(None));
        check(r#"{"\u006dodel":3}"#, Ok(Some("3")));
        for bad in [
            r#"{"model":1,"model":2}"#,
            r#"{"model":1,"\u006dodel":2}"#,
            r#"{"model":1,"Model":2}"#,
            r#"{"MODEL":2}"#,
        ] {
            check(bad, Err(Fault::Twice));
        }
        let root = parse(r#"{"meſſages":1}"#.as_bytes()).unwrap();
        assert!(
            root.fields(["messages"]).is_err(),
            "a long s is an s to some readers"
        );
    }
}
