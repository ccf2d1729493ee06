//! A client that reads what is kept of a stream.

use super::tape::Tape;
use bytes::Bytes;
use std::sync::Arc;
use trilithon_mcp::EventId;

/// What there is after a place.
pub enum Next {
    /// An event and its number.
    Event(u64, Bytes),
    /// Nothing yet.
    Wait,
    /// Nothing, and nothing will come.
    Over,
}

/// Somebody who reads a tape.
pub struct Reader(Arc<Tape>);

impl Reader {
    /// `tape` counts it already.
    pub fn new(tape: Arc<Tape>) -> Reader {
        Reader(tape)
    }

    /// What comes after event `number`. What is not kept any more is passed over.
    pub fn after(&self, number: u64) -> Next {
        let state = self.0.lock();
        let at = state.events.partition_point(|event| event.number <= number);
        match state.events.get(at) {
            Some(event) => Next::Event(event.number, event.text.clone()),
            None if state.ended.is_some() => Next::Over,
            None => Next::Wait,
        }
    }

    /// Waits for what comes after event `number`; `None` when nothing will.
    pub async fn next(&self, number: u64) -> Option<(u64, Bytes)> {
        loop {
            let news = self.0.news.notified();
            match self.after(number) {
                Next::Event(number, text) => return Some((number, text)),
                Next::Over => return None,
                Next::Wait => news.await,
            }
        }
    }

    /// Where its last event is.
    pub fn place(&self) -> EventId {
        self.0.lock().place.clone()
    }

    /// Which event is the answer, if it was told.
    pub fn answer(&self) -> Option<u64> {
        self.0.lock().answer
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.0.leave();
    }
}
