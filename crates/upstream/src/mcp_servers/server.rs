//! One server, and requests to it.

use super::ask::Failure;
use super::presence::Presence;
use super::told::{Outcome, Told};
use crate::service::Backend;
use bytes::Bytes;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use trilithon_flow::record::Name;
use trilithon_flow::{Body, Keep, Known, Method, Request};
use trilithon_mcp::{Era, Leg, Naming, header};
use trilithon_model::dynamic::http::McpServer as Config;

pub struct Server {
    /// As the configuration writes it.
    pub name: Name,
    pub naming: Naming,
    pub backend: Arc<dyn Backend>,
    /// Empty: that of the client's request.
    path: Box<str>,
    pass_authorization: bool,
    /// What it speaks, if that is written.
    era: Option<Era>,
    /// Kept over reloads.
    pub told: Arc<Told>,
    /// Whether it answers. Kept over reloads.
    pub presence: Arc<Presence>,
    /// What it said of itself last, for when it is down. Kept over reloads.
    pub said: Arc<Said>,
}

/// How long it is taken for known what a server speaks: it may be replaced by a newer one.
const KNOWN: Duration = Duration::from_secs(300);

/// What a server said when it was asked who it is.
#[derive(Default)]
pub struct Said {
    answer: Mutex<Option<Bytes>>,
    modern: Mutex<Option<(bool, Instant)>>,
}

impl Said {
    pub fn get(&self) -> Option<Bytes> {
        lock(&self.answer).clone()
    }

    pub fn set(&self, answer: Bytes) {
        *lock(&self.answer) = Some(answer);
    }

    /// It was found out whether the server speaks the second era.
    pub fn learn(&self, modern: bool) {
        *lock(&self.modern) = Some((modern, Instant::now()));
    }

    fn is_modern(&self) -> Option<bool> {
        let known = lock(&self.modern).filter(|(_, at)| at.elapsed() < KNOWN);
        known.map(|(modern, _)| modern)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Server {
    pub fn build(
        service: &str,
        config: &Config,
        naming: Naming,
        backend: Arc<dyn Backend>,
        keep: &Keep,
    ) -> Server {
        let kept = format!("{service} {}", config.name);
        // Whatever is behind the name: counts go on.
        let told = keep.get(&kept, &(), || Told::of(service, &config.name));
        Server {
            name: config.name.as_str().into(),
            naming,
            backend,
            path: config.path.as_str().into(),
            pass_authorization: config.pass_authorization,
            era: match &*config.era {
                "legacy" => Some(Era::Legacy),
                "modern" => Some(Era::Modern),
                _ => None,
            },
            presence: keep.get(&kept, &config.service, || Presence::new(told.clone())),
            told,
            said: keep.get(&kept, &config.service, Said::default),
        }
    }

    /// Whether it speaks the second era; `None` while nobody knows.
    pub fn is_modern(&self) -> Option<bool> {
        match self.era {
            Some(written) => Some(written == Era::Modern),
            None => self.said.is_modern(),
        }
    }

    /// Takes note of how asking it went: whether it is there, and what came of it.
    pub fn note(&self, failure: Option<&Failure>) {
        match failure {
            Some(failure) if failure.is_absence() => self.presence.failed(failure, Instant::now()),
            Some(Failure::Ended | Failure::Away | Failure::Cancelled | Failure::Declined) => {}
            _ => self.presence.answered(),
        }
        self.count(failure);
    }

    /// Counts what came of asking it: an error is an answer, and who was not asked has failed at nothing.
    pub fn count(&self, failure: Option<&Failure>) {
        self.told.count(match failure {
            None | Some(Failure::Error(..)) => Outcome::Answered,
            Some(Failure::Ended | Failure::Away | Failure::Cancelled) => return,
            Some(_) => Outcome::Failed,
        });
    }

    /// Whether it is shown the client's own credentials.
    pub fn passes_authorization(&self) -> bool {
        self.pass_authorization
    }

    /// Whether it is written that it speaks no other era.
    pub fn speaks_only(&self, era: Era) -> bool {
        self.era == Some(era)
    }

    /// A request to it with `body`, by the client's head: without what is between the client and the gateway alone.
    pub fn request(&self, head: &Request, method: Method, body: impl Into<Bytes>) -> Request {
        let mut req = head.clone_head();
        (req.method, req.upgrade) = (method, None);
        req.body = Body::from(body.into());
        if !self.path.is_empty() {
            req.target.set_path(&self.path);
        }
        let shows_caller = self.pass_authorization;
        req.headers.retain(|known, _, _| match known {
            // Answers are read on their way: they have to come as they are.
            Known::AcceptEncoding | Known::ContentLength => false,
            Known::McpSessionId | Known::LastEventId => false,
            Known::Authorization | Known::Cookie => shows_caller,
            _ => true,
        });
        req
    }

    /// The same in a session with it.
    pub fn request_in(&self, leg: &Leg, head: &Request, method: Method, body: impl Into<Bytes>) -> Request {
        let mut req = self.request(head, method, body);
        enter(leg, &mut req);
        for known in [Known::McpMethod, Known::McpName] {
            req.headers.remove_known(known);
        }
        req
    }

    /// The stream of a session with it, for what it says by itself.
    pub fn listening_in(&self, leg: &Leg, head: &Request) -> Request {
        let mut req = self.request_in(leg, head, Method::Get, "");
        req.headers.set_known(Known::Accept, "text/event-stream");
        req.headers.remove_known(Known::ContentType);
        req
    }

    /// A question of the gateway's own to it.
    pub fn own_request(&self, head: &Request, body: impl Into<Bytes>) -> Request {
        let mut req = self.request(head, Method::Post, body);
        req.headers.set_known(Known::ContentType, "application/json");
        req.headers.set("Accept", "application/json, text/event-stream");
        for name in [header::PROTOCOL_VERSION, header::METHOD, header::NAME] {
            req.headers.remove(name);
        }
        req
    }

    /// A question about the server itself. Nothing that a client writes has a part in it, but who it is: the answer is
    /// remembered for all.
    pub fn probe(&self, head: &Request, body: impl Into<Bytes>) -> Request {
        let mut plain = Request {
            target: head.target.clone(),
            version: head.version,
            ..Request::default()
        };
        for name in ["Host", "Authorization", "Cookie"] {
            if let Some(value) = head.headers.get(name) {
                plain.headers.append(name, value);
            }
        }
        self.own_request(&plain, body)
    }
}

/// Names the session with a server, and the revision that was agreed on with it.
pub fn enter(leg: &Leg, req: &mut Request) {
    if let Some(id) = &leg.id {
        req.headers.set_known(Known::McpSessionId, &**id);
    }
    req.headers.set_known(Known::McpProtocolVersion, &*leg.version);
}
