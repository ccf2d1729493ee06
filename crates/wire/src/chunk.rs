//! The line before a chunk: size and extensions (RFC 9112 §7.1).

use crate::field::line_end;
use crate::headers::is_token;
use crate::reject::Reject;

/// Bytes of the extensions of one chunk. Nobody is known to use any; they are dropped.
const MAX_EXTENSION: usize = 4 * 1024;
/// Digits of a size: what 64 bits hold.
const MAX_DIGITS: usize = 16;

/// Size and length of the size line at the start of `buf`, its CRLF included; `None` when more bytes are needed.
#[inline]
pub fn size_line(buf: &[u8]) -> Result<Option<(u64, usize)>, Reject> {
    let (mut size, mut at) = (0u64, 0);
    loop {
        let Some(&b) = buf.get(at) else { return Ok(None) };
        let Some(digit) = (b as char).to_digit(16) else {
            break;
        };
        if at == MAX_DIGITS {
            return Err(Reject::ChunkSize);
        }
        size = size << 4 | u64::from(digit);
        at += 1;
    }
    if at == 0 || size > i64::MAX as u64 {
        return Err(Reject::ChunkSize);
    }
    let end = match buf[at] {
        b'\r' => at,
        b';' => match extensions(buf, at)? {
            Some(end) => end,
            None => return Ok(None),
        },
        _ => return Err(Reject::ChunkSize),
    };
    Ok(line_end(buf, end)?.then_some((size, end + 2)))
}

/// Position of the CR after the extensions that start at `at`, with their first `;`.
#[cold]
fn extensions(buf: &[u8], at: usize) -> Result<Option<usize>, Reject> {
    let mut scan = Scan {
        buf,
        at,
        end: at + MAX_EXTENSION,
    };
    match scan.extensions() {
        Ok(()) if buf[scan.at] == b'\r' => Ok(Some(scan.at)),
        Ok(()) if matches!(buf[scan.at], b'\n' | 0) => Err(Reject::LineEnd),
        Ok(()) => Err(Reject::ChunkExtension),
        Err(Stop::More) => Ok(None),
        Err(Stop::Refuse(why)) => Err(why),
    }
}

enum Stop {
    More,
    Refuse(Reject),
}

struct Scan<'b> {
    buf: &'b [u8],
    at: usize,
    end: usize,
}

impl Scan<'_> {
    /// `*( BWS ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] )`; stops at a byte that is none of it.
    fn extensions(&mut self) -> Result<(), Stop> {
        while self.take(b';')? {
            self.token()?;
            if self.take(b'=')? {
                self.value()?;
            }
        }
        Ok(())
    }

    fn peek(&self) -> Result<u8, Stop> {
        if self.at >= self.end {
            return Err(Stop::Refuse(Reject::ChunkOverhead));
        }
        self.buf.get(self.at).copied().ok_or(Stop::More)
    }

    /// Passes `b` with white space around it.
    fn take(&mut self, b: u8) -> Result<bool, Stop> {
        self.white_space()?;
        if self.peek()? != b {
            return Ok(false);
        }
        self.at += 1;
        self.white_space()?;
        Ok(true)
    }

    fn white_space(&mut self) -> Result<(), Stop> {
        while matches!(self.peek()?, b' ' | b'\t') {
            self.at += 1;
        }
        Ok(())
    }

    fn token(&mut self) -> Result<(), Stop> {
        let from = self.at;
        while is_token(self.peek()?) {
            self.at += 1;
        }
        match self.peek()? {
            b'\n' | 0 => Err(Stop::Refuse(Reject::LineEnd)),
            _ if self.at == from => Err(Stop::Refuse(Reject::ChunkExtension)),
            _ => Ok(()),
        }
    }

    fn value(&mut self) -> Result<(), Stop> {
        if self.peek()? != b'"' {
            return self.token();
        }
        self.at += 1;
        loop {
            match self.quoted_byte()? {
                b'"' => return Ok(()),
                b'\\' => self.quoted_byte().map(drop)?,
                _ => {}
            }
        }
    }

    fn quoted_byte(&mut self) -> Result<u8, Stop> {
        let b = self.peek()?;
        match b {
            b'\r' | b'\n' | 0 => Err(Stop::Refuse(Reject::LineEnd)),
            b'\t' | 0x20..=0x7e | 0x80.. => {
                self.at += 1;
                Ok(b)
            }
            _ => Err(Stop::Refuse(Reject::ChunkExtension)),
        }
    }
}
