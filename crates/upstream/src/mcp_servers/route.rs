//! What is for one server: it is found by what the message names.

use super::ask::Failure;
use super::listen_up::is_subscription;
use super::post::Call;
use super::server::Server;
use super::{Federation, answer};
use bytes::Bytes;
use std::sync::Arc;
use trilithon_flow::{Exchange, Response};
use trilithon_mcp::error::{INVALID_PARAMS, METHOD_NOT_FOUND};
use trilithon_mcp::inward::Named;
use trilithon_mcp::state::{self, Of};
use trilithon_mcp::{Era, Session};

/// JSON-RPC's code for a resource that is not there, in the first era.
const NO_RESOURCE: i64 = -32002;

impl Federation {
    /// The server that a name or an address belongs to, and how that server calls it.
    pub fn find<'f, 'n>(&'f self, is_name: bool, outer: &'n str) -> Option<(&'f Arc<Server>, &'n str)> {
        let found = self.servers.iter().filter_map(|server| {
            let inner = match is_name {
                true => server.naming.name_in(outer)?,
                false => server.naming.uri_in(outer)?,
            };
            Some((server, inner))
        });
        // The longest prefix: one may begin with another.
        found.min_by_key(|(_, inner)| inner.len())
    }

    /// A message for one server.
    pub async fn route(
        self: &Arc<Federation>,
        call: &Call<'_>,
        session: Option<&Session>,
        cx: &mut Exchange,
    ) -> Response {
        let (server, inner) = match (Named::of(&call.message), self.only()) {
            (Some(named), _) => {
                let text = named.text();
                match self.find(matches!(named, Named::Name(_)), &text) {
                    Some((server, inner)) if *inner == *text => (server, None),
                    Some((server, inner)) => (server, Some((inner.to_owned(), named))),
                    None => return self.unknown(call, &named),
                }
            }
            (None, Some(only)) => (only, None),
            (None, None) => return answer::method_not_found(call.era, call.id(), call.message.method()),
        };
        if let Some(call) = &cx.mcp_call {
            call.borrow_mut().server = Some(server.name.clone());
        }
        if let Some(session) = session
            && is_subscription(call.message.method())
            && let Some(taken) = Box::pin(self.subscribe_up(server, session, call, cx)).await
        {
            return taken;
        }
        let state = match self.state(server, call, cx) {
            Ok(Some(Of::Parked(round))) => return Box::pin(self.resume(server, round, call, cx)).await,
            Ok(Some(Of::Server(state))) => Some(state),
            Ok(None) => None,
            Err(refusal) => return refusal,
        };
        let mut body: Bytes = match &inner {
            Some((inner, named)) => named.replaced(call.body, inner).into(),
            None => call.body.clone(),
        };
        if let Some(brought) = state.and_then(|state| state::brought(&body, &state)) {
            body = brought.into();
        }
        let sent = self
            .send(server, inner.as_ref().map(|(i, _)| &**i), body, call, session, cx)
            .await;
        match sent {
            Ok((res, crossing)) => {
                if let Some(session) = session.filter(|_| (200..300).contains(&res.status)) {
                    self.remember(session, server, &call.message);
                }
                self.pass_on(server, res, crossing, call, session, cx).await
            }
            Err(Failure::Cancelled) => answer::cancelled(),
            // Nothing is wrong with the server.
            Err(declined @ Failure::Declined) => {
                answer::json(200, answer::server_failed_body(server, call.id(), &declined))
            }
            Err(Failure::Error(METHOD_NOT_FOUND, _)) => {
                answer::method_not_found(call.era, call.id(), call.message.method())
            }
            Err(failure) => {
                server.count(Some(&failure));
                answer::server_failed(server, call.id(), &failure, cx)
            }
        }
    }

    fn unknown(&self, call: &Call<'_>, named: &Named<'_>) -> Response {
        let (code, what) = match (named, call.era) {
            (Named::Uri(_), Era::Legacy) => (NO_RESOURCE, "Resource not found"),
            (Named::Uri(_), Era::Modern) => (INVALID_PARAMS, "Resource not found"),
            (Named::Name(_), _) => (INVALID_PARAMS, "No server has this name"),
        };
        answer::error(call.era, call.id(), code, &format!("{what}: {}", named.text()))
    }
}
