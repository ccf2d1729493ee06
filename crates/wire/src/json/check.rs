//! The one strict look at a whole document: grammar and depth. Everything else walks over what passed here.

use super::{Error, Fault, MAX_DEPTH};
use std::ops::Range;

/// Who wants to see what is passed on the way.
pub(super) trait Watch {
    /// A value begins here.
    fn begin(&mut self, _at: usize) {}
    /// The value that began last and has not ended, ends before here.
    fn end(&mut self, _at: usize) {}
    /// It is an object or an array.
    fn open(&mut self, object: bool);
    /// The innermost of them is closed.
    fn close(&mut self);
    /// A member's name, without its quotes.
    fn name(&mut self, at: Range<usize>, has_escapes: bool);
    /// Any string, names too, without its quotes.
    fn string(&mut self, at: Range<usize>, has_escapes: bool);
    fn number(&mut self, at: Range<usize>);
}

/// Nobody does.
impl Watch for () {
    fn open(&mut self, _: bool) {}
    fn close(&mut self) {}
    fn name(&mut self, _: Range<usize>, _: bool) {}
    fn string(&mut self, _: Range<usize>, _: bool) {}
    fn number(&mut self, _: Range<usize>) {}
}

/// Two of them.
impl<A: Watch, B: Watch> Watch for (A, B) {
    #[inline]
    fn begin(&mut self, at: usize) {
        self.0.begin(at);
        self.1.begin(at);
    }
    #[inline]
    fn end(&mut self, at: usize) {
        self.0.end(at);
        self.1.end(at);
    }
    #[inline]
    fn open(&mut self, object: bool) {
        self.0.open(object);
        self.1.open(object);
    }
    #[inline]
    fn close(&mut self) {
        self.0.close();
        self.1.close();
    }
    #[inline]
    fn name(&mut self, at: Range<usize>, has_escapes: bool) {
        self.0.name(at.clone(), has_escapes);
        self.1.name(at, has_escapes);
    }
    #[inline]
    fn string(&mut self, at: Range<usize>, has_escapes: bool) {
        self.0.string(at.clone(), has_escapes);
        self.1.string(at, has_escapes);
    }
    #[inline]
    fn number(&mut self, at: Range<usize>) {
        self.0.number(at.clone());
        self.1.number(at);
    }
}

/// Where the one value of a document stands.
///
/// # Errors
/// The grammar does not have it, or it is too deep.
pub(super) fn document(doc: &[u8], watch: &mut impl Watch) -> Result<Range<usize>, Error> {
    let mut check = Check {
        doc,
        at: 0,
        objects: 0,
        depth: 0,
        watch,
    };
    check.space();
    let start = check.at;
    check.values()?;
    let end = check.at;
    check.space();
    match check.at == doc.len() {
        true => Ok(start..end),
        false => Err(check.error(Fault::Trailing)),
    }
}

struct Check<'j, 'w, W> {
    doc: &'j [u8],
    at: usize,
    /// The open arrays and objects, innermost lowest: a bit is set for an object.
    objects: u128,
    depth: u32,
    watch: &'w mut W,
}

impl<W: Watch> Check<'_, '_, W> {
    /// One value with all that is in it; a loop, so that depth costs no stack.
    fn values(&mut self) -> Result<(), Error> {
        loop {
            if self.begin()? {
                continue;
            }
            loop {
                self.watch.end(self.at);
                if self.depth == 0 {
                    return Ok(());
                }
                self.space();
                let in_object = self.objects & 1 == 1;
                match self.peek()? {
                    b',' => {
                        self.at += 1;
                        if in_object {
                            self.name()?;
                        }
                        break;
                    }
                    b'}' if in_object => self.close(),
                    b']' if !in_object => self.close(),
                    _ => return Err(self.error(Fault::Unexpected)),
                }
            }
        }
    }

