//! Text into words: the lexical half of CEL (language definition, "Syntax").

use super::Mistake;
use super::tree::Literal;

/// A word, and the byte that it begins at.
#[derive(Clone, Debug, PartialEq)]
pub struct Word<'a> {
    pub at: usize,
    pub kind: Kind<'a>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Kind<'a> {
    /// An operator or a bracket.
    Sign(&'static str),
    Name(&'a str),
    Literal(Literal),
    End,
}

/// Longer ones first: the longest that fits is meant.
const SIGNS: [&str; 24] = [
    "==", "!=", "<=", ">=", "&&", "||", "<", ">", "(", ")", "[", "]", "{", "}", ".", ",", "-", "!", "?", ":",
    "+", "*", "/", "%",
];

/// The words of `source`, with [`Kind::End`] behind them.
///
/// # Errors
/// What is no word: a strange character, a text that is not closed, a number that is too large.
pub fn words(source: &str) -> Result<Vec<Word<'_>>, Mistake> {
    let mut reader = Reader { source, at: 0 };
    let mut words = Vec::new();
    loop {
        let word = reader.next()?;
        let end = word.kind == Kind::End;
        words.push(word);
        if end {
            return Ok(words);
        }
    }
}

/// A mistake at a byte of the text.
pub fn mistake(at: usize, message: impl Into<String>) -> Mistake {
    Mistake {
        at,
        ..Mistake::new(message)
    }
}

struct Reader<'a> {
    source: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.source[self.at..]
    }

    fn next(&mut self) -> Result<Word<'a>, Mistake> {
        self.skip();
        let (at, rest) = (self.at, self.rest());
        let kind = match rest.bytes().next() {
            None => Kind::End,
            Some(b'0'..=b'9') => Kind::Literal(self.number()?),
            Some(b'.') if rest.as_bytes().get(1).is_some_and(u8::is_ascii_digit) => {
                Kind::Literal(self.number()?)
            }
            Some(_) => match self.text()? {
                Some(text) => Kind::Literal(text),
                None => self.name_or_sign()?,
            },
        };
        Ok(Word { at, kind })
    }

    /// Passes over white space and comments.
    fn skip(&mut self) {
        loop {
            let rest = self.rest();
            let white = rest.trim_start_matches(['\t', ' ', '\r', '\n', '\u{c}']);
            self.at += rest.len() - white.len();
            if !white.starts_with("//") {
                return;
            }
            self.at += white.find('\n').unwrap_or(white.len());
        }
    }

    fn name_or_sign(&mut self) -> Result<Kind<'a>, Mistake> {
        let rest = self.rest();
        let length = rest
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .unwrap_or(rest.len());
        if length > 0 {
            self.at += length;
            return Ok(named(&rest[..length]));
        }
        let Some(sign) = SIGNS.into_iter().find(|sign| rest.starts_with(sign)) else {
            let found = rest.chars().next().unwrap_or_default();
            return Err(mistake(
                self.at,
                format!("not CEL: `{}` means nothing here", found.escape_debug()),
            ));
        };
        self.at += sign.len();
        Ok(Kind::Sign(sign))
    }

    fn number(&mut self) -> Result<Literal, Mistake> {
        let (start, rest) = (self.at, self.rest());
        let hex = rest.strip_prefix("0x").filter(|r| digits(r, 16) > 0);
        let length = match hex {
            Some(rest) => 2 + digits(rest, 16),
            None => digits(rest, 10),
        };
        let too_large = |text: &str| mistake(start, format!("`{text}` is too large for a number"));
        if hex.is_none() {
            let length = decimals(rest, length);
            if length > digits(rest, 10) {
                self.at += length;
                let text = &rest[..length];
                let value: f64 = text
                    .parse()
                    .map_err(|_| mistake(start, format!("`{text}` is no number")))?;
                return if value.is_finite() {
                    Ok(Literal::Double(value))
                } else {
                    Err(too_large(text))
                };
            }
        }
        let unsigned = rest[length..].starts_with(['u', 'U']);
        self.at += length + usize::from(unsigned);
        let (from, radix) = if hex.is_some() { (2, 16) } else { (0, 10) };
        let text = &rest[..length];
        let value = u64::from_str_radix(&rest[from..length], radix).map_err(|_| too_large(text))?;
        if unsigned {
            return Ok(Literal::UInt(value));
        }
        match i64::try_from(value) {
            Ok(value) => Ok(Literal::Int(value)),
            // The smallest number is written as this one with a sign before it, which the parser looks for.
            Err(_) if value == i64::MIN.unsigned_abs() => Ok(Literal::Int(i64::MIN)),
            Err(_) => Err(too_large(text)),
        }
    }

    /// A text or bytes in quotes, with the letters before it; nothing when there is none.
    fn text(&mut self) -> Result<Option<Literal>, Mistake> {
        let rest = self.rest();
        let prefix = rest.find(['"', '\'']).filter(|n| *n <= 2).map(|n| &rest[..n]);
        let (bytes, raw) = match prefix.map(str::to_ascii_lowercase).as_deref() {
            Some("") => (false, false),
            Some("r") => (false, true),
            Some("b") => (true, false),
            Some("br") => (true, true),
            _ => return Ok(None),
        };
        let start = self.at;
        self.at += prefix.map_or(0, str::len);
        let rest = self.rest();
        let quote = ["\"\"\"", "'''", "\"", "'"]
            .into_iter()
            .find(|q| rest.starts_with(q));
        let Some(quote) = quote else { return Ok(None) };
        self.at += quote.len();
        let text = self.quoted(quote, raw, start)?;
        Ok(Some(if bytes {
            Literal::Bytes
        } else {
            Literal::Text(text)
        }))
    }

    fn quoted(&mut self, quote: &str, raw: bool, start: usize) -> Result<String, Mistake> {
        let mut text = String::new();
        loop {
            let rest = self.rest();
            if rest.starts_with(quote) {
                self.at += quote.len();
                return Ok(text);
            }
            match rest.chars().next() {
                None => return Err(mistake(start, "not CEL: the text is not closed")),
                Some('\n' | '\r') if quote.len() == 1 => {
                    return Err(mistake(start, "not CEL: the text is not closed on its line"));
                }
                Some('\\') if !raw => text.push(self.escaped()?),
                Some(c) => {
                    self.at += c.len_utf8();
                    text.push(c);
                }
            }
        }
    }

    /// The character that is written after a backslash.
    fn escaped(&mut self) -> Result<char, Mistake> {
        let (at, rest) = (self.at, &self.rest()[1..]);
        let wrong = || mistake(at, "not CEL: the backslash means nothing here");
        let kind = rest.chars().next().ok_or_else(wrong)?;
        let simple = match kind {
            'a' => Some('\u{7}'),
            'b' => Some('\u{8}'),
            'f' => Some('\u{c}'),
            'n' => Some('\n'),
            'r' => Some('\r'),
            't' => Some('\t'),
            'v' => Some('\u{b}'),
            '"' | '\'' | '\\' | '?' | '`' => Some(kind),
            _ => None,
        };
        if let Some(simple) = simple {
            self.at += 2;
            return Ok(simple);
        }
        let (from, length, radix) = match kind {
            'x' | 'X' => (1, 2, 16),
            'u' => (1, 4, 16),
            'U' => (1, 8, 16),
            '0'..='3' => (0, 3, 8),
            _ => return Err(wrong()),
        };
        let digits = rest.get(from..from + length).ok_or_else(wrong)?;
        if !digits.chars().all(|c| c.is_digit(radix)) {
            return Err(wrong());
        }
        let code = u32::from_str_radix(digits, radix).map_err(|_| wrong())?;
        self.at += 1 + from + length;
        char::from_u32(code).ok_or_else(|| mistake(at, "not CEL: there is no such character"))
    }
}

fn named(name: &str) -> Kind<'_> {
    match name {
        "true" => Kind::Literal(Literal::Bool(true)),
        "false" => Kind::Literal(Literal::Bool(false)),
        "null" => Kind::Literal(Literal::Null),
        "in" => Kind::Sign("in"),
        _ => Kind::Name(name),
    }
}

fn digits(text: &str, radix: u32) -> usize {
    text.find(|c: char| !c.is_digit(radix)).unwrap_or(text.len())
}

/// The length of a number of `whole` digits with what belongs to it behind the point and in the exponent.
fn decimals(text: &str, whole: usize) -> usize {
    let fraction = text[whole..].strip_prefix('.').map_or(0, |rest| digits(rest, 10));
    let length = if fraction > 0 { whole + 1 + fraction } else { whole };
    let Some(exponent) = text[length..].strip_prefix(['e', 'E']) else {
        return length;
    };
    let sign = usize::from(exponent.starts_with(['+', '-']));
    match digits(&exponent[sign..], 10) {
        0 => length,
        n => length + 1 + sign + n,
    }
}
