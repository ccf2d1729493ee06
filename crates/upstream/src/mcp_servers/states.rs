//! What clients of the second era bring back (`requestState`): only who was given it, for the message that it was given for.

use super::post::Call;
use super::resume::{now, principal};
use super::server::Server;
use super::{Federation, answer};
use bytes::Bytes;
use std::sync::Arc;
use trilithon_flow::{Exchange, Response};
use trilithon_mcp::error::INVALID_PARAMS;
use trilithon_mcp::state::{self, Of, State};
use trilithon_mcp::{Abilities, Era, Message, error, rounds};

/// Looks over what a server of the second era wants of its client. What it wants to have back is sealed: it is asked for all callers
/// alike, and could not tell whose it is. What the client did not say it can be asked is refused.
pub struct Sealer {
    federation: Arc<Federation>,
    server: Arc<Server>,
    principal: [u8; 16],
    /// The message that it answers, as the client wrote it.
    body: Bytes,
}

impl Sealer {
    pub fn new(federation: &Arc<Federation>, server: &Arc<Server>, call: &Call<'_>, cx: &Exchange) -> Sealer {
        Sealer {
            federation: federation.clone(),
            server: server.clone(),
            principal: principal(cx),
            body: call.body.clone(),
        }
    }

    /// An answer of the server as the client is to see it; `None` when it stays as it is.
    pub fn shown(&self, doc: &[u8]) -> Option<Vec<u8>> {
        if let Some(needed) = rounds::undeclared(doc, || Abilities::of(&self.body)) {
            tracing::warn!(
                server = &*self.server.name,
                needed,
                "a server of tools asks what its client did not say it can be asked"
            );
            let message = Message::read(&self.body).ok();
            let id = message.and_then(|message| message.id.map(|id| id.raw()));
            return Some(error::missing_capability(id, needed));
        }
        let federation = &self.federation;
        state::given(doc, |given| {
            let about = Message::read(&self.body).map(|message| state::about(&message));
            let state = State {
                principal: self.principal,
                server: (&*self.server.name).into(),
                about: about.unwrap_or_default(),
                expires: now() + federation.max_age,
                of: Of::Server(given.into()),
            };
            state.seal(&federation.seal, &federation.name)
        })
    }
}

impl Federation {
    /// What a message brings back; `None` for one that brings nothing, or is none of those that may.
    ///
    /// # Errors
    /// The answer to one that brings what is not its own.
    pub fn state(&self, server: &Server, call: &Call<'_>, cx: &Exchange) -> Result<Option<Of>, Response> {
        if call.era == Era::Legacy || !rounds::may_ask(call.message.method()) {
            return Ok(None);
        }
        let Some(brought) = call
            .message
            .params()
            .and_then(|params| params.get("requestState"))
        else {
            return Ok(None);
        };
        let refuse = |why: &str| Err(answer::error(call.era, call.id(), INVALID_PARAMS, why));
        let text = brought.text();
        let state = text.and_then(|text| State::open(&self.seal, &self.name, &text.to_str()));
        let Some(state) = state else {
            return refuse(
                "`requestState` is none that was given here: it is damaged, or its key is not known any more",
            );
        };
        if state.principal != principal(cx) {
            return refuse("`requestState` was given to somebody else");
        }
        if state.about != state::about(&call.message) || *state.server != *server.name {
            return refuse("`requestState` was given for another message: repeat that one as it was");
        }
        if state.expires < now() {
            return refuse("`requestState` is too old: begin again");
        }
        Ok(Some(state.of))
    }
}
