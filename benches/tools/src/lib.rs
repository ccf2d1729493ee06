//! What the three programs share: a poller, a clock, a slab, reads and writes that say when to wait.
#![forbid(unsafe_code)]

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};

/// How much is read or written at once: the size at which large bodies cost the least.
pub const PIECE: usize = 32 * 1024;

/// Edge-triggered readiness of many sockets, each under a number.
pub struct Poller {
    epoll: OwnedFd,
    events: Vec<epoll::Event>,
}

impl Poller {
    pub fn new() -> io::Result<Poller> {
        Ok(Poller {
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            events: Vec::with_capacity(512),
        })
    }

    pub fn add(&self, source: impl AsFd, number: usize) -> io::Result<()> {
        let interest =
            epoll::EventFlags::IN | epoll::EventFlags::OUT | epoll::EventFlags::RDHUP | epoll::EventFlags::ET;
        Ok(epoll::add(
            &self.epoll,
            source,
            epoll::EventData::new_u64(number as u64),
            interest,
        )?)
    }

    /// What is ready. Which way does not matter: whoever asks tries both.
    pub fn wait(&mut self, at_most: Option<Duration>) -> io::Result<impl Iterator<Item = Ready> + '_> {
        let timeout = at_most.map(|d| Timespec {
            tv_sec: d.as_secs() as i64,
            tv_nsec: d.subsec_nanos().into(),
        });
        self.events.clear();
        match epoll::wait(&self.epoll, spare_capacity(&mut self.events), timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let over = epoll::EventFlags::RDHUP | epoll::EventFlags::HUP;
        Ok(self
            .events
            .iter()
            .map(move |&epoll::Event { flags, data }| Ready {
                number: data.u64() as usize,
                last: flags.intersects(over),
            }))
    }
}

/// A socket that is ready.
#[derive(Clone, Copy)]
pub struct Ready {
    pub number: usize,
    /// The peer has finished, so no later edge will come: read to the end, even after a short read.
    pub last: bool,
}

/// Things under small numbers that are used again.
pub struct Slab<T> {
    places: Vec<Option<T>>,
    free: Vec<usize>,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Slab {
            places: Vec::new(),
            free: Vec::new(),
        }
    }
}

impl<T> Slab<T> {
    pub fn insert(&mut self, thing: T) -> usize {
        let place = self.free.pop().unwrap_or_else(|| {
            self.places.push(None);
            self.places.len() - 1
        });
        self.places[place] = Some(thing);
        place
    }

    pub fn get(&mut self, place: usize) -> Option<&mut T> {
        self.places.get_mut(place)?.as_mut()
    }

    pub fn remove(&mut self, place: usize) {
        if self.places[place].take().is_some() {
            self.free.push(place);
        }
    }
}

/// One step of input or output.
pub enum Moved {
    Bytes(usize),
    /// Nothing now; readiness will say when.
    Later,
    Ended,
}

pub fn read(mut stream: &TcpStream, into: &mut [u8]) -> Moved {
    moved(stream.read(into))
}

pub fn write(mut stream: &TcpStream, from: &[u8]) -> Moved {
    moved(stream.write(from))
}

fn moved(result: io::Result<usize>) -> Moved {
    match result {
        Ok(0) => Moved::Ended,
        Ok(count) => Moved::Bytes(count),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Moved::Later,
        Err(_) => Moved::Ended,
    }
}

pub fn listen(address: &str) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address)?;
    rustix::net::listen(&listener, 4096)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Every connection that waits to be accepted.
pub fn accept(listener: &TcpListener) -> impl Iterator<Item = TcpStream> + '_ {
    std::iter::from_fn(|| listener.accept().ok()).filter_map(|(stream, _)| ready(stream).ok())
}

pub fn connect(address: &str) -> io::Result<TcpStream> {
    ready(TcpStream::connect(address)?)
}

fn ready(stream: TcpStream) -> io::Result<TcpStream> {
    stream.set_nodelay(true)?;
    stream.set_nonblocking(true)?;
    Ok(stream)
}

/// Position after the empty line, when a whole head is there.
pub fn head_end(bytes: &[u8]) -> Option<usize> {
    bytes
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .map(|at| at + 4)
}

pub fn seconds_since(start: Instant) -> f64 {
    start.elapsed().as_secs_f64()
}
