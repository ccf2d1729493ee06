//! How a body ends: what `Content-Length` and `Transfer-Encoding` say together (RFC 9112 §6).

use crate::headers::is_token;
use crate::reject::Reject;

/// Where the body of a message ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Framing {
    /// There is no body.
    #[default]
    None,
    /// After so many bytes; 0 when the message says so.
    Length(u64),
    /// With the last chunk.
    Chunked,
    /// With the connection; only in responses.
    Close,
}

impl Framing {
    /// Whether no body byte will come.
    #[inline]
    pub fn is_empty(self) -> bool {
        matches!(self, Framing::None | Framing::Length(0))
    }
}

/// What the framing headers of one message said so far.
#[derive(Default)]
pub(crate) struct FramingFacts {
    pub length: Option<u64>,
    pub chunked: bool,
}

impl FramingFacts {
    /// Takes one `Content-Length`. A second one is refused even when it is equal: no honest sender repeats it.
    pub fn content_length(&mut self, value: &[u8]) -> Result<(), Reject> {
        match (self.length, decimal(value)) {
            (None, Some(n)) => self.length = Some(n),
            _ => return Err(Reject::ContentLength),
        }
        Ok(())
    }

    /// Takes one `Transfer-Encoding`: `chunked` alone, once.
    pub fn transfer_encoding(&mut self, value: &[u8]) -> Result<(), Reject> {
        if self.chunked {
            return Err(Reject::TransferEncoding);
        }
        if !value.eq_ignore_ascii_case(b"chunked") {
            return Err(refused_coding(value));
        }
        self.chunked = true;
        Ok(())
    }

    /// What both say together.
    pub fn framing(&self, http10: bool) -> Result<Option<Framing>, Reject> {
        match (self.chunked, self.length) {
            (true, Some(_)) => Err(Reject::BothClAndTe),
            (true, None) if http10 => Err(Reject::TransferEncoding),
            (true, None) => Ok(Some(Framing::Chunked)),
            (false, length) => Ok(length.map(Framing::Length)),
        }
    }
}

/// Well-formed codings other than `chunked` are unknown (501); everything else is malformed (400).
fn refused_coding(value: &[u8]) -> Reject {
    let mut codings = value.split(|&b| b == b',').map(<[u8]>::trim_ascii);
    let unknown =
        |c: &[u8]| !c.is_empty() && c.iter().all(|&b| is_token(b)) && !c.eq_ignore_ascii_case(b"chunked");
    match codings.next() {
        Some(first)
            if unknown(first) && codings.all(|c| unknown(c) || c.eq_ignore_ascii_case(b"chunked")) =>
        {
            Reject::TransferCoding
        }
        _ => Reject::TransferEncoding,
    }
}

/// A number of 1 to 19 digits below 2^63, and nothing else.
pub(crate) fn decimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > 19 || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let n = text.iter().fold(0u64, |n, d| n * 10 + u64::from(d - b'0'));
    (n <= i64::MAX as u64).then_some(n)
}
