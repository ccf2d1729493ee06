//! The grammar that languages of conditions share: calls of functions, joined by `||`, which binds least, then `&&`, then `!`, with
//! brackets. What a call is, and what becomes of the parts, is for each [`Language`] to say.

use crate::{Cursor, SyntaxError};

/// Longest text, in bytes.
pub const MAX_LENGTH: usize = 16 * 1024;
/// Deepest nesting: the parser recurses.
pub const MAX_DEPTH: usize = 32;

/// A language of conditions.
pub trait Language {
    /// A part of a condition.
    type Node;
    /// What a text of it is called in errors.
    const NOUN: &'static str;

    /// Reads one call of a function.
    ///
    /// # Errors
    /// What is wrong, and where.
    fn call(cursor: &mut Cursor<'_>) -> Result<Self::Node, SyntaxError>;

    /// Makes one part of several, or of the one that is denied. `text` is what it was written as.
    fn join(how: Join, parts: Vec<Self::Node>, text: &str) -> Self::Node;
}

/// How parts are one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Join {
    /// `&&`: two or more.
    All,
    /// `||`: two or more.
    Any,
    /// `!`: one.
    Not,
}

/// Reads a condition.
///
/// # Errors
/// What is wrong, and where.
pub fn parse<L: Language>(text: &str) -> Result<L::Node, SyntaxError> {
    let mut cursor = Cursor::new(text);
    if text.len() > MAX_LENGTH {
        let noun = L::NOUN;
        return Err(cursor.error(format!("the {noun} is longer than {MAX_LENGTH} bytes")));
    }
    let root = any::<L>(&mut cursor, 0)?;
    match cursor.rest().is_empty() {
        true => Ok(root),
        false => Err(cursor.expected("`&&`, `||` or the end")),
    }
}

/// Passes over the name of a function and its opening bracket: its place among those that are `known`.
///
/// # Errors
/// There is no name, or none of them.
pub fn function(cursor: &mut Cursor<'_>, known: &[&str]) -> Result<usize, SyntaxError> {
    let rest = cursor.rest();
    let end = rest.find(|c: char| !c.is_ascii_alphanumeric());
    let name = &rest[..end.unwrap_or(rest.len())];
    if name.is_empty() {
        return Err(cursor.expected("a function, `!` or `(`"));
    }
    let Some(function) = known.iter().position(|known| *known == name) else {
        let known = known.join("`, `");
        return Err(cursor.error(format!("no function `{name}`; known are `{known}`")));
    };
    cursor.at += name.len();
    cursor.expect("(")?;
    Ok(function)
}

type Part<L> = fn(&mut Cursor<'_>, usize) -> Result<<L as Language>::Node, SyntaxError>;

fn any<L: Language>(cursor: &mut Cursor<'_>, depth: usize) -> Result<L::Node, SyntaxError> {
    joined::<L>(cursor, depth, "||", Join::Any, all::<L>)
}

fn all<L: Language>(cursor: &mut Cursor<'_>, depth: usize) -> Result<L::Node, SyntaxError> {
    joined::<L>(cursor, depth, "&&", Join::All, one::<L>)
}

/// One part, or several with `sign` between them.
fn joined<L: Language>(
    cursor: &mut Cursor<'_>,
    depth: usize,
    sign: &str,
    how: Join,
    part: Part<L>,
) -> Result<L::Node, SyntaxError> {
    let start = cursor.here();
    let first = part(cursor, depth)?;
    if !cursor.take(sign) {
        return Ok(first);
    }
    let mut parts = vec![first];
    loop {
        parts.push(part(cursor, depth)?);
        let end = cursor.at;
        if !cursor.take(sign) {
            return Ok(L::join(how, parts, &cursor.text[start..end]));
        }
    }
}

fn one<L: Language>(cursor: &mut Cursor<'_>, depth: usize) -> Result<L::Node, SyntaxError> {
    let start = cursor.here();
    if depth == MAX_DEPTH {
        return Err(cursor.error(format!("nested deeper than {MAX_DEPTH}")));
    }
    if cursor.take("!") {
        let denied = one::<L>(cursor, depth + 1)?;
        return Ok(L::join(Join::Not, vec![denied], &cursor.text[start..cursor.at]));
    }
    if cursor.take("(") {
        let inner = any::<L>(cursor, depth + 1)?;
        cursor.expect(")")?;
        return Ok(inner);
    }
    L::call(cursor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Functions without arguments, written anew with all brackets.
    struct Brackets;

    impl Language for Brackets {
        type Node = String;
        const NOUN: &'static str = "condition";

        fn call(cursor: &mut Cursor<'_>) -> Result<String, SyntaxError> {
            let known = ["a", "b", "c"];
            let name = known[function(cursor, &known)?];
            cursor.expect(")")?;
            Ok(name.to_owned())
        }

        fn join(how: Join, parts: Vec<String>, _: &str) -> String {
            match how {
                Join::All => format!("({})", parts.join("&")),
                Join::Any => format!("({})", parts.join("|")),
                Join::Not => format!("!{}", parts.concat()),
            }
        }
    }

    #[test]
    fn what_binds_how() {
        let check = |text: &str, want: &str| assert_eq!(parse::<Brackets>(text).as_deref(), Ok(want));
        check("a()", "a");
        check(" ( a( ) ) ", "a");
        check("a() || b() && !c() || a()", "(a|(b&!c)|a)");
        check("(a() || b()) && c()", "((a|b)&c)");
        check("!!(a()&&b())", "!!(a&b)");
        let wide = vec!["a()"; 500].join(" || ");
        assert!(
            parse::<Brackets>(&wide).is_ok(),
            "width is bounded by length alone"
        );
    }

    #[test]
    fn mistakes() {
        let check = |text: &str, at: usize, message: &str| {
            let error = parse::<Brackets>(text).expect_err(text);
            assert_eq!((error.at, error.message.as_str()), (at, message), "{text}");
        };
        check("", 0, "expected a function, `!` or `(`, found the end");
        check("  ", 2, "expected a function, `!` or `(`, found the end");
        check("a() &", 4, "expected `&&`, `||` or the end, found `&`");
        check("a() &&", 6, "expected a function, `!` or `(`, found the end");
        check("a() b()", 4, "expected `&&`, `||` or the end, found `b`");
        check("(a()", 4, "expected `)`, found the end");
        check("a", 1, "expected `(`, found the end");
        check("ab()", 0, "no function `ab`; known are `a`, `b`, `c`");
        check(&"!".repeat(MAX_DEPTH + 1), MAX_DEPTH, "nested deeper than 32");
        check(&"(".repeat(MAX_DEPTH + 1), MAX_DEPTH, "nested deeper than 32");
        let long = " ".repeat(MAX_LENGTH + 1);
        check(&long, 0, "the condition is longer than 16384 bytes");
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_within_itself(text in "[abc()&|! ü]{0,40}") {
            if let Err(error) = parse::<Brackets>(&text) {
                prop_assert!(error.at <= text.len());
            }
        }
    }
}
