//! A response on its way to the client: its head, its body by `body.rs`, and the record's last words.

use super::body::gone;
use super::out::OutBuffer;
use super::{After, Http1};
use crate::serve;
use std::io;
use trilithon_flow::{Exchange, Known, Response, Side, Version, status};
use trilithon_wire::{Framing, ResponseFraming, encode};

impl Http1 {
    /// Sends a response and settles whether the connection can go on.
    pub(super) async fn answer(
        &self,
        res: &mut Response,
        is_head: bool,
        version: Version,
        keep_alive: bool,
        cx: &mut Exchange,
    ) -> io::Result<After> {
        if res.status == 304 {
            // It describes no content of its own (RFC 9110 §15.4.5); Go's server leaves the type out.
            res.headers.remove_known(Known::ContentType);
        }
        let framing = framing(res, is_head, version);
        let keep_alive = keep_alive && framing != Framing::Close;
        if self.worker.telemetry.wants.response_headers {
            cx.record.response_headers = Some(res.headers.clone());
        }
        let mut out = OutBuffer::new();
        self.write_head(&mut out.0, res, framing, is_head, version, keep_alive);
        let sent = match framing {
            Framing::None => self
                .client
                .write(&mut out.0)
                .await
                .map(|()| 0)
                .map_err(|_| (0, gone())),
            framing => self.send_body(&mut res.body, framing, &mut out.0, cx).await,
        };
        let code = res.status;
        // The upstream connection goes back to its pool, and an unread request body to this connection.
        drop(std::mem::take(res));
        let sent = match sent {
            Ok(bytes) => self
                .client
                .flush()
                .await
                .map(|()| bytes)
                .map_err(|_| (bytes, gone())),
            broken => broken,
        };
        self.client.deadline.clear();
        match sent {
            Ok(bytes) => serve::finish(&self.worker, cx, code, bytes),
            Err((bytes, fault)) => {
                if fault.side() != Side::Client && self.client.write(&mut out.0).await.is_ok() {
                    // What came before the break is the client's; that the end is missing tells it the rest.
                    let _ = self.client.flush().await;
                }
                cx.record.fault.get_or_insert(fault);
                serve::finish(&self.worker, cx, code, bytes);
                return Ok(After::Close);
            }
        }
        // A body that was still read while the answer was sent may have been refused since.
        if !self.report_body() && keep_alive {
            self.settle_body().await
        } else {
            Ok(After::Close)
        }
    }

    fn write_head(
        &self,
        out: &mut Vec<u8>,
        res: &Response,
        framing: Framing,
        is_head: bool,
        version: Version,
        keep_alive: bool,
    ) {
        let framing = match framing {
            Framing::Length(n) => ResponseFraming::Length(n),
            Framing::Chunked => ResponseFraming::Chunked,
            Framing::Close => ResponseFraming::Close,
            Framing::None if is_head && !status::is_bodiless(res.status) => {
                let declared = res
                    .headers
                    .known(Known::ContentLength)
                    .and_then(|v| std::str::from_utf8(v).ok()?.parse().ok());
                let known = declared.or_else(|| res.body.length().filter(|n| *n > 0));
                known.map_or(ResponseFraming::None, ResponseFraming::Length)
            }
            Framing::None => ResponseFraming::None,
        };
        let date = self.worker.date();
        let date = (!res.headers.has(Known::Date)).then_some(&date[..]);
        encode::response_head(
            out,
            version == Version::Http10,
            res.status,
            status::text(res.status),
            &res.headers,
            framing,
            !keep_alive,
            date,
        );
    }
}

/// How the end of a response is told (RFC 9112 §6.3).
fn framing(res: &Response, is_head: bool, version: Version) -> Framing {
    if is_head || status::is_bodiless(res.status) {
        return Framing::None;
    }
    match res.body.length() {
        Some(n) => Framing::Length(n),
        None if version == Version::Http10 => Framing::Close,
        None => Framing::Chunked,
    }
}
