//! Text to tokens, as a Go expression is read: strings, names, operators, comments, and new lines that end a sentence.
//!
//! A new line after a name, a string or `)` is a token of its own, as in Go: an operator ends a line, it never begins one.

use std::fmt;
use std::ops::Range;

use crate::error::{Error, Kind};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Token<'a> {
    Word(&'a str),
    /// A string's value: bytes, since `"\xff"` may be written.
    Text(Vec<u8>),
    Open,
    Close,
    Comma,
    And,
    Or,
    Not,
    NewLine,
    End,
}

impl fmt::Display for Token<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Token::Word(word) => return write!(f, "`{word}`"),
            Token::Text(_) => "a string",
            Token::Open => "`(`",
            Token::Close => "`)`",
            Token::Comma => "`,`",
            Token::And => "`&&`",
            Token::Or => "`||`",
            Token::Not => "`!`",
            Token::NewLine => "new line",
            Token::End => "end of the rule",
        })
    }
}

pub(crate) struct Lexer<'a> {
    text: &'a str,
    at: usize,
    /// Whether a new line here would end the sentence.
    ends: bool,
}

pub(crate) type Spanned<'a> = (Token<'a>, Range<usize>);

impl<'a> Lexer<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self {
            text,
            at: 0,
            ends: false,
        }
    }

    pub(crate) fn next(&mut self) -> Result<Spanned<'a>, Error> {
        if let Some(new_line) = self.skip()? {
            self.ends = false;
            return Ok((Token::NewLine, new_line));
        }
        let start = self.at;
        let token = self.token(start)?;
        self.ends = matches!(token, Token::Word(_) | Token::Text(_) | Token::Close);
        Ok((token, start..self.at))
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn bump(&mut self) -> Option<char> {
        let c = self.rest().chars().next()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn eat(&mut self, prefix: &str) -> bool {
        let found = self.rest().starts_with(prefix);
        if found {
            self.at += prefix.len();
        }
        found
    }

    /// Skips blanks and comments; stops behind a new line that counts.
    fn skip(&mut self) -> Result<Option<Range<usize>>, Error> {
        loop {
            let start = self.at;
            let new_line = if self.eat("//") {
                self.at += self.rest().find('\n').unwrap_or(self.rest().len());
                false
            } else if self.eat("/*") {
                let Some(end) = self.rest().find("*/") else {
                    return Err(self.unexpected(start, "`/*`", "`*/` after it"));
                };
                self.at += end + 2;
                self.text[start..self.at].contains('\n')
            } else {
                match self.rest().bytes().next() {
                    Some(b'\n') => self.at += 1,
                    Some(b' ' | b'\t' | b'\r') => self.at += 1,
                    _ => return Ok(None),
                }
                self.text[start..self.at] == *"\n"
            };
            if new_line && self.ends {
                return Ok(Some(start..self.at));
            }
        }
    }

    fn token(&mut self, start: usize) -> Result<Token<'a>, Error> {
        for (text, token) in [("&&", Token::And), ("||", Token::Or)] {
            if self.eat(text) {
                return Ok(token);
            }
        }
        let Some(c) = self.bump() else {
            return Ok(Token::End);
        };
        Ok(match c {
            '(' => Token::Open,
            ')' => Token::Close,
            ',' => Token::Comma,
            '!' if !self.rest().starts_with('=') => Token::Not,
            '`' => Token::Text(self.raw(start)?),
            '"' => Token::Text(self.quoted(start)?),
            c if c == '_' || c.is_alphabetic() => {
                let rest = self.rest();
                self.at += rest
                    .find(|c: char| c != '_' && !c.is_alphanumeric())
                    .unwrap_or(rest.len());
                Token::Word(&self.text[start..self.at])
            }
            _ => return Err(self.stray(c, start)),
        })
    }

    fn raw(&mut self, start: usize) -> Result<Vec<u8>, Error> {
        let rest = self.rest();
        let end = rest.find('`').ok_or_else(|| self.unclosed(start))?;
        self.at += end + 1;
        Ok(rest[..end].bytes().filter(|b| *b != b'\r').collect())
    }

    fn quoted(&mut self, start: usize) -> Result<Vec<u8>, Error> {
        let mut out = Vec::new();
        loop {
            let at = self.at;
            match self.bump() {
                None | Some('\n') => return Err(self.unclosed(start)),
                Some('"') => return Ok(out),
                Some('\\') => self.escape(&mut out).ok_or_else(|| {
                    let text = &self.text[at..self.at];
                    Error::new(at..self.at, Kind::Escape(text.to_owned())).help_with(
                        "a backslash is written `\\\\` in double quotes; in back quotes it stands for itself",
                    )
                })?,
                Some(c) => push(&mut out, c),
            }
        }
    }

    fn escape(&mut self, out: &mut Vec<u8>) -> Option<()> {
        let c = self.bump()?;
        match c {
            'a' => out.push(7),
            'b' => out.push(8),
            'f' => out.push(12),
            'n' => out.push(b'\n'),
            'r' => out.push(b'\r'),
            't' => out.push(b'\t'),
            'v' => out.push(11),
            '\\' | '"' => push(out, c),
            'x' => out.push(u8::try_from(self.digits(2, 16)?).ok()?),
            'u' => push(out, char::from_u32(self.digits(4, 16)?)?),
            'U' => push(out, char::from_u32(self.digits(8, 16)?)?),
            '0'..='7' => {
                self.at -= 1;
                out.push(u8::try_from(self.digits(3, 8)?).ok()?);
            }
            _ => return None,
        }
        Some(())
    }

    fn digits(&mut self, count: usize, radix: u32) -> Option<u32> {
        let mut value = 0u32;
        for _ in 0..count {
            let digit = self.rest().chars().next()?.to_digit(radix)?;
            self.at += 1;
            value = value.checked_mul(radix)?.checked_add(digit)?;
        }
        Some(value)
    }

    fn unclosed(&self, start: usize) -> Error {
        Error::new(start..self.text.len(), Kind::Unclosed)
    }

    fn unexpected(&self, start: usize, found: &str, expected: &'static str) -> Error {
        Error::new(
            start..self.at,
            Kind::Unexpected {
                found: found.to_owned(),
                expected,
            },
        )
    }

    fn stray(&self, c: char, start: usize) -> Error {
        let shown = if c.is_control() {
            format!("`{}`", c.escape_debug())
        } else {
            format!("`{c}`")
        };
        let error = self.unexpected(start, &shown, "a matcher, `(`, `)`, `!`, `&&` or `||`");
        match c {
            '&' => error.help_with("and is written `&&`"),
            '|' => error.help_with("or is written `||`"),
            '\'' => error.help_with("strings stand in back quotes or double quotes"),
            '=' | '!' => error.help_with("a matcher stands alone, it is not compared with anything"),
            '0'..='9' => error.help_with("arguments are strings: put them in back quotes"),
            _ => error,
        }
    }
}

