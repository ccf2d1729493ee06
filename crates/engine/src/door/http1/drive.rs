//! While the chain works on an answer: interim responses are passed on, and the client's leaving is noticed.

use super::Http1;
use super::out::OutBuffer;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::task::Poll;
use trilithon_flow::{Response, status};
use trilithon_wire::{ResponseFraming, encode};

impl Http1 {
    /// Runs the chain; meanwhile passes interim responses on and watches whether the client is still there.
    pub(super) async fn drive(
        &self,
        mut reply: Pin<&mut impl Future<Output = Response>>,
        interim_allowed: bool,
    ) -> Option<Response> {
        let mut response = None;
        while response.is_none() {
            let gone = poll_fn(|cx| {
                if let Poll::Ready(answer) = reply.as_mut().poll(cx) {
                    response = Some(answer);
                    return Poll::Ready(false);
                }
                if !self.interim.is_empty() {
                    return Poll::Ready(false);
                }
                self.client.poll_gone(cx).map(|()| true)
            });
            if gone.await {
                return None;
            }
            match self.interim.is_empty() {
                true => {}
                false if interim_allowed => self.send_interim().await.ok()?,
                false => drop(self.interim.take()),
            }
        }
        response
    }

    async fn send_interim(&self) -> io::Result<()> {
        let mut out = OutBuffer::new();
        for (status, headers) in self.interim.take() {
            encode::response_head(
                &mut out.0,
                false,
                status,
                status::text(status),
                &headers,
                ResponseFraming::None,
                false,
                None,
            );
        }
        self.client.write(&mut out.0).await?;
        self.client.flush().await
    }
}
