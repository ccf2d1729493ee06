//! A request on its way to one server: where it goes, what the server is told of the client, what is none of its business.
//!
//! Nothing here chooses a server, and nothing here touches a socket.

use crate::client::dispatch;
use crate::{Origin, Transport, hop};
use std::sync::Arc;
use trilithon_flow::trace::What;
use trilithon_flow::{Exchange, Fault, Headers, Known, Method, Reply, Request, Response, Service, Target};

/// Sends requests to one server.
pub struct Forward {
    pub transport: Arc<Transport>,
    pub origin: Origin,
    /// Pass the client's `Host` (default), or name the server's own.
    pub pass_host_header: bool,
    /// Put the server URL's path in front of the request's.
    pub preserve_path: bool,
}

impl Service for Forward {
    fn call<'a>(&'a self, mut req: Request, cx: &'a mut Exchange) -> Reply<'a> {
        cx.record.server_url = Some(self.origin.url.clone());
        cx.keep_head(&req);
        self.rewrite(&mut req, cx);
        if cx.record.trace.is_some() {
            return Box::pin(self.traced(req, cx));
        }
        Box::pin(async move {
            match dispatch(&self.transport, &self.origin, &mut req, cx).await {
                Ok(mut response) => {
                    hop::strip_proof(&mut response.headers);
                    response
                }
                Err(fault) => failed(fault, cx),
            }
        })
    }
}

impl Forward {
    /// The exchange as part of a trace: the server is told of it.
    async fn traced(&self, mut req: Request, cx: &mut Exchange) -> Response {
        let name = cx
            .record
            .balancer
            .as_ref()
            .or(cx.record.service.as_ref())
            .cloned();
        let service = cx.record.enter(|| What::Service {
            name: name.unwrap_or_default(),
        });
        let scheme = self.origin.scheme.as_str();
        let call = cx
            .record
            .call("ReverseProxy", &mut req, scheme, &self.origin.authority);
        let outcome = dispatch(&self.transport, &self.origin, &mut req, cx).await;
        cx.record.answered(&call, outcome.as_ref());
        cx.record.leave(&call);
        cx.record.leave(&service);
        outcome.unwrap_or_else(|fault| failed(fault, cx))
    }

    /// Makes the client's request the one that the server gets.
    fn rewrite(&self, req: &mut Request, cx: &Exchange) {
        append_forwarded_for(&mut req.headers, cx);
        let trailers = hop::allows_trailers(&req.headers);
        hop::strip(&mut req.headers);
        hop::strip_proof(&mut req.headers);
        if trailers {
            req.headers.append("Te", "trailers");
        }
        if let Some(asked) = req.upgrade.take() {
            req.upgrade = hop::without_h2c(&asked).map(String::into_boxed_str);
            leave_connect(req);
        }
        if !self.pass_host_header || req.host().is_empty() {
            req.headers
                .set_known(Known::Host, self.origin.authority.as_bytes());
        }
        self.retarget(&mut req.target);
    }

    fn retarget(&self, target: &mut Target) {
        // Go reads `;` as a separator nowhere, old servers do: what is forwarded has one meaning.
        if let Some(query) = target.query().filter(|q| q.contains(';')) {
            let query = query.replace(';', "&");
            target.set_query(Some(&query));
        }
        if self.preserve_path {
            let joined = join(&self.origin.path, target.path());
            target.set_path(&joined);
        }
    }
}

/// Two escaped paths with one slash between them.
fn join(base: &str, path: &str) -> String {
    match (base.ends_with('/'), path.strip_prefix('/')) {
        (true, Some(rest)) => format!("{base}{rest}"),
        (false, None) => format!("{base}/{path}"),
        _ => format!("{base}{path}"),
    }
}

/// Adds the client's address, unless it is not to be told.
fn append_forwarded_for(headers: &mut Headers, cx: &Exchange) {
    if cx.not_append_forwarded_for {
        return;
    }
    let peer = cx.connection.peer_ip.as_bytes();
    if !headers.has(Known::XForwardedFor) {
        return headers.append_known(Known::XForwardedFor, peer);
    }
    let mut all: Vec<&[u8]> = headers
        .get_all(b"X-Forwarded-For")
        .filter(|v| !v.is_empty())
        .collect();
    all.push(peer);
    let joined = all.join(&b", "[..]);
    headers.set_known(Known::XForwardedFor, joined);
}

/// An extended CONNECT (RFC 8441) is a GET with an upgrade in HTTP/1.1. The key that it does not have is made up: the
/// server's proof of having read it is nothing to a client that sent none.
fn leave_connect(req: &mut Request) {
    if req.upgrade.is_none() || req.method != Method::Connect {
        return;
    }
    req.method = Method::Get;
    if req.is_websocket() && !req.headers.has(Known::SecWebsocketKey) {
        use base64::Engine;
        let key: [u8; 16] = std::array::from_fn(|_| fastrand::u8(..));
        req.headers.append(
            "Sec-Websocket-Key",
            base64::engine::general_purpose::STANDARD.encode(key),
        );
    }
}

/// The gateway's answer in the server's place.
fn failed(fault: Fault, cx: &mut Exchange) -> Response {
    tracing::debug!(%fault, server = cx.record.server_url.as_deref(), "no answer from the server");
    cx.record.fault = Some(fault.clone());
    let response = Response::from(fault);
    cx.record.origin_status = response.status;
    cx.record.origin_bytes = response.body.length().unwrap_or_default();
    response
}

#[cfg(test)]
mod tests;
