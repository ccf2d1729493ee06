//! What was told and is not sent yet.

use super::super::kept::{Keeper, Tape};
use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use trilithon_mcp::EventId;

/// Bytes that may wait for the client before tellers wait too.
const ENOUGH: usize = 64 * 1024;

/// Where tellers write; they share it.
#[derive(Clone)]
pub struct Out(Rc<RefCell<Outbox>>);

struct Outbox {
    bytes: Vec<u8>,
    /// Where the client will be when it has read them.
    place: EventId,
    begun: bool,
    /// Who keeps the stream, if it has to be kept, and where it is kept.
    keeper: Option<Keeper>,
    tape: Option<Arc<Tape>>,
    /// The client has left: it is only kept.
    left: bool,
}

impl Out {
    pub fn new(place: EventId) -> Out {
        Out(Rc::new(RefCell::new(Outbox {
            bytes: Vec::new(),
            place,
            begun: false,
            keeper: None,
            tape: None,
            left: false,
        })))
    }

    /// The same for a stream that may have to be kept.
    pub fn kept_by(self, keeper: Option<Keeper>) -> Out {
        self.0.borrow_mut().keeper = keeper;
        self
    }

    /// Whether the client can be told where it may come back, before there is anything else to tell.
    pub fn may_prime(&self) -> bool {
        let outbox = self.0.borrow();
        outbox.tape.is_none() && outbox.keeper.as_ref().is_some_and(Keeper::primes)
    }

    /// Tells it that (revision 2025-11-25, "Sending Messages to the Server").
    pub fn prime(&self) {
        self.keep();
        if self.0.borrow().tape.is_some() {
            self.event(None, b"");
        }
    }

    /// From now on the stream is kept, if anybody keeps it.
    pub fn keep(&self) {
        let outbox = &mut *self.0.borrow_mut();
        if outbox.tape.is_none()
            && let Some(keeper) = &outbox.keeper
        {
            outbox.tape = keeper.begin(&mut outbox.place);
        }
    }

    /// The client has left; -> where the stream is kept, and for how long it is told on.
    pub fn leave(&self) -> Option<(Arc<Tape>, Duration)> {
        let outbox = &mut *self.0.borrow_mut();
        outbox.bytes.clear();
        outbox.left = true;
        let (keeper, tape) = (outbox.keeper.as_ref()?, outbox.tape.clone()?);
        let rest = keeper.leave(&tape);
        Some((tape, rest))
    }

    /// The stream goes on elsewhere.
    pub fn move_to(&self, place: EventId) {
        self.0.borrow_mut().place = place;
    }

    /// Writes events that were told before, as they were.
    pub fn again(&self, events: &[u8]) {
        self.0.borrow_mut().bytes.extend_from_slice(events);
    }

    /// There is somebody who listens to a server, or may yet.
    pub fn begin(&self) {
        self.0.borrow_mut().begun = true;
    }

    pub fn has_begun(&self) -> bool {
        self.0.borrow().begun
    }

    /// Takes note of an event's id; -> the id that the client is given; `None` for one that nobody could come back with.
    pub fn see(&self, server: &str, id: &[u8]) -> Option<String> {
        let mut inner = self.0.borrow_mut();
        inner.place.see(server, id).then(|| inner.place.write())
    }

    /// Waits until there is room. Tellers run whenever the client has read something.
    pub async fn room(&self) {
        poll_fn(|_| match self.0.borrow().bytes.len() < ENOUGH {
            true => Poll::Ready(()),
            false => Poll::Pending,
        })
        .await;
    }

    /// Writes an event that holds a message.
    pub fn event(&self, id: Option<&str>, message: &[u8]) {
        self.fields(id, None, None, Some(message));
    }

    /// Writes an event with the fields that there are.
    pub fn fields(&self, id: Option<&str>, name: Option<&[u8]>, retry: Option<&[u8]>, data: Option<&[u8]>) {
        let outbox = &mut *self.0.borrow_mut();
        let own = outbox.tape.as_ref().map(|_| {
            if let Some(kept) = &mut outbox.place.kept {
                kept.event += 1;
            }
            outbox.place.write()
        });
        let start = outbox.bytes.len();
        let bytes = &mut outbox.bytes;
        let mut line = |field: &[u8], value: &[u8]| {
            for part in [field, b": ", value, b"\n"] {
                bytes.extend_from_slice(part);
            }
        };
        if let Some(id) = own.as_deref().or(id) {
            line(b"id", id.as_bytes());
        }
        if let Some(name) = name {
            line(b"event", name);
        }
        if let Some(retry) = retry {
            line(b"retry", retry);
        }
        for data in data.iter().flat_map(|data| data.split(|b| *b == b'\n')) {
            line(b"data", data);
        }
        bytes.push(b'\n');
        if let Some(tape) = &outbox.tape {
            let told = outbox.bytes.get(start..).unwrap_or_default();
            tape.keep(&outbox.place, told, data.unwrap_or_default());
        }
        if outbox.left {
            outbox.bytes.clear();
        }
    }

    /// Takes what is to be sent.
    pub fn take(&self, into: &mut Vec<u8>) {
        into.append(&mut self.0.borrow_mut().bytes);
    }
}
