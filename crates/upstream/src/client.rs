//! One exchange with one server, whatever it speaks: a kept connection or a new one, HTTP/1.1 or HTTP/2.

use crate::http1::{Answer, Ask, Home, Size, Waiting};
use crate::pool::{self, Dedicated, Key, Room};
use crate::stream::Stream;
use crate::upload::Upload;
use crate::{Origin, Scheme, Transport, connect, http2};
use std::future::poll_fn;
use std::sync::Arc;
use std::time::Instant;
use trilithon_flow::{Exchange, Fault, FaultKind, Headers, Known, Method, Request, Response};

/// Sendings of one request to an HTTP/2 server that turns it away before it looks at it.
const MAX_REFUSALS: usize = 3;

/// One exchange with one server. The request goes out as it is: target, `Host` and the rest are the caller's business.
///
/// Writes `origin_status`, `origin_bytes`, `origin_duration` and `server_addr` into the record, and `origin_headers` where
/// that field is already there. Dropping the future or the answer's body ends the exchange at the server.
///
/// # Errors
/// Why there is no answer. What goes wrong after the head comes from the answer's body.
pub async fn send(
    transport: &Arc<Transport>,
    origin: &Origin,
    mut req: Request,
    cx: &mut Exchange,
) -> Result<Response, Fault> {
    dispatch(transport, origin, &mut req, cx).await
}

/// The same with a borrowed request, of which only the head is left: futures stay small when nothing big moves into them.
pub(crate) async fn dispatch(
    transport: &Transport,
    origin: &Origin,
    req: &mut Request,
    cx: &mut Exchange,
) -> Result<Response, Fault> {
    let started = Instant::now();
    cx.record.server_addr = Some(origin.authority.clone());
    cx.origin_streamed = None;
    let outcome = exchange(transport, origin, req, cx).await;
    cx.record.origin_duration = started.elapsed();
    let Answer { response, bytes } = outcome?;
    cx.record.origin_status = response.status;
    match bytes {
        Size::Known(n) => cx.record.origin_bytes = n,
        Size::Counted(count) => cx.origin_streamed = Some(count),
    }
    if cx.record.origin_headers.is_some() {
        cx.record.origin_headers = Some(response.headers.clone());
    }
    if asks_for_a_connection(&response.headers) {
        cx.connection
            .dedicated
            .borrow_mut()
            .get_or_insert_with(|| Box::new(Dedicated::new()));
    }
    Ok(response)
}

async fn exchange(
    transport: &Transport,
    origin: &Origin,
    req: &mut Request,
    cx: &Exchange,
) -> Result<Answer, Fault> {
    let key = Key {
        transport: transport.identity,
        origin: origin.key,
        owner: owner(cx),
    };
    let http1_only = match origin.scheme {
        Scheme::Unsupported => {
            let why = format!(
                "`{}` cannot be asked: its scheme or host is missing or unknown",
                origin.url
            );
            return Err(Fault::new(FaultKind::Unsupported, why).unsent());
        }
        Scheme::Http => true,
        // An upgrade leaves HTTP, which only HTTP/1.1 connections can.
        Scheme::Https => transport.settings.tls.http1_only || req.upgrade.is_some(),
        Scheme::H2c => req.upgrade.is_some(),
    };
    if http1_only {
        over_http1(transport, origin, key, req, cx, None).await
    } else {
        Box::pin(over_either(transport, origin, key, req, cx)).await
    }
}

/// The client connection whose own backend connections these are; 0 for the common ones.
fn owner(cx: &Exchange) -> u64 {
    match &*cx.connection.dedicated.borrow() {
        None => 0,
        Some(own) => own.downcast_ref::<Dedicated>().map_or(0, Dedicated::owner),
    }
}

