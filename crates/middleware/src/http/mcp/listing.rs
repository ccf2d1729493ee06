//! Taking out of lists what the caller is not to see. A list that cannot be read is not passed on: what is hidden in it would show.

use super::super::model_call::meter::is_stream;
use super::super::policy::seconds;
use super::super::sieve;
use super::access::Rules;
use super::definitions::Definitions;
use super::denial::error;
use std::sync::Arc;
use std::time::SystemTime;
use trilithon_flow::limits::MAX_MCP_ANSWER;
use trilithon_flow::{Beginning, Body, Exchange, Known, Mode, Request, Response, SharedMcpCall, read_up_to};
use trilithon_mcp::error::INTERNAL_ERROR;
use trilithon_mcp::list::filter;
use trilithon_policy::fact::Facts;
use trilithon_wire::json;

/// The rules for lists, with what they look at: the answer's body outlives the exchange.
pub struct Listing {
    rules: Option<Arc<Rules>>,
    definitions: Option<Arc<Definitions>>,
    mode: Mode,
    request: Request,
    exchange: Exchange,
    now: i64,
    call: SharedMcpCall,
}

impl Listing {
    pub fn new(
        rules: Option<Arc<Rules>>,
        definitions: Option<Arc<Definitions>>,
        mode: Mode,
        req: &Request,
        cx: &Exchange,
        call: SharedMcpCall,
    ) -> Listing {
        let mut exchange = cx.side();
        exchange.record.router.clone_from(&cx.record.router);
        Listing {
            rules,
            definitions,
            mode,
            request: req.clone_head(),
            exchange,
            now: seconds(cx.record.started_at.unwrap_or_else(SystemTime::now)),
            call,
        }
    }

    /// The answer without what is hidden.
    pub async fn shorten(self, mut res: Response) -> Response {
        if !(200..300).contains(&res.status) || res.fault.is_some() || res.body.is_empty() {
            return res;
        }
        let coding = res.headers.known(Known::ContentEncoding);
        if coding.is_some_and(|coding| !coding.eq_ignore_ascii_case(b"identity")) {
            return match self.is_strict() {
                true => unreadable("it is compressed"),
                false => res,
            };
        }
        if is_stream(&res) {
            res.headers.remove_known(Known::ContentLength);
            res.body = sieve::body(res.body.take(), self);
            return res;
        }
        let body = match read_up_to(res.body.take(), MAX_MCP_ANSWER as u64).await {
            Ok(Beginning::Whole(body, _)) => body,
            Ok(Beginning::Larger(_)) if self.is_strict() => return unreadable("it is too large"),
            Ok(Beginning::Larger(body)) => {
                res.body = body;
                return res;
            }
            Err(fault) => return Response::from(fault),
        };
        match self.without(&body) {
            Ok(shorter) => {
                let body = shorter.map_or(body, Into::into);
                if res.headers.has(Known::ContentLength) {
                    res.headers
                        .set_known(Known::ContentLength, body.len().to_string());
                }
                res.body = Body::from(body);
                res
            }
            Err(why) if self.is_strict() => unreadable(&why.to_string()),
            Err(_) => {
                res.body = Body::from(body);
                res
            }
        }
    }

    /// The document without what is hidden; `None` when it stays as it is.
    pub fn without(&self, doc: &[u8]) -> Result<Option<Vec<u8>>, json::Error> {
        let mut call = self.call.borrow_mut();
        let filtered = filter(doc, |list, item, asked| {
            // All are looked at, also what this caller is not to see.
            let definitions = self.definitions.as_ref();
            let is_distrusted = definitions.is_some_and(|d| d.hides(list, item, &mut call));
            let facts = Facts {
                request: &self.request,
                exchange: &self.exchange,
                client_ip: &self.exchange.connection.peer_ip,
                now: self.now,
                mcp: Some(asked),
            };
            let policy = self.rules.as_ref().and_then(|rules| rules.lists.as_ref());
            is_distrusted || policy.is_some_and(|policy| !policy.decide(&facts).allowed)
        })?;
        if let Some(definitions) = &self.definitions {
            filtered.ended.iter().for_each(|list| definitions.end(*list));
        }
        match self.mode {
            Mode::Enforce => {
                call.hidden += filtered.hidden;
                Ok(filtered.doc)
            }
            _ => {
                call.would_hide += filtered.hidden;
                Ok(None)
            }
        }
    }

    /// Whether what cannot be read stays out.
    pub fn is_strict(&self) -> bool {
        let hides = self.rules.is_some() || self.definitions.as_ref().is_some_and(|d| d.hides_any());
        hides && self.mode == Mode::Enforce
    }
}

fn unreadable(why: &str) -> Response {
    error(
        502,
        None,
        INTERNAL_ERROR,
        &format!("the server's list cannot be read: {why}"),
    )
}
