//! Body framing: which of the bytes read are data (RFC 9112 §6, §7).

use crate::chunk::size_line;
use crate::field::line_end;
use crate::framing::Framing;
use crate::headers::Headers;
use crate::reject::Reject;
use crate::trailer;

/// Bytes of framing that may come for nothing, beyond what each chunk may cost.
const MAX_OVERHEAD: u64 = 16 * 1024;
/// Bytes of framing that a chunk may cost besides twice its data.
const FAIR_OVERHEAD: u64 = 16;

/// What stands at the start of the bytes read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// `skip` bytes of framing, then `len` bytes of data (at least one).
    Data {
        /// Bytes to drop.
        skip: usize,
        /// Bytes of data behind them. Those that were used are told with [`BodyDecoder::consumed`].
        len: usize,
    },
    /// So many bytes of framing to drop; ask again.
    Skip(usize),
    /// Nothing can be said before more bytes are there.
    More,
    /// The body ends after `skip` bytes of framing. What follows is the next message.
    End {
        /// Bytes to drop.
        skip: usize,
    },
}

/// Takes the framing off a body. What a step says to skip counts as skipped: the caller drops it in any case.
pub struct BodyDecoder {
    state: State,
    overhead: u64,
    trailers: Option<Headers>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Bytes left of a body of known length.
    Length(u64),
    /// Everything up to the end of the connection.
    Close,
    /// Before a size line.
    Size,
    /// Bytes left of a chunk.
    Chunk(u64),
    /// Before the CRLF after a chunk.
    ChunkEnd,
    Trailers,
    Done,
}

impl BodyDecoder {
    /// A decoder for a body that starts now.
    pub fn new(framing: Framing) -> BodyDecoder {
        let state = match framing {
            Framing::None | Framing::Length(0) => State::Done,
            Framing::Length(n) => State::Length(n),
            Framing::Chunked => State::Size,
            Framing::Close => State::Close,
        };
        BodyDecoder {
            state,
            overhead: 0,
            trailers: None,
        }
    }

    /// Looks at the start of `buf`, which is not changed by it.
    ///
    /// # Errors
    /// Chunks that are not framed exactly as the RFC says; too much framing; bad trailers.
    pub fn step(&mut self, buf: &[u8]) -> Result<Step, Reject> {
        let mut skip = 0;
        loop {
            match self.state {
                State::Done => return Ok(Step::End { skip }),
                State::Length(left) | State::Chunk(left) => return Ok(data(skip, left, buf)),
                State::Close => return Ok(data(skip, u64::MAX, buf)),
                _ => {}
            }
            match self.framing(&buf[skip..])? {
                Some(n) => skip += n,
                None if skip > 0 => return Ok(Step::Skip(skip)),
                None => return Ok(Step::More),
            }
        }
    }

    /// Tells that so many bytes of data were taken; never more than the last step offered.
    pub fn consumed(&mut self, data: usize) {
        let data = data as u64;
        self.state = match self.state {
            State::Length(left) if left <= data => State::Done,
            State::Length(left) => State::Length(left - data),
            State::Chunk(left) if left <= data => State::ChunkEnd,
            State::Chunk(left) => State::Chunk(left - data),
            other => other,
        };
    }

    /// Bytes of data still to come, where that is known.
    pub fn remaining(&self) -> Option<u64> {
        match self.state {
            State::Length(left) => Some(left),
            State::Done => Some(0),
            _ => None,
        }
    }

    /// Whether the last byte, trailers included, has been passed.
    #[inline]
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Tells that the connection ended.
    ///
    /// # Errors
    /// The body was not complete.
    pub fn eof(&mut self) -> Result<(), Reject> {
        match self.state {
            State::Done | State::Close => {
                self.state = State::Done;
                Ok(())
            }
            _ => Err(Reject::Truncated),
        }
    }

    /// The trailers, once, without the fields that may not be there; `None` when none are left.
    pub fn take_trailers(&mut self) -> Option<Headers> {
        self.trailers.take()
    }

    /// Passes one piece of chunk framing and gives its length.
    fn framing(&mut self, buf: &[u8]) -> Result<Option<usize>, Reject> {
        match self.state {
            State::ChunkEnd => self.chunk_end(buf),
            State::Size => self.chunk_size(buf),
            _ => self.read_trailers(buf),
        }
    }

    fn chunk_end(&mut self, buf: &[u8]) -> Result<Option<usize>, Reject> {
        match buf.first() {
            None => return Ok(None),
            Some(b'\r') => {}
            Some(_) => return Err(Reject::ChunkEnd),
        }
        if !line_end(buf, 0)? {
            return Ok(None);
        }
        self.state = State::Size;
        Ok(Some(2))
    }

    fn chunk_size(&mut self, buf: &[u8]) -> Result<Option<usize>, Reject> {
        let Some((size, len)) = size_line(buf)? else {
            return Ok(None);
        };
        let fair = FAIR_OVERHEAD.saturating_add(size.saturating_mul(2));
        self.overhead = (self.overhead + len as u64).saturating_sub(fair);
        if self.overhead > MAX_OVERHEAD {
            return Err(Reject::ChunkOverhead);
        }
        self.state = if size == 0 {
            State::Trailers
        } else {
            State::Chunk(size)
        };
        Ok(Some(len))
    }

    fn read_trailers(&mut self, buf: &[u8]) -> Result<Option<usize>, Reject> {
        if buf.starts_with(b"\r\n") {
            self.state = State::Done;
            return Ok(Some(2));
        }
        let mut trailers = Headers::new();
        let Some(len) = trailer::parse(buf, &mut trailers)? else {
            return Ok(None);
        };
        self.trailers = Some(trailers).filter(|t| !t.is_empty());
        self.state = State::Done;
        Ok(Some(len))
    }
}

#[inline]
fn data(skip: usize, left: u64, buf: &[u8]) -> Step {
    let there = (buf.len() - skip) as u64;
    match (left.min(there), skip) {
        (0, 0) => Step::More,
        (0, skip) => Step::Skip(skip),
        (len, skip) => Step::Data {
            skip,
            len: len as usize,
        },
    }
}
