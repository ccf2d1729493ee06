//! The first round of a call, and what its client and those that come back have in common: the stream that they hear it in.

use super::super::cross::caller;
use super::super::post;
use super::super::resume::principal;
use super::super::send::Down;
use super::super::server::Server;
use super::super::stream::{Channel, Out, Place, Teller};
use super::super::{Federation, answer};
use super::client::hear;
use super::{Call, Said};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::Receiver;
use trilithon_flow::{Body, Exchange, Response};
use trilithon_mcp::{EventId, Stream, state};

/// How long the client waits for the beginning of a stream: what is answered before that is told by a status too.
const SOON: Duration = Duration::from_secs(1);

impl Federation {
    /// A server of the first era answers with a stream, in which it may ask.
    pub async fn begin(
        self: &Arc<Federation>,
        server: &Arc<Server>,
        body: Body,
        down: Down,
        place: Place,
        call: &post::Call<'_>,
        cx: &Exchange,
    ) -> Response {
        let begun = Call {
            federation: self.clone(),
            server: server.clone(),
            down,
            head: call.head.clone_head(),
            exchange: cx.side(),
            method: call.message.method().into(),
            about: state::about(&call.message),
            principal: principal(cx),
            caller: caller(cx),
        };
        let (client, heard) = call.client();
        tokio::task::spawn_local(begun.run(body, client));
        self.heard_by(call, server, heard, place, cx).await
    }

    /// What the client of one round hears: a message, where that is all, and else a stream.
    pub async fn heard_by(
        &self,
        call: &post::Call<'_>,
        server: &Arc<Server>,
        mut heard: Receiver<Said>,
        place: Place,
        cx: &Exchange,
    ) -> Response {
        let id = call.id().unwrap_or("null");
        let record = cx.mcp_call.clone();
        let first = match tokio::time::timeout(SOON, heard.recv()).await {
            Ok(Some(said)) if said.is_last() => {
                let doc = said.doc(record.as_ref());
                return answer::json(answer::modern_status(&doc), doc);
            }
            Ok(first) => first,
            // It takes its time.
            Err(_) => None,
        };
        let out = Out::new(EventId::new(Stream::Answer(id.into())));
        let hearing = hear(first, heard, out.clone(), server.clone(), id.into(), record);
        Channel::new(out, vec![Box::pin(hearing) as Teller], self.keep_alive, place).response()
    }
}