fn push(out: &mut Vec<u8>, c: char) {
    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

/// A string literal in double quotes that reads back as `bytes`.
pub(crate) fn quote(bytes: &[u8]) -> String {
    let mut out = String::from('"');
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '"' | '\\' => out.extend(['\\', c]),
                '\n' => out.push_str("\\n"),
                '\t' => out.push_str("\\t"),
                '\r' => out.push_str("\\r"),
                c if c.is_control() || c == '\u{feff}' => out.push_str(&format!("\\U{:08x}", u32::from(c))),
                c => out.push(c),
            }
        }
        for byte in chunk.invalid() {
            out.push_str(&format!("\\x{byte:02x}"));
        }
    }
    out.push('"');
    out
}

/// A string literal, in back quotes where that is possible.
pub(crate) fn literal(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text)
            if !text
                .chars()
                .any(|c| c == '`' || c.is_control() || c == '\u{feff}') =>
        {
            format!("`{text}`")
        }
        _ => quote(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let mut lexer = Lexer::new(text);
        let mut seen = Vec::new();
        loop {
            match lexer.next() {
                Ok((Token::End, _)) => break,
                Ok((Token::Text(bytes), span)) => {
                    seen.push(format!("{}@{}", bytes.escape_ascii(), span.start))
                }
                Ok((token, span)) => seen.push(format!("{token}@{}", span.start)),
                Err(error) => {
                    seen.push(format!("error {:?} {error}", error.span()));
                    break;
                }
            }
        }
        assert_eq!(seen.join(" "), expected, "{text}");
    }

    #[test]
    fn tokens() {
        check("Host(`a`)", "`Host`@0 `(`@4 a@5 `)`@8");
        check("a&&b||!c", "`a`@0 `&&`@1 `b`@3 `||`@4 `!`@6 `c`@7");
        check("a\n&&", "`a`@0 new line@1 `&&`@2");
        check("a &&\n b", "`a`@0 `&&`@2 `b`@6");
        check("a // x\n/* y\n */ && b", "`a`@0 new line@6 `&&`@16 `b`@19");
        check("a /* x */ && b", "`a`@0 `&&`@10 `b`@13");
        check("a /* x\n */ && b", "`a`@0 new line@2 `&&`@11 `b`@14");
        check("", "");
    }

    #[test]
    fn strings() {
        check(r"`\d`", r"\\d@0");
        check("`a\r\nb`", r"a\nb@0");
        check(
            r#""\x41\101\u00e9\U0001F600\n\"\\\xff""#,
            r#"AA\xc3\xa9\xf0\x9f\x98\x80\n\"\\\xff@0"#,
        );
        check(r#""a\.b""#, r"error 2..4 invalid escape sequence `\.`");
        check(r#""\ud800""#, r"error 1..7 invalid escape sequence `\ud800`");
        check(r#""\400""#, r"error 1..5 invalid escape sequence `\400`");
        check(r#""\é""#, r"error 1..4 invalid escape sequence `\é`");
        check("\"a\nb\"", "error 0..5 the string is not closed");
        check("x `a", "`x`@0 error 2..4 the string is not closed");
    }

    #[test]
    fn strays() {
        let expected = "expected a matcher, `(`, `)`, `!`, `&&` or `||`";
        check("a & b", &format!("`a`@0 error 2..3 unexpected `&`, {expected}"));
        check("é == 1", &format!("`é`@0 error 3..4 unexpected `=`, {expected}"));
        check("'a'", &format!("error 0..1 unexpected `'`, {expected}"));
        check("\0", &format!("error 0..1 unexpected `\\0`, {expected}"));
        check("/* x", "error 0..2 unexpected `/*`, expected `*/` after it");
    }

    #[test]
    fn literals_read_back() {
        for bytes in [
            &b"a"[..],
            b"a`b",
            b"\xff\xfe\"\\",
            "é\u{7f}\u{feff}".as_bytes(),
            b"\r\n\t\0",
        ] {
            for text in [literal(bytes), quote(bytes)] {
                assert_eq!(
                    Lexer::new(&text).next().unwrap().0,
                    Token::Text(bytes.to_vec()),
                    "{text}"
                );
            }
        }
    }
}
