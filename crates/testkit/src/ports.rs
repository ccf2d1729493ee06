//! Ports for a process that must be told its port: free now, and outside the range outgoing connections take theirs from.

use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::sync::atomic::{AtomicU32, Ordering};

const FIRST: u32 = 12_000;
const COUNT: u32 = 20_000;

/// A port of 127.0.0.1 that nothing listens on, neither TCP nor UDP. No port is given twice by one process.
pub fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let start = std::process::id().wrapping_mul(7919);
    for _ in 0..COUNT {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = (FIRST + start.wrapping_add(step) % COUNT) as u16;
        let address = (Ipv4Addr::LOCALHOST, port);
        if TcpListener::bind(address).is_ok() && UdpSocket::bind(address).is_ok() {
            return port;
        }
    }
    panic!("no free port")
}

/// Whether something listens on a TCP port. The kernel is asked, where it tells: a connection made to find out would be
/// one that the gateway counts, limits and logs.
pub(crate) fn listens(port: u16) -> bool {
    const LISTEN: &str = "0A";
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(std::fs::read_to_string);
    if tables.iter().all(Result::is_err) {
        return std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok();
    }
    let ending = format!(":{port:04X}");
    tables
        .iter()
        .flatten()
        .flat_map(|table| table.lines())
        .any(|line| {
            let mut words = line.split_whitespace().skip(1);
            words.next().is_some_and(|local| local.ends_with(&ending)) && words.nth(1) == Some(LISTEN)
        })
}
