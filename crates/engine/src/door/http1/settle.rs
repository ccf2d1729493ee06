//! After an exchange: the rest of the request's body, and the end of the connection.

use super::client::Rest;
use super::{After, Http1};
use crate::door::refuse;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;
use tokio::io::AsyncWrite;
use trilithon_flow::limits;
use trilithon_wire::body::Step;

/// Time for a client to take the last answer and close.
const LINGER: Duration = Duration::from_millis(500);

impl Http1 {
    /// After a response: reads what little is left of the request's body, or gives the connection up.
    pub(super) async fn settle_body(&self) -> io::Result<After> {
        let mut decoder = match self.client.rest_of_body() {
            Rest::Done => {
                self.client.deadline.set(self.entry_point.idle_timeout);
                return Ok(After::KeepAlive);
            }
            Rest::Lost => return Ok(After::Close),
            Rest::Unread(decoder) => decoder,
        };
        self.client.deadline.set(Duration::from_secs(5));
        let mut dropped = 0u64;
        while dropped <= limits::DRAIN_BYTES {
            let step = decoder.step(self.client.buffer.borrow().filled());
            match step {
                Ok(Step::Data { skip, len }) => {
                    self.client.buffer.borrow_mut().consume(skip + len);
                    decoder.consumed(len);
                    dropped += len as u64;
                }
                Ok(Step::Skip(n)) => self.client.buffer.borrow_mut().consume(n),
                Ok(Step::End { skip }) => {
                    self.client.buffer.borrow_mut().consume(skip);
                    self.client.deadline.set(self.entry_point.idle_timeout);
                    return Ok(After::KeepAlive);
                }
                Ok(Step::More) => {
                    let more = poll_fn(|cx| match self.client.poll_read(cx) {
                        Poll::Ready(n) => Poll::Ready(n),
                        Poll::Pending => self.client.deadline.poll(cx).map(|()| Ok(0)),
                    });
                    if more.await? == 0 {
                        return Ok(After::Close);
                    }
                }
                Err(reject) => {
                    refuse::report(&self.entry_point, &self.connection, reject.reason());
                    return Ok(After::Close);
                }
            }
        }
        Ok(After::Close)
    }

    /// Counts and logs why the request's body was refused, if it was.
    pub(super) fn report_body(&self) -> bool {
        let reason = self.client.refused();
        if let Some(reason) = reason {
            refuse::report(&self.entry_point, &self.connection, reason);
        }
        reason.is_some()
    }

    /// Ends the connection so that the last answer arrives: an unread byte would turn the close into a reset.
    pub(super) async fn close(&self) {
        if poll_fn(|cx| Pin::new(&mut *self.client.stream.borrow_mut()).poll_shutdown(cx))
            .await
            .is_err()
        {
            return;
        }
        self.client.deadline.set(LINGER);
        let mut left = limits::DRAIN_BYTES;
        loop {
            let had = self.client.buffer.borrow().len();
            self.client.buffer.borrow_mut().consume(had);
            let read = poll_fn(|cx| match self.client.poll_read(cx) {
                Poll::Ready(n) => Poll::Ready(n.unwrap_or(0)),
                Poll::Pending => self.client.deadline.poll(cx).map(|()| 0),
            });
            match read.await as u64 {
                0 => return,
                n if n > left => return,
                n => left -= n,
            }
        }
    }
}
