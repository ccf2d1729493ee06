//! A ClientHello of TLS 1.2 by hand, since no library sends a bad one; and as much of the answer as is in clear text.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use trilithon_testkit::PATIENCE;

const HANDSHAKE: u8 = 22;
const CERTIFICATE_REQUEST: u8 = 13;
const SERVER_HELLO_DONE: u8 = 14;

/// What a server said to a ClientHello.
#[derive(Debug, PartialEq, Eq)]
pub enum Flight {
    /// It goes on; whether it asks for a client certificate.
    Hello { asks: bool },
    /// An alert, or the end of the connection.
    Refused,
}

/// A ClientHello that asks for `name`, as one handshake message.
pub fn message(name: &[u8]) -> Vec<u8> {
    let server_name = counted(&[&[0][..], &counted(name)].concat());
    let extensions = [
        extension(0, &server_name),
        // x25519 and P-256, uncompressed; ECDSA and RSA with SHA-256; the extended master secret.
        extension(10, &counted(&[0, 0x1d, 0, 0x17])),
        extension(11, &[1, 0]),
        extension(13, &counted(&[4, 3, 8, 4, 4, 1, 5, 3])),
        extension(23, &[]),
    ]
    .concat();
    let suites = [0xc0, 0x2b, 0xc0, 0x2f, 0xcc, 0xa9, 0xcc, 0xa8];
    let body = [
        &[3, 3][..],
        &[7; 32],
        &[0],
        &counted(&suites),
        &[1, 0],
        &counted(&extensions),
    ]
    .concat();
    let length = (body.len() as u32).to_be_bytes();
    [&[1][..], &length[1..], &body].concat()
}

/// With its length in two bytes before it.
fn counted(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u16).to_be_bytes()[..], bytes].concat()
}

fn extension(id: u16, bytes: &[u8]) -> Vec<u8> {
    [&id.to_be_bytes()[..], &counted(bytes)].concat()
}

/// Handshake bytes as records of `size` bytes each.
pub fn records(bytes: &[u8], size: usize) -> Vec<u8> {
    bytes
        .chunks(size)
        .flat_map(|piece| [&[HANDSHAKE, 3, 1][..], &counted(piece)].concat())
        .collect()
}

/// Sends bytes to a port and reads what comes back, up to the end of the server's first flight.
pub fn exchange(port: u16, bytes: &[u8]) -> Flight {
    let mut tcp = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("an open port");
    tcp.set_read_timeout(Some(PATIENCE)).expect("a connected socket");
    // The server may have closed by the time all is written.
    let _ = tcp.write_all(bytes);
    let mut messages = Vec::new();
    while let Some(payload) = record(&mut tcp) {
        messages.extend(payload);
        let kinds = kinds(&messages);
        if kinds.contains(&SERVER_HELLO_DONE) {
            return Flight::Hello {
                asks: kinds.contains(&CERTIFICATE_REQUEST),
            };
        }
    }
    Flight::Refused
}

/// The payload of the next record; `None` if it is no handshake, or there is none.
fn record(tcp: &mut TcpStream) -> Option<Vec<u8>> {
    let mut head = [0; 5];
    tcp.read_exact(&mut head).ok()?;
    let mut payload = vec![0; usize::from(u16::from_be_bytes([head[3], head[4]]))];
    tcp.read_exact(&mut payload).ok()?;
    (head[0] == HANDSHAKE).then_some(payload)
}

/// Which messages are complete.
fn kinds(mut bytes: &[u8]) -> Vec<u8> {
    let mut kinds = Vec::new();
    while let [kind, a, b, c, rest @ ..] = bytes {
        let length = u32::from_be_bytes([0, *a, *b, *c]) as usize;
        let Some(rest) = rest.get(length..) else { break };
        kinds.push(*kind);
        bytes = rest;
    }
    kinds
}
