//! Tokens to an expression: `||` under `&&` under `!`, both syntaxes alike. Arguments are not judged here.

use std::ops::Range;

use crate::ast::{Arg, Call, Expr};
use crate::error::{Error, Kind, MAX_DEPTH, MAX_LENGTH};
use crate::lexer::{Lexer, Token};
use crate::name::{Name, Protocol, Syntax};

/// Parses a rule.
///
/// # Errors
/// Text that is empty, too long, too deep or no expression, and names the dialect does not know. The first mistake counts.
pub fn parse(text: &str, protocol: Protocol, syntax: Syntax) -> Result<Expr, Error> {
    if text.len() > MAX_LENGTH {
        return Err(Error::new(0..text.len(), Kind::TooLong));
    }
    if text.trim().is_empty() {
        return Err(Error::new(0..text.len(), Kind::Empty));
    }
    let mut lexer = Lexer::new(text);
    let (token, span) = lexer.next()?;
    let mut parser = Parser {
        lexer,
        token,
        span,
        protocol,
        syntax,
    };
    let expr = parser.or(0)?;
    parser.end()?;
    Ok(expr)
}

struct Parser<'a> {
    lexer: Lexer<'a>,
    token: Token<'a>,
    span: Range<usize>,
    protocol: Protocol,
    syntax: Syntax,
}

impl<'a> Parser<'a> {
    fn or(&mut self, depth: usize) -> Result<Expr, Error> {
        let mut list = vec![self.and(depth)?];
        while self.eat(&Token::Or)? {
            list.push(self.and(depth)?);
        }
        Ok(if list.len() == 1 {
            list.remove(0)
        } else {
            Expr::Or(list)
        })
    }

    fn and(&mut self, depth: usize) -> Result<Expr, Error> {
        let mut list = vec![self.unary(depth)?];
        while self.eat(&Token::And)? {
            list.push(self.unary(depth)?);
        }
        Ok(if list.len() == 1 {
            list.remove(0)
        } else {
            Expr::And(list)
        })
    }

    fn unary(&mut self, depth: usize) -> Result<Expr, Error> {
        let mut not = false;
        while self.eat(&Token::Not)? {
            not = !not;
        }
        let inner = self.primary(depth)?;
        Ok(match (not, inner) {
            (false, inner) => inner,
            (true, Expr::Not(inner)) => *inner,
            (true, inner) => Expr::Not(Box::new(inner)),
        })
    }

    fn primary(&mut self, depth: usize) -> Result<Expr, Error> {
        if depth >= MAX_DEPTH {
            return Err(Error::new(self.span.clone(), Kind::TooDeep));
        }
        if self.eat(&Token::Open)? {
            let inner = self.or(depth + 1)?;
            self.expect(&Token::Close, "`)`")?;
            return Ok(inner);
        }
        let Token::Word(word) = self.token else {
            return Err(self.unexpected("a matcher"));
        };
        let start = self.span.start;
        let name = Name::resolve(self.protocol, self.syntax, word).ok_or_else(|| self.unknown(word))?;
        self.advance()?;
        if !self.eat(&Token::Open)? {
            return Err(self
                .unexpected("`(`")
                .help_with(format!("write `{}(...)`", name.as_str())));
        }
        let args = self.args()?;
        let span = start..self.span.end;
        self.expect(&Token::Close, "`,` or `)`")?;
        Ok(Expr::Call(Call { name, args, span }))
    }

    fn args(&mut self) -> Result<Vec<Arg>, Error> {
        let mut args = Vec::new();
        while self.token != Token::Close {
            let Token::Text(value) = &mut self.token else {
                return Err(self.unexpected("a string in back quotes or double quotes"));
            };
            args.push(Arg {
                value: std::mem::take(value),
                span: self.span.clone(),
            });
            self.advance()?;
            if !self.eat(&Token::Comma)? {
                break;
            }
        }
        Ok(args)
    }

    fn end(&mut self) -> Result<(), Error> {
        let new_line = self.span.clone();
        if self.eat(&Token::NewLine)? && matches!(self.token, Token::And | Token::Or) {
            let found = Token::NewLine.to_string();
            let error = Error::new(
                new_line,
                Kind::Unexpected {
                    found,
                    expected: "`&&`, `||` or the end",
                },
            );
            return Err(error.help_with("put the operator at the end of the line before"));
        }
        match self.token {
            Token::End => Ok(()),
            _ => Err(self.unexpected("`&&`, `||` or the end")),
        }
    }

    fn advance(&mut self) -> Result<(), Error> {
        (self.token, self.span) = self.lexer.next()?;
        Ok(())
    }

