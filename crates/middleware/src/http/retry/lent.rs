//! A body that comes back when it was not touched.
//!
//! An attempt is given a [`Lent`] body. Dropped before anything was read from it, it returns what it holds to the
//! [`Slot`] it came from, for the next attempt; once somebody has asked for its bytes, it never does.

use bytes::Bytes;
use std::cell::Cell;
use std::rc::Rc;
use std::task::{Context, Poll};
use trilithon_flow::{Body, Fault, Headers, Source};

/// Where an untouched body returns to.
pub struct Slot(Rc<Cell<Option<Body>>>);

impl Slot {
    pub fn new(body: Body) -> Slot {
        Slot(Rc::new(Cell::new(Some(body))))
    }

    /// The body, if it is here.
    pub fn lend(&self) -> Option<Body> {
        let body = self.0.take()?;
        Some(Body::from_source(Lent {
            body,
            slot: Some(self.0.clone()),
        }))
    }
}

struct Lent {
    body: Body,
    /// Nothing once the body was touched.
    slot: Option<Rc<Cell<Option<Body>>>>,
}

impl Source for Lent {
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<&[u8], Fault>> {
        self.slot = None;
        self.body.poll_fill(cx)
    }
    fn consume(&mut self, n: usize) {
        self.body.consume(n);
    }
    fn length(&self) -> Option<u64> {
        self.body.length()
    }
    fn trailers(&mut self) -> Option<Headers> {
        self.body.trailers()
    }
    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Result<Bytes, Fault>> {
        self.slot = None;
        self.body.poll_chunk(cx)
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(slot) = self.slot.take() {
            slot.set(Some(self.body.take()));
        }
    }
}
