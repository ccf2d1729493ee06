//! Strings: what they say, and where each byte of that is written.

use super::check::is_plain;
use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

/// The text of a string, as it is written between its quotes.
#[derive(Clone)]
pub struct Text<'j> {
    doc: &'j str,
    range: Range<usize>,
}

/// A text with its escapes resolved, and the way back.
#[derive(Clone, Debug)]
pub struct Decoded<'j> {
    pub text: Cow<'j, str>,
    /// Where the raw text begins in the document.
    start: usize,
    escapes: Vec<Escape>,
}

/// One escape: where its character stands in the decoded text, and it in the document.
#[derive(Clone, Copy, Debug)]
struct Escape {
    text: usize,
    text_len: usize,
    raw: usize,
    raw_len: usize,
}

impl<'j> Text<'j> {
    pub(super) fn new(doc: &'j str, range: Range<usize>) -> Text<'j> {
        Text { doc, range }
    }

    /// A text that was found before, at its range in a document that was checked.
    pub fn at(doc: &'j str, range: Range<usize>) -> Text<'j> {
        Text { doc, range }
    }

    /// Where it is written, without its quotes.
    pub fn range(&self) -> Range<usize> {
        self.range.clone()
    }

    /// As it is written, with escapes.
    pub fn raw(&self) -> &'j str {
        self.doc.get(self.range.clone()).unwrap_or_default()
    }

    /// What it says.
    pub fn to_str(&self) -> Cow<'j, str> {
        self.decode_noting(|_| {})
    }

    /// Whether it says this.
    pub fn is(&self, text: &str) -> bool {
        let raw = self.raw();
        // Escapes are longer than what they stand for.
        raw == text || raw.len() > text.len() && raw.contains('\\') && self.to_str() == text
    }

    /// The second half of a surrogate pair that it begins with: text that is told in pieces can be cut within one.
    pub fn low_half(&self) -> Option<u16> {
        let low = unit(self.raw().as_bytes(), 0).filter(|unit| (0xdc00..=0xdfff).contains(unit));
        low.and_then(|unit| u16::try_from(unit).ok())
    }

    /// The first half of a surrogate pair that it ends with.
    pub fn high_half(&self) -> Option<u16> {
        let raw = self.raw().as_bytes();
        let at = raw.len().checked_sub(6)?;
        let high = unit(raw, at).filter(|unit| (0xd800..=0xdbff).contains(unit))?;
        // Behind an odd number of backslashes its own is no escape.
        let slashes = raw[..at].iter().rev().take_while(|b| **b == b'\\').count();
        u16::try_from(high).ok().filter(|_| slashes % 2 == 0)
    }

    /// What it says, with the way back to the document.
    pub fn decode(&self) -> Decoded<'j> {
        let mut escapes = Vec::new();
        let text = self.decode_noting(|escape| escapes.push(escape));
        Decoded {
            text,
            start: self.range.start,
            escapes,
        }
    }

    fn decode_noting(&self, mut note: impl FnMut(Escape)) -> Cow<'j, str> {
        let raw = self.raw();
        if is_plain(raw.as_bytes()) {
            return Cow::Borrowed(raw);
        }
        let Some(mut next) = raw.find('\\') else {
            return Cow::Borrowed(raw);
        };
        let (mut out, mut at) = (String::with_capacity(raw.len()), 0);
        loop {
            out.push_str(raw.get(at..next).unwrap_or_default());
            let (c, len) = escaped(raw.as_bytes().get(next..).unwrap_or_default());
            note(Escape {
                text: out.len(),
                text_len: c.len_utf8(),
                raw: self.range.start + next,
                raw_len: len,
            });
            out.push(c);
            at = next + len;
            match raw.get(at..).and_then(|rest| rest.find('\\')) {
                Some(n) => next = at + n,
                None => break,
            }
        }
        out.push_str(raw.get(at..).unwrap_or_default());
        Cow::Owned(out)
    }
}

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Text at {:?}", self.range)
    }
}

/// The character of the escape at the beginning, and its length. A surrogate without its other half is U+FFFD.
fn escaped(raw: &[u8]) -> (char, usize) {
    let c = match raw.get(1) {
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(b'u') => return unicode(raw),
        Some(c) => char::from(*c),
        None => return (char::REPLACEMENT_CHARACTER, 1),
    };
    (c, 2)
}

