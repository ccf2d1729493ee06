//! What clients of the second era ask first: what the servers say of themselves, made one.

use super::all::all;
use super::ask::Failure;
use super::post::Call;
use super::presence::{Look, Turn};
use super::server::Server;
use super::{Federation, answer};
use bytes::Bytes;
use std::sync::Arc;
use trilithon_flow::{Exchange, Request, Response};
use trilithon_mcp::Era;
use trilithon_mcp::merge::{self, Hello, Speaker};

impl Federation {
    /// `server/discover`. Of a server that does not answer what it said last counts, and what is said then is not to be kept.
    pub async fn discover(self: &Arc<Federation>, call: &Call<'_>, cx: &mut Exchange) -> Response {
        let Some(id) = call.id() else {
            return answer::accepted();
        };
        let asked = self.turns().into_iter().map(|(server, turn)| {
            let mut side = cx.side();
            async move {
                let said = match turn {
                    Turn::Ask => {
                        self.what_it_can(server, call.head, call.body.clone(), &mut side)
                            .await
                    }
                    Turn::Look(look) => {
                        self.discover_beside(look, server, call, side);
                        Err(Failure::Away)
                    }
                    Turn::Leave => Err(Failure::Away),
                };
                (server, said)
            }
        });
        let answers = all(asked.collect::<Vec<_>>()).await;
        let mut said = Vec::new();
        let mut failures = Vec::new();
        let hello =
            |server: &Server, doc: &[u8]| Hello::read(&server.name, doc).map(|h| h.of_era(Era::Modern));
        for (server, answer) in answers {
            match answer {
                Ok(doc) => said.extend(hello(server, &doc)),
                Err(failure) => {
                    if failure != Failure::Away {
                        tracing::warn!(server = &*server.name, %failure, "a server of tools does not say what it can");
                    }
                    failures.push((server, failure));
                }
            }
        }
        if said.is_empty() {
            return answer::all_failed(call.era, Some(id), &failures, "no server says what it can", 502);
        }
        for (server, _) in &failures {
            said.extend(server.said.get().and_then(|doc| hello(server, &doc)));
        }
        let whole = failures.is_empty();
        let body = merge::discover(id, &said, &Era::MODERN, self.speaker(), whole);
        answer::json(200, body)
    }

    fn discover_beside(
        self: &Arc<Federation>,
        look: Look,
        server: &Arc<Server>,
        call: &Call<'_>,
        mut cx: Exchange,
    ) {
        let (federation, server) = (self.clone(), server.clone());
        let (head, body) = (call.head.clone_head(), call.body.clone());
        tokio::task::spawn_local(async move {
            let _look = look;
            drop(federation.what_it_can(&server, &head, body, &mut cx).await);
        });
    }

    /// What a server says of itself to a client of the second era; one of the first says it when a session is opened.
    async fn what_it_can(
        &self,
        server: &Server,
        head: &Request,
        body: Bytes,
        cx: &mut Exchange,
    ) -> Result<Bytes, Failure> {
        let asking = async {
            match self.bridge(server, head, &body, cx).await? {
                None => self.ask(server, None, head, body, cx).await,
                Some(bridge) => {
                    self.leg(&bridge.session, server, None, head, cx).await?;
                    let unknown = || Failure::Unreadable("it said nothing of itself".to_owned());
                    server.said.get().ok_or_else(unknown)
                }
            }
        };
        let said = tokio::time::timeout(self.timeout, asking).await;
        let said = said.unwrap_or(Err(Failure::TooLate));
        server.note(said.as_ref().err());
        said
    }

    /// Who answers for all.
    pub fn speaker(&self) -> Speaker<'_> {
        Speaker {
            name: self.name.split('@').next().unwrap_or_default(),
            version: env!("CARGO_PKG_VERSION"),
            only: self.only().is_some(),
        }
    }
}
