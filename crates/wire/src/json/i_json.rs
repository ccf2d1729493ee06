//! What every reader takes for the same (I-JSON, RFC 7493): names that are there once, numbers that a double holds, whole
//! characters. Whoever decides by a document that somebody else acts on reads no other.

use super::check::past_space;
use super::text::Text;
use super::walk::past_string;
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

/// Looks once over a value of a document whose grammar was checked.
pub(super) fn check(doc: &str, range: Range<usize>, what: What) -> Result<(), Error> {
    let bytes = doc.as_bytes();
    let mut names = Names::default();
    let mut at = range.start;
    while at < range.end {
        match bytes.get(at) {
            Some(b'"') => {
                let end = past_string(bytes, at);
                let text = Text::at(doc, at + 1..end - 1);
                if what == What::All {
                    whole_characters(&text)?;
                }
                names.see(text);
                at = end;
                continue;
            }
            Some(b'{') => names.open(true),
            Some(b'[') => names.open(false),
            Some(b'}' | b']') => names.close()?,
            Some(b',') => names.next(),
            Some(b'-' | b'0'..=b'9') if what == What::All => {
                let end = past_number(bytes, at);
                if !is_same_to_all(doc.get(at..end).unwrap_or_default()) {
                    return Err(Error {
                        what: Fault::Number,
                        at,
                    });
                }
                at = end;
                continue;
            }
            _ => {}
        }
        at = past_space(bytes, at + 1);
    }
    Ok(())
}

/// The names of all open objects, innermost last.
#[derive(Default)]
struct Names<'j> {
    /// In one spelling, and where they stand.
    all: Vec<(Cow<'j, str>, usize)>,
    /// For each open object where its names begin; `None` for an array.
    open: Vec<Option<usize>>,
    /// The next string is a name.
    awaited: bool,
}

impl<'j> Names<'j> {
    fn open(&mut self, object: bool) {
        self.open.push(object.then_some(self.all.len()));
        self.awaited = object;
    }

    fn next(&mut self) {
        self.awaited = matches!(self.open.last(), Some(Some(_)));
    }

    fn see(&mut self, text: Text<'j>) {
        if std::mem::take(&mut self.awaited) {
            self.all.push((name::folded(&text), text.range().start));
        }
    }

    fn close(&mut self) -> Result<(), Error> {
        self.awaited = false;
        let Some(Some(start)) = self.open.pop() else {
            return Ok(());
        };
        let own = self.all.get_mut(start..).unwrap_or_default();
        own.sort_unstable();
        let twice = own.windows(2).find(|pair| pair[0].0 == pair[1].0);
        if let Some(pair) = twice {
            return Err(Error {
                what: Fault::Twice,
                at: pair[1].1,
            });
        }
        self.all.truncate(start);
        Ok(())
    }
}

fn past_number(doc: &[u8], start: usize) -> usize {
    let rest = doc.get(start..).unwrap_or_default();
    let of_number = |b: &u8| b.is_ascii_digit() || matches!(b, b'-' | b'+' | b'.' | b'e' | b'E');
    start + rest.iter().take_while(|b| of_number(b)).count()
}

fn is_same_to_all(number: &str) -> bool {
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

/// Halves of pairs can only be written as escapes.
fn whole_characters(text: &Text<'_>) -> Result<(), Error> {
    if text.raw().as_bytes().contains(&b'\\') && has_half(text.raw()) {
        return Err(Error {
            what: Fault::Surrogate,
            at: text.range().start,
        });
    }
    Ok(())
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
    use super::super::parse;
    use super::*;

    #[track_caller]
    fn check(doc: &str, want: Result<(), (Fault, usize)>) {
        let value = parse(doc.as_bytes()).expect("JSON");
        assert_eq!(value.check_alike().map_err(|e| (e.what, e.at)), want, "{doc}");
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
            let value = parse(doc.as_bytes()).expect("JSON");
            assert_eq!(value.check_names().map_err(|e| (e.what, e.at)), want, "{doc}");
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
