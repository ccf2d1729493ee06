//! What clients of the second era ask first: what the servers say of themselves, made one.

use super::all::all;
use super::ask::Failure;
use super::post::Call;
use super::server::Server;
use super::{Federation, answer};
use bytes::Bytes;
use trilithon_flow::{Exchange, Response};
use trilithon_mcp::Era;
use trilithon_mcp::merge::{self, Hello, Speaker};

impl Federation {
    /// `server/discover`. A server that does not answer is left out, and what is said then is not to be kept.
    pub async fn discover(&self, call: &Call<'_>, cx: &mut Exchange) -> Response {
        let Some(id) = call.id() else {
            return answer::accepted();
        };
        let asked = self.servers.iter().map(|server| {
            let mut side = cx.side();
            async move {
                let asking = self.what_it_can(server, call, &mut side);
                let said = tokio::time::timeout(self.timeout, asking).await;
                (server, said.unwrap_or(Err(Failure::TooLate)))
            }
        });
        let answers = all(asked.collect::<Vec<_>>()).await;
        let mut said = Vec::new();
        let mut failures = Vec::new();
        for (server, answer) in answers {
            match answer {
                Ok(doc) => said.extend(Hello::read(&server.name, &doc).map(|h| h.of_era(Era::Modern))),
                Err(failure) => {
                    tracing::warn!(server = &*server.name, %failure, "a server of tools does not say what it can");
                    failures.push(failure);
                }
            }
        }
        if said.is_empty() {
            return answer::all_failed(call.era, Some(id), &failures, "no server says what it can");
        }
        let whole = failures.is_empty();
        let body = merge::discover(id, &said, &Era::MODERN, self.speaker(), whole);
        answer::json(200, body)
    }

    /// What a server says of itself to a client of the second era; one of the first says it when a session is opened.
    async fn what_it_can(
        &self,
        server: &Server,
        call: &Call<'_>,
        cx: &mut Exchange,
    ) -> Result<Bytes, Failure> {
        match self.bridge(server, call.head, cx).await? {
            None => self.ask(server, None, call.head, call.body.clone(), cx).await,
            Some(bridge) => {
                self.leg(&bridge.session, server, None, call.head, cx).await?;
                let unknown = || Failure::Unreadable("it said nothing of itself".to_owned());
                server.said.get().ok_or_else(unknown)
            }
        }
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
