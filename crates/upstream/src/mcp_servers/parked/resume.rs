//! A client that comes back with what it was asked: its answers go to the server, and the call goes on.

use super::super::ask::Failure;
use super::super::post::Call;
use super::super::server::Server;
use super::super::{Federation, answer};
use super::{Outcome, Resumed, Waiting, name};
use std::sync::Arc;
use trilithon_flow::{Exchange, Method, Response};
use trilithon_mcp::error::INVALID_PARAMS;
use trilithon_mcp::rounds;
use trilithon_mcp::state::Round;

impl Federation {
    /// Goes on with the call that waits in this round.
    pub async fn resume(
        self: &Arc<Federation>,
        server: &Arc<Server>,
        round: Round,
        call: &Call<'_>,
        cx: &mut Exchange,
    ) -> Response {
        let refuse = |why: &str| answer::error(call.era, call.id(), INVALID_PARAMS, why);
        if round.process != self.parked.process {
            return refuse(
                "`requestState` is of a call that waits in another process of the gateway, or in one that has ended",
            );
        }
        let given = match rounds::responses(&call.message) {
            Ok(given) => given,
            Err(invalid) => return answer::invalid(&invalid),
        };
        let Some(place) = self.places.take() else {
            return super::super::stream::no_place(call.id());
        };
        let Some(waiting) = self.parked.take(&round.call, round.number) else {
            return refuse(
                "the call of `requestState` does not wait any more: it went on, took too long, or made room for another",
            );
        };
        if let Some(record) = &cx.mcp_call {
            record.borrow_mut().parked = Some(name(&round.call));
        }
        let Waiting {
            leg,
            questions,
            resume,
            ..
        } = waiting;
        let mut left = Vec::new();
        for question in questions {
            let Some((_, result)) = given.iter().find(|(name, _)| **name == *question.name) else {
                left.push(question);
                continue;
            };
            let handing = async {
                let body = question.answer(result);
                let req = server.request_in(&leg, call.head, Method::Post, body);
                server.backend.call(req, cx).await
            };
            if let Err(failure) = self.handed(handing).await {
                server.count(Some(&failure));
                return answer::server_failed(server, call.id(), &failure, cx);
            }
        }
        let (client, heard) = call.client();
        if resume.send(Resumed { client, left }).is_err() {
            let failure = Failure::Broken("the call has ended".to_owned());
            return answer::server_failed(server, call.id(), &failure, cx);
        }
        self.parked.tell(Outcome::Resumed);
        self.heard_by(call, server, heard, place, cx).await
    }

    /// What came of handing the server an answer.
    async fn handed(&self, handing: impl Future<Output = Response>) -> Result<(), Failure> {
        let Ok(res) = tokio::time::timeout(self.timeout, handing).await else {
            return Err(Failure::TooLate);
        };
        if let Some(fault) = &res.fault {
            return Err(Failure::Broken(fault.to_string()));
        }
        match res.status {
            200..300 => Ok(()),
            status => Err(Failure::Status(status)),
        }
    }
}
