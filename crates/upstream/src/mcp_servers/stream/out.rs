//! What was told and is not sent yet.

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;
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
}

impl Out {
    pub fn new(place: EventId) -> Out {
        Out(Rc::new(RefCell::new(Outbox {
            bytes: Vec::new(),
            place,
            begun: false,
        })))
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
        let bytes = &mut self.0.borrow_mut().bytes;
        let mut line = |field: &[u8], value: &[u8]| {
            for part in [field, b": ", value, b"\n"] {
                bytes.extend_from_slice(part);
            }
        };
        if let Some(id) = id {
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
    }

    /// Takes what is to be sent.
    pub fn take(&self, into: &mut Vec<u8>) {
        into.append(&mut self.0.borrow_mut().bytes);
    }
}
