//! HTTP/2 frame by frame: what no library would send. Header lists are written as literals, so that what is sent is seen.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};

use trilithon_testkit::{Gateway, PATIENCE};

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const PRIORITY: u8 = 2;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;

pub const END_STREAM: u8 = 1;
pub const ACK: u8 = 1;
pub const END_HEADERS: u8 = 4;
pub const PADDED: u8 = 8;

pub const PROTOCOL_ERROR: u32 = 1;
pub const REFUSED_STREAM: u32 = 7;
pub const ENHANCE_YOUR_CALM: u32 = 11;

pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

#[derive(Debug, Clone)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

/// What became of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was answered.
    Status(u16),
    /// It was reset, with this code.
    Reset(u32),
    /// The connection was given up, with this code.
    GoAway(u32),
    /// The connection ended without a word.
    Closed,
}

/// One connection in clear text, its preface and settings sent and its window wide open.
pub struct Frames {
    tcp: TcpStream,
}

/// The bytes of a frame.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: impl AsRef<[u8]>) -> Vec<u8> {
    let payload = payload.as_ref();
    let mut bytes = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// A header list as literals that are not indexed (RFC 7541 §6.2.2).
pub fn literals<N: AsRef<[u8]>, V: AsRef<[u8]>>(fields: &[(N, V)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        text(&mut block, name.as_ref());
        text(&mut block, value.as_ref());
    }
    block
}

fn text(block: &mut Vec<u8>, text: &[u8]) {
    if text.len() < 127 {
        block.push(text.len() as u8);
    } else {
        block.push(127);
        let mut rest = text.len() - 127;
        while rest >= 128 {
            block.push((rest % 128) as u8 | 128);
            rest /= 128;
        }
        block.push(rest as u8);
    }
    block.extend(text);
}

/// A whole request head.
pub fn head<'a>(method: &'a str, path: &'a str, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut fields = vec![
        (":method", method),
        (":scheme", "http"),
        (":path", path),
        (":authority", "a.test"),
    ];
    fields.extend(more);
    fields
}

/// HEADERS for a request without a body.
pub fn get(stream: u32) -> Vec<u8> {
    frame(
        HEADERS,
        END_STREAM | END_HEADERS,
        stream,
        literals(&head("GET", "/", &[])),
    )
}

impl Frames {
    #[track_caller]
    pub fn open(gateway: &Gateway) -> Frames {
        Frames::open_with(gateway, &[])
    }

    /// With these settings.
    #[track_caller]
    pub fn open_with(gateway: &Gateway, settings: &[(u16, u32)]) -> Frames {
        let tcp =
            TcpStream::connect((Ipv4Addr::LOCALHOST, gateway.port("web"))).expect("the entry point is open");
        tcp.set_nodelay(true).expect("a connected socket");
        tcp.set_read_timeout(Some(PATIENCE)).expect("a connected socket");
        let payload: Vec<u8> = settings
            .iter()
            .flat_map(|(id, value)| [&id.to_be_bytes()[..], &value.to_be_bytes()].concat())
            .collect();
        let mut frames = Frames { tcp };
        let window = frame(WINDOW_UPDATE, 0, 0, (1u32 << 30).to_be_bytes());
        frames.bytes(
            [
                PREFACE,
                &frame(SETTINGS, 0, 0, payload),
                &frame(SETTINGS, ACK, 0, []),
                &window,
            ]
            .concat(),
        );
        frames
    }

    /// Sends literal bytes. A gateway that has had enough may have closed.
    pub fn bytes(&mut self, bytes: impl AsRef<[u8]>) -> &mut Frames {
        let _ = self.tcp.write_all(bytes.as_ref());
        self
    }

