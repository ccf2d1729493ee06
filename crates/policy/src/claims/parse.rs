//! Text into an expression. `||` binds least, then `&&`, then `!`; arguments stand in back-quotes.

use super::{Kind, Node, Path, Test};
use std::fmt;

/// Longest expression, in bytes.
const MAX_LENGTH: usize = 16 * 1024;
/// Deepest nesting: the parser recurses.
const MAX_DEPTH: usize = 32;

/// What is wrong with an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimsError {
    /// Lower case, without a final stop.
    pub message: String,
    /// The byte where it is.
    pub at: usize,
}

impl fmt::Display for ClaimsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.message, self.at)
    }
}

impl std::error::Error for ClaimsError {}

pub(super) fn parse(text: &str) -> Result<Node, ClaimsError> {
    let mut parser = Parser {
        text,
        at: 0,
        depth: 0,
    };
    if text.len() > MAX_LENGTH {
        return Err(parser.error(format!("the expression is longer than {MAX_LENGTH} bytes")));
    }
    let root = parser.any()?;
    match parser.rest().chars().next() {
        None => Ok(root),
        Some(_) => Err(parser.expected("`&&`, `||` or the end")),
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn any(&mut self) -> Result<Node, ClaimsError> {
        self.joined("||", Self::all, Kind::Any)
    }

    fn all(&mut self) -> Result<Node, ClaimsError> {
        self.joined("&&", Self::not, Kind::All)
    }

    /// One part, or several with `sign` between them.
    fn joined(
        &mut self,
        sign: &str,
        part: fn(&mut Self) -> Result<Node, ClaimsError>,
        kind: fn(Vec<Node>) -> Kind,
    ) -> Result<Node, ClaimsError> {
        let start = self.here();
        let mut parts = vec![part(self)?];
        let mut end = self.at;
        while self.take(sign) {
            parts.push(part(self)?);
            end = self.at;
        }
        if parts.len() == 1 {
            return Ok(parts.remove(0));
        }
        Ok(self.node(start, end, kind(parts)))
    }

    fn not(&mut self) -> Result<Node, ClaimsError> {
        let start = self.here();
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.error(format!("nested deeper than {MAX_DEPTH}")));
        }
        let node = if self.take("!") {
            let kind = Kind::Not(Box::new(self.not()?));
            self.node(start, self.at, kind)
        } else if self.take("(") {
            let inner = self.any()?;
            self.expect(")")?;
            inner
        } else {
            self.call()?
        };
        self.depth -= 1;
        Ok(node)
    }

    fn call(&mut self) -> Result<Node, ClaimsError> {
        let start = self.here();
        let rest = self.rest();
        let length = rest
            .find(|c: char| !c.is_ascii_alphanumeric())
            .unwrap_or(rest.len());
        let name = &rest[..length];
        if name.is_empty() {
            return Err(self.expected("a function, `!` or `(`"));
        }
        let Some(function) = Test::FUNCTIONS.iter().position(|f| f.0 == name) else {
            let known: Vec<String> = Test::FUNCTIONS.iter().map(|f| format!("`{}`", f.0)).collect();
            return Err(self.error(format!("no function `{name}`; known are {}", known.join(", "))));
        };
        self.at += length;
        self.expect("(")?;
        let (at, path) = self.argument()?;
        let path = Path::parse(path).map_err(|(offset, why)| ClaimsError {
            message: why.to_owned(),
            at: at + offset,
        })?;
        let mut values = Vec::new();
        while self.take(",") {
            values.push(self.argument()?.1.into());
        }
        self.expect(")")?;
        self.count(function, values.len() + 1, start)?;
        Ok(self.node(start, self.at, Kind::Test(Test::of(function, path, values))))
    }

    fn count(&self, function: usize, given: usize, at: usize) -> Result<(), ClaimsError> {
        let (name, least, most) = Test::FUNCTIONS[function];
        if (least..=most).contains(&given) {
            return Ok(());
        }
        let wanted = if least == most {
            format!("{least}")
        } else {
            format!("{least} or more")
        };
        let message = format!("`{name}` takes {wanted} arguments, found {given}");
        Err(ClaimsError { message, at })
    }

    /// The text between two back-quotes, and where it starts.
    fn argument(&mut self) -> Result<(usize, &'a str), ClaimsError> {
        let open = self.here();
        if !self.take("`") {
            return Err(self.expected("an argument in back-quotes"));
        }
        let start = self.at;
        match self.text[start..].find('`') {
            None => Err(ClaimsError {
                message: "the back-quote is not closed".to_owned(),
                at: open,
            }),
            Some(length) => {
                self.at = start + length + 1;
                Ok((start, &self.text[start..start + length]))
            }
        }
    }

    fn node(&self, start: usize, end: usize, kind: Kind) -> Node {
        Node {
            text: self.text[start..end].into(),
            kind,
        }
    }

    /// Where the next word starts.
    fn here(&mut self) -> usize {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start().len();
        self.at
    }

    fn rest(&mut self) -> &'a str {
        let at = self.here();
        &self.text[at..]
    }

    fn take(&mut self, sign: &str) -> bool {
        let found = self.rest().starts_with(sign);
        if found {
            self.at += sign.len();
        }
        found
    }

    fn expect(&mut self, sign: &str) -> Result<(), ClaimsError> {
        if self.take(sign) {
            Ok(())
        } else {
            Err(self.expected(&format!("`{sign}`")))
        }
    }

    fn expected(&mut self, what: &str) -> ClaimsError {
        match self.rest().chars().next() {
            Some(c) => self.error(format!("expected {what}, found `{c}`")),
            None => self.error(format!("expected {what}, found the end")),
        }
    }

    fn error(&self, message: String) -> ClaimsError {
        ClaimsError { message, at: self.at }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, at: usize, message: &str) {
        let error = parse(text).expect_err(text);
        assert_eq!((error.at, error.message.as_str()), (at, message), "{text}");
    }

    #[test]
    fn mistakes() {
        let quoted = "expected an argument in back-quotes, found";
        check("", 0, "expected a function, `!` or `(`, found the end");
        check("  ", 2, "expected a function, `!` or `(`, found the end");
        check("Equals", 6, "expected `(`, found the end");
        check("Equals()", 7, &format!("{quoted} `)`"));
        check("Equals('a', `b`)", 7, &format!("{quoted} `'`"));
        check("Equals(`a`, `b)", 12, "the back-quote is not closed");
        check("Equals(`a` `b`)", 11, "expected `)`, found ```");
        check("Equals(`a`)", 0, "`Equals` takes 2 arguments, found 1");
        check(
            "x && Equals(`a`, `b`)",
            0,
            "no function `x`; known are `Equals`, `Prefix`, `Contains`, `SplitContains`, `OneOf`",
        );
        check(" OneOf(`a`)", 1, "`OneOf` takes 2 or more arguments, found 1");
        check("Equals(`a..b`, `c`)", 10, "a name is missing before `.`");
        check("Equals(``, `c`)", 8, "the name of a claim is missing");
        check(
            "Equals(`a`, `b`) Equals(`a`, `b`)",
            17,
            "expected `&&`, `||` or the end, found `E`",
        );
        check(
            "Equals(`a`, `b`) &",
            17,
            "expected `&&`, `||` or the end, found `&`",
        );
        check(
            "Equals(`a`, `b`) &&",
            19,
            "expected a function, `!` or `(`, found the end",
        );
        check("(Equals(`a`, `b`)", 17, "expected `)`, found the end");
        check(
            "Equals(`ä`, `b`) ü",
            18,
            "expected `&&`, `||` or the end, found `ü`",
        );
    }

    #[test]
    fn bounds() {
        check(&"!".repeat(MAX_DEPTH + 1), MAX_DEPTH, "nested deeper than 32");
        check(&"(".repeat(MAX_DEPTH + 1), MAX_DEPTH, "nested deeper than 32");
        let long = format!("Equals(`a`, `{}`)", "x".repeat(MAX_LENGTH));
        check(&long, 0, "the expression is longer than 16384 bytes");
        let wide = vec!["Equals(`a`, `b`)"; 500].join(" || ");
        assert!(parse(&wide).is_ok(), "width is bounded by length alone");
    }
}
