//! The yardstick: moves bytes between a client and a backend connection of its own, and understands none of them.
//! What a proxy costs above this is the price of being a proxy. `relay LISTEN BACKEND`

use std::io;
use std::net::TcpStream;

use trilithon_bench_tools::{Moved, PIECE, Poller, Ready, Slab, accept, connect, listen, read, write};

const LISTENER: usize = usize::MAX;

/// One direction: bytes read from a side that the other side has not taken yet.
#[derive(Default)]
struct Pending {
    bytes: Vec<u8>,
    sent: usize,
}

struct Pair {
    sides: [TcpStream; 2],
    from: [Pending; 2],
}

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, address, backend] = &arguments[..] else {
        return Err(io::Error::other("relay LISTEN BACKEND"));
    };
    let (listener, mut poller) = (listen(address)?, Poller::new()?);
    poller.add(&listener, LISTENER)?;
    let mut pairs: Slab<Pair> = Slab::default();
    let mut ready = Vec::new();
    let mut buffer = vec![0; PIECE];
    loop {
        ready.clear();
        ready.extend(poller.wait(None)?);
        for &Ready { number, last } in &ready {
            if number == LISTENER {
                for client in accept(&listener) {
                    open(client, backend, &poller, &mut pairs)?;
                }
                continue;
            }
            let (place, side) = (number / 2, number % 2);
            let alive = pairs
                .get(place)
                .is_none_or(|pair| pair.serve(side, last, &mut buffer));
            if !alive {
                pairs.remove(place);
            }
        }
    }
}

fn open(client: TcpStream, backend: &str, poller: &Poller, pairs: &mut Slab<Pair>) -> io::Result<()> {
    let Ok(server) = connect(backend) else {
        return Ok(());
    };
    let place = pairs.insert(Pair {
        sides: [client, server],
        from: Default::default(),
    });
    if let Some(pair) = pairs.get(place) {
        poller.add(&pair.sides[0], place * 2)?;
        poller.add(&pair.sides[1], place * 2 + 1)?;
    }
    Ok(())
}

impl Pair {
    /// Side `side` can be read or written; false when the pair is over.
    fn serve(&mut self, side: usize, last: bool, buffer: &mut [u8]) -> bool {
        let other = 1 - side;
        let held = !self.from[other].bytes.is_empty();
        if held {
            match self.flush(other) {
                None => return false,
                // The other side was not read while its bytes were held back.
                Some(true) if !self.pump(other, true, buffer) => return false,
                Some(_) => {}
            }
        }
        !self.from[side].bytes.is_empty() || self.pump(side, last, buffer)
    }

    /// Sends what is held back; `Some(true)` when nothing is left, `None` when the connection ended.
    fn flush(&mut self, side: usize) -> Option<bool> {
        let pending = &mut self.from[side];
        while pending.sent < pending.bytes.len() {
            match write(&self.sides[1 - side], &pending.bytes[pending.sent..]) {
                Moved::Bytes(count) => pending.sent += count,
                Moved::Later => return Some(false),
                Moved::Ended => return None,
            }
        }
        pending.bytes.clear();
        pending.sent = 0;
        Some(true)
    }

    /// Moves bytes from `side` until there are none or the other side takes no more; false when it is over.
    fn pump(&mut self, side: usize, last: bool, buffer: &mut [u8]) -> bool {
        loop {
            let count = match read(&self.sides[side], buffer) {
                Moved::Bytes(count) => count,
                Moved::Later => return true,
                Moved::Ended => return false,
            };
            let sent = match write(&self.sides[1 - side], &buffer[..count]) {
                Moved::Bytes(sent) => sent,
                Moved::Later => 0,
                Moved::Ended => return false,
            };
            if sent < count {
                self.from[side].bytes.extend_from_slice(&buffer[sent..count]);
                return true;
            }
            // A short read emptied the socket: the next edge says when to come back.
            if count < buffer.len() && !last {
                return true;
            }
        }
    }
}