    /// A scalar, an empty array or object, or the beginning of one up to its first value: then it says true.
    fn begin(&mut self) -> Result<bool, Error> {
        self.space();
        self.watch.begin(self.at);
        match self.peek()? {
            b'{' => {
                self.open(1)?;
                if self.peek()? == b'}' {
                    self.close();
                    return Ok(false);
                }
                self.name()?;
                Ok(true)
            }
            b'[' => {
                self.open(0)?;
                if self.peek()? == b']' {
                    self.close();
                    return Ok(false);
                }
                Ok(true)
            }
            b'"' => self.string().map(|_| false),
            b't' => self.word(b"true"),
            b'f' => self.word(b"false"),
            b'n' => self.word(b"null"),
            _ => self.number().map(|()| false),
        }
    }

    fn open(&mut self, object: u128) -> Result<(), Error> {
        if self.depth == MAX_DEPTH {
            return Err(self.error(Fault::Depth));
        }
        self.depth += 1;
        self.objects = self.objects << 1 | object;
        self.watch.open(object == 1);
        self.at += 1;
        self.space();
        Ok(())
    }

    fn close(&mut self) {
        self.depth -= 1;
        self.objects >>= 1;
        self.at += 1;
        self.watch.close();
    }

    /// A member's name and its colon.
    fn name(&mut self) -> Result<(), Error> {
        self.space();
        if self.peek()? != b'"' {
            return Err(self.error(Fault::Unexpected));
        }
        let start = self.at + 1;
        let has_escapes = self.string()?;
        self.watch.name(start..self.at - 1, has_escapes);
        self.space();
        match self.peek()? {
            b':' => self.at += 1,
            _ => return Err(self.error(Fault::Unexpected)),
        }
        Ok(())
    }

    /// A string; true for one with escapes.
    fn string(&mut self) -> Result<bool, Error> {
        self.at += 1;
        let start = self.at;
        let mut has_escapes = false;
        loop {
            self.at = special(self.doc, self.at);
            match self.peek()? {
                b'"' => {
                    self.watch.string(start..self.at, has_escapes);
                    self.at += 1;
                    return Ok(has_escapes);
                }
                b'\\' => {
                    has_escapes = true;
                    self.escape()?;
                }
                _ => return Err(self.error(Fault::Text)),
            }
        }
    }

    fn escape(&mut self) -> Result<(), Error> {
        self.at += 1;
        match self.peek()? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => self.at += 1,
            b'u' => {
                for _ in 0..4 {
                    self.at += 1;
                    if !self.peek()?.is_ascii_hexdigit() {
                        return Err(self.error(Fault::Text));
                    }
                }
                self.at += 1;
            }
            _ => return Err(self.error(Fault::Text)),
        }
        Ok(())
    }

    /// `-? ( 0 | [1-9][0-9]* ) ( . [0-9]+ )? ( [eE] [+-]? [0-9]+ )?`
    fn number(&mut self) -> Result<(), Error> {
        let start = self.at;
        self.at += usize::from(self.has(b"-"));
        match self.peek()? {
            b'0' => self.at += 1,
            _ => self.digits()?,
        }
        if self.has(b".") {
            self.at += 1;
            self.digits()?;
        }
        if self.has(b"eE") {
            self.at += 1;
            self.at += usize::from(self.has(b"+-"));
            self.digits()?;
        }
        self.watch.number(start..self.at);
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Error> {
        if !self.peek()?.is_ascii_digit() {
            return Err(self.error(Fault::Unexpected));
        }
        while self.has(b"0123456789") {
            self.at += 1;
        }
        Ok(())
    }

    fn word(&mut self, word: &[u8]) -> Result<bool, Error> {
        for byte in word {
            if self.peek()? != *byte {
                return Err(self.error(Fault::Unexpected));
            }
            self.at += 1;
        }
        Ok(false)
    }

    fn space(&mut self) {
        self.at = past_space(self.doc, self.at);
    }

    fn has(&self, any: &[u8]) -> bool {
        self.doc.get(self.at).is_some_and(|b| any.contains(b))
    }

    fn peek(&self) -> Result<u8, Error> {
        self.doc
            .get(self.at)
            .copied()
            .ok_or_else(|| self.error(Fault::End))
    }

    fn error(&self, what: Fault) -> Error {
        Error { what, at: self.at }
    }
}

