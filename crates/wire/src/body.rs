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

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds `wire` in pieces of `piece` bytes; gives the data, the trailers and what is left, or why not.
    fn decode(framing: Framing, wire: &[u8], piece: usize) -> Result<String, Reject> {
        let mut decoder = BodyDecoder::new(framing);
        let (mut data, mut buf, mut rest) = (Vec::new(), Vec::new(), wire.chunks(piece));
        loop {
            match decoder.step(&buf)? {
                Step::Data { skip, len } => {
                    data.extend_from_slice(&buf[skip..skip + len]);
                    buf.drain(..skip + len);
                    decoder.consumed(len);
                }
                Step::Skip(n) => drop(buf.drain(..n)),
                Step::End { skip } => {
                    buf.drain(..skip);
                    break;
                }
                Step::More => match rest.next() {
                    Some(more) => buf.extend_from_slice(more),
                    None => {
                        decoder.eof()?;
                        break;
                    }
                },
            }
        }
        assert!(decoder.is_done());
        buf.extend(rest.flatten());
        let trailers = decoder
            .take_trailers()
            .map_or_else(String::new, |t| format!(" {t:?}"));
        Ok(format!(
            "{}|{}{trailers}",
            String::from_utf8_lossy(&data),
            String::from_utf8_lossy(&buf)
        ))
    }

    fn check_as(framing: Framing, wire: &str, want: Result<&str, Reject>) {
        for piece in (1..9).chain([usize::MAX]) {
            assert_eq!(
                decode(framing, wire.as_bytes(), piece).as_deref(),
                want.as_ref().copied(),
                "{piece}: {wire}"
            );
        }
    }

    fn check(wire: &str, want: Result<&str, Reject>) {
        check_as(Framing::Chunked, wire, want);
    }

    #[test]
    fn a8_what_follows_the_body_is_not_of_it() {
        check_as(Framing::None, "GET", Ok("|GET"));
        check_as(Framing::Length(0), "GET", Ok("|GET"));
        check_as(Framing::Length(3), "abcGET", Ok("abc|GET"));
        check_as(Framing::Length(3), "ab", Err(Reject::Truncated));
        check_as(Framing::Close, "abc", Ok("abc|"));
        check("3\r\nabc\r\n0\r\n\r\nGET", Ok("abc|GET"));
    }

    #[test]
    fn a5_chunk_sizes() {
        check("A\r\n0123456789\r\n000\r\n\r\n", Ok("0123456789|"));
        check("0000000000000001\r\na\r\n0\r\n\r\n", Ok("a|"));
        for bad in [
            "00000000000000001\r\na",
            "0x1\r\na",
            "+1\r\na",
            "-1\r\na",
            " 1\r\na",
            "1 \r\na",
            "\r\n",
            "g\r\n",
            "8000000000000000\r\n",
            "ffffffffffffffff\r\n",
            "1\ta\r\n",
        ] {
            check(bad, Err(Reject::ChunkSize));
        }
        check("1\r\na\r\n", Err(Reject::Truncated));
        check("1\r\na\r\n0\r\n", Err(Reject::Truncated));
        check("1\r\nab\r\n", Err(Reject::ChunkEnd));
        check("2\r\na\r\n0\r\n\r\n", Err(Reject::ChunkEnd));
    }

    #[test]
    fn a6_line_ends() {
        check("1\na\r\n0\r\n\r\n", Err(Reject::ChunkSize));
        check("1\ra\r\n", Err(Reject::LineEnd));
        check("1\r\na\n0\r\n\r\n", Err(Reject::ChunkEnd));
        check("1\r\na\r0\r\n\r\n", Err(Reject::LineEnd));
        check("1;a\nb\r\n", Err(Reject::LineEnd));
        check("1;a=\"\n\"\r\n", Err(Reject::LineEnd));
        check("0\r\n\n", Err(Reject::LineEnd));
        check("0\r\nX: 1\n\r\n", Err(Reject::LineEnd));
    }

    #[test]
    fn a7_chunk_extensions() {
        for good in [";a", ";a=b", ";a=\"x;\\\"y\"", "; a = b ;c", ";a ; b"] {
            check(&format!("1{good}\r\na\r\n0{good}\r\n\r\n"), Ok("a|"));
        }
        for bad in [
            ";",
            ";;",
            ";a=",
            ";=b",
            ";a=\"x\" y",
            ";a b",
            ";a,b",
            ";a=\"\x01\"",
        ] {
            check(&format!("1{bad}\r\na\r\n0\r\n\r\n"), Err(Reject::ChunkExtension));
        }
        check(
            &format!("1;a={}\r\na", "x".repeat(5000)),
            Err(Reject::ChunkOverhead),
        );
        check(
            &format!("1;a={}\r\na\r\n", "x".repeat(3000)).repeat(10),
            Err(Reject::ChunkOverhead),
        );
        check(
            &format!("{}0\r\n\r\n", "1\r\na\r\n".repeat(9000)),
            Ok(&format!("{}|", "a".repeat(9000))),
        );
    }

    #[test]
    fn a18_trailers() {
        check("0\r\nx-sum: 1\r\n\r\nGET", Ok("|GET {\"X-Sum\": \"1\"}"));
        check("0\r\ngrpc-status: 0\r\n\r\n", Ok("| {\"Grpc-Status\": \"0\"}"));
        for dropped in [
            "Host: x",
            "Content-Length: 5",
            "Transfer-Encoding: chunked",
            "Authorization: x",
            "X-Forwarded-For: 1",
            "x-forwarded-other: 1",
            "X-Real-IP: 1",
            "Cookie: a",
            "Set-Cookie: a",
            "Connection: x",
            "Trailer: x",
            "Te: x",
            "Content-Type: x",
            "Expect: x",
            "Cache-Control: x",
            "Via: x",
            "Forwarded: for=x",
            "Location: /",
            "Upgrade: h2c",
            "Range: x",
        ] {
            check(&format!("0\r\n{dropped}\r\n\r\n"), Ok("|"));
        }
        check(
            "0\r\nTransfer_Encoding: chunked\r\n\r\n",
            Err(Reject::FramingAlias),
        );
        check("0\r\n x: 1\r\n\r\n", Err(Reject::Folded));
        check(
            &format!("0\r\n{}\r\n", "x: 1\r\n".repeat(101)),
            Err(Reject::HeadFields),
        );
        check(&format!("0\r\nx: {}", "x".repeat(17000)), Err(Reject::HeadBytes));
    }

    #[test]
    fn counts_what_is_left() {
        let mut body = BodyDecoder::new(Framing::Length(5));
        assert_eq!(body.step(b"abc"), Ok(Step::Data { skip: 0, len: 3 }));
        body.consumed(2);
        assert_eq!((body.remaining(), body.is_done()), (Some(3), false));
        body.consumed(3);
        assert_eq!((body.remaining(), body.is_done()), (Some(0), true));
        assert_eq!(BodyDecoder::new(Framing::Chunked).remaining(), None);
        assert_eq!(BodyDecoder::new(Framing::Chunked).eof(), Err(Reject::Truncated));
    }
}
