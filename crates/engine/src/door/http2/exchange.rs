//! One stream: request, response, record.

use super::Open;
use super::answer::{header_map, send_body, send_head};
use super::request::Incoming;
use super::tunnel::upgrade;
use crate::serve;
use bytes::Bytes;
use h2::server::SendResponse;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;
use trilithon_flow::{Fault, FaultKind, Interim, Method, Response, status};

/// One stream: request, response, record.
pub(super) async fn exchange(open: Open, incoming: Incoming, mut respond: SendResponse<Bytes>) {
    let shared = &*open.shared;
    let Incoming {
        req,
        tunnel,
        interim,
        received,
    } = incoming;
    let is_head = req.method == Method::Head;
    let mut cx = serve::begin(
        &shared.worker,
        &shared.entry_point,
        &shared.connection,
        &interim,
        &req,
    );
    let answer = {
        let (worker, entry_point) = (&shared.worker, &shared.entry_point);
        let reply = pin!(serve::respond(worker, entry_point, req, &mut cx));
        drive(reply, &interim, &mut respond).await
    };
    let Some(mut res) = answer else {
        cx.record.fault = Some(Fault::new(
            FaultKind::ClientGone,
            "the client reset the stream before the answer",
        ));
        serve::finish(&shared.worker, &mut cx, 499, 0);
        return;
    };
    if cx.record.request_headers.is_none() {
        open.forget_head();
    }
    cx.record.request_bytes = received.get();
    if shared.worker.telemetry.wants.response_headers {
        cx.record.response_headers = Some(res.headers.clone());
    }
    if let Some(upgraded) = res.upgraded.take() {
        return upgrade(shared, upgraded, &mut cx, respond, tunnel).await;
    }
    if tunnel.is_some() && (200..300).contains(&res.status) {
        // To this client 2xx would mean that the tunnel stands (RFC 8441 §5).
        cx.record.fault = Some(Fault::new(
            FaultKind::Malformed,
            "the server answered an upgrade without switching",
        ));
        res = Response::status_text(502);
    }
    let code = res.status;
    let bodiless = is_head || status::is_bodiless(code) || res.body.is_empty();
    let Ok(stream) = send_head(&mut respond, &res, shared, is_head, bodiless) else {
        return serve::finish(&shared.worker, &mut cx, 499, 0);
    };
    let sent = if bodiless {
        Ok(0)
    } else {
        send_body(stream, res.body.take(), &mut cx).await
    };
    drop(res);
    if let Err(fault) = &sent {
        cx.record.fault.get_or_insert(fault.clone());
    }
    serve::finish(&shared.worker, &mut cx, code, sent.unwrap_or(0));
}

/// Runs the chain; passes interim responses on and gives up when the client resets the stream.
async fn drive(
    mut reply: Pin<&mut impl Future<Output = Response>>,
    interim: &Interim,
    respond: &mut SendResponse<Bytes>,
) -> Option<Response> {
    poll_fn(|cx| {
        let polled = reply.as_mut().poll(cx);
        for (code, headers) in interim.take() {
            let mut head = http::Response::new(());
            *head.status_mut() = http::StatusCode::from_u16(code).unwrap_or(http::StatusCode::EARLY_HINTS);
            *head.headers_mut() = header_map(&headers, false);
            // A client that takes no interim response loses nothing by it.
            let _ = respond.send_informational(head);
        }
        match polled {
            Poll::Ready(res) => Poll::Ready(Some(res)),
            Poll::Pending => respond.poll_reset(cx).map(|_| None),
        }
    })
    .await
}