/// The first position from `at` that is no white space.
#[inline]
pub(super) fn past_space(doc: &[u8], mut at: usize) -> usize {
    while matches!(doc.get(at), Some(b' ' | b'\n' | b'\r' | b'\t')) {
        at += 1;
    }
    at
}

/// Whether a text is written as nearly all names are: ASCII without a backslash, so that what it says is what stands there.
#[inline]
pub(super) fn is_plain(text: &[u8]) -> bool {
    let (words, rest) = text.as_chunks::<8>();
    let plain = words.iter().all(|word| {
        let w = u64::from_le_bytes(*word);
        (w | below(w ^ (ONES * u64::from(b'\\')), 1)) & HIGHS == 0
    });
    plain && rest.iter().all(|b| b.is_ascii() && *b != b'\\')
}

/// Sets the highest bit of the first byte of `w` that is below `n`, perhaps of later ones, and of none if there is none.
#[inline]
fn below(w: u64, n: u64) -> u64 {
    w.wrapping_sub(ONES * n) & !w
}

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// The first position from `at` of a quote, a backslash or a control character; the end if there is none. Eight bytes at
/// a time: in each mask the lowest set bit is exact.
#[inline]
pub(super) fn special(doc: &[u8], mut at: usize) -> usize {
    while let Some(word) = doc.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let w = u64::from_le_bytes(*word);
        let quote = below(w ^ (ONES * u64::from(b'"')), 1);
        let slash = below(w ^ (ONES * u64::from(b'\\')), 1);
        let hits = (below(w, 0x20) | quote | slash) & HIGHS;
        if hits != 0 {
            return at + (hits.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    let rest = doc.get(at..).unwrap_or_default();
    let stop = |b: &u8| *b < 0x20 || *b == b'"' || *b == b'\\';
    at + rest.iter().position(stop).unwrap_or(rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(doc: &str, want: Result<Range<usize>, (Fault, usize)>) {
        assert_eq!(
            document(doc.as_bytes(), &mut ()).map_err(|e| (e.what, e.at)),
            want,
            "{doc}"
        );
    }

    #[test]
    fn documents() {
        check("{}", Ok(0..2));
        check(" [1, 2.5e-3, -0, \"a\\u00e9\", {\"b\":[[]]}]\n", Ok(1..39));
        check("0", Ok(0..1));
        check("\"\u{7f}é\"", Ok(0..5));
        check("", Err((Fault::End, 0)));
        check("[1,]", Err((Fault::Unexpected, 3)));
        check("{\"a\":1,}", Err((Fault::Unexpected, 7)));
        check("{\"a\" 1}", Err((Fault::Unexpected, 5)));
        check("{a:1}", Err((Fault::Unexpected, 1)));
        check("[1}", Err((Fault::Unexpected, 2)));
        check("01", Err((Fault::Trailing, 1)));
        check("+1", Err((Fault::Unexpected, 0)));
        check("1.", Err((Fault::End, 2)));
        check("tru", Err((Fault::End, 3)));
        check("\"a\tb\"", Err((Fault::Text, 2)));
        check("\"a\\x\"", Err((Fault::Text, 3)));
        check("\"\\u12g4\"", Err((Fault::Text, 5)));
        check("{} {}", Err((Fault::Trailing, 3)));
        check("\u{feff}{}", Err((Fault::Unexpected, 0)));
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |n: usize| "[".repeat(n) + &"]".repeat(n);
        assert!(document(nested(128).as_bytes(), &mut ()).is_ok());
        check(&nested(129), Err((Fault::Depth, 128)));
        let mixed = "{\"a\":[".repeat(64) + &"]}".repeat(64);
        assert!(document(mixed.as_bytes(), &mut ()).is_ok());
    }
}
