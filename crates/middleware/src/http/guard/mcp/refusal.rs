//! How a client of tools is told that a guard refused something.

use super::super::UNJUDGED;
use super::super::said::Said;
use crate::http::mcp::denial::{Told, era};
use crate::http::model_call::OnDeny;
use std::sync::Arc;
use trilithon_flow::{McpCall, Response};
use trilithon_mcp::error;

/// What a guard's word comes to.
pub struct Refusal {
    message: String,
    /// `None` where nobody could judge.
    deny: Option<Arc<OnDeny>>,
}

impl Refusal {
    pub fn of(said: &Said) -> Refusal {
        let message = match &said.deny {
            Some(_) if said.tell_reason => said.reason.to_string(),
            Some(deny) => deny.message().to_owned(),
            None => UNJUDGED.to_owned(),
        };
        Refusal {
            message,
            deny: said.deny.clone(),
        }
    }

    /// The answer to the request: JSON-RPC, but where `onDenyResponse` names another type of content.
    pub fn answer(&self, call: &McpCall) -> Response {
        match &self.deny {
            Some(deny) if deny.is_plain() => deny.saying(&self.message).answer(None, None),
            _ => self.told(call).answer(call, self.is_graceful(call)),
        }
    }

    /// What stands in a stream in the place of an answer with this `id`.
    pub fn instead(&self, call: &McpCall, id: &str) -> Vec<u8> {
        self.told(call).instead(call, id, self.is_graceful(call))
    }

    fn told(&self, call: &McpCall) -> Told<'_> {
        let (status, code) = match &self.deny {
            Some(deny) => (deny.status(), error::forbidden(era(call))),
            None => (500, error::INTERNAL_ERROR),
        };
        Told {
            status,
            code,
            message: &self.message,
            result: &self.message,
        }
    }

    /// `gracefulErrors` of the middleware in front, or a status that says the same.
    fn is_graceful(&self, call: &McpCall) -> bool {
        call.answering.graceful || self.deny.as_ref().is_some_and(|deny| deny.status() == 200)
    }
}
