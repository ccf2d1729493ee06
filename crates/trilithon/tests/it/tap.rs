//! An upstream that keeps every byte it is sent, in order, and answers each end of a message with an empty 200.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

/// A server that takes one connection after the other.
pub struct Tap {
    port: u16,
    bytes: Arc<Mutex<Vec<u8>>>,
}

impl Tap {
    pub fn start() -> Tap {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = listener
            .local_addr()
            .expect("a bound listener has an address")
            .port();
        let bytes = Arc::<Mutex<Vec<u8>>>::default();
        let kept = bytes.clone();
        std::thread::spawn(move || {
            listener
                .incoming()
                .flatten()
                .for_each(|stream| take(stream, &kept))
        });
        Tap { port, bytes }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Everything it was sent.
    pub fn text(&self) -> String {
        let bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// Reads until the connection ends; an empty line ends a message, unless it is the one before a chunked body.
fn take(mut stream: TcpStream, kept: &Mutex<Vec<u8>>) {
    let (mut one, mut message) = ([0], Vec::new());
    while stream.read_exact(&mut one).is_ok() {
        kept.lock().unwrap_or_else(PoisonError::into_inner).push(one[0]);
        message.push(one[0]);
        let chunked = message.windows(8).any(|w| w == b": chunke");
        let ended = if chunked {
            message.ends_with(b"\r\n0\r\n\r\n")
        } else {
            message.ends_with(b"\r\n\r\n")
        };
        if ended {
            message.clear();
            if stream.write_all(ANSWER).is_err() {
                return;
            }
        }
    }
}
