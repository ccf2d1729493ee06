//! A response on its way to the client: its head as the library wants it, its body as the client's window allows.

use super::{SEND_BYTES, Shared};
use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, SendStream};
use std::future::poll_fn;
use std::sync::LazyLock;
use std::task::Poll;
use std::time::Duration;
use trilithon_flow::{Body, Exchange, Fault, FaultKind, Headers, Known, Response, status};

/// Longest time a response waits for the client to open its window.
const STALLED_WINDOW: Duration = Duration::from_secs(60);

/// Header fields as the library wants them; hop-by-hop fields have no place in HTTP/2 (RFC 9113 §8.2.2).
pub(super) fn header_map(headers: &Headers, keep_content_length: bool) -> http::HeaderMap {
    let mut map = http::HeaderMap::with_capacity(headers.len() + 2);
    for (known, name, value) in headers.iter_known() {
        let dropped = known.is_connection_specific() || known == Known::ContentLength && !keep_content_length;
        if dropped && known != Known::Trailer {
            continue;
        }
        if let (Some(name), Ok(value)) = (header_name(known, name), http::HeaderValue::from_bytes(value)) {
            map.append(name, value);
        }
    }
    map
}

/// A name as the library wants it. Known ones were read once.
fn header_name(known: Known, name: &[u8]) -> Option<http::HeaderName> {
    static KNOWN: LazyLock<Vec<Option<http::HeaderName>>> = LazyLock::new(|| {
        let all = Known::all().iter();
        all.map(|known| http::HeaderName::from_bytes(known.name().as_bytes()).ok())
            .collect()
    });
    match known {
        Known::Other => http::HeaderName::from_bytes(name).ok(),
        known => KNOWN[known as usize].clone(),
    }
}

pub(super) fn send_head(
    respond: &mut SendResponse<Bytes>,
    res: &Response,
    shared: &Shared,
    is_head: bool,
    end: bool,
) -> Result<SendStream<Bytes>, h2::Error> {
    let mut head = http::Response::new(());
    *head.status_mut() =
        http::StatusCode::from_u16(res.status).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    let mut map = header_map(&res.headers, is_head || res.status == 304);
    if !status::is_bodiless(res.status)
        && let Some(length) = res.body.length()
        && !(is_head && (length == 0 || map.contains_key(http::header::CONTENT_LENGTH)))
    {
        map.insert(http::header::CONTENT_LENGTH, http::HeaderValue::from(length));
    }
    if !res.headers.has(Known::Date)
        && let Ok(date) = http::HeaderValue::from_bytes(&shared.worker.date())
    {
        map.insert(http::header::DATE, date);
    }
    *head.headers_mut() = map;
    respond.send_response(head, end)
}

/// Sends a body as the client's window allows; gives the bytes sent.
pub(super) async fn send_body(
    mut stream: SendStream<Bytes>,
    mut body: Body,
    cx: &mut Exchange,
) -> Result<u64, Fault> {
    let gone = |_| Fault::new(FaultKind::ClientGone, "the client reset the stream");
    let mut sent = 0u64;
    loop {
        let next = poll_fn(|cx| match body.poll_chunk(cx) {
            Poll::Ready(chunk) => Poll::Ready(Some(chunk)),
            Poll::Pending => stream.poll_reset(cx).map(|_| None),
        });
        let chunk = match next.await {
            None => return Err(gone(())),
            Some(Err(fault)) => {
                stream.send_reset(Reason::INTERNAL_ERROR);
                return Err(fault);
            }
            Some(Ok(chunk)) => chunk,
        };
        if chunk.is_empty() {
            return end_body(stream, body.trailers(), cx)
                .map(|()| sent)
                .map_err(|_| gone(()));
        }
        sent += chunk.len() as u64;
        let last = body.length() == Some(0);
        send_chunk(&mut stream, chunk, last).await?;
        if last {
            // The source is asked once more, so that it sees its end and gives its connection back.
            let _ = poll_fn(|cx| Poll::Ready(body.poll_chunk(cx).is_ready())).await;
            return Ok(sent);
        }
    }
}

async fn send_chunk(stream: &mut SendStream<Bytes>, mut chunk: Bytes, last: bool) -> Result<(), Fault> {
    let gone = |_| Fault::new(FaultKind::ClientGone, "the client reset the stream");
    while !chunk.is_empty() {
        stream.reserve_capacity(chunk.len().min(SEND_BYTES));
        if stream.capacity() == 0 {
            let opened = poll_fn(|cx| stream.poll_capacity(cx));
            match tokio::time::timeout(STALLED_WINDOW, opened).await {
                Ok(Some(Ok(_))) => {}
                Ok(_) => return Err(gone(())),
                Err(_) => {
                    stream.send_reset(Reason::ENHANCE_YOUR_CALM);
                    return Err(Fault::new(
                        FaultKind::ClientTimeout,
                        "the client opened no window",
                    ));
                }
            }
            continue;
        }
        let piece = chunk.split_to(stream.capacity().min(chunk.len()));
        let end = last && chunk.is_empty();
        stream.send_data(piece, end).map_err(|_| gone(()))?;
    }
    Ok(())
}

fn end_body(
    mut stream: SendStream<Bytes>,
    trailers: Option<Headers>,
    cx: &mut Exchange,
) -> Result<(), h2::Error> {
    let Some(trailers) = trailers.filter(|t| !t.is_empty()) else {
        return stream.send_data(Bytes::new(), true);
    };
    cx.record.grpc_status = cx.record.grpc_status.or_else(|| grpc_status(&trailers));
    stream.send_trailers(header_map(&trailers, false))
}

/// `Grpc-Status` of a header or trailer list.
pub fn grpc_status(headers: &Headers) -> Option<u32> {
    std::str::from_utf8(headers.known(Known::GrpcStatus)?)
        .ok()?
        .parse()
        .ok()
}
