//! The session that a request belongs to, and its end.

use super::all::all;
use super::{Federation, answer};
use aws_lc_rs::digest;
use std::sync::{Arc, LazyLock};
use std::time::{SystemTime, UNIX_EPOCH};
use trilithon_flow::{Exchange, Identity, Known, Method, Request, Response};
use trilithon_mcp::error::INVALID_REQUEST;
use trilithon_mcp::{Era, Session, header};

impl Federation {
    /// The session that the request names; `id` is its message's.
    ///
    /// # Errors
    /// The answer: 400 for a request without one or with a revision that is not spoken, 404 for a session that is none, has
    /// ended, or is somebody else's.
    pub fn session(&self, head: &Request, id: Option<&str>, cx: &Exchange) -> Result<Arc<Session>, Response> {
        let version = head.headers.known_str(Known::McpProtocolVersion);
        if let Some(version) = version.filter(|v| !Era::LEGACY.contains(v)) {
            let message = format!(
                "`{}` is `{version}`, which is not spoken here",
                header::PROTOCOL_VERSION
            );
            return Err(answer::failed(400, id, INVALID_REQUEST, &message));
        }
        let Some(text) = head.headers.known_str(Known::McpSessionId) else {
            let message = format!(
                "`{}` is missing: open a session with `initialize`",
                header::SESSION_ID
            );
            return Err(answer::failed(400, id, INVALID_REQUEST, &message));
        };
        let open = || Session::open(&self.seal, &self.name, text);
        let session = self.opened.get(text, open).filter(|session| {
            let age = now().saturating_sub(session.created);
            session.principal == principal(cx) && age < self.max_age
        });
        let session = session.filter(|session| {
            let entry = self.table.find(&session.number);
            entry.is_none_or(|entry| !entry.has_ended())
        });
        session.ok_or_else(|| answer::no_session(id))
    }

    /// `DELETE`: ends the session here and with all servers.
    pub async fn delete(&self, head: &Request, cx: &mut Exchange) -> Response {
        let session = match self.session(head, None, cx) {
            Ok(session) => session,
            Err(refusal) => return refusal,
        };
        self.table.entry(&session.number).end();
        self.tapes.ends(&session.number);
        let ends = self.servers.iter().filter_map(|server| {
            let leg = self.leg_at_hand(&session, server)?;
            leg.id.as_ref()?;
            let mut side = cx.side();
            let req = server.request_in(&leg, head, Method::Delete, "");
            // A server that is down, or ends no sessions on demand, forgets them by itself.
            Some(async move {
                let ending = server.backend.call(req, &mut side);
                drop(tokio::time::timeout(self.timeout, ending).await);
            })
        });
        all(ends.collect::<Vec<_>>()).await;
        Response::new(204)
    }
}

/// Tells callers apart: a hash of who somebody is, and of nothing where nobody knows.
pub fn principal(cx: &Exchange) -> [u8; 16] {
    static NOBODY: LazyLock<[u8; 16]> = LazyLock::new(|| hash(None));
    match cx.identity() {
        Some(who) => who.principal.get_or_make(|| hash(Some(who))),
        None => *NOBODY,
    }
}

fn hash(who: Option<&Identity>) -> [u8; 16] {
    let mut hash = digest::Context::new(&digest::SHA256);
    if let Some(who) = who {
        let subject = if who.subject.is_empty() {
            &who.credential_id
        } else {
            &who.subject
        };
        for part in [who.credential.as_str(), &who.issuer, subject] {
            hash.update(&(part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
    }
    let hash = hash.finish();
    let mut half = [0; 16];
    half.copy_from_slice(&hash.as_ref()[..16]);
    half
}

/// Seconds since 1970.
pub fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}
