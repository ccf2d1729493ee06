//! The HTTP/1.1 door: heads in, responses out, one exchange after the other on one connection.
//!
//! [`head`] reads a request, [`drive`] waits for its answer, [`answer`] and [`body`] send it, [`settle`] says what follows.

mod answer;
mod body;
mod client;
mod drive;
mod head;
mod out;
mod request_body;
mod settle;
mod upgrade;

use crate::entry_point::EntryPoint;
use crate::serve;
use crate::worker::Worker;
use client::Client;
use head::Taken;
use request_body::RequestBody;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};
use trilithon_flow::{Body, Connection, Fault, FaultKind, Interim, Method, Version};
use trilithon_wire::{Buffer, Framing};

/// Longest time a write may make no progress where the entry point sets no `writeTimeout`.
const STALLED_WRITE: Duration = Duration::from_secs(180);

/// One HTTP/1 connection.
pub struct Http1 {
    client: Rc<Client>,
    connection: Rc<Connection>,
    interim: Rc<Interim>,
    entry_point: Arc<EntryPoint>,
    worker: Rc<Worker>,
    opened: Instant,
    served: u64,
}

/// What follows an exchange.
enum After {
    KeepAlive,
    Close,
}

/// Serves a connection until either side ends it. `buffer` holds what was read ahead.
///
/// Not an `async fn`: its arguments would stay where they were, beside what was made of them.
pub fn serve(
    stream: crate::stream::Stream,
    buffer: Buffer,
    connection: Rc<Connection>,
    entry_point: Arc<EntryPoint>,
    worker: Rc<Worker>,
) -> impl Future<Output = ()> {
    let write_timeout = if entry_point.write_timeout.is_zero() {
        STALLED_WRITE
    } else {
        entry_point.write_timeout
    };
    let deadline = worker.timer.deadline();
    deadline.set(entry_point.read_timeout);
    let client = Client::new(stream, buffer, deadline, write_timeout);
    let mut door = Http1 {
        client,
        connection,
        interim: Rc::default(),
        entry_point,
        worker,
        opened: Instant::now(),
        served: 0,
    };
    async move {
        while door.wait().await {
            // Boxed, so that an idle connection does not hold the space of a busy one.
            match Box::pin(door.exchange()).await {
                Ok(After::KeepAlive) => {}
                Ok(After::Close) | Err(_) => break,
            }
        }
        door.close().await;
    }
}

impl Http1 {
    /// Waits for the first byte of a request.
    async fn wait(&mut self) -> bool {
        if !self.client.buffer.borrow().is_empty() {
            return true;
        }
        poll_fn(|cx| {
            if let Poll::Ready(read) = self.client.poll_read(cx) {
                return Poll::Ready(matches!(read, Ok(n) if n > 0));
            }
            if self.client.deadline.poll(cx).is_ready() || self.is_to_end() {
                return Poll::Ready(false);
            }
            Poll::Pending
        })
        .await
    }

    /// Whether the doors are closed and nobody who has just come in waits to speak.
    fn is_to_end(&self) -> bool {
        self.entry_point.doors.are_closed() && (self.served > 0 || self.opened.elapsed() > super::SPEAKS)
    }

    /// One request and its response.
    async fn exchange(&mut self) -> io::Result<After> {
        if self.served > 0 {
            self.client.deadline.set(self.entry_point.read_timeout);
        }
        self.served += 1;
        let Some(Taken {
            mut req,
            framing,
            keep_alive,
            expect_continue,
        }) = self.head().await?
        else {
            return Ok(After::Close);
        };
        let answer_by = self.answer_by();
        // What follows a CONNECT is talk with somebody else, never the next request.
        let keep_alive = keep_alive && req.method != Method::Connect;
        match framing {
            Framing::None | Framing::Length(0) => self.client.deadline.clear(),
            framing => {
                let body = RequestBody::new(self.client.clone(), framing, expect_continue);
                req.body = Body::from_source(body);
            }
        }
        let (is_head, version) = (req.method == Method::Head, req.version);
        let mut cx = serve::begin(
            &self.worker,
            &self.entry_point,
            &self.connection,
            &self.interim,
            &req,
        );
        let has_body = !req.body.is_empty();
        let answer = {
            let reply = pin!(serve::respond(&self.worker, &self.entry_point, req, &mut cx));
            self.drive(reply, version != Version::Http10).await
        };
        let Some(mut res) = answer else {
            cx.record.fault = Some(Fault::new(
                FaultKind::ClientGone,
                "the client closed before the answer",
            ));
            serve::finish(&self.worker, &mut cx, 499, 0);
            return Ok(After::Close);
        };
        let keep_alive = !self.report_body() && keep_alive && self.may_keep_alive();
        if matches!(&cx.record.fault, Some(f) if f.kind == FaultKind::ClientTimeout) {
            serve::finish(&self.worker, &mut cx, 408, 0);
            return Ok(After::Close);
        }
        cx.record.request_bytes = if has_body { self.client.received() } else { 0 };
        if let Some(upgraded) = res.upgraded.take() {
            return self.upgrade(res, upgraded, &mut cx).await;
        }
        if answer_by.is_some_and(|by| Instant::now() > by) {
            serve::finish(&self.worker, &mut cx, res.status, 0);
            return Ok(After::Close);
        }
        self.answer(&mut res, is_head, version, keep_alive, &mut cx).await
    }

    /// When `writeTimeout` is over for an answer that has not begun: a client is not answered later than that. One that
    /// has begun goes on as long as the client takes it.
    fn answer_by(&self) -> Option<Instant> {
        let timeout = self.entry_point.write_timeout;
        (!timeout.is_zero()).then(|| Instant::now() + timeout)
    }

    fn may_keep_alive(&self) -> bool {
        let e = &self.entry_point;
        !(e.doors.are_closed()
            || e.keep_alive_max_requests > 0 && self.served >= e.keep_alive_max_requests
            || !e.keep_alive_max_time.is_zero() && self.opened.elapsed() >= e.keep_alive_max_time)
    }
}
