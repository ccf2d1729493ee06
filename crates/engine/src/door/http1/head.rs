//! A head, read off the connection strictly and made a request.

use super::Http1;
use crate::door::refuse;
use crate::serve;
use std::borrow::Cow;
use std::future::poll_fn;
use std::io;
use std::task::Poll;
use trilithon_flow::{Headers, Known, Method, Request, Target, Version, limits};
use trilithon_wire::{Framing, HeadLimits, Reject, head};

/// A head, taken off the connection.
pub(super) struct Taken {
    pub req: Request,
    pub framing: Framing,
    pub keep_alive: bool,
    pub expect_continue: bool,
}

impl Http1 {
    /// Reads and parses one head; `None` when there is none to be had. A bad one is answered here.
    pub(super) async fn head(&self) -> io::Result<Option<Taken>> {
        let limits = HeadLimits {
            bytes: self.entry_point.max_header_bytes,
            fields: limits::MAX_HEADER_FIELDS,
        };
        let mut headers = Headers::new();
        loop {
            let parsed = {
                let mut buffer = self.client.buffer.borrow_mut();
                headers.clear();
                let parsed = take_head(buffer.filled(), &mut headers, &limits);
                if let Ok(Some((_, len))) = &parsed {
                    buffer.consume(*len);
                }
                parsed
            };
            match parsed {
                Ok(Some((mut taken, _))) => {
                    taken.req.headers = headers;
                    return Ok(Some(taken));
                }
                Ok(None) => {}
                Err(reject) => {
                    let foreign = refuse::is_foreign(self.client.buffer.borrow().filled());
                    if self.served == 1 && foreign {
                        // No answer in HTTP to what is none: it would only be taken for noise.
                        refuse::report(&self.entry_point, &self.connection, "not-http");
                        return Ok(None);
                    }
                    self.refuse(reject).await?;
                    return Ok(None);
                }
            }
            if !self.read_head(limits.bytes).await? {
                return Ok(None);
            }
        }
    }

    /// Reads on until a head may be whole or is too large; false when the client ends or is too slow.
    async fn read_head(&self, most: usize) -> io::Result<bool> {
        let seen = self.client.buffer.borrow().len();
        loop {
            let more = poll_fn(|cx| match self.client.poll_read(cx) {
                Poll::Ready(n) => Poll::Ready(n.map(Some)),
                Poll::Pending => self.client.deadline.poll(cx).map(|()| Ok(None)),
            });
            match more.await? {
                Some(0) => return Ok(false),
                Some(_) => {}
                None => {
                    refuse::report(&self.entry_point, &self.connection, "slow-head");
                    return Ok(false);
                }
            }
            let buffer = self.client.buffer.borrow();
            if buffer.len() > most || head::may_complete(buffer.filled(), seen) {
                return Ok(true);
            }
        }
    }

    /// Answers what is not a request, and is counted and logged as such.
    async fn refuse(&self, reject: Reject) -> io::Result<()> {
        refuse::report(&self.entry_point, &self.connection, reject.reason());
        let mut out = refuse::answer(reject);
        self.client.write(&mut out).await
    }
}

/// Parses one head and copies out of the buffer what the request keeps.
fn take_head(
    bytes: &[u8],
    headers: &mut Headers,
    limits: &HeadLimits,
) -> Result<Option<(Taken, usize)>, Reject> {
    let Some(head) = head::parse_request(bytes, headers, limits)? else {
        return Ok(None);
    };
    let target = serve::text(head.target);
    let mut req = Request {
        method: Method::of(head.method),
        target: Target::default(),
        version: if head.http10 {
            Version::Http10
        } else {
            Version::Http11
        },
        ..Request::default()
    };
    let keep_alive = head.keep_alive;
    if target.starts_with('/') && !target.contains('#') {
        req.target = Target::new(&target);
    } else {
        odd_target(&mut req, headers, &target)?;
    }
    if head.upgrade {
        req.upgrade = headers
            .known(Known::Upgrade)
            .map(|v| String::from_utf8_lossy(v).into());
    }
    let taken = Taken {
        req,
        framing: head.framing,
        keep_alive,
        expect_continue: head.expect_continue,
    };
    Ok(Some((taken, head.len)))
}

/// Absolute, asterisk and authority form (RFC 9112 §3.2); a fragment is refused.
fn odd_target(req: &mut Request, headers: &mut Headers, target: &str) -> Result<(), Reject> {
    if target.contains('#') {
        return Err(Reject::Fragment);
    }
    if req.method == Method::Connect || target == "*" && req.method == Method::Options {
        req.target = Target::new(target);
        return Ok(());
    }
    let scheme = ["http://", "https://"].iter().find(|s| {
        target
            .get(..s.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(s))
    });
    let rest = &target[scheme.ok_or(Reject::Target)?.len()..];
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    // The authority of the target is the host, whatever the field says (RFC 9112 §3.2.2).
    headers.set_known(Known::Host, &rest[..end]);
    let path: Cow<'_, str> = match &rest[end..] {
        "" => "/".into(),
        query if query.starts_with('?') => format!("/{query}").into(),
        path => path.into(),
    };
    req.target = Target::new(&path);
    Ok(())
}
