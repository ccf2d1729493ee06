//! The beginning of a body, read before it is decided whether the body is compressed.

use bytes::BytesMut;
use std::future::poll_fn;
use std::task::Poll;
use trilithon_flow::{Body, Fault, prefixed};

/// What was read, and the rest.
pub struct Start {
    pub read: BytesMut,
    /// Nothing more comes.
    pub ended: bool,
    rest: Body,
}

impl Start {
    /// Reads until there are `enough` bytes, or until the server pauses after some: what arrives late is not waited for.
    ///
    /// # Errors
    /// What the body's source failed with.
    pub async fn of(mut rest: Body, enough: u64) -> Result<Start, Fault> {
        let mut read = BytesMut::new();
        let ended = poll_fn(|cx| {
            loop {
                let input = match rest.poll_fill(cx) {
                    Poll::Pending if read.is_empty() => return Poll::Pending,
                    Poll::Pending => return Poll::Ready(Ok(false)),
                    Poll::Ready(input) => input?,
                };
                if input.is_empty() {
                    return Poll::Ready(Ok(true));
                }
                read.extend_from_slice(input);
                let n = input.len();
                rest.consume(n);
                if read.len() as u64 >= enough {
                    return Poll::Ready(Ok(false));
                }
            }
        })
        .await?;
        Ok(Start { read, ended, rest })
    }

    /// The whole body again.
    pub fn into_body(mut self) -> Body {
        let read = self.read.freeze();
        if !self.ended {
            return prefixed(read, self.rest);
        }
        match self.rest.trailers() {
            None => Body::from(read),
            trailers => Body::with_trailers(read, trailers),
        }
    }
}
