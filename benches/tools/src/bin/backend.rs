//! The upstream of every benchmark, on one thread: `/` 1 KiB, `/1m` 1 MiB, `/sse` 200 events 5 ms apart, `/stats` what it
//! served: requests, events, connections. `backend LISTEN`

use std::io;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use trilithon_bench_tools::{Moved, PIECE, Poller, Ready, Slab, accept, head_end, listen, read, write};

const LISTENER: usize = usize::MAX;
const MEBIBYTE: usize = 1 << 20;
const EVENTS: u32 = 200;
const GAP: Duration = Duration::from_millis(5);
const EVENT: &[u8] = b"37\r\ndata: {\"id\":\"chatcmpl-1\",\"delta\":{\"content\":\"token\"}}\n\n\r\n";
const PLAIN_HEAD: &str = "HTTP/1.1 200 OK\r\nServer: backend\r\nDate: Sat, 21 Nov 2026 22:00:00 GMT\r\n\
    Content-Type: text/plain; charset=utf-8\r\nCache-Control: max-age=60\r\nETag: \"0123456789abcdef\"\r\n\
    Content-Length: 1024\r\n\r\n";
const LARGE_HEAD: &[u8] =
    b"HTTP/1.1 200 OK\r\nServer: backend\r\nContent-Type: application/octet-stream\r\nContent-Length: 1048576\r\n\r\n";
const STREAM_HEAD: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n\
    Transfer-Encoding: chunked\r\n\r\n";

#[derive(Default)]
struct Served {
    requests: u64,
    events: u64,
    connections: u64,
}

struct Connection {
    stream: TcpStream,
    input: Vec<u8>,
    output: Vec<u8>,
    sent: usize,
    /// Bytes of a large body still to send after `output`.
    large: usize,
    /// Events still to send, and when the next is due.
    events: u32,
    due: Instant,
}

struct Backend {
    plain: Vec<u8>,
    filler: Vec<u8>,
    served: Served,
    streaming: Vec<usize>,
}

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, address] = &arguments[..] else {
        return Err(io::Error::other("backend LISTEN"));
    };
    let (listener, mut poller) = (listen(address)?, Poller::new()?);
    poller.add(&listener, LISTENER)?;
    let plain = [PLAIN_HEAD.as_bytes(), &[b'x'; 1024]].concat();
    let mut backend = Backend {
        plain,
        filler: vec![b'y'; PIECE * 8],
        served: Served::default(),
        streaming: Vec::new(),
    };
    let mut connections: Slab<Connection> = Slab::default();
    let (mut ready, mut buffer) = (Vec::new(), vec![0; PIECE]);
    loop {
        ready.clear();
        let tick = (!backend.streaming.is_empty()).then_some(Duration::from_millis(1));
        ready.extend(poller.wait(tick)?);
        for &Ready { number: place, last } in &ready {
            if place == LISTENER {
                for stream in accept(&listener) {
                    backend.served.connections += 1;
                    let place = connections.insert(Connection::new(stream));
                    poller.add(&connections.get(place).expect("just inserted").stream, place)?;
                }
            } else if connections
                .get(place)
                .is_some_and(|c| !backend.serve(c, place, last, &mut buffer))
            {
                connections.remove(place);
                backend.streaming.retain(|other| *other != place);
            }
        }
        backend.stream(&mut connections);
    }
}

impl Connection {
    fn new(stream: TcpStream) -> Connection {
        let (input, output, due) = (Vec::new(), Vec::new(), Instant::now());
        Connection {
            stream,
            input,
            output,
            sent: 0,
            large: 0,
            events: 0,
            due,
        }
    }

    /// Sends what waits; false when the connection is over.
    fn flush(&mut self, filler: &[u8]) -> bool {
        loop {
            let from_output = self.sent < self.output.len();
            let bytes = if from_output {
                &self.output[self.sent..]
            } else {
                &filler[..self.large.min(filler.len())]
            };
            if bytes.is_empty() {
                self.output.clear();
                self.sent = 0;
                return true;
            }
            match write(&self.stream, bytes) {
                Moved::Bytes(count) if from_output => self.sent += count,
                Moved::Bytes(count) => self.large -= count,
                Moved::Later => return true,
                Moved::Ended => return false,
            }
        }
    }
}

impl Backend {
    fn serve(&mut self, connection: &mut Connection, place: usize, last: bool, buffer: &mut [u8]) -> bool {
        loop {
            match read(&connection.stream, buffer) {
                Moved::Bytes(count) => {
                    connection.input.extend_from_slice(&buffer[..count]);
                    if count < buffer.len() && !last {
                        break;
                    }
                }
                Moved::Later => break,
                Moved::Ended => return false,
            }
        }
        while let Some(end) = head_end(&connection.input) {
            self.answer(connection, place, end);
            connection.input.drain(..end);
        }
        connection.flush(&self.filler)
    }

    fn answer(&mut self, connection: &mut Connection, place: usize, end: usize) {
        let mut words = connection.input[..end].split(|byte| *byte == b' ');
        let target = words.nth(1).unwrap_or_default();
        if target == b"/stats" {
            let Served {
                requests,
                events,
                connections,
            } = self.served;
            let body = format!("{requests} {events} {connections}\n");
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            connection.output.extend(answer.as_bytes());
            return;
        }
        self.served.requests += 1;
        match target {
            b"/1m" => {
                connection.output.extend(LARGE_HEAD);
                connection.large = MEBIBYTE;
            }
            b"/sse" => {
                connection.output.extend(STREAM_HEAD);
                (connection.events, connection.due) = (EVENTS, Instant::now() + GAP);
                self.streaming.push(place);
            }
            _ => connection.output.extend(&self.plain),
        }
    }

    /// Sends every event that is due.
    fn stream(&mut self, connections: &mut Slab<Connection>) {
        let (now, filler, served) = (Instant::now(), &self.filler, &mut self.served);
        self.streaming.retain(|place| {
            let Some(connection) = connections.get(*place) else {
                return false;
            };
            if now < connection.due {
                return true;
            }
            connection.due = (connection.due + GAP).max(now);
            connection.events -= 1;
            served.events += 1;
            connection.output.extend(EVENT);
            if connection.events == 0 {
                connection.output.extend(b"0\r\n\r\n");
            }
            connection.flush(filler) && connection.events > 0
        });
    }
}
