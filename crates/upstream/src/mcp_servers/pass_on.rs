//! The answer of one server on its way to the client.

use super::ask::{self, Failure, is_json, is_stream};
use super::converse::Conversation;
use super::post::Call;
use super::send::Crossing;
use super::server::Server;
use super::states::Sealer;
use super::stream::{self, Out, Telling};
use super::underway::Ongoing;
use super::{Federation, answer};
use bytes::Bytes;
use std::sync::Arc;
use trilithon_flow::limits::MAX_MCP_ANSWER;
use trilithon_flow::{Body, Exchange, Known, Response};
use trilithon_mcp::bridge::{self, Questions};
use trilithon_mcp::{Era, EventId, Session, Stream, outward, rounds};
use trilithon_wire::json::Fault;

impl Federation {
    /// The answer of a server, as the client is to see it.
    pub async fn pass_on(
        self: &Arc<Federation>,
        server: &Arc<Server>,
        mut res: Response,
        crossing: Crossing,
        call: &Call<'_>,
        session: Option<&Session>,
        cx: &mut Exchange,
    ) -> Response {
        res.headers.remove_known(Known::McpSessionId);
        let is_theirs = server.passes_authorization();
        if !is_theirs {
            // It is about the gateway's credentials, which the client cannot better.
            res.headers.remove_known(Known::WwwAuthenticate);
        }
        let well = (200..300).contains(&res.status) && res.fault.is_none();
        if well {
            server.presence.answered();
        }
        if well && is_stream(&res) {
            server.count(None);
            let Some(place) = self.places.take() else {
                return stream::no_place(call.id());
            };
            let telling = Telling::new(server.clone(), call.id(), call.era);
            let telling = match crossing {
                Crossing::None if may_give(call) => telling.sealing(Sealer::new(self, server, call, cx)),
                Crossing::None => telling,
                Crossing::Down(down) => {
                    let beginning = self.begin(server, res.body.take(), *down, place, call, cx);
                    return Box::pin(beginning).await;
                }
                Crossing::Up(session, body, ongoing) => {
                    let talk = self.conversation(server, (session, body, ongoing), call, cx);
                    return talk.answer(res, self.keep_alive, place);
                }
            };
            res.headers.remove_known(Known::ContentLength);
            let keeper = session.and_then(|session| self.keeper(session, call.head, cx));
            res.body = stream::passed(res.body.take(), telling, keeper, self.keep_alive, place);
            return res;
        }
        let same = matches!(crossing, Crossing::None);
        let stays = same && server.naming.is_plain() && is_json(&res) && !may_give(call);
        if well && (res.body.is_empty() || stays) {
            server.count(None);
            return res;
        }
        let body = read(&mut res, server).await;
        // Who lets nobody in may say so in a message.
        server.count(body.as_ref().err().or(ask::refused(&res).as_ref()));
        match body {
            Ok(body) => {
                res.headers.remove_known(Known::ContentLength);
                // In the first era 404 would say that the session with all servers is gone, and what is told by a status of the
                // second one is told by the message.
                if (call.era == Era::Legacy && (res.status == 404 || !same))
                    || (res.status == 401 && !is_theirs)
                {
                    res.status = 200;
                }
                self.crossed(server, res, body, crossing, call, cx)
            }
            Err(failure) => answer::server_failed(server, call.id(), &failure, cx),
        }
    }

    /// A whole answer, as a client of another era takes it.
    fn crossed(
        self: &Arc<Federation>,
        server: &Arc<Server>,
        mut res: Response,
        body: Bytes,
        crossing: Crossing,
        call: &Call<'_>,
        cx: &Exchange,
    ) -> Response {
        res.body = Body::from(match crossing {
            Crossing::None if may_give(call) => match Sealer::new(self, server, call, cx).shown(&body) {
                Some(shown) => {
                    res.status = answer::modern_status(&shown);
                    shown.into()
                }
                None => body,
            },
            Crossing::None => body,
            Crossing::Down(mut down) => {
                down.cancel.answered();
                let id = call.id().unwrap_or("null");
                match bridge::modern_answer(&body, id, call.message.method(), || call.abilities()) {
                    Ok(body) => {
                        res.status = answer::modern_status(&body);
                        body.into()
                    }
                    Err(error) => {
                        let failure = Failure::Unreadable(error.to_string());
                        return answer::server_failed(server, call.id(), &failure, cx);
                    }
                }
            }
            Crossing::Up(session, asked, ongoing) if Questions::read(&body).is_some() => {
                let Some(place) = self.places.take() else {
                    return stream::no_place(call.id());
                };
                res.body = Body::from(body);
                let talk = self.conversation(server, (session, asked, ongoing), call, cx);
                return talk.answer(res, self.keep_alive, place);
            }
            Crossing::Up(..) => body,
        });
        res
    }

    fn conversation(
        self: &Arc<Federation>,
        server: &Arc<Server>,
        (session, body, ongoing): (Session, Bytes, Option<Ongoing>),
        call: &Call<'_>,
        cx: &Exchange,
    ) -> Conversation {
        let of = Stream::Answer(call.id().unwrap_or("0").into());
        let keeper = self.keeper(&session, call.head, cx);
        Conversation {
            federation: self.clone(),
            server: server.clone(),
            session,
            head: call.head.clone_head(),
            body,
            telling: Telling::new(server.clone(), call.id(), call.era).conversing(),
            out: Out::new(EventId::new(of)).kept_by(keeper),
            exchange: cx.side(),
            ongoing,
        }
    }
}

/// Whether an answer may hold what the server wants to have back.
fn may_give(call: &Call<'_>) -> bool {
    call.era == Era::Modern && rounds::may_ask(call.message.method())
}

/// The message in an answer that is none of a stream, whatever its status.
async fn read(res: &mut Response, server: &Server) -> Result<Bytes, Failure> {
    if let Some(fault) = &res.fault {
        return Err(Failure::Broken(fault.to_string()));
    }
    let body = res.body.collect(MAX_MCP_ANSWER as u64).await;
    let body = body.map_err(|fault| Failure::Broken(fault.to_string()))?;
    match outward::message(&body, &server.name, &server.naming) {
        Ok(passed) if passed.is_rpc => Ok(passed.doc.map_or(body, Into::into)),
        Err(error) if error.what == Fault::Twice => Err(Failure::Unreadable(error.to_string())),
        Ok(_) | Err(_) => {
            let status = || ask::status_or(res.status, "it is no message");
            Err(ask::refused(res).unwrap_or_else(status))
        }
    }
}
