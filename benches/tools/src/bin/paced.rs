//! The paced client. `paced ADDRESS CONNECTIONS RATE SECONDS` offers RATE requests a second, spaced at random (Poisson), and
//! measures each from the moment it *should* have been sent: a proxy that stalls cannot hide the requests it kept waiting.
//! `paced ADDRESS CONNECTIONS hold` makes one request on each connection, says `ready`, and holds them open until its input ends.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use rustix::thread::set_current_timer_slack;
use trilithon_bench_tools::{Moved, PIECE, Poller, Ready, connect, head_end, read, seconds_since};

const REQUEST: &[u8] =
    b"GET / HTTP/1.1\r\nHost: bench.example.com\r\nUser-Agent: paced/1.0\r\nAccept: */*\r\n\
    Accept-Encoding: gzip\r\nAccept-Language: en-US,en;q=0.9\r\n\r\n";
const WARM_UP: f64 = 0.3;

struct Connection {
    stream: TcpStream,
    /// Seconds after the start at which the request now in flight was due.
    due: f64,
    head: Vec<u8>,
    left: Option<usize>,
}

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let arguments: Vec<&str> = arguments.iter().skip(1).map(String::as_str).collect();
    match arguments[..] {
        [address, connections, "hold"] => hold(open(address, number(connections)? as usize)?),
        [address, connections, rate, seconds] => offer(
            open(address, number(connections)? as usize)?,
            number(rate)?,
            number(seconds)?,
        ),
        _ => Err(io::Error::other(
            "paced ADDRESS CONNECTIONS hold | paced ADDRESS CONNECTIONS RATE SECONDS",
        )),
    }
}

fn number(text: &str) -> io::Result<f64> {
    text.parse()
        .map_err(|_| io::Error::other(format!("`{text}` is no number")))
}

fn open(address: &str, count: usize) -> io::Result<Vec<Connection>> {
    let open = |_| {
        Ok(Connection {
            stream: connect(address)?,
            due: 0.0,
            head: Vec::new(),
            left: None,
        })
    };
    (0..count).map(open).collect()
}

fn hold(connections: Vec<Connection>) -> io::Result<()> {
    let mut buffer = vec![0; PIECE];
    for mut connection in connections.iter().map(|c| &c.stream) {
        connection.set_nonblocking(false)?;
        connection.set_read_timeout(Some(Duration::from_secs(5)))?;
        connection.write_all(REQUEST)?;
        if connection.read(&mut buffer)? == 0 {
            return Err(io::Error::other("a connection ended without an answer"));
        }
    }
    println!("ready");
    io::stdin().read_to_end(&mut Vec::new()).map(drop)
}

fn offer(mut connections: Vec<Connection>, rate: f64, seconds: f64) -> io::Result<()> {
    set_current_timer_slack(std::num::NonZeroU64::new(1))?;
    let mut poller = Poller::new()?;
    for (place, connection) in connections.iter().enumerate() {
        poller.add(&connection.stream, place)?;
    }
    let mut free: Vec<usize> = (0..connections.len()).collect();
    let (mut queue, mut latencies, mut errors) = (VecDeque::new(), Vec::new(), 0_u64);
    let (mut ready, mut buffer) = (Vec::new(), vec![0; PIECE]);
    let (mut random, start, mut next) = (Random::new(), Instant::now(), 0.0);
    while seconds_since(start) < seconds {
        while next <= seconds_since(start) {
            queue.push_back(next);
            next += -random.fraction().ln() / rate;
        }
        while let (Some(due), Some(place)) = (queue.front().copied(), free.last().copied()) {
            queue.pop_front();
            free.pop();
            connections[place].due = due;
            errors += u64::from((&connections[place].stream).write_all(REQUEST).is_err());
        }
        let pause = Duration::try_from_secs_f64(next - seconds_since(start)).unwrap_or_default();
        ready.clear();
        ready.extend(poller.wait(Some(pause))?);
        for &Ready { number: place, .. } in &ready {
            let connection = &mut connections[place];
            if connection.receive(&mut buffer)? {
                free.push(place);
                if connection.due > WARM_UP {
                    latencies.push(seconds_since(start) - connection.due);
                }
            }
        }
    }
    report(latencies, errors, queue.len());
    Ok(())
}

impl Connection {
    /// Takes what came; true when an answer is complete.
    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<bool> {
        loop {
            let count = match read(&self.stream, buffer) {
                Moved::Bytes(count) => count,
                Moved::Later => return Ok(false),
                Moved::Ended => return Err(io::Error::other("the proxy closed a connection")),
            };
            let left = match self.left {
                Some(left) => left.saturating_sub(count),
                None => {
                    self.head.extend_from_slice(&buffer[..count]);
                    let Some(end) = head_end(&self.head) else { continue };
                    let left = content_length(&self.head[..end])? + end - self.head.len();
                    self.head.clear();
                    left
                }
            };
            self.left = (left > 0).then_some(left);
            if left == 0 {
                return Ok(true);
            }
        }
    }
}

fn content_length(head: &[u8]) -> io::Result<usize> {
    let text = String::from_utf8_lossy(head).to_ascii_lowercase();
    if !text.starts_with("http/1.1 200") {
        return Err(io::Error::other(format!("not a 200: {text}")));
    }
    let value = text.lines().find_map(|line| line.strip_prefix("content-length:"));
    value
        .and_then(|v| v.trim().parse().ok())
        .ok_or_else(|| io::Error::other("no `content-length`"))
}

/// One JSON line; times in microseconds.
fn report(mut latencies: Vec<f64>, errors: u64, backlog: usize) {
    latencies.sort_by(f64::total_cmp);
    let at = |part: f64| {
        latencies
            .get((latencies.len() as f64 * part) as usize)
            .map_or(0.0, |s| s * 1e6)
    };
    println!(
        "{{\"requests\": {}, \"p50\": {:.1}, \"p90\": {:.1}, \"p99\": {:.1}, \"p999\": {:.1}, \"errors\": {errors}, \"backlog\": {backlog}}}",
        latencies.len(),
        at(0.5),
        at(0.9),
        at(0.99),
        at(0.999),
    );
}

/// Xorshift: spacing needs no better.
struct Random(u64);

impl Random {
    fn new() -> Random {
        Random(0x9E37_79B9_7F4A_7C15 ^ u64::from(std::process::id()))
    }

    /// In (0, 1].
    fn fraction(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        1.0 - (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
}
