//! What every reader takes for the same (I-JSON, RFC 7493): names that are there once, numbers that a double holds, whole
//! characters. Whoever decides by a document that somebody else acts on reads no other.

use super::check::Watch;
use super::text::Text;
use super::{Error, Fault, name};
use std::borrow::Cow;
use std::ops::Range;

/// Digits that tell any two doubles apart; a number with more is rounded by one reader and not by another.
const MAX_DIGITS: usize = 17;
/// The last whole number up to which doubles have them all.
const MAX_WHOLE: i64 = (1 << 53) - 1;

/// What is looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// Names, numbers and characters.
    All,
    Names,
}

/// Looks while the grammar of a document is checked.
pub(super) struct Alike<'j> {
    doc: &'j str,
    what: What,
    names: Names<'j>,
    /// What was found first.
    found: Option<Error>,
}

impl<'j> Alike<'j> {
    pub(super) fn new(doc: &'j str, what: What) -> Alike<'j> {
        Alike {
            doc,
            what,
            names: Names::new(),
            found: None,
        }
    }

    /// Whether nothing was found.
    ///
    /// # Errors
    /// What not all readers take for the same.
    pub(super) fn verdict(self) -> Result<(), Error> {
        self.found.map_or(Ok(()), Err)
    }

    #[cold]
    fn find(&mut self, what: Fault, at: usize) {
        self.found.get_or_insert(Error { what, at });
    }
}

impl Watch for Alike<'_> {
    fn open(&mut self, object: bool) {
        self.names.open(object);
    }

    fn close(&mut self) {
        if let Some(at) = self.names.close() {
            self.find(Fault::Twice, at);
        }
    }

    fn name(&mut self, at: Range<usize>, has_escapes: bool) {
        let start = at.start;
        let text = Text::at(self.doc, at);
        self.names.all.push((name::folded(&text, has_escapes), start));
    }

    fn string(&mut self, at: Range<usize>, has_escapes: bool) {
        // Halves of pairs can only be written as escapes.
        if has_escapes && self.what == What::All {
            let start = at.start;
            if has_half(self.doc.get(at).unwrap_or_default()) {
                self.find(Fault::Surrogate, start);
            }
        }
    }

    fn number(&mut self, at: Range<usize>) {
        if self.what == What::All {
            let start = at.start;
            if !is_same_to_all(self.doc.get(at).unwrap_or_default()) {
                self.find(Fault::Number, start);
            }
        }
    }
}

/// The names of all open objects, innermost last.
struct Names<'j> {
    /// In one spelling, and where they stand.
    all: Vec<(Cow<'j, str>, usize)>,
    /// For each open object where its names begin; `None` for an array.
    open: Vec<Option<usize>>,
}

impl Names<'_> {
    /// With room for as many as most messages have.
    fn new() -> Self {
        Names {
            all: Vec::with_capacity(16),
            open: Vec::with_capacity(8),
        }
    }

    fn open(&mut self, object: bool) {
        self.open.push(object.then_some(self.all.len()));
    }

    /// An object or an array ends; where a name stands that the object has twice.
    fn close(&mut self) -> Option<usize> {
        let start = self.open.pop()??;
        let own = self.all.get_mut(start..).unwrap_or_default();
        if own.len() > 1 {
            own.sort_unstable();
        }
        let twice = own.windows(2).find(|pair| pair[0].0 == pair[1].0);
        let twice = twice.map(|pair| pair[1].1);
        self.all.truncate(start);
        twice
    }
}

fn is_same_to_all(number: &str) -> bool {
    // Most are short and whole.
    if number.len() <= 15 && number.bytes().all(|b| b.is_ascii_digit()) {
        return true;
    }
    let mantissa = number.split(['e', 'E']).next().unwrap_or_default();
    let digits = mantissa.bytes().filter(u8::is_ascii_digit);
    let is_zero = digits.clone().all(|d| d == b'0');
    let leading = digits.clone().take_while(|d| *d == b'0').count();
    let trailing = digits.clone().rev().take_while(|d| *d == b'0').count();
    if !is_zero && digits.count() - leading - trailing > MAX_DIGITS {
        return false;
    }
    if number.bytes().all(|b| b.is_ascii_digit() || b == b'-') {
        let whole = number.parse::<i64>();
        return whole.is_ok_and(|n| (-MAX_WHOLE..=MAX_WHOLE).contains(&n));
    }
    let double = number.parse::<f64>();
    double.is_ok_and(|n| n.is_finite() && (n != 0.0 || is_zero))
}