/// NTLM and Negotiate authenticate a connection: the client's next requests must go out on one of its own.
fn asks_for_a_connection(headers: &Headers) -> bool {
    headers.has(Known::WwwAuthenticate)
        && headers
            .get_all(b"Www-Authenticate")
            .any(|v| v.starts_with(b"NTLM") || v.starts_with(b"Negotiate"))
}

/// On `stream`, a kept connection, or a new one. A kept one that turns out to be gone is replaced by a new one, once.
async fn over_http1(
    transport: &Transport,
    origin: &Origin,
    key: Key,
    req: &mut Request,
    cx: &Exchange,
    stream: Option<Stream>,
) -> Result<Answer, Fault> {
    let room = transport.room;
    let upload = Upload::new(origin, req);
    let ask = Ask {
        // A dedicated connection that is not kept would be no use.
        home: Home {
            key,
            room: if key.owner == 0 {
                room
            } else {
                Room {
                    max: room.max.max(1),
                    ..room
                }
            },
        },
        head_time: transport.settings.response_header_timeout,
        reused: stream.is_none(),
        to_head: req.method == Method::Head,
        replayable: replayable(req),
        upgrade: req.upgrade.as_deref(),
        interim: &cx.interim,
    };
    let mut waiting = Waiting::new(stream.or_else(|| pool::take(&key)), upload, ask);
    loop {
        if waiting.needs_connection() {
            let dialled = Box::pin(connect::dial(transport, origin, true)).await?;
            waiting.connect(dialled.stream);
        }
        match poll_fn(|cx| waiting.poll(cx)).await {
            Ok(head) => return waiting.answer(head),
            Err(why) if waiting.is_stale(&why) => waiting.restart(),
            Err(why) => return Err(waiting.fault(why)),
        }
    }
}

/// Whether sending it twice does no harm: Go's rule.
fn replayable(req: &Request) -> bool {
    req.method.is_replayable()
        || req.headers.contains("Idempotency-Key")
        || req.headers.contains("X-Idempotency-Key")
}

enum Link {
    Http1(Option<Stream>),
    Http2(http2::Lease),
}

/// To a server that may speak HTTP/2.
async fn over_either(
    transport: &Transport,
    origin: &Origin,
    key: Key,
    req: &mut Request,
    cx: &Exchange,
) -> Result<Answer, Fault> {
    let mut req = Box::new(std::mem::take(req));
    let head_time = transport.settings.response_header_timeout;
    let mut refusals = 0;
    loop {
        let lease = match link(transport, origin, key).await? {
            Link::Http1(stream) => return over_http1(transport, origin, key, &mut req, cx, stream).await,
            Link::Http2(lease) => lease,
        };
        match http2::exchange(lease, origin, req, head_time, &cx.interim).await {
            Ok(answer) => return Ok(answer),
            Err(http2::Failure::Fault(fault)) => return Err(fault),
            Err(http2::Failure::Again(_, fault)) if refusals >= MAX_REFUSALS => return Err(fault),
            Err(http2::Failure::Again(again, _)) => req = again,
        }
        refusals += 1;
    }
}

async fn link(transport: &Transport, origin: &Origin, key: Key) -> Result<Link, Fault> {
    loop {
        let dialling = match http2::claim(&key) {
            http2::Claim::Ready(lease) => return Ok(Link::Http2(lease)),
            http2::Claim::Http1 => return Ok(Link::Http1(None)),
            http2::Claim::Dial(dialling) => dialling,
            http2::Claim::Wait(opening) => {
                opening.wait().await?;
                continue;
            }
        };
        let dialled = match connect::dial(transport, origin, false).await {
            Ok(dialled) => dialled,
            Err(fault) => {
                dialling.fail(&fault);
                return Err(fault);
            }
        };
        if !dialled.h2 {
            dialling.http1();
            return Ok(Link::Http1(Some(dialled.stream)));
        }
        let lease = http2::open(transport, &key, dialled.stream).await?;
        drop(dialling);
        return Ok(Link::Http2(lease));
    }
}
