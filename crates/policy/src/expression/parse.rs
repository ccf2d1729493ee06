//! Text into an expression. `||` binds least, then `&&`, then `!`; arguments stand in back-quotes.

use super::call::{Call, FUNCTIONS, OF_CLAIMS, Piece, Wanted, number};
use super::{Kind, Node, Place};
use std::marker::PhantomData;
use trilithon_rule::{Cursor, SyntaxError};

/// Longest expression, in bytes.
const MAX_LENGTH: usize = 16 * 1024;
/// Deepest nesting: the parser recurses.
const MAX_DEPTH: usize = 32;

pub(super) fn parse<P: Place>(text: &str) -> Result<Node<P>, SyntaxError> {
    let mut parser = Parser {
        cursor: Cursor::new(text),
        depth: 0,
        place: PhantomData,
    };
    if text.len() > MAX_LENGTH {
        return Err(parser
            .cursor
            .error(format!("the expression is longer than {MAX_LENGTH} bytes")));
    }
    let root = parser.any()?;
    match parser.cursor.rest().chars().next() {
        None => Ok(root),
        Some(_) => Err(parser.cursor.expected("`&&`, `||` or the end")),
    }
}

struct Parser<'a, P> {
    cursor: Cursor<'a>,
    depth: usize,
    place: PhantomData<P>,
}

/// A part of an expression, or why there is none.
type Parsed<P> = Result<Node<P>, SyntaxError>;

impl<'a, P: Place> Parser<'a, P> {
    /// The functions of this language.
    const KNOWN: &'static [(&'static str, usize, usize)] = match P::OF_CALLS {
        true => &FUNCTIONS,
        false => FUNCTIONS.split_at(OF_CLAIMS).0,
    };

    fn any(&mut self) -> Parsed<P> {
        self.joined("||", Self::all, Kind::Any)
    }

    fn all(&mut self) -> Parsed<P> {
        self.joined("&&", Self::not, Kind::All)
    }

    /// One part, or several with `sign` between them.
    fn joined(
        &mut self,
        sign: &str,
        part: fn(&mut Self) -> Parsed<P>,
        kind: fn(Vec<Node<P>>) -> Kind<P>,
    ) -> Parsed<P> {
        let start = self.cursor.here();
        let mut parts = vec![part(self)?];
        let mut end = self.cursor.at;
        while self.cursor.take(sign) {
            parts.push(part(self)?);
            end = self.cursor.at;
        }
        if parts.len() == 1 {
            return Ok(parts.remove(0));
        }
        Ok(self.node(start, end, kind(parts)))
    }

    fn not(&mut self) -> Parsed<P> {
        let start = self.cursor.here();
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.cursor.error(format!("nested deeper than {MAX_DEPTH}")));
        }
        let node = if self.cursor.take("!") {
            let kind = Kind::Not(Box::new(self.not()?));
            self.node(start, self.cursor.at, kind)
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

    fn call(&mut self) -> Parsed<P> {
        let start = self.cursor.here();
        let rest = self.cursor.rest();
        let length = rest
            .find(|c: char| !c.is_ascii_alphanumeric())
            .unwrap_or(rest.len());
        let name = &rest[..length];
        if name.is_empty() {
            return Err(self.cursor.expected("a function, `!` or `(`"));
        }
        let Some(function) = Self::KNOWN.iter().position(|f| f.0 == name) else {
            let known: Vec<String> = Self::KNOWN.iter().map(|f| format!("`{}`", f.0)).collect();
            return Err(self
                .cursor
                .error(format!("no function `{name}`; known are {}", known.join(", "))));
        };
        self.cursor.at += length;
        self.cursor.expect("(")?;
        let (at, place) = self.argument()?;
        let place = placed(at, place)?;
        let mut values = Vec::new();
        while self.cursor.take(",") {
            values.push(self.argument()?);
        }
        self.cursor.expect(")")?;
        self.count(function, values.len() + 1, start)?;
        let separator = match name {
            "SplitContains" => values.remove(0).1,
            _ => "",
        };
        let values = values.into_iter().map(|(at, text)| wanted(at, text));
        let values: Vec<Wanted<P>> = values.collect::<Result<_, _>>()?;
        if let (true, Some(Wanted::Text(text))) = (function >= OF_CLAIMS, values.first())
            && number(text).is_none()
        {
            let message = format!("`{name}` compares with a number, and `{text}` is none");
            return Err(SyntaxError { message, at: start });
        }
        let call = Call::of(function, place, separator.into(), values);
        Ok(self.node(start, self.cursor.at, Kind::Call(call)))
    }

    fn count(&self, function: usize, given: usize, at: usize) -> Result<(), SyntaxError> {
        let (name, least, most) = FUNCTIONS[function];
        if (least..=most).contains(&given) {
            return Ok(());
        }
        let wanted = if least == most {
            format!("{least}")
        } else {
            format!("{least} or more")
        };
        let message = format!("`{name}` takes {wanted} arguments, found {given}");
        Err(SyntaxError { message, at })
    }

    /// The text between two back-quotes, and where it starts.
    fn argument(&mut self) -> Result<(usize, &'a str), SyntaxError> {
        let open = self.cursor.here();
        if !self.cursor.take("`") {
            return Err(self.cursor.expected("an argument in back-quotes"));
        }
        let start = self.cursor.at;
        match self.cursor.text[start..].find('`') {
            None => Err(SyntaxError {
                message: "the back-quote is not closed".to_owned(),
                at: open,
            }),
            Some(length) => {
                self.cursor.at = start + length + 1;
                Ok((start, &self.cursor.text[start..start + length]))
            }
        }
    }

    fn node(&self, start: usize, end: usize, kind: Kind<P>) -> Node<P> {
        Node {
            text: self.cursor.text[start..end].into(),
            kind,
        }
    }
}

fn placed<P: Place>(at: usize, text: &str) -> Result<P, SyntaxError> {
    P::parse(text).map_err(|(offset, message)| SyntaxError {
        message,
        at: at + offset,
    })
}

/// A value; of a call, with facts as `${name}`.
fn wanted<P: Place>(at: usize, text: &str) -> Result<Wanted<P>, SyntaxError> {
    if !P::OF_CALLS || !text.contains("${") {
        return Ok(Wanted::Text(text.into()));
    }
    let (mut pieces, mut rest, mut at) = (Vec::new(), text, at);
    while let Some(start) = rest.find("${") {
        let (before, fact) = (&rest[..start], &rest[start + 2..]);
        let Some(end) = fact.find('}') else {
            return Err(SyntaxError {
                message: "the `${` is not closed".to_owned(),
                at: at + start,
            });
        };
        if !before.is_empty() {
            pieces.push(Piece::Text(before.into()));
        }
        pieces.push(Piece::Fact(placed(at + start + 2, &fact[..end])?));
        (rest, at) = (&fact[end + 1..], at + start + 2 + end + 1);
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest.into()));
    }
    Ok(Wanted::Made(pieces))
}

#[cfg(test)]
mod tests {
    use super::super::Path;
    use super::*;

    fn parse(text: &str) -> Parsed<Path> {
        super::parse(text)
    }

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
