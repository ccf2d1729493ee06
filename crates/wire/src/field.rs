//! Field lines into a header list (RFC 9112 §5): checked, copied and canonicalized.
//!
//! Lines are copied as they stand, many at once, and then read where they lie; a name is put into canonical spelling in
//! place. Only a line that is not written as `Name: value` is written a second time.

use crate::headers::{Headers, canonicalize, is_token};
use crate::reject::Reject;
use crate::scan::{find_below, name_word, word};

/// Bytes copied at once: a request without body is shorter, and a body behind the head costs little.
const WINDOW: usize = 1024;
/// Zeros behind what was copied: they end every scan, and let it read whole words.
const PAD: usize = 16;
const MAX_NAME: usize = u16::MAX as usize;

/// Reads field lines from `at` up to the empty line that ends them and gives the position after it; `None` when that
/// line is not there yet.
pub fn parse_fields(
    buf: &[u8],
    at: usize,
    headers: &mut Headers,
    max_fields: usize,
) -> Result<Option<usize>, Reject> {
    let mut size = WINDOW;
    let mut at = at;
    loop {
        let piece = &buf[at..buf.len().min(at + size)];
        match read_window(piece, headers, max_fields)? {
            Read::End(len) => return Ok(Some(at + len)),
            Read::More(_) if at + piece.len() == buf.len() => return Ok(None),
            // A line longer than the window needs a larger one.
            Read::More(0) => size *= 4,
            Read::More(len) => at += len,
        }
    }
}

/// How far the lines of a window were read.
enum Read {
    /// The empty line ends here.
    End(usize),
    /// The line that starts here is not complete.
    More(usize),
}

/// Copies `piece` and reads its lines; what is not a complete line is taken away again.
#[inline]
fn read_window(piece: &[u8], headers: &mut Headers, max_fields: usize) -> Result<Read, Reject> {
    let text = headers.text_mut();
    let start = text.len();
    text.reserve(piece.len() + PAD);
    text.extend_from_slice(piece);
    text.extend_from_slice(&[0; PAD]);
    let mut window = Window {
        headers,
        at: start,
        end: start + piece.len(),
        rewritten: false,
    };
    let read = loop {
        match window.line(max_fields)? {
            Line::Field => {}
            Line::Last => break Read::End(window.at + 2 - start),
            Line::Incomplete => break Read::More(window.at - start),
        }
    };
    if !window.rewritten {
        let used = window.at;
        headers.text_mut().truncate(used);
    }
    Ok(read)
}

enum Line {
    Field,
    Last,
    Incomplete,
}

struct Window<'h> {
    headers: &'h mut Headers,
    /// Where the next line starts.
    at: usize,
    /// Where the copied bytes end.
    end: usize,
    /// Whether lines were written behind the window.
    rewritten: bool,
}