    pub fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: impl AsRef<[u8]>) -> &mut Frames {
        self.bytes(frame(kind, flags, stream, payload))
    }

    /// Sends a header list in one frame.
    pub fn headers<N: AsRef<[u8]>, V: AsRef<[u8]>>(
        &mut self,
        stream: u32,
        flags: u8,
        fields: &[(N, V)],
    ) -> &mut Frames {
        self.send(HEADERS, flags | END_HEADERS, stream, literals(fields))
    }

    pub fn ping(&mut self) -> &mut Frames {
        self.send(PING, 0, 0, [0; 8])
    }

    /// The next frame; `None` when the connection ended. The test fails when neither comes.
    #[track_caller]
    pub fn next(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        if !self.fill(&mut head) {
            return None;
        }
        let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
        if !self.fill(&mut payload) {
            return None;
        }
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        Some(Frame {
            kind: head[3],
            flags: head[4],
            stream,
            payload,
        })
    }

    #[track_caller]
    fn fill(&mut self, bytes: &mut [u8]) -> bool {
        match self.tcp.read_exact(bytes) {
            Ok(()) => true,
            Err(error)
                if matches!(
                    error.kind(),
                    std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
                ) =>
            {
                panic!("the gateway neither sends a frame nor closes")
            }
            Err(_) => false,
        }
    }

    /// What became of `stream`.
    #[track_caller]
    pub fn outcome(&mut self, stream: u32) -> Outcome {
        while let Some(frame) = self.next() {
            match frame.kind {
                GOAWAY => return Outcome::GoAway(number(&frame.payload[4..])),
                RST_STREAM if frame.stream == stream => return Outcome::Reset(number(&frame.payload)),
                HEADERS if frame.stream == stream => return Outcome::Status(status(&frame.payload)),
                _ => {}
            }
        }
        Outcome::Closed
    }

    /// Reads until the connection ends; gives the code that it was given up with.
    #[track_caller]
    pub fn given_up(&mut self) -> Option<u32> {
        let mut code = None;
        while let Some(frame) = self.next() {
            if frame.kind == GOAWAY {
                code = Some(number(&frame.payload[4..]));
            }
        }
        code
    }

    /// Reads the answer to `stream` to its end; gives its status and the length of its body.
    #[track_caller]
    pub fn answer(&mut self, stream: u32) -> (u16, usize) {
        let (mut code, mut length) = (0, 0);
        loop {
            let frame = self.next().expect("an answer before the connection ends");
            match frame.kind {
                GOAWAY => panic!(
                    "the connection was given up with code {}",
                    number(&frame.payload[4..])
                ),
                RST_STREAM if frame.stream == stream => panic!("reset with code {}", number(&frame.payload)),
                HEADERS if frame.stream == stream && code == 0 => code = status(&frame.payload),
                DATA if frame.stream == stream => length += frame.payload.len(),
                _ => {}
            }
            if frame.stream == stream && matches!(frame.kind, HEADERS | DATA) && frame.flags & END_STREAM != 0
            {
                return (code, length);
            }
        }
    }
}

fn number(bytes: &[u8]) -> u32 {
    u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

/// The status at the start of an answer's header list (RFC 7541): of the static table, or spelled out.
fn status(block: &[u8]) -> u16 {
    let block = block
        .iter()
        .position(|b| b & 0xe0 != 0x20)
        .map_or(block, |at| &block[at..]);
    match block {
        [indexed @ 0x88..=0x8e, ..] => [200, 204, 206, 304, 400, 404, 500][usize::from(indexed - 0x88)],
        [_, length, text @ ..] => {
            let text = &text[..usize::from(length & 0x7f)];
            let digits = if length & 0x80 == 0 {
                text.iter().map(|b| b - b'0').collect()
            } else {
                huffman_digits(text)
            };
            digits.iter().fold(0, |n, digit| n * 10 + u16::from(*digit))
        }
        _ => panic!("an answer without fields"),
    }
}

/// Digits in the code of RFC 7541, appendix B: five bits for 0 to 2, six for the others.
fn huffman_digits(bytes: &[u8]) -> Vec<u8> {
    let bits: Vec<u8> = bytes
        .iter()
        .flat_map(|b| (0..8).rev().map(move |n| b >> n & 1))
        .collect();
    let (mut digits, mut at) = (Vec::new(), 0);
    while digits.len() < 3 {
        let value = |len: usize| bits[at..at + len].iter().fold(0, |n, bit| n << 1 | bit);
        let (digit, len) = if value(5) < 3 {
            (value(5), 5)
        } else {
            (value(6) - 0b011001 + 3, 6)
        };
        digits.push(digit);
        at += len;
    }
    digits
}