fn has_half(raw: &str) -> bool {
    let mut rest = raw;
    let mut high = false;
    while let Some(at) = rest.find('\\') {
        let escape = rest.get(at..).unwrap_or_default();
        let unit = escape.strip_prefix("\\u").and_then(|e| e.get(..4));
        let unit = unit.and_then(|hex| u16::from_str_radix(hex, 16).ok());
        let follows = high && at == 0;
        match unit {
            Some(0xdc00..=0xdfff) if follows => high = false,
            Some(0xdc00..=0xdfff) => return true,
            _ if high => return true,
            Some(0xd800..=0xdbff) => high = true,
            _ => {}
        }
        rest = escape
            .get(if unit.is_some() { 6 } else { 2 }..)
            .unwrap_or_default();
    }
    high
}

#[cfg(test)]
mod tests {
    use super::super::{find_alike, parse_names};
    use super::*;

    #[track_caller]
    fn check(doc: &str, want: Result<(), (Fault, usize)>) {
        let (_, verdict) = find_alike::<0>(doc.as_bytes(), &[]).expect("JSON");
        assert_eq!(verdict.map(drop).map_err(|e| (e.what, e.at)), want, "{doc}");
    }

    #[test]
    fn names_are_there_once_at_any_depth() {
        check(
            r#" {"a":[{"b":1,"c":{}},{"b":2}],"b":{"a":"a","x":["a","a"]}} "#,
            Ok(()),
        );
        check(r#"{"a":1,"b":{"c":[{"d":1,"d":2}]}}"#, Err((Fault::Twice, 25)));
        check(r#"{"a":1,"\u0061":2}"#, Err((Fault::Twice, 8)));
        check(r#"{"amount":1,"Amount":2}"#, Err((Fault::Twice, 13)));
        check(r#"{"s":1,"ſ":2}"#, Err((Fault::Twice, 8)));
        check(
            r#"{"a":1,"b":{"a":2},"c":[{"a":3}],"a":4}"#,
            Err((Fault::Twice, 34)),
        );
        check(r#"{"x":"{\"a\":1,\"a\":2}"}"#, Ok(()));
    }

    /// Who only reads texts can do with half a pair, and with any number.
    #[test]
    fn names_are_checked_by_themselves() {
        let check = |doc: &str, want: Result<(), (Fault, usize)>| {
            let (_, verdict) = parse_names(doc.as_bytes()).expect("JSON");
            assert_eq!(verdict.map_err(|e| (e.what, e.at)), want, "{doc}");
        };
        check(r#"{"a":"\ud83d","b":[-1e999,{"c":"a"}],"c":1}"#, Ok(()));
        check(r#"{"a":1e999,"b":{"c":"\ud83d","C":2}}"#, Err((Fault::Twice, 30)));
    }

    #[test]
    fn numbers_are_the_same_to_all() {
        for good in [
            "0",
            "-0",
            "9007199254740991",
            "-9007199254740991",
            "0.1",
            "1e20",
            "1.5E-7",
            "0.30000000000000004",
            "100.000000000000000000000",
            "0e999",
        ] {
            check(good, Ok(()));
        }
        for bad in [
            "9007199254740992",
            "-9007199254740993",
            "123456789012345678901234567890",
            "1e309",
            "-1e999",
            "1e-400",
            "100.00000000000000001",
        ] {
            check(bad, Err((Fault::Number, 0)));
        }
        check(r#"{"a":[1,{"b":1e400}]}"#, Err((Fault::Number, 13)));
    }

    #[test]
    fn characters_are_whole() {
        check(r#""\ud83d\ude00 \ufffd \\ud800""#, Ok(()));
        for bad in [
            r#""\ud800""#,
            r#""\ude00""#,
            r#""\ud800x\udc00""#,
            r#""\ud800\n\udc00""#,
            r#""\ud800\ud800\udc00""#,
        ] {
            check(bad, Err((Fault::Surrogate, 1)));
        }
    }
}