fn unicode(raw: &[u8]) -> (char, usize) {
    let high = unit(raw, 0).unwrap_or(0xfffd);
    if let (0xd800..=0xdbff, Some(low @ 0xdc00..=0xdfff)) = (high, unit(raw, 6)) {
        let code = 0x1_0000 + ((high - 0xd800) << 10 | (low - 0xdc00));
        return (char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), 12);
    }
    (
        char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER),
        raw.len().min(6),
    )
}

/// The code unit of the `\uXXXX` at `at`.
fn unit(raw: &[u8], at: usize) -> Option<u32> {
    let digits = raw.get(at..at + 6)?.strip_prefix(b"\\u")?;
    let digit = |n, b: &u8| Some(n << 4 | char::from(*b).to_digit(16)?);
    digits.iter().try_fold(0, digit)
}

impl Decoded<'_> {
    /// Where a part of the text is written in the document. A part of a character that was escaped is all of it.
    pub fn raw(&self, part: Range<usize>) -> Range<usize> {
        self.place(part.start, false)..self.place(part.end, true)
    }

    /// Where the whole text is written.
    pub fn range(&self) -> Range<usize> {
        self.raw(0..self.text.len())
    }

    fn place(&self, at: usize, end: bool) -> usize {
        let before = self
            .escapes
            .partition_point(|e| e.text < at || !end && e.text == at);
        let Some(escape) = before.checked_sub(1).and_then(|i| self.escapes.get(i)) else {
            return self.start + at;
        };
        match at.checked_sub(escape.text + escape.text_len) {
            Some(past) => escape.raw + escape.raw_len + past,
            None if end => escape.raw + escape.raw_len,
            None => escape.raw,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse;

    #[test]
    fn halves_of_characters() {
        let check = |raw: &str, low: Option<u16>, high: Option<u16>| {
            let text = super::Text::at(raw, 0..raw.len());
            assert_eq!((text.low_half(), text.high_half()), (low, high), "{raw}");
        };
        check("", None, None);
        check(r"\ude00a\ud83d", Some(0xde00), Some(0xd83d));
        check(r"\ud83d", None, Some(0xd83d));
        check(r"\uDE00", Some(0xde00), None);
        check(r"\ud83d\ude00", None, None);
        check(r"\\ud83d", None, None);
        check(r"\\\ud83d", None, Some(0xd83d));
        check(r"ud83d", None, None);
    }

    #[test]
    fn decoded_text_knows_where_it_is_written() {
        let check = |doc: &str, want: &str, parts: &[(&str, &str)]| {
            let text = parse(doc.as_bytes()).unwrap().text().unwrap();
            assert_eq!(text.to_str(), want, "{doc}");
            let decoded = text.decode();
            assert_eq!(&doc[decoded.range()], &doc[1..doc.len() - 1], "{doc}");
            for (part, raw) in parts {
                let at = want.find(part).unwrap();
                assert_eq!(&doc[decoded.raw(at..at + part.len())], *raw, "`{part}` of {doc}");
            }
        };
        check(r#""plain""#, "plain", &[("lai", "lai")]);
        check(r#""""#, "", &[]);
        check(
            r#""a\nb\tc""#,
            "a\nb\tc",
            &[("a", "a"), ("\n", r"\n"), ("b", "b"), ("b\t", r"b\t"), ("c", "c")],
        );
        check(
            r#""\"\\\/\b\f\r""#,
            "\"\\/\u{8}\u{c}\r",
            &[("/", r"\/"), ("\\", r"\\")],
        );
        check(
            r#""x\u00e9y""#,
            "xéy",
            &[("é", r"\u00e9"), ("xé", r"x\u00e9"), ("y", "y")],
        );
        check(
            r#""\ud83d\ude00!""#,
            "😀!",
            &[("😀", r"\ud83d\ude00"), ("!", "!")],
        );
        check(r#""\ud83d!\ude00""#, "\u{fffd}!\u{fffd}", &[("!", "!")]);
        check(r#""\ud83d\n""#, "\u{fffd}\n", &[("\n", r"\n")]);
    }
}
