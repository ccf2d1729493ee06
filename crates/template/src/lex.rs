//! A template's text cut into tokens.

use std::ops::Range;

use crate::go::quote::unquote;

/// What is wrong, and at which byte.
pub(crate) type LexError = (usize, String);

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Token<'a> {
    pub at: usize,
    pub kind: TokenKind<'a>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum TokenKind<'a> {
    /// Text between actions, without what trim markers take away.
    Text(Range<usize>),
    /// `{{` or `{{-`.
    Left,
    /// `}}` or `-}}`.
    Right,
    Space,
    /// A function's name or a keyword.
    Word(&'a str),
    /// `.name`, without its dot.
    Field(&'a str),
    /// `$` or `$name`.
    Variable(&'a str),
    Dot,
    Number(&'a str),
    Char(&'a str),
    Str(String),
    Declare,
    Assign,
    Pipe,
    Comma,
    LeftParen,
    RightParen,
    End,
}

const LEFT: &str = "{{";
const RIGHT: &str = "}}";

/// Go's white space in templates.
fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

fn is_word(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

/// Cuts a text into tokens; the last one is `End`.
///
/// # Errors
/// What can be no token of Go's template language.
pub(crate) fn lex(text: &str) -> Result<Vec<Token<'_>>, LexError> {
    let mut lexer = Lexer {
        text,
        at: 0,
        parens: 0,
        tokens: Vec::new(),
    };
    lexer.run()?;
    Ok(lexer.tokens)
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    parens: usize,
    tokens: Vec<Token<'a>>,
}

impl<'a> Lexer<'a> {
    fn run(&mut self) -> Result<(), LexError> {
        while let Some(found) = self.rest().find(LEFT) {
            let left = self.at + found;
            let trims = trims_left(&self.text[left + LEFT.len()..]);
            let end = if trims {
                self.text[..left].trim_end_matches(is_space).len().max(self.at)
            } else {
                left
            };
            self.push_text(end);
            let marker = if trims { 2 } else { 0 };
            let inside = left + LEFT.len() + marker;
            if self.text[inside..].starts_with("/*") {
                self.comment(left, inside)?;
            } else {
                self.push(left, TokenKind::Left);
                self.at = inside;
                self.action(left)?;
            }
        }
        self.push_text(self.text.len());
        self.push(self.text.len(), TokenKind::End);
        Ok(())
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn push(&mut self, at: usize, kind: TokenKind<'a>) {
        self.tokens.push(Token { at, kind });
    }

    fn push_text(&mut self, end: usize) {
        if self.at < end {
            self.push(self.at, TokenKind::Text(self.at..end));
        }
    }

    fn comment(&mut self, left: usize, inside: usize) -> Result<(), LexError> {
        let length = self.text[inside..]
            .find("*/")
            .ok_or((left, "unclosed comment".to_owned()))?;
        self.at = inside + length + 2;
        if self.right_delimiter().is_none() {
            return Err((self.at, "comment ends before closing delimiter".into()));
        }
        self.close();
        Ok(())
    }

    /// The length of a right delimiter that starts here, and whether it trims.
    fn right_delimiter(&self) -> Option<(usize, bool)> {
        let rest = self.rest();
        if rest.starts_with(is_space) && rest[1..].starts_with("-}}") {
            return Some((4, true));
        }
        rest.starts_with(RIGHT).then_some((2, false))
    }

    /// Passes the right delimiter and the white space it trims.
    fn close(&mut self) {
        if let Some((length, trims)) = self.right_delimiter() {
            self.at += length;
            if trims {
                let rest = self.rest();
                self.at += rest.len() - rest.trim_start_matches(is_space).len();
            }
        }
    }

    fn action(&mut self, left: usize) -> Result<(), LexError> {
        loop {
            let at = self.at;
            if self.right_delimiter().is_some() {
                if self.parens > 0 {
                    return Err((at, "unclosed left paren".into()));
                }
                self.push(at, TokenKind::Right);
                self.close();
                return Ok(());
            }
            let Some(c) = self.rest().chars().next() else {
                return Err((left, "unclosed action".into()));
            };
            match c {
                c if is_space(c) => self.space(),
                '=' => self.symbol(TokenKind::Assign, 1),
                '|' => self.symbol(TokenKind::Pipe, 1),
                ',' => self.symbol(TokenKind::Comma, 1),
                ':' if self.rest().starts_with(":=") => self.symbol(TokenKind::Declare, 2),
                ':' => return Err((at, "expected :=".into())),
                '(' => {
                    self.parens += 1;
                    self.symbol(TokenKind::LeftParen, 1);
                }
                ')' => {
                    self.parens = self
                        .parens
                        .checked_sub(1)
                        .ok_or((at, "unexpected right paren".to_owned()))?;
                    self.symbol(TokenKind::RightParen, 1);
                }
                '"' | '`' => self.string(c)?,
                '\'' => self.char_constant()?,
                '$' => self.name(1, TokenKind::Variable)?,
                '.' if !self.rest()[1..].starts_with(|c: char| c.is_ascii_digit()) => self.dot()?,
                '.' | '+' | '-' | '0'..='9' => self.number()?,
                c if is_word(c) => self.name(0, TokenKind::Word)?,
                c => {
                    return Err((
                        at,
                        format!("unexpected character `{}` in action", c.escape_debug()),
                    ));
                }
            }
        }
    }

    fn symbol(&mut self, kind: TokenKind<'a>, length: usize) {
        self.push(self.at, kind);
        self.at += length;
    }

    /// White space, up to what belongs to a trimming delimiter.
    fn space(&mut self) {
        let start = self.at;
        while self.right_delimiter().is_none() && self.rest().starts_with(is_space) {
            self.at += 1;
        }
        if self.at > start {
            self.push(start, TokenKind::Space);
        }
    }

    fn dot(&mut self) -> Result<(), LexError> {
        if self.rest()[1..].starts_with(is_word) {
            return self.name(1, TokenKind::Field);
        }
        self.symbol(TokenKind::Dot, 1);
        self.terminated()
    }

    /// A name behind `prefix` bytes of sign; a variable keeps its sign.
    fn name(&mut self, prefix: usize, kind: fn(&'a str) -> TokenKind<'a>) -> Result<(), LexError> {
        let (start, rest) = (self.at, &self.rest()[prefix..]);
        let length = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        self.at += prefix + length;
        let name = &self.text[start..self.at];
        self.push(start, kind(name.strip_prefix('.').unwrap_or(name)));
        self.terminated()
    }

    /// Fails when what follows a name does not end it.
    fn terminated(&self) -> Result<(), LexError> {
        let rest = self.rest();
        let ends = |c: char| is_space(c) || matches!(c, '.' | ',' | '|' | ':' | '=' | ')' | '(');
        if rest.is_empty() || rest.starts_with(RIGHT) || rest.starts_with(ends) {
            return Ok(());
        }
        let c = rest.chars().next().unwrap_or_default();
        Err((self.at, format!("bad character `{}`", c.escape_debug())))
    }

    fn string(&mut self, quote: char) -> Result<(), LexError> {
        let (start, rest) = (self.at, self.rest());
        let length = match quote {
            '`' => {
                rest[1..]
                    .find('`')
                    .ok_or((start, "unterminated raw quoted string".to_owned()))?
                    + 2
            }
            _ => quoted_length(rest, '"').ok_or((start, "unterminated quoted string".to_owned()))?,
        };
        let text = if quote == '`' {
            rest[1..length - 1].replace('\r', "")
        } else {
            unquote(&rest[1..length - 1]).ok_or((start, "invalid syntax in quoted string".to_owned()))?
        };
        self.at += length;
        self.push(start, TokenKind::Str(text));
        Ok(())
    }

    fn char_constant(&mut self) -> Result<(), LexError> {
        let (start, rest) = (self.at, self.rest());
        let length =
            quoted_length(rest, '\'').ok_or((start, "unterminated character constant".to_owned()))?;
        self.at += length;
        self.push(start, TokenKind::Char(&rest[1..length - 1]));
        Ok(())
    }

    fn number(&mut self) -> Result<(), LexError> {
        let (start, rest) = (self.at, self.rest());
        let mut before = ' ';
        let unsigned = rest.trim_start_matches(['+', '-']);
        let hex = unsigned.starts_with("0x") || unsigned.starts_with("0X");
        let exponent = |c: char| (!hex && matches!(c, 'e' | 'E')) || matches!(c, 'p' | 'P');
        let length = rest
            .find(|c: char| {
                let sign = matches!(c, '+' | '-') && (before == ' ' || exponent(before));
                before = c;
                !(is_word(c) || c == '.' || sign)
            })
            .unwrap_or(rest.len());
        self.at += length;
        self.push(start, TokenKind::Number(&rest[..length]));
        Ok(())
    }
}

/// Whether the text behind a left delimiter asks to trim what is before it.
fn trims_left(text: &str) -> bool {
    text.starts_with('-') && text[1..].starts_with(is_space)
}

/// The length of a quoted text with both quotes; it stands on one line.
fn quoted_length(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            '\n' => return None,
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return Some(at + quote.len_utf8()),
            _ => {}
        }
    }
    None
}
