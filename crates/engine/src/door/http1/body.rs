//! A response's body: sent behind the head, small pieces together, large ones from where they are.

use super::Http1;
use super::out::OUT_BYTES;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::task::{Poll, ready};
use trilithon_flow::{Body, Exchange, Fault, FaultKind};
use trilithon_wire::{Framing, encode};

/// Chunks up to this size are copied behind the head and sent with it; larger ones are written from where they are.
const COPY_BYTES: usize = 8 * 1024;

impl Http1 {
    /// Sends the body behind the head that is in `out`; gives the body bytes sent.
    pub(super) async fn send_body(
        &self,
        body: &mut Body,
        framing: Framing,
        out: &mut Vec<u8>,
        cx: &mut Exchange,
    ) -> Result<u64, (u64, Fault)> {
        let chunked = framing == Framing::Chunked;
        let mut sent = 0u64;
        loop {
            let next = self.next(body, out, chunked).await;
            let (len, written) = match next.map_err(|fault| (sent, fault))? {
                Next::End => break,
                Next::Copied(len) if out.len() < OUT_BYTES => (len, Ok(())),
                Next::Copied(len) => (len, self.client.write(out).await),
                Next::Large(len) => (len, self.write_lent(body, out, len, chunked).await),
            };
            sent += len as u64;
            written.map_err(|_| (sent, gone()))?;
        }
        if let Framing::Length(n) = framing
            && n != sent
        {
            return Err((
                sent,
                Fault::new(FaultKind::Broken, "the body ended before its declared length"),
            ));
        }
        let trailers = body.trailers().filter(|t| !t.is_empty());
        if let Some(trailers) = &trailers {
            cx.record.grpc_status = cx
                .record
                .grpc_status
                .or_else(|| crate::door::http2::grpc_status(trailers));
        }
        if chunked {
            encode::last_chunk(out, trailers.as_ref());
        }
        self.client.write(out).await.map_err(|_| (sent, gone()))?;
        Ok(sent)
    }

    /// Waits for body bytes; up to [`COPY_BYTES`] of them are put behind what is in `out`. That is sent before the wait, so that
    /// nothing at hand is held back.
    async fn next(&self, body: &mut Body, out: &mut Vec<u8>, chunked: bool) -> Result<Next, Fault> {
        let (mut written, mut sent) = (0, false);
        let next = poll_fn(|cx| {
            if let Poll::Ready(lent) = body.poll_fill(cx) {
                let len = match lent {
                    Err(fault) => return Poll::Ready(Err(fault)),
                    Ok([]) => return Poll::Ready(Ok(Next::End)),
                    Ok(data) if data.len() > COPY_BYTES => return Poll::Ready(Ok(Next::Large(data.len()))),
                    Ok(data) if chunked => {
                        encode::chunk_header(out, data.len());
                        out.extend_from_slice(data);
                        out.extend_from_slice(encode::CHUNK_END);
                        data.len()
                    }
                    Ok(data) => {
                        out.extend_from_slice(data);
                        data.len()
                    }
                };
                body.consume(len);
                return Poll::Ready(Ok(Next::Copied(len)));
            }
            if !sent {
                ready!(self.client.poll_send(cx, out, &mut written)).map_err(|_| gone())?;
                self.client.deadline.clear();
                sent = true;
            }
            self.client.poll_gone(cx).map(|()| Err(gone()))
        })
        .await;
        out.drain(..written);
        next
    }

    /// Writes what is in `out` and lent bytes from where they are.
    async fn write_lent(
        &self,
        body: &mut Body,
        out: &mut Vec<u8>,
        len: usize,
        chunked: bool,
    ) -> io::Result<()> {
        let end: &[u8] = if chunked { encode::CHUNK_END } else { b"" };
        if chunked {
            encode::chunk_header(out, len);
        }
        let total = out.len() + len + end.len();
        let mut at = 0;
        self.client.deadline.set(self.client.write_timeout);
        while at < total {
            at += poll_fn(|cx| {
                let Poll::Ready(Ok(data)) = body.poll_fill(cx) else {
                    return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
                };
                let data = &data[..len.min(data.len())];
                let pieces = [
                    IoSlice::new(&out[at.min(out.len())..]),
                    IoSlice::new(&data[at.saturating_sub(out.len()).min(data.len())..]),
                    IoSlice::new(&end[at.saturating_sub(out.len() + data.len()).min(end.len())..]),
                ];
                self.client.poll_write(cx, &pieces)
            })
            .await?;
        }
        out.clear();
        body.consume(len);
        Ok(())
    }
}

/// What a body gave.
enum Next {
    /// So many bytes, which are in the output already.
    Copied(usize),
    /// So many bytes, lent.
    Large(usize),
    End,
}

pub(super) fn gone() -> Fault {
    Fault::new(
        FaultKind::ClientGone,
        "the client closed before the end of the answer",
    )
}
