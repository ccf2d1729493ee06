//! Field lines into a header list (RFC 9112 §5): checked, copied and canonicalized.
//!
//! Lines are copied as they stand, many at once, and then read where they lie; a name is put into canonical spelling in
//! place. Only a line that is not written as `Name: value` is written a second time.

use crate::headers::{Fields, Headers, canonicalize, is_token};
use crate::known::Known;
use crate::reject::Reject;
use crate::scan::{find_below, find_colon, name_word};

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
    let end = start + piece.len();
    let (mut at, mut rewritten) = (start, false);
    let (read, used) = loop {
        let (text, mut fields) = headers.parts();
        match (Window { text, end }).lines(at, &mut fields, max_fields)? {
            Stop::Last(line) => break (Read::End(line + 2 - start), line),
            Stop::Incomplete(line) => break (Read::More(line - start), line),
            Stop::Loose(line) => {
                rewrite(headers, &line);
                rewritten = true;
                at = line.cr + 2;
            }
        }
    };
    if !rewritten {
        headers.text_mut().truncate(used);
    }
    Ok(read)
}

/// Why reading lines came to a stop, and at which.
enum Stop {
    /// The empty line starts here.
    Last(usize),
    Incomplete(usize),
    /// A good line that is not written as `Name: value`.
    Loose(Line),
}

/// Where the parts of a line are.
struct Line {
    start: usize,
    colon: usize,
    cr: usize,
}

/// Lines where they lie.
struct Window<'t> {
    text: &'t mut [u8],
    /// Where the copied bytes end and the zeros start.
    end: usize,
}

impl Window<'_> {
    #[inline(always)]
    fn lines(&mut self, mut at: usize, fields: &mut Fields<'_>, max_fields: usize) -> Result<Stop, Reject> {
        loop {
            if self.text[at] == b'\r' {
                return Ok(if self.line_end(at)? {
                    Stop::Last(at)
                } else {
                    Stop::Incomplete(at)
                });
            }
            if at >= self.end {
                return Ok(Stop::Incomplete(at));
            }
            let (colon, known) = match self.known_name(at) {
                Some(found) => found,
                None => match self.name(at)? {
                    Some(colon) => (colon, Known::Other),
                    None => return Ok(Stop::Incomplete(at)),
                },
            };
            let Some(cr) = self.value_end(colon + 1)? else {
                return Ok(Stop::Incomplete(at));
            };
            if fields.len() >= max_fields {
                return Err(Reject::HeadFields);
            }
            if !self.is_plain(colon, cr) {
                return Ok(Stop::Loose(Line { start: at, colon, cr }));
            }
            fields.add(at, colon - at, cr - colon - 2, known);
            at = cr + 2;
        }
    }

    /// Whether LF follows the CR at `cr`; `false` when it is still to come.
    #[inline(always)]
    fn line_end(&self, cr: usize) -> Result<bool, Reject> {
        match self.text[cr + 1] {
            b'\n' => Ok(true),
            _ if cr + 1 >= self.end => Ok(false),
            _ => Err(Reject::LineEnd),
        }
    }

    /// Whether there is one space before the value, which is not empty, and none behind it.
    #[inline(always)]
    fn is_plain(&self, colon: usize, cr: usize) -> bool {
        colon + 2 < cr
            && self.text[colon + 1] == b' '
            && self.text[colon + 2] > b' '
            && self.text[cr - 1] > b' '
    }

    /// The position of the colon behind a known name in any case: nothing else has to be looked at.
    #[inline(always)]
    fn known_name(&mut self, at: usize) -> Option<(usize, Known)> {
        let colon = at + find_colon(&self.text[at..])?;
        let known = Known::spell(&mut self.text[at..], colon - at);
        (known != Known::Other).then_some((colon, known))
    }

    /// Puts the name at `at` into canonical spelling; gives the position of its colon.
    #[inline(always)]
    fn name(&mut self, at: usize) -> Result<Option<usize>, Reject> {
        let (mut i, mut upper) = (at, true);
        while let Some(chunk) = self.text.get_mut(i..).and_then(|t| t.first_chunk_mut::<8>()) {
            let Some(part) = name_word(u64::from_le_bytes(*chunk), upper) else {
                break;
            };
            *chunk = part.bytes.to_le_bytes();
            i += part.len;
            upper = part.upper;
            if part.len < 8 {
                let len = i - at;
                return if len == 0 || len > MAX_NAME {
                    Err(Reject::FieldName)
                } else {
                    Ok(Some(i))
                };
            }
        }
        odd_name(&mut self.text[at..self.end]).map(|len| len.map(|n| at + n))
    }

    /// Position of the CR that ends the value behind the colon.
    #[inline(always)]
    fn value_end(&self, from: usize) -> Result<Option<usize>, Reject> {
        let mut i = from;
        loop {
            i = find_below(self.text, i, 0x20);
            match self.text.get(i) {
                Some(b'\r') => return Ok(self.line_end(i)?.then_some(i)),
                Some(b'\t') => i += 1,
                _ if i >= self.end => return Ok(None),
                Some(b'\n' | 0) => return Err(Reject::LineEnd),
                _ => return Err(Reject::FieldValue),
            }
        }
    }
}

/// The length of the name at the start of `text`, put into canonical spelling: names with other bytes than letters and
/// `-`, good and bad.
#[cold]
fn odd_name(text: &mut [u8]) -> Result<Option<usize>, Reject> {
    let Some(len) = text.iter().position(|&b| !is_token(b)) else {
        return Ok(None);
    };
    match text[len] {
        b':' if (1..=MAX_NAME).contains(&len) => {}
        b' ' | b'\t' if len == 0 => return Err(Reject::Folded),
        b'\n' | b'\r' | 0 => return Err(Reject::LineEnd),
        _ => return Err(Reject::FieldName),
    }
    if is_framing_alias(&text[..len]) {
        return Err(Reject::FramingAlias);
    }
    canonicalize(&mut text[..len]);
    Ok(Some(len))
}

/// Writes a line again behind everything else, with one space and without white space at its end.
#[cold]
fn rewrite(headers: &mut Headers, line: &Line) {
    let text = headers.text_mut();
    let blank = |b: &u8| matches!(b, b' ' | b'\t');
    let Line { start, colon, cr } = *line;
    let from = colon + 1 + text[colon + 1..cr].iter().take_while(|b| blank(b)).count();
    let to = cr - text[from..cr].iter().rev().take_while(|b| blank(b)).count();
    let at = text.len();
    text.extend_from_within(start..colon);
    text.extend_from_slice(b": ");
    text.extend_from_within(from..to);
    text.extend_from_slice(b"\r\n");
    let (text, mut fields) = headers.parts();
    let known = Known::of_canonical(&text[start..colon]);
    fields.add(at, colon - start, to - from, known);
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
