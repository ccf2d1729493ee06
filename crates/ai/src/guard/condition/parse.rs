//! Text into a condition. `||` binds least, then `&&`, then `!`.

use super::path::Path;
use super::{Node, Test};
use std::borrow::Cow;
use trilithon_rule::{Cursor, Regexp, SyntaxError};

/// Longest condition, in bytes.
const MAX_LENGTH: usize = 16 * 1024;
/// Deepest nesting: the parser recurses.
const MAX_DEPTH: usize = 32;

const FUNCTIONS: &[&str] = &[
    "Contains",
    "JSONEquals",
    "JSONGt",
    "JSONLt",
    "JSONStringContains",
    "JSONRegex",
];

pub(super) fn parse(text: &str) -> Result<Node, SyntaxError> {
    let mut parser = Parser {
        cursor: Cursor::new(text),
        depth: 0,
    };
    if text.len() > MAX_LENGTH {
        return Err(parser
            .cursor
            .error(format!("the condition is longer than {MAX_LENGTH} bytes")));
    }
    let root = parser.any()?;
    match parser.cursor.rest().chars().next() {
        None => Ok(root),
        Some(_) => Err(parser.cursor.expected("`&&`, `||` or the end")),
    }
}

struct Parser<'a> {
    cursor: Cursor<'a>,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn any(&mut self) -> Result<Node, SyntaxError> {
        self.joined("||", Self::all, Node::Any)
    }

    fn all(&mut self) -> Result<Node, SyntaxError> {
        self.joined("&&", Self::not, Node::All)
    }

    fn joined(
        &mut self,
        sign: &str,
        part: fn(&mut Self) -> Result<Node, SyntaxError>,
        node: fn(Vec<Node>) -> Node,
    ) -> Result<Node, SyntaxError> {
        let mut parts = vec![part(self)?];
        while self.cursor.take(sign) {
            parts.push(part(self)?);
        }
        if parts.len() == 1 {
            return Ok(parts.remove(0));
        }
        Ok(node(parts))
    }

    fn not(&mut self) -> Result<Node, SyntaxError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.cursor.error(format!("nested deeper than {MAX_DEPTH}")));
        }
        let node = if self.cursor.take("!") {
            Node::Not(Box::new(self.not()?))
        } else if self.cursor.take("(") {
            let inner = self.any()?;
            self.cursor.expect(")")?;
            inner
        } else {
            self.call()?
        };
        self.depth -= 1;
        Ok(node)
    }

    fn call(&mut self) -> Result<Node, SyntaxError> {
        let start = self.cursor.here();
        let rest = self.cursor.rest();
        let length = rest
            .find(|c: char| !c.is_ascii_alphanumeric())
            .unwrap_or(rest.len());
        let name = &rest[..length];
        if name.is_empty() {
            return Err(self.cursor.expected("a function, `!` or `(`"));
        }
        if !FUNCTIONS.contains(&name) {
            let known: Vec<String> = FUNCTIONS.iter().map(|f| format!("`{f}`")).collect();
            return Err(self
                .cursor
                .error(format!("no function `{name}`; known are {}", known.join(", "))));
        }
        self.cursor.at += length;
        self.cursor.expect("(")?;
        let mut values = vec![self.argument()?];
        while self.cursor.take(",") {
            values.push(self.argument()?);
        }
        self.cursor.expect(")")?;
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

    /// A text in double or back quotes, or a bare number or word; and where it starts.
    fn argument(&mut self) -> Result<(usize, Cow<'a, str>), SyntaxError> {
        let open = self.cursor.here();
        let rest = self.cursor.rest();
        match rest.chars().next() {
            Some('`') => self
                .quoted(open, rest[1..].find('`'))
                .map(|(at, text)| (at, text.into())),
            Some('"') => {
                let end = closing_quote(&rest[1..]);
                let (at, text) = self.quoted(open, end)?;
                Ok((at, unescaped(text)))
            }
            _ => {
                let bare = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+'));
                let length = rest.find(bare).unwrap_or(rest.len());
                if length == 0 {
                    return Err(self.cursor.expected("an argument in quotes"));
                }
                self.cursor.at += length;
                Ok((open, rest[..length].into()))
            }
        }
    }

    fn quoted(&mut self, open: usize, length: Option<usize>) -> Result<(usize, &'a str), SyntaxError> {
        let length = length.ok_or(SyntaxError {
            message: "the quote is not closed".to_owned(),
            at: open,
        })?;
        self.cursor.at = open + length + 2;
        Ok((open + 1, &self.cursor.text[open + 1..=open + length]))
    }
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
        check("(Contains(`a`)", 14, "expected `)`, found the end");
        check(&"!".repeat(MAX_DEPTH + 1), MAX_DEPTH, "nested deeper than 32");
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
