//! The body of a response: the stream itself, with what is left of the request behind it.

use super::places::Lease;
use super::upload::Upload;
use super::{Why, head};
use bytes::{Buf, Bytes};
use h2::RecvStream;
use std::cell::Cell;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use trilithon_flow::{Fault, FaultKind, Headers, Source};

/// The body of an answer, and what is left of the request.
pub struct Rest {
    pub _lease: Lease,
    pub recv: RecvStream,
    pub chunk: Bytes,
    pub upload: Option<Box<Upload>>,
    pub left: Option<u64>,
    pub count: Option<Rc<Cell<u64>>>,
    pub ended: bool,
    pub trailers: Option<Headers>,
    pub failed: Option<Fault>,
}

impl Rest {
    /// Makes a chunk lie there, or ends the body.
    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        self.poll_upload(cx)?;
        while self.chunk.is_empty() && !self.ended {
            match ready!(self.recv.poll_data(cx)) {
                Some(Ok(chunk)) => self.chunk = chunk,
                Some(Err(error)) => return Poll::Ready(Err(broken(&error))),
                None => {
                    let map = ready!(self.recv.poll_trailers(cx)).map_err(|e| broken(&e))?;
                    self.trailers = map.map(|map| head::trailers(&map)).filter(|t| !t.is_empty());
                    self.ended = true;
                    self.upload = None;
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_upload(&mut self, cx: &mut Context<'_>) -> Result<(), Fault> {
        let Some(upload) = &mut self.upload else {
            return Ok(());
        };
        match upload.poll(cx) {
            Poll::Pending => return Ok(()),
            // The server wants no more of the request; its answer may be complete all the same.
            Poll::Ready(Ok(())) | Poll::Ready(Err(Why::Error(_))) => {}
            Poll::Ready(Err(Why::Fault(fault))) => return Err(fault),
        }
        self.upload = None;
        Ok(())
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        if let Some(fault) = &self.failed {
            return Poll::Ready(Err(fault.clone()));
        }
        let result = ready!(self.poll_data(cx));
        if let Err(fault) = &result {
            self.failed = Some(fault.clone());
            self.upload = None;
        }
        Poll::Ready(result)
    }

    /// Counts bytes that are passed on, and lets the server send as many more.
    fn passed(&mut self, n: usize) {
        // The stream may have ended meanwhile: then there is no window left to open.
        let _ = self.recv.flow_control().release_capacity(n);
        if let Some(left) = &mut self.left {
            *left = left.saturating_sub(n as u64);
        }
        if let Some(count) = &self.count {
            count.set(count.get() + n as u64);
        }
    }
}

impl Source for Rest {
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<&[u8], Fault>> {
        ready!(self.poll_ready(cx))?;
        Poll::Ready(Ok(&self.chunk))
    }

    fn consume(&mut self, n: usize) {
        self.chunk.advance(n);
        self.passed(n);
    }

    fn length(&self) -> Option<u64> {
        self.left
    }

    fn trailers(&mut self) -> Option<Headers> {
        self.trailers.take()
    }

    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Result<Bytes, Fault>> {
        ready!(self.poll_ready(cx))?;
        let chunk = std::mem::take(&mut self.chunk);
        self.passed(chunk.len());
        Poll::Ready(Ok(chunk))
    }
}

fn broken(error: &h2::Error) -> Fault {
    Fault::new(FaultKind::Broken, format!("the answer broke off: {error}"))
}
