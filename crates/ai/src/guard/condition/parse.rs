//! Text into a condition: what the calls are; how they are joined is [`condition`]'s.

use super::path::Path;
use super::{Node, Test};
use std::borrow::Cow;
use trilithon_rule::condition::{self, Join, Language};
use trilithon_rule::{Cursor, Regexp, SyntaxError};

/// The first looks at text, the others at JSON.
const FUNCTIONS: [&str; 6] = [
    "Contains",
    "JSONEquals",
    "JSONGt",
    "JSONLt",
    "JSONStringContains",
    "JSONRegex",
];

pub(super) fn parse(text: &str) -> Result<Node, SyntaxError> {
    condition::parse::<Conditions>(text)
}

/// The language of conditions.
struct Conditions;

impl Language for Conditions {
    type Node = Node;
    const NOUN: &'static str = "condition";

    fn call(cursor: &mut Cursor<'_>) -> Result<Node, SyntaxError> {
        let start = cursor.here();
        let name = FUNCTIONS[condition::function(cursor, &FUNCTIONS)?];
        let mut values = vec![argument(cursor)?];
        while cursor.take(",") {
            values.push(argument(cursor)?);
        }
        cursor.expect(")")?;
        let wrong = |message: String| SyntaxError { message, at: start };
        match (name, &values[..]) {
            ("Contains", [(_, text)]) => Ok(Node::Contains(text.as_ref().into())),
            ("Contains", given) => Err(wrong(format!(
                "`Contains` takes 1 argument, found {}",
                given.len()
            ))),
            (_, [(at, path), value]) => {
                let path = Path::parse(path).map_err(|(offset, why)| SyntaxError {
                    message: why.to_owned(),
                    at: at + offset,
                })?;
                Ok(Node::Json(path, test(name, value)?))
            }
            (_, given) => Err(wrong(format!(
                "`{name}` takes 2 arguments, found {}",
                given.len()
            ))),
        }
    }

    fn join(how: Join, mut parts: Vec<Node>, _: &str) -> Node {
        match (how, parts.pop()) {
            (Join::Not, Some(denied)) => Node::Not(Box::new(denied)),
            (Join::Any, last) => Node::Any(parts.into_iter().chain(last).collect()),
            (Join::All | Join::Not, last) => Node::All(parts.into_iter().chain(last).collect()),
        }
    }
}

/// A text in double or back quotes, or a bare number or word; and where it starts.
fn argument<'a>(cursor: &mut Cursor<'a>) -> Result<(usize, Cow<'a, str>), SyntaxError> {
    let open = cursor.here();
    let rest = cursor.rest();
    match rest.chars().next() {
        Some('`') => {
            let (at, text) = quoted(cursor, open, rest[1..].find('`'))?;
            Ok((at, text.into()))
        }
        Some('"') => {
            let (at, text) = quoted(cursor, open, closing_quote(&rest[1..]))?;
            Ok((at, unescaped(text)))
        }
        _ => {
            let bare = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+'));
            let length = rest.find(bare).unwrap_or(rest.len());
            if length == 0 {
                return Err(cursor.expected("an argument in quotes"));
            }
            cursor.at += length;
            Ok((open, rest[..length].into()))
        }
    }
}

fn quoted<'a>(
    cursor: &mut Cursor<'a>,
    open: usize,
    length: Option<usize>,
) -> Result<(usize, &'a str), SyntaxError> {
    let length = length.ok_or(SyntaxError {
        message: "the quote is not closed".to_owned(),
        at: open,
    })?;
    cursor.at = open + length + 2;
    Ok((open + 1, &cursor.text[open + 1..=open + length]))
}

fn test(name: &str, (at, value): &(usize, Cow<'_, str>)) -> Result<Test, SyntaxError> {
    let number = || {
        let number = value.trim().parse().ok().filter(|n: &f64| n.is_finite());
        number.ok_or(SyntaxError {
            message: format!("`{name}` compares with a number, found `{value}`"),
            at: *at,
        })
    };
    Ok(match name {
        "JSONEquals" => Test::Equals(value.as_ref().into()),
        "JSONGt" => Test::Greater(number()?),
        "JSONLt" => Test::Less(number()?),
        "JSONStringContains" => Test::Contains(value.as_ref().into()),
        _ => Test::Regex(Regexp::new(value).map_err(|error| SyntaxError {
            message: error.to_string(),
            at: at + error.at,
        })?),
    })
}

/// Where the quote that is not escaped is.
fn closing_quote(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|byte| {
        let closes = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes
    })
}

/// `\"` and `\\` as what they stand for; any other backslash as itself, so that expressions need not double theirs.
fn unescaped(text: &str) -> Cow<'_, str> {
    if text.contains("\\\"") || text.contains(r"\\") {
        text.replace(r"\\", "\u{0}")
            .replace("\\\"", "\"")
            .replace('\u{0}', "\\")
            .into()
    } else {
        text.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(text: &str, at: usize, message: &str) {
        let error = parse(text).expect_err(text);
        assert_eq!((error.at, error.message.as_str()), (at, message), "{text}");
    }

    #[test]
    fn mistakes() {
        check("", 0, "expected a function, `!` or `(`, found the end");
        check("Contains", 8, "expected `(`, found the end");
        check("Contains()", 9, "expected an argument in quotes, found `)`");
        check("Contains('a')", 9, "expected an argument in quotes, found `'`");
        check("Contains(\"a)", 9, "the quote is not closed");
        check("Contains(`a`, `b`)", 0, "`Contains` takes 1 argument, found 2");
        check("JSONEquals(`a`)", 0, "`JSONEquals` takes 2 arguments, found 1");
        check(
            "JSONGt(`a`, `b`)",
            13,
            "`JSONGt` compares with a number, found `b`",
        );
        check(
            "JSONGt(`a`, NaN)",
            12,
            "`JSONGt` compares with a number, found `NaN`",
        );
        check("JSONEquals(`a..b`, 1)", 13, "a name is missing");
        check(
            "JSONEquals(`.a[x]`, 1)",
            14,
            "expected a number or a quoted name in brackets",
        );
        check("JSONEquals(`.`, 1)", 12, "a name is missing");
        check(
            "JSONRegex(`.a`, `(`)",
            18,
            "invalid regular expression: missing closing `)`",
        );
        check(
            "x(`a`)",
            0,
            "no function `x`; known are `Contains`, `JSONEquals`, `JSONGt`, `JSONLt`, `JSONStringContains`, `JSONRegex`",
        );
        check(
            "Contains(`a`) Contains(`b`)",
            14,
            "expected `&&`, `||` or the end, found `C`",
        );
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_within_itself(text in r#"[A-Za-z()&|!`"\\., \[\]$ü0-9]{0,60}"#) {
            if let Err(error) = parse(&text) {
                prop_assert!(error.at <= text.len());
            }
        }
    }
}
