//! The connections of this worker to servers that speak HTTP/2, and who dials when there is no room on them.

use crate::pool::{self, Key, Room};
use bytes::Bytes;
use h2::client::SendRequest;
use rustc_hash::FxHashMap;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use tokio::sync::Notify;
use trilithon_flow::Fault;

/// Streams on one connection before another is opened, whatever the server allows.
const MAX_STREAMS: usize = 1000;
/// Ticks after which a server that nobody asks for is forgotten.
const FORGET: u32 = 240;
/// Ticks that a server's choice of HTTP/1.1 is believed; then one new connection offers HTTP/2 again.
const BELIEVED: u32 = 1200;

/// What is known of one server.
#[derive(Default)]
struct Place {
    links: Vec<Link>,
    /// It chose HTTP/1.1; believed up to this tick.
    http1: Option<u32>,
    opening: Option<Rc<Opening>>,
    used: u32,
}

struct Link {
    send: SendRequest<Bytes>,
    /// Exchanges under way.
    active: Rc<Cell<usize>>,
    /// Cleared when the connection has ended.
    alive: Rc<Cell<bool>>,
    room: Room,
    /// Tick at which it was last seen busy.
    busy: u32,
}

/// A place on a connection, given back when it is dropped.
pub(crate) struct Lease {
    pub(super) send: SendRequest<Bytes>,
    active: Rc<Cell<usize>>,
}

impl Lease {
    fn new(send: &SendRequest<Bytes>, active: &Rc<Cell<usize>>) -> Lease {
        active.set(active.get() + 1);
        Lease {
            send: send.clone(),
            active: active.clone(),
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.active.set(self.active.get() - 1);
    }
}

/// A dial that others wait for.
#[derive(Default)]
pub(crate) struct Opening {
    done: Notify,
    failed: RefCell<Option<Fault>>,
}

#[derive(Default)]
struct Places {
    by_key: FxHashMap<Key, Place>,
    now: u32,
}

thread_local! {
    static PLACES: RefCell<Places> = RefCell::default();
}

/// How a request gets to a server that may speak HTTP/2.
pub(crate) enum Claim {
    /// On this connection.
    Ready(Lease),
    /// Over HTTP/1.1.
    Http1,
    /// As soon as the dial of another request has ended.
    Wait(Rc<Opening>),
    /// By dialling.
    Dial(Dialling),
}

/// The duty to dial for all who wait. When it is dropped without an outcome, the next one dials.
pub(crate) struct Dialling {
    key: Key,
    opening: Rc<Opening>,
}

impl Drop for Dialling {
    fn drop(&mut self) {
        let _ = PLACES.try_with(|places| {
            if let Some(place) = places.borrow_mut().by_key.get_mut(&self.key) {
                place.opening = None;
            }
        });
        self.opening.done.notify_waiters();
    }
}

impl Dialling {
    /// The dial failed: so it did for all who waited.
    pub fn fail(self, fault: &Fault) {
        *self.opening.failed.borrow_mut() = Some(fault.clone());
    }

    /// The server chose HTTP/1.1.
    pub fn http1(self) {
        with_place(&self.key, |place, now| {
            place.http1 = Some(now.saturating_add(BELIEVED))
        });
    }
}

impl Opening {
    /// Waits for the outcome.
    pub async fn wait(self: Rc<Opening>) -> Result<(), Fault> {
        self.done.notified().await;
        match &*self.failed.borrow() {
            Some(fault) => Err(fault.clone()),
            None => Ok(()),
        }
    }
}

fn with_place<T>(key: &Key, see: impl FnOnce(&mut Place, u32) -> T) -> T {
    PLACES.with_borrow_mut(|places| {
        let now = places.now;
        let place = places.by_key.entry(*key).or_default();
        place.used = now;
        see(place, now)
    })
}

/// Looks for a connection with room.
pub(crate) fn claim(key: &Key) -> Claim {
    with_place(key, |place, now| {
        place.links.retain(Link::is_open);
        for link in &mut place.links {
            if link.has_room() {
                link.busy = now;
                return Claim::Ready(Lease::new(&link.send, &link.active));
            }
        }
        if place.http1.is_some_and(|until| until >= now) {
            return Claim::Http1;
        }
        if let Some(opening) = &place.opening {
            return Claim::Wait(opening.clone());
        }
        let opening = Rc::new(Opening::default());
        place.opening = Some(opening.clone());
        Claim::Dial(Dialling { key: *key, opening })
    })
}

/// Makes a new connection known, with a place on it. `alive` is cleared when it has ended.
pub(super) fn add(key: &Key, room: Room, send: SendRequest<Bytes>, alive: Rc<Cell<bool>>) -> Lease {
    let lease = with_place(key, |place, now| {
        let active = Rc::default();
        let lease = Lease::new(&send, &active);
        place.http1 = None;
        place.links.push(Link {
            send,
            active,
            alive,
            room,
            busy: now,
        });
        lease
    });
    pool::sweep();
    lease
}

impl Link {
    fn is_open(&self) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        self.alive.get() && !matches!(self.send.clone().poll_ready(&mut cx), Poll::Ready(Err(_)))
    }

    fn has_room(&self) -> bool {
        self.active.get() < self.send.current_max_send_streams().min(MAX_STREAMS)
    }
}

/// One tick later: closes connections that were idle for too long. Says whether any are left.
pub(crate) fn tick() -> bool {
    PLACES.with_borrow_mut(|places| {
        places.now = places.now.saturating_add(1);
        let now = places.now;
        let mut left = false;
        places.by_key.retain(|_, place| {
            place.links.retain_mut(|link| {
                if link.active.get() > 0 {
                    link.busy = now;
                }
                link.is_open() && link.busy.saturating_add(link.room.ticks) >= now
            });
            left |= !place.links.is_empty();
            !place.links.is_empty() || place.opening.is_some() || place.used.saturating_add(FORGET) >= now
        });
        left
    })
}
