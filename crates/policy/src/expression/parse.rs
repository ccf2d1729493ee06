//! Text into an expression: what the calls are; how they are joined is [`condition`]'s. Arguments stand in back-quotes.

use super::call::{Call, FUNCTIONS, OF_CLAIMS, Piece, Wanted, number};
use super::{Kind, Node, Place};
use std::marker::PhantomData;
use trilithon_rule::condition::{self, Join, Language};
use trilithon_rule::{Cursor, SyntaxError};

pub(super) fn parse<P: Place>(text: &str) -> Result<Node<P>, SyntaxError> {
    condition::parse::<Expressions<P>>(text)
}

/// The language of expressions over one kind of places.
struct Expressions<P>(PhantomData<P>);

impl<P: Place> Language for Expressions<P> {
    type Node = Node<P>;
    const NOUN: &'static str = "expression";

    fn call(cursor: &mut Cursor<'_>) -> Result<Node<P>, SyntaxError> {
        let start = cursor.here();
        let known = if P::OF_CALLS { FUNCTIONS.len() } else { OF_CLAIMS };
        let function = condition::function(cursor, &FUNCTIONS.map(|f| f.0)[..known])?;
        let (at, place) = argument(cursor)?;
        let place = placed(at, place)?;
        let mut values = Vec::new();
        while cursor.take(",") {
            values.push(argument(cursor)?);
        }
        cursor.expect(")")?;
        count(function, values.len() + 1, start)?;
        let name = FUNCTIONS[function].0;
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
        Ok(Node {
            text: cursor.text[start..cursor.at].into(),
            kind: Kind::Call(Call::of(function, place, separator.into(), values)),
        })
    }

    fn join(how: Join, mut parts: Vec<Node<P>>, text: &str) -> Node<P> {
        let kind = match (how, parts.pop()) {
            (Join::Not, Some(denied)) => Kind::Not(Box::new(denied)),
            (Join::Any, last) => Kind::Any(parts.into_iter().chain(last).collect()),
            (Join::All | Join::Not, last) => Kind::All(parts.into_iter().chain(last).collect()),
        };
        Node {
            text: text.into(),
            kind,
        }
    }
}

fn count(function: usize, given: usize, at: usize) -> Result<(), SyntaxError> {
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
fn argument<'a>(cursor: &mut Cursor<'a>) -> Result<(usize, &'a str), SyntaxError> {
    let open = cursor.here();
    if !cursor.take("`") {
        return Err(cursor.expected("an argument in back-quotes"));
    }
    let start = cursor.at;
    let Some(length) = cursor.text[start..].find('`') else {
        return Err(SyntaxError {
            message: "the back-quote is not closed".to_owned(),
            at: open,
        });
    };
    cursor.at = start + length + 1;
    Ok((start, &cursor.text[start..start + length]))
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

    fn parse(text: &str) -> Result<Node<Path>, SyntaxError> {
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
            "Equals(`ä`, `b`) ü",
            18,
            "expected `&&`, `||` or the end, found `ü`",
        );
    }
}
