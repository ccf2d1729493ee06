//! One exchange: the request goes out, interim responses are passed on, and the response's head is awaited.

use super::body::Rest;
use super::places::Lease;
use super::upload::Upload;
use super::{Why, fault, head};
use crate::http1::{Answer, Size};
use crate::{Origin, hop};
use bytes::Bytes;
use h2::client::ResponseFuture;
use h2::{Reason, RecvStream};
use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::Sleep;
use trilithon_flow::{Body, Fault, FaultKind, Interim, Known, Method, Request, Response, limits};

/// How long a server is given to say `100 Continue`.
const CONTINUE_TIME: Duration = Duration::from_secs(1);

/// Why there is no answer.
pub(crate) enum Failure {
    /// The server has not begun with the request: the same one may go out again.
    Again(Box<Request>, Fault),
    Fault(Fault),
}

/// One exchange. Dropping it resets the stream.
pub(crate) async fn exchange(
    mut lease: Lease,
    origin: &Origin,
    mut req: Box<Request>,
    head_time: Option<Duration>,
    interim: &Interim,
) -> Result<Answer, Failure> {
    let head = head::request(origin, &req).map_err(Failure::Fault)?;
    let empty = req.body.is_empty();
    let (response, stream) = match lease.send.send_request(head, empty) {
        Ok(sent) => sent,
        Err(error) => return Err(failure(&error, req, false)),
    };
    let held = !empty
        && req
            .headers
            .known(Known::Expect)
            .is_some_and(|v| v.eq_ignore_ascii_case(b"100-continue"));
    let body = req.body.take();
    let upload = Upload {
        left: body.length(),
        body,
        stream,
        chunk: Bytes::new(),
        ended: empty,
        held,
        touched: false,
    };
    let mut waiting = Waiting {
        lease,
        response,
        upload,
        sent: false,
        timer: None,
        interims: 0,
        head_time,
        interim,
    };
    if held {
        waiting.timer = Some(Box::pin(tokio::time::sleep(CONTINUE_TIME)));
    }
    match poll_fn(|cx| waiting.poll(cx)).await {
        Ok(response) => waiting
            .answer(response, req.method == Method::Head)
            .map_err(Failure::Fault),
        Err(Why::Error(error)) => {
            let touched = waiting.upload.touched;
            req.body = waiting.upload.body;
            Err(failure(&error, req, touched))
        }
        Err(Why::Fault(fault)) => Err(Failure::Fault(fault)),
    }
}

struct Waiting<'a> {
    lease: Lease,
    response: ResponseFuture,
    upload: Upload,
    sent: bool,
    timer: Option<Pin<Box<Sleep>>>,
    interims: usize,
    head_time: Option<Duration>,
    interim: &'a Interim,
}

impl Waiting<'_> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<http::Response<RecvStream>, Why>> {
        loop {
            if !self.sent {
                self.poll_upload(cx)?;
            }
            if self.poll_interim(cx)? {
                continue;
            }
            if let Poll::Ready(done) = Pin::new(&mut self.response).poll(cx) {
                return Poll::Ready(done.map_err(Why::Error));
            }
            let Some(timer) = &mut self.timer else {
                return Poll::Pending;
            };
            ready!(timer.as_mut().poll(cx));
            self.timer = None;
            if !self.upload.held {
                let late = Fault::new(FaultKind::ResponseTimeout, "the server gave no answer in time");
                return Poll::Ready(Err(Why::Fault(late)));
            }
            self.upload.held = false;
        }
    }

    fn poll_upload(&mut self, cx: &mut Context<'_>) -> Result<(), Why> {
        match self.upload.poll(cx) {
            Poll::Pending => return Ok(()),
            // What the server thinks of the request, the answer tells.
            Poll::Ready(Ok(())) | Poll::Ready(Err(Why::Error(_))) => {}
            Poll::Ready(Err(why)) => return Err(why),
        }
        self.sent = true;
        self.timer = self.head_time.map(|time| Box::pin(tokio::time::sleep(time)));
        Ok(())
    }

    /// Passes on an interim answer; says whether there was one.
    fn poll_interim(&mut self, cx: &mut Context<'_>) -> Result<bool, Why> {
        let Poll::Ready(Some(Ok(head))) = self.response.poll_informational(cx) else {
            return Ok(false);
        };
        self.interims += 1;
        if self.interims > limits::MAX_INTERIM {
            return Err(Why::Fault(Fault::new(
                FaultKind::Malformed,
                "too many interim answers",
            )));
        }
        match head.status().as_u16() {
            100 => self.upload.held = false,
            status => self.interim.push(status, head::headers(head.headers())),
        }
        Ok(true)
    }

    fn answer(self, response: http::Response<RecvStream>, to_head: bool) -> Result<Answer, Fault> {
        let status = response.status().as_u16();
        if status < 200 {
            return Err(Fault::new(
                FaultKind::Malformed,
                "an HTTP/2 server cannot switch protocols",
            ));
        }
        let (parts, recv) = response.into_parts();
        let mut answer = Response {
            status,
            headers: head::headers(&parts.headers),
            ..Response::default()
        };
        hop::strip(&mut answer.headers);
        let upload = (!self.sent && !self.upload.held).then(|| Box::new(self.upload));
        if recv.is_end_stream() {
            // An answer that ends at once needs nothing more of the request: dropping the rest resets the stream.
            return Ok(Answer {
                response: answer,
                bytes: Size::Known(0),
            });
        }
        let declared = answer
            .headers
            .known(Known::ContentLength)
            .and_then(|v| std::str::from_utf8(v).ok()?.parse().ok());
        let length = if to_head { None } else { declared };
        let (bytes, count) = match length {
            Some(n) => (Size::Known(n), None),
            None => {
                let count = Rc::new(Cell::new(0));
                (Size::Counted(count.clone()), Some(count))
            }
        };
        let rest = Rest {
            _lease: self.lease,
            recv,
            chunk: Bytes::new(),
            upload,
            left: length,
            count,
            ended: false,
            trailers: None,
            failed: None,
        };
        answer.body = Body::from_source(rest);
        Ok(Answer {
            response: answer,
            bytes,
        })
    }
}

/// Sorts an error before the head: what the server has not begun with may go out again.
fn failure(error: &h2::Error, req: Box<Request>, touched: bool) -> Failure {
    let refused = error.is_reset() && error.reason() == Some(Reason::REFUSED_STREAM);
    let goodbye = error.is_go_away() && error.is_remote();
    let untold = goodbye && (error.reason() == Some(Reason::NO_ERROR) || req.method.is_replayable());
    let gone = error.is_io() && req.method.is_replayable();
    if !touched && (refused || untold || gone) {
        Failure::Again(req, fault(error))
    } else {
        Failure::Fault(fault(error))
    }
}
