//! One server, and requests to it.

use super::told::Told;
use crate::service::Backend;
use bytes::Bytes;
use std::sync::{Arc, Mutex, PoisonError};
use trilithon_flow::record::Name;
use trilithon_flow::{Body, Keep, Known, Method, Request};
use trilithon_mcp::{Leg, Naming, header};
use trilithon_model::dynamic::http::McpServer as Config;

pub struct Server {
    /// As the configuration writes it.
    pub name: Name,
    pub naming: Naming,
    pub backend: Arc<dyn Backend>,
    /// Empty: that of the client's request.
    path: Box<str>,
    pass_authorization: bool,
    pub told: Told,
    /// What it said of itself last, for when it is down. Kept over reloads.
    pub said: Arc<Said>,
}

/// An answer to `initialize`.
#[derive(Default)]
pub struct Said(Mutex<Option<Bytes>>);

impl Said {
    pub fn get(&self) -> Option<Bytes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn set(&self, answer: Bytes) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
    }
}

impl Server {
    pub fn build(
        service: &str,
        config: &Config,
        naming: Naming,
        backend: Arc<dyn Backend>,
        keep: &Keep,
    ) -> Server {
        Server {
            name: config.name.as_str().into(),
            naming,
            backend,
            path: config.path.as_str().into(),
            pass_authorization: config.pass_authorization,
            told: Told::of(service, &config.name),
            said: keep.get(
                &format!("{service} {}", config.name),
                &config.service,
                Said::default,
            ),
        }
    }

    /// A request to it with `body`, by the client's head: without what is between the client and the gateway alone.
    pub fn request(&self, head: &Request, method: Method, body: impl Into<Bytes>) -> Request {
        let mut req = head.clone_head();
        (req.method, req.upgrade) = (method, None);
        req.body = Body::from(body.into());
        if !self.path.is_empty() {
            req.target.set_path(&self.path);
        }
        let headers = &mut req.headers;
        headers.remove(header::SESSION_ID);
        headers.remove("Last-Event-ID");
        // Answers are read on their way: they have to come as they are.
        headers.remove_known(Known::AcceptEncoding);
        headers.remove_known(Known::ContentLength);
        if !self.pass_authorization {
            headers.remove_known(Known::Authorization);
            headers.remove("Cookie");
        }
        req
    }

    /// The same in a session with it.
    pub fn request_in(&self, leg: &Leg, head: &Request, method: Method, body: impl Into<Bytes>) -> Request {
        let mut req = self.request(head, method, body);
        enter(leg, &mut req);
        req
    }

    /// A question of the gateway's own to it.
    pub fn own_request(&self, head: &Request, body: impl Into<Bytes>) -> Request {
        let mut req = self.request(head, Method::Post, body);
        req.headers.set_known(Known::ContentType, "application/json");
        req.headers.set("Accept", "application/json, text/event-stream");
        req.headers.remove(header::PROTOCOL_VERSION);
        req
    }
}

/// Names the session with a server, and the revision that was agreed on with it.
pub fn enter(leg: &Leg, req: &mut Request) {
    if let Some(id) = &leg.id {
        req.headers.set(header::SESSION_ID, &**id);
    }
    req.headers.set(header::PROTOCOL_VERSION, &*leg.version);
}
