//! For the tests of this crate: a request with all that is known of it.

use crate::fact::Facts;
use serde_json::{Map, Value as Json};
use std::rc::Rc;
use std::sync::Arc;
use trilithon_flow::mcp_call::Asked;
use trilithon_flow::{Connection, Credential, Exchange, Identity, Method, Request, Target};

/// One request at one moment.
pub struct World {
    request: Request,
    exchange: Exchange,
    now: i64,
    asked: Option<Asked>,
}

impl World {
    pub fn new(method: &str, target: &str) -> World {
        let peer = "192.0.2.7:5000".parse().unwrap();
        let connection = Connection::new(peer, "127.0.0.1:80".parse().unwrap(), "web".into(), None);
        let request = Request {
            method: Method::of(method.as_bytes()),
            target: Target::new(target),
            ..Request::default()
        };
        let mut exchange = Exchange::new(Rc::new(connection), Rc::default());
        exchange.record.router = Some("shop@file".into());
        World {
            request,
            exchange,
            now: 1_796_042_096,
            asked: None,
        }
        .host("shop.test")
    }

    pub fn host(mut self, host: &str) -> World {
        self.request.headers.set("Host", host);
        self
    }

    pub fn header(self, name: &str, value: &str) -> World {
        self.header_bytes(name, value.as_bytes())
    }

    pub fn header_bytes(mut self, name: &str, value: &[u8]) -> World {
        self.request.headers.append(name, value);
        self
    }

    pub fn at(mut self, now: i64) -> World {
        self.now = now;
        self
    }

    /// A token with these claims.
    pub fn claims(mut self, claims: Json) -> World {
        let claims: Map<String, Json> = claims.as_object().cloned().unwrap_or_default();
        let text = |name: &str| claims.get(name).and_then(Json::as_str).unwrap_or_default();
        let groups = claims.get("groups").and_then(Json::as_array);
        let groups = groups.into_iter().flatten().filter_map(Json::as_str);
        let mut identity = Identity::new(Credential::Jwt, text("sub"));
        identity.groups = groups.map(Arc::from).collect();
        identity.issuer = text("iss").into();
        identity.claims = claims.clone();
        self.exchange.identify(Arc::new(identity));
        self
    }

    /// A message to a server of tools.
    pub fn asked(mut self, method: &str, params: Json) -> World {
        let params = params.as_object().cloned().unwrap_or_default();
        self.asked = Some(Asked::new(method.into(), params));
        self
    }

    pub fn facts(&self) -> Facts<'_> {
        Facts {
            request: &self.request,
            exchange: &self.exchange,
            client_ip: &self.exchange.connection.peer_ip,
            now: self.now,
            mcp: self.asked.as_ref(),
        }
    }
}
