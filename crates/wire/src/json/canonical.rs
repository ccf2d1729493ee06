//! The canonical form of JSON (RFC 8785): the same text for all documents that say the same, so that a digest can stand for it.

use super::{Kind, Value};
use std::fmt::Write as _;

/// The canonical form of a value. Numbers are those of doubles; one that no double holds stays as it is written. A name that is there
/// twice stays twice.
pub fn canonical(value: &Value<'_>) -> String {
    let mut out = String::new();
    write(value, &mut out);
    out
}

/// An object of some of the members of another.
pub fn canonical_without(object: &Value<'_>, without: &[&str]) -> String {
    let mut out = String::new();
    members(object, without, &mut out);
    out
}

fn write(value: &Value<'_>, out: &mut String) {
    match value.kind() {
        Kind::Null | Kind::Bool => out.push_str(value.raw()),
        Kind::Number => number(value, out),
        Kind::String => {
            if let Some(text) = value.text() {
                string(&text.to_str(), out);
            }
        }
        Kind::Array => {
            out.push('[');
            for (i, item) in value.items().enumerate() {
                out.push_str(if i > 0 { "," } else { "" });
                write(&item, out);
            }
            out.push(']');
        }
        Kind::Object => members(value, &[], out),
    }
}

/// Members in the order of their names' UTF-16 code units (§3.2.3).
fn members(object: &Value<'_>, without: &[&str], out: &mut String) {
    let all = object.members().map(|(name, value)| (name.to_str(), value));
    let mut all: Vec<_> = all.filter(|(name, _)| !without.contains(&&**name)).collect();
    all.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
    out.push('{');
    for (i, (name, value)) in all.iter().enumerate() {
        out.push_str(if i > 0 { "," } else { "" });
        string(name, out);
        out.push(':');
        write(value, out);
    }
    out.push('}');
}

/// Only what must be escaped is (§3.2.2.2).
fn string(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            c if c < ' ' => {
                // Writing to a text does not fail.
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

/// As ECMAScript writes numbers (ECMA-262 §6.1.6.1.20).
fn number(value: &Value<'_>, out: &mut String) {
    let Some(n) = value.as_f64() else {
        return out.push_str(value.raw());
    };
    if n == 0.0 {
        return out.push('0');
    }
    if n < 0.0 {
        out.push('-');
    }
    let written = format!("{:e}", n.abs());
    let (mantissa, exponent) = written.split_once('e').unwrap_or((&written, "0"));
    let digits = even(mantissa.chars().filter(|c| *c != '.').collect(), n.abs());
    let point = exponent.parse::<i32>().unwrap_or(0) + 1;
    let length = digits.len() as i32;
    let zeros = |n: i32| "0".repeat(usize::try_from(n).unwrap_or(0));
    match point {
        _ if length <= point && point <= 21 => *out += &(digits + &zeros(point - length)),
        1..=21 => {
            let (before, behind) = digits.split_at(usize::try_from(point).unwrap_or(0));
            *out += &format!("{before}.{behind}");
        }
        -5..=0 => *out += &format!("0.{}{digits}", zeros(-point)),
        _ => {
            let (first, rest) = digits.split_at(1);
            let dot = if rest.is_empty() { "" } else { "." };
            *out += &format!("{first}{dot}{rest}e{:+}", point - 1);
        }
    }
}

/// Of two shortest forms that are equally near, the one that ends even: `digits` is the upper one where there are two.
fn even(mut digits: String, n: f64) -> String {
    let last = digits.pop().and_then(|c| c.to_digit(10)).unwrap_or_default();
    let Some(below) = last
        .checked_sub(1)
        .filter(|below| below % 2 == 0 && digits.len() > 14)
    else {
        digits.push_str(&last.to_string());
        return digits;
    };
    // A double has no more digits than these.
    let exact = format!("{n:.766e}");
    let mantissa = exact.split_once('e').map_or(&*exact, |(mantissa, _)| mantissa);
    let exact: String = mantissa
        .trim_end_matches('0')
        .chars()
        .filter(|c| *c != '.')
        .collect();
    let tie = exact.strip_prefix(digits.as_str()) == Some(&format!("{below}5"));
    digits.push_str(&if tie { below } else { last }.to_string());
    digits
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    #[track_caller]
    fn check(doc: &str, want: &str) {
        assert_eq!(canonical(&parse(doc.as_bytes()).unwrap()), want, "{doc}");
    }

    /// The example of RFC 8785 §3.2.2 and §3.2.4.
    #[test]
    fn the_example_of_the_rfc() {
        check(
            r#"{
              "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
              "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
              "literals": [null, true, false]
            }"#,
            r#"{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}"#,
        );
    }

    /// §3.2.3: by code units, in which what is beyond the basic plane stands before some of it.
    #[test]
    fn names_are_in_the_order_of_utf_16() {
        check(
            r#"{"\u20ac":1,"\r":2,"\ufb33":3,"1":4,"\ud83d\ude00":5,"\u0080":6,"\u00f6":7}"#,
            "{\"\\r\":2,\"1\":4,\"\u{80}\":6,\"\u{f6}\":7,\"\u{20ac}\":1,\"\u{1f600}\":5,\"\u{fb33}\":3}",
        );
    }

    /// Appendix B.
    #[test]
    fn numbers() {
        for (doc, want) in [
            ("0", "0"),
            ("-0", "0"),
            ("5e-324", "5e-324"),
            ("-5e-324", "-5e-324"),
            ("1.7976931348623157e308", "1.7976931348623157e+308"),
            ("9007199254740992", "9007199254740992"),
            ("295147905179352830000", "295147905179352830000"),
            ("1e21", "1e+21"),
            ("999999999999999900000", "999999999999999900000"),
            ("9.999999999999997e22", "9.999999999999997e+22"),
            ("0.000001", "0.000001"),
            ("1e-7", "1e-7"),
            ("333333333.3333332", "333333333.3333332"),
            ("1424953923781206.2", "1424953923781206.2"),
            ("1.0", "1"),
            ("100", "100"),
            ("-12.50", "-12.5"),
            ("1e999", "1e999"),
        ] {
            check(doc, want);
        }
    }

    #[test]
    fn some_members() {
        let doc = parse(br#"{"b":{"_meta":1},"_meta":2,"a":3}"#).unwrap();
        assert_eq!(canonical_without(&doc, &["_meta"]), r#"{"a":3,"b":{"_meta":1}}"#);
    }
}
