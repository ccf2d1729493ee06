//! Go's spelling to ours.
//!
//! In Go, `\d`, `\s`, `\w` and `\b` are ASCII, `{` is literal unless it begins a repetition, `[` and `&&` are literal in
//! a class, flags are only `imsU`, and repetitions may not be stacked. Groups keep their numbers and names.

use std::collections::HashSet;

use super::{BadRegexp, NEST_LIMIT};

/// Writes Go's syntax in the syntax of the `regex` crate.
///
/// # Errors
/// What Go refuses, but for what the `regex` crate refuses as well (unknown Unicode classes, sizes).
pub fn translate(source: &str) -> Result<String, BadRegexp> {
    let out = String::with_capacity(source.len() + 16);
    let mut t = Translator {
        source,
        at: 0,
        out,
        before: Before::Nothing,
        depth: 0,
        names: HashSet::new(),
    };
    t.run()?;
    Ok(t.out)
}

/// What stands before the cursor: what a repetition would repeat.
#[derive(Clone, Copy, PartialEq)]
enum Before {
    Nothing,
    Atom,
    Repetition,
}

struct Translator<'a> {
    source: &'a str,
    at: usize,
    out: String,
    before: Before,
    depth: u32,
    names: HashSet<&'a str>,
}

type Done<T = ()> = Result<T, BadRegexp>;

impl<'a> Translator<'a> {
    fn run(&mut self) -> Done {
        while let Some(c) = self.bump() {
            match c {
                '\\' => self.escape()?,
                '[' => self.class()?,
                '(' => self.open()?,
                ')' => self.close()?,
                '*' | '+' | '?' => self.repeat(self.at - 1, &c.to_string())?,
                '{' => self.brace()?,
                '|' => {
                    self.out.push('|');
                    self.before = Before::Nothing;
                }
                '^' | '$' | '.' => self.atom(&c.to_string()),
                c => self.literal(c),
            }
        }
        if self.depth > 0 {
            self.fail("missing closing `)`")
        } else {
            Ok(())
        }
    }

