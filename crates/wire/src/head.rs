//! Message heads: what a parser finds beside the fields, and the names to call.

use crate::framing::Framing;
pub use crate::request::parse_request;
pub use crate::response::parse_response;

/// Bounds of one head. Beyond them the answer is 431; nothing is ever cut off.
#[derive(Clone, Copy, Debug)]
pub struct HeadLimits {
    /// Bytes from the first of the start line to the empty line.
    pub bytes: usize,
    /// Field lines.
    pub fields: usize,
}

/// The head of a request, without its fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestHead<'b> {
    /// Bytes of the head, the empty line included.
    pub len: usize,
    /// A token, as sent.
    pub method: &'b [u8],
    /// As sent, in any of the four forms. Has no control byte and no space, may have bytes from 0x80.
    pub target: &'b [u8],
    /// Whether the version is 1.0.
    pub http10: bool,
    /// Never [`Framing::Close`].
    pub framing: Framing,
    /// Whether the client is ready to send another request.
    pub keep_alive: bool,
    /// Whether the client waits for `100 Continue` before the body.
    pub expect_continue: bool,
    /// Whether `Connection` lists `upgrade` and there is an `Upgrade` field.
    pub upgrade: bool,
    /// Whether `Connection` lists a name that is not hop-by-hop anyway.
    pub connection_named: bool,
}

/// The head of a response, without its fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResponseHead {
    /// Bytes of the head, the empty line included.
    pub len: usize,
    /// 100 to 999.
    pub status: u16,
    /// Whether the version is 1.0.
    pub http10: bool,
    /// How the body ends. [`Framing::None`] after 1xx, 204, 304, and in answers to HEAD and CONNECT (2xx).
    pub framing: Framing,
    /// Whether the connection may carry another exchange once the body has been read.
    pub keep_alive: bool,
    /// Whether what follows is no HTTP any more: 101, or 2xx to CONNECT.
    pub upgrade: bool,
}

const H2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Whether `buf` starts with the HTTP/2 connection preface (RFC 9113 §3.4); `None` while it may still become one.
pub fn is_h2_preface(buf: &[u8]) -> Option<bool> {
    let n = buf.len().min(H2_PREFACE.len());
    match buf[..n] == H2_PREFACE[..n] {
        true if n == H2_PREFACE.len() => Some(true),
        true => None,
        false => Some(false),
    }
}

/// Whether a parser that found `buf[..seen]` incomplete can find more in `buf`.
///
/// Called before parsing again, it keeps the cost of a head that comes byte by byte linear. An empty line that ends in
/// bare LF counts: the parser has an answer to it.
pub fn may_complete(buf: &[u8], seen: usize) -> bool {
    let from = seen.saturating_sub(3).min(buf.len());
    let new = &buf[from..];
    new.windows(3).any(|w| w == b"\n\r\n") || new.windows(2).any(|w| w == b"\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_preface_is_known_as_soon_as_it_can_be() {
        for n in 0..H2_PREFACE.len() {
            assert_eq!(is_h2_preface(&H2_PREFACE[..n]), None);
            let mut other = H2_PREFACE[..n].to_vec();
            other.push(b'!');
            assert_eq!(is_h2_preface(&other), Some(false));
        }
        assert_eq!(is_h2_preface(H2_PREFACE), Some(true));
        assert_eq!(is_h2_preface(b"GET / HTTP/1.1"), Some(false));
    }

    #[test]
    fn only_an_empty_line_completes_a_head() {
        let head = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        for n in 0..head.len() {
            assert!(!may_complete(&head[..n], 0) && may_complete(head, n));
        }
    }
}