    fn eat(&mut self, token: &Token<'_>) -> Result<bool, Error> {
        let found = self.token == *token;
        if found {
            self.advance()?;
        }
        Ok(found)
    }

    fn expect(&mut self, token: &Token<'_>, expected: &'static str) -> Result<(), Error> {
        if self.eat(token)? {
            Ok(())
        } else {
            Err(self.unexpected(expected))
        }
    }

    fn unexpected(&self, expected: &'static str) -> Error {
        let error = Error::new(
            self.span.clone(),
            Kind::Unexpected {
                found: self.token.to_string(),
                expected,
            },
        );
        match self.token {
            Token::Word(w) if w.eq_ignore_ascii_case("and") => error.help_with("and is written `&&`"),
            Token::Word(w) if w.eq_ignore_ascii_case("or") => error.help_with("or is written `||`"),
            Token::NewLine => error.help_with("a line ends behind an operator, `(` or `,`, nowhere else"),
            _ => error,
        }
    }

    fn unknown(&self, word: &str) -> Error {
        let error = Error::new(self.span.clone(), Kind::Unknown(word.to_owned()));
        error.help_with(Name::help(self.protocol, self.syntax, word))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let seen = match parse(text, Protocol::Http, Syntax::V3) {
            Ok(expr) => expr.to_string(),
            Err(error) => format!("{:?} {error}", error.span()),
        };
        assert_eq!(seen, expected, "{text}");
    }

    #[test]
    fn shapes() {
        check("host(\"a\")", "Host(`a`)");
        check(
            "Host(`a`)||Host(`b`)&&Path(`/x`)",
            "Host(`a`) || (Host(`b`) && Path(`/x`))",
        );
        check(
            "(Host(`a`)||Host(`b`))&&Path(`/x`)",
            "(Host(`a`) || Host(`b`)) && Path(`/x`)",
        );
        check("!!Host(`a`)", "Host(`a`)");
        check("!(!Host(`a`))", "Host(`a`)");
        check("!(Host(`a`)||Path(`/`))", "!(Host(`a`) || Path(`/`))");
        check("Header(`a`, `b`,)", "Header(`a`, `b`)");
        check("Host(`a`) &&\n  (\nPath(`/n`))\n", "Host(`a`) && Path(`/n`)");
        check("Host()", "Host()");
    }

    #[test]
    fn mistakes() {
        check("", "0..0 the rule is empty");
        check("  ", "0..2 the rule is empty");
        check("Host", "4..4 unexpected end of the rule, expected `(`");
        check("Foo(`x`)", "0..3 unknown matcher `Foo`");
        check("Host(`a`", "8..8 unexpected end of the rule, expected `,` or `)`");
        check(
            "Host(`a`) &&",
            "12..12 unexpected end of the rule, expected a matcher",
        );
        check(
            "Host(1)",
            "5..6 unexpected `1`, expected a matcher, `(`, `)`, `!`, `&&` or `||`",
        );
        check(
            "Host(Path(`/x`))",
            "5..9 unexpected `Path`, expected a string in back quotes or double quotes",
        );
        check(
            "Host(,)",
            "5..6 unexpected `,`, expected a string in back quotes or double quotes",
        );
        check(
            "Host(`a`) x",
            "10..11 unexpected `x`, expected `&&`, `||` or the end",
        );
        check(
            "Host(`a`)\n&& Host(`b`)",
            "9..10 unexpected new line, expected `&&`, `||` or the end",
        );
        check("(Host(`a`)\n)", "10..11 unexpected new line, expected `)`");
        check("!", "1..1 unexpected end of the rule, expected a matcher");
        check("true", "0..4 unknown matcher `true`");
        check(
            "Host(`a`))",
            "9..10 unexpected `)`, expected `&&`, `||` or the end",
        );
    }

    #[test]
    fn limits() {
        let deep = |n: usize| format!("{}Host(`a`){}", "(".repeat(n), ")".repeat(n));
        check(&deep(MAX_DEPTH - 1), "Host(`a`)");
        assert_eq!(
            parse(&deep(100_000), Protocol::Http, Syntax::V3)
                .unwrap_err()
                .kind(),
            &Kind::TooDeep
        );
        check(&format!("{}Host(`a`)", "!".repeat(100_001)), "!Host(`a`)");
        let long = " ".repeat(MAX_LENGTH + 1);
        assert_eq!(
            parse(&long, Protocol::Http, Syntax::V3).unwrap_err().kind(),
            &Kind::TooLong
        );
    }
}