    fn rest(&self) -> &'a str {
        &self.source[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn bump(&mut self) -> Option<char> {
        let c = self.peek()?;
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

    fn fail<T>(&self, reason: impl Into<String>) -> Done<T> {
        Err(BadRegexp {
            at: self.at,
            reason: reason.into(),
        })
    }

    fn atom(&mut self, text: &str) {
        self.out.push_str(text);
        self.before = Before::Atom;
    }

    fn literal(&mut self, c: char) {
        push_escaped(&mut self.out, c);
        self.before = Before::Atom;
    }

    fn repeat(&mut self, start: usize, operator: &str) -> Done {
        let lazy = self.eat("?");
        match self.before {
            Before::Nothing => return self.fail(format!("nothing before the repetition `{operator}`")),
            Before::Repetition => {
                return self.fail(format!(
                    "repetition after a repetition: `{}`",
                    &self.source[start..self.at]
                ));
            }
            Before::Atom => {}
        }
        self.out.push_str(operator);
        if lazy {
            self.out.push('?');
        }
        self.before = Before::Repetition;
        Ok(())
    }

    /// A `{` is a repetition only in the forms `{n}`, `{n,}` and `{n,m}`.
    fn brace(&mut self) -> Done {
        let start = self.at - 1;
        let Some((length, min, max)) = counts(self.rest()) else {
            self.literal('{');
            return Ok(());
        };
        self.at += length;
        if min > 1000 || max.is_some_and(|max| max > 1000 || min > max) {
            return self.fail(format!("invalid repeat count `{}`", &self.source[start..self.at]));
        }
        self.repeat(start, &self.source[start..self.at])
    }

    fn open(&mut self) -> Done {
        if !self.eat("?") {
            return self.group("(");
        }
        if self.eat("P<")
            || (!self.rest().starts_with("<=") && !self.rest().starts_with("<!") && self.eat("<"))
        {
            return self.named();
        }
        if matches!(self.peek(), Some('=' | '!' | '<')) {
            return self.fail("look-around is not supported");
        }
        self.flags()
    }

    fn group(&mut self, text: &str) -> Done {
        self.depth += 1;
        if self.depth > NEST_LIMIT {
            return self.fail("nested too deep");
        }
        self.out.push_str(text);
        self.before = Before::Nothing;
        Ok(())
    }

    fn named(&mut self) -> Done {
        let end = self.rest().find('>');
        let name = end.map_or("", |end| &self.rest()[..end]);
        if name.is_empty() || !name.bytes().all(|b| b == b'_' || b.is_ascii_alphanumeric()) {
            return self.fail("invalid name of a group");
        }
        if !self.names.insert(name) {
            return self.fail(format!("two groups are named `{name}`"));
        }
        self.at += name.len() + 1;
        // Ours may not begin with a digit; such a group keeps its number only.
        if name.as_bytes()[0].is_ascii_digit() {
            self.group("(")
        } else {
            self.group(&format!("(?P<{name}>"))
        }
    }

    fn close(&mut self) -> Done {
        if self.depth == 0 {
            return self.fail("unexpected `)`");
        }
        self.depth -= 1;
        self.atom(")");
        Ok(())
    }

    fn flags(&mut self) -> Done {
        let (mut on, mut off) = (String::new(), String::new());
        let (mut minus, mut seen) = (false, true);
        loop {
            match self.bump() {
                Some(c @ ('i' | 'm' | 's' | 'U')) => {
                    seen = true;
                    on.retain(|x| x != c);
                    off.retain(|x| x != c);
                    if minus { off.push(c) } else { on.push(c) }
                }
                Some('-') if !minus => (minus, seen) = (true, false),
                Some(c @ (':' | ')')) if seen => {
                    if !off.is_empty() {
                        off.insert(0, '-');
                    }
                    let flags = on + &off;
                    return match c {
                        ':' => self.group(&format!("(?{flags}:")),
                        _ => {
                            if !flags.is_empty() {
                                self.out.push_str(&format!("(?{flags})"));
                            }
                            self.before = Before::Nothing;
                            Ok(())
                        }
                    };
                }
                _ => return self.fail("unknown group or flag after `(?`"),
            }
        }
    }

    fn escape(&mut self) -> Done {
        match self.peek() {
            Some('Q') => {
                self.at += 1;
                self.quoted();
            }
            Some('A') => self.known("\\A"),
            Some('z') => self.known("\\z"),
            Some('b') => self.known("(?-u:\\b)"),
            Some('B') => self.known("(?-u:\\B)"),
            Some(c @ ('d' | 'D' | 's' | 'S' | 'w' | 'W')) => self.known(&format!("[{}]", perl(c))),
            Some('p' | 'P') => {
                let class = self.unicode()?;
                self.atom(&class);
            }
            _ => {
                let c = self.escaped_char()?;
                self.literal(c);
            }
        }
        Ok(())
    }

    fn known(&mut self, text: &str) {
        self.at += 1;
        self.atom(text);
    }

    fn quoted(&mut self) {
        let rest = self.rest();
        let end = rest.find("\\E");
        rest[..end.unwrap_or(rest.len())]
            .chars()
            .for_each(|c| self.literal(c));
        self.at += end.map_or(rest.len(), |end| end + 2);
    }

    /// `\pN`, `\p{Greek}`, `\P{Greek}`, `\p{^Greek}`; the cursor stands on the `p`.
    fn unicode(&mut self) -> Done<String> {
        let mut negated = self.bump() == Some('P');
        let name = if self.eat("{") {
            let Some(end) = self.rest().find('}') else {
                return self.fail("missing `}` of a class");
            };
            let name = &self.rest()[..end];
            self.at += end + 1;
            name
        } else {
            let start = self.at;
            self.bump();
            &self.source[start..self.at]
        };
        negated ^= name.starts_with('^');
        let name = name.trim_start_matches('^');
        if name.is_empty() || !name.bytes().all(|b| b == b'_' || b.is_ascii_alphanumeric()) {
            return self.fail(format!("unknown class `{name}`"));
        }
        Ok(format!("\\{}{{{name}}}", if negated { 'P' } else { 'p' }))
    }

    /// One character behind a backslash.
    fn escaped_char(&mut self) -> Done<char> {
        let Some(c) = self.bump() else {
            return self.fail("backslash at the end");
        };
        let next_octal = matches!(self.peek(), Some('0'..='7'));
        Ok(match c {
            '1'..='7' if !next_octal => {
                return self.fail(format!("back-references are not supported: `\\{c}`"));
            }
            '0'..='7' => self.octal(c),
            'x' => return self.hex(),
            'a' => '\x07',
            'f' => '\x0c',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\x0b',
            c if c.is_ascii() && !c.is_ascii_alphanumeric() => c,
            c => return self.fail(format!("invalid escape `\\{c}`")),
        })
    }

    fn octal(&mut self, first: char) -> char {
        let mut value = first.to_digit(8).unwrap_or(0);
        for _ in 0..2 {
            let Some(digit) = self.peek().and_then(|c| c.to_digit(8)) else {
                break;
            };
            self.at += 1;
            value = value * 8 + digit;
        }
        char::from_u32(value).unwrap_or('\u{fffd}')
    }

    fn hex(&mut self) -> Done<char> {
        let rest = self.rest();
        let digits = match rest.strip_prefix('{') {
            Some(inner) => inner.find('}').map(|end| (&inner[..end], end + 2)),
            None => rest.get(..2).map(|two| (two, 2)),
        };
        let valid = digits.filter(|(d, _)| !d.is_empty() && d.bytes().all(|b| b.is_ascii_hexdigit()));
        let value = valid.and_then(|(d, n)| Some((char::from_u32(u32::from_str_radix(d, 16).ok()?)?, n)));
        let Some((c, length)) = value else {
            return self.fail("invalid `\\x` escape");
        };
        self.at += length;
        Ok(c)
    }

    fn class(&mut self) -> Done {
        self.out.push('[');
        if self.eat("^") {
            self.out.push('^');
        }
        let mut first = true;
        while first || !self.rest().starts_with(']') {
            if self.rest().is_empty() {
                return self.fail("missing closing `]`");
            }
            first = false;
            self.class_item()?;
        }
        self.at += 1;
        self.atom("]");
        Ok(())
    }

    fn class_item(&mut self) -> Done {
        if self.rest().starts_with("[:") && self.posix()? {
            return Ok(());
        }
        let mut ahead = self.rest().chars();
        match (ahead.next(), ahead.next()) {
            (Some('\\'), Some(c @ ('d' | 's' | 'w'))) => {
                self.at += 2;
                self.out.push_str(perl(c));
            }
            (Some('\\'), Some(c @ ('D' | 'S' | 'W'))) => {
                self.at += 2;
                self.out.push_str(&format!("[{}]", perl(c)));
            }
            (Some('\\'), Some('p' | 'P')) => {
                self.at += 1;
                let class = self.unicode()?;
                self.out.push_str(&class);
            }
            _ => self.range()?,
        }
        Ok(())
    }

    fn posix(&mut self) -> Done<bool> {
        const NAMES: &[&str] = &[
            "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct",
            "space", "upper", "word", "xdigit",
        ];
        let Some(end) = self.rest().find(":]") else {
            return Ok(false);
        };
        let text = &self.rest()[..end + 2];
        let name = &self.rest().get(2..end).unwrap_or_default();
        if !NAMES.contains(&name.trim_start_matches('^')) {
            return self.fail(format!("unknown class `{text}`"));
        }
        self.out.push_str(text);
        self.at += text.len();
        Ok(true)
    }

    fn range(&mut self) -> Done {
        let low = self.class_char()?;
        push_in_class(&mut self.out, low);
        let rest = self.rest();
        if rest.starts_with('-') && rest.len() > 1 && !rest.starts_with("-]") {
            self.at += 1;
            let high = self.class_char()?;
            if high < low {
                return self.fail("the range of a class runs backwards");
            }
            self.out.push('-');
            push_in_class(&mut self.out, high);
        }
        Ok(())
    }

    fn class_char(&mut self) -> Done<char> {
        match self.bump() {
            None => self.fail("missing closing `]`"),
            Some('\\') => self.escaped_char(),
            Some(c) => Ok(c),
        }
    }
}

fn perl(c: char) -> &'static str {
    match c {
        'd' => "0-9",
        'D' => "^0-9",
        's' => "\\t\\n\\x0C\\r ",
        'S' => "^\\t\\n\\x0C\\r ",
        'w' => "0-9A-Za-z_",
        _ => "^0-9A-Za-z_",
    }
}

fn push_escaped(out: &mut String, c: char) {
    if regex_syntax::is_meta_character(c) {
        out.push('\\');
    }
    out.push(c);
}

fn push_in_class(out: &mut String, c: char) {
    if c.is_ascii() && !c.is_ascii_alphanumeric() {
        out.push_str(&format!("\\x{:02X}", u32::from(c)));
    } else {
        out.push(c);
    }
}

/// Reads `n}`, `n,}` or `n,m}`: its length, and the counts.
fn counts(text: &str) -> Option<(usize, u32, Option<u32>)> {
    let end = text.find('}')?;
    let (min, max) = match text[..end].split_once(',') {
        None => (count(&text[..end])?, None),
        Some((min, "")) => (count(min)?, None),
        Some((min, max)) => (count(min)?, Some(count(max)?)),
    };
    Some((end + 1, min, max))
}

fn count(text: &str) -> Option<u32> {
    let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let leading_zero = text.len() > 1 && text.starts_with('0');
    (plain && !leading_zero).then(|| text.parse().unwrap_or(u32::MAX))
}