impl Window<'_> {
    #[inline(always)]
    fn line(&mut self, max_fields: usize) -> Result<Line, Reject> {
        let line = self.at;
        if line >= self.end {
            return Ok(Line::Incomplete);
        }
        if self.headers.text_mut()[line] == b'\r' {
            return Ok(if self.line_end(line)? {
                Line::Last
            } else {
                Line::Incomplete
            });
        }
        let Some(colon) = self.name()? else {
            return Ok(Line::Incomplete);
        };
        let Some(cr) = self.value_end(colon + 1)? else {
            return Ok(Line::Incomplete);
        };
        if self.headers.len() >= max_fields {
            return Err(Reject::HeadFields);
        }
        self.add(line, colon, cr);
        self.at = cr + 2;
        Ok(Line::Field)
    }

    /// Whether LF follows the CR at `cr`; `false` when it is still to come.
    #[inline(always)]
    fn line_end(&mut self, cr: usize) -> Result<bool, Reject> {
        match self.headers.text_mut()[cr + 1] {
            _ if cr + 1 >= self.end => Ok(false),
            b'\n' => Ok(true),
            _ => Err(Reject::LineEnd),
        }
    }

    /// Puts the name at the start of the line into canonical spelling; gives the position of its colon.
    #[inline(always)]
    fn name(&mut self) -> Result<Option<usize>, Reject> {
        let text = &mut self.headers.text_mut()[..];
        let (mut i, mut upper) = (self.at, true);
        while let Some(part) = word(text, i).and_then(|w| name_word(w, upper)) {
            text[i..i + 8].copy_from_slice(&part.bytes.to_le_bytes());
            i += part.len;
            upper = part.upper;
            if part.len < 8 {
                let len = i - self.at;
                return if len == 0 || len > MAX_NAME {
                    Err(Reject::FieldName)
                } else {
                    Ok(Some(i))
                };
            }
        }
        self.odd_name()
    }

    /// Names with other bytes than letters, digits and `-`, good and bad.
    #[cold]
    fn odd_name(&mut self) -> Result<Option<usize>, Reject> {
        let (at, end) = (self.at, self.end);
        let text = self.headers.text_mut();
        let Some(stop) = text[at..end].iter().position(|&b| !is_token(b)).map(|n| at + n) else {
            return Ok(None);
        };
        let name = &mut text[at..stop];
        let empty = name.is_empty();
        if name.len() > MAX_NAME {
            return Err(Reject::FieldName);
        }
        if is_framing_alias(name) {
            return Err(Reject::FramingAlias);
        }
        canonicalize(name);
        match text[stop] {
            b':' if !empty => Ok(Some(stop)),
            b' ' | b'\t' if empty => Err(Reject::Folded),
            b'\n' | b'\r' | 0 => Err(Reject::LineEnd),
            _ => Err(Reject::FieldName),
        }
    }

    /// Position of the CR that ends the value behind the colon.
    #[inline(always)]
    fn value_end(&mut self, from: usize) -> Result<Option<usize>, Reject> {
        let mut i = from;
        loop {
            i = find_below(self.headers.text_mut(), i, 0x20);
            if i >= self.end {
                return Ok(None);
            }
            match self.headers.text_mut()[i] {
                b'\r' => return Ok(self.line_end(i)?.then_some(i)),
                b'\t' => i += 1,
                b'\n' | 0 => return Err(Reject::LineEnd),
                _ => return Err(Reject::FieldValue),
            }
        }
    }

    /// Adds the line as a field. The common line stays as it stands.
    #[inline(always)]
    fn add(&mut self, line: usize, colon: usize, cr: usize) {
        let text = self.headers.text_mut();
        let plain =
            colon + 2 < cr && text[colon + 1] == b' ' && text[colon + 2] > b' ' && text[cr - 1] > b' ';
        if plain {
            self.headers.add_parsed(line, colon - line, cr - colon - 2);
        } else {
            self.rewrite(line, colon, cr);
        }
    }

    /// Writes the line again behind everything else, with one space and without white space at its end.
    #[cold]
    fn rewrite(&mut self, line: usize, colon: usize, cr: usize) {
        let text = self.headers.text_mut();
        let blank = |b: &u8| matches!(b, b' ' | b'\t');
        let from = colon + 1 + text[colon + 1..cr].iter().take_while(|b| blank(b)).count();
        let to = cr - text[from..cr].iter().rev().take_while(|b| blank(b)).count();
        let at = text.len();
        text.extend_from_within(line..colon);
        text.extend_from_slice(b": ");
        text.extend_from_within(from..to);
        text.extend_from_slice(b"\r\n");
        self.rewritten = true;
        self.headers.add_parsed(at, colon - line, to - from);
    }
}

/// Whether CRLF stands at `at`, where a CR is; `false` when the LF is still to come.
#[inline(always)]
pub fn line_end(buf: &[u8], at: usize) -> Result<bool, Reject> {
    match buf.get(at + 1) {
        Some(b'\n') => Ok(true),
        Some(_) => Err(Reject::LineEnd),
        None => Ok(false),
    }
}

/// `Transfer_Encoding`, `Content.Length`: software behind us may read these as the framing headers.
fn is_framing_alias(name: &[u8]) -> bool {
    let alias = |of: &[u8]| {
        name.len() == of.len()
            && name
                .iter()
                .zip(of)
                .all(|(&a, &b)| a.eq_ignore_ascii_case(&b) || (b == b'-' && matches!(a, b'_' | b'.')))
            && !name.eq_ignore_ascii_case(of)
    };
    alias(b"transfer-encoding") || alias(b"content-length")
}
