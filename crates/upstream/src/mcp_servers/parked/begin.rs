//! The first round of a call, and what its client and those that come back have in common: the stream that they hear it in.

use super::super::Federation;
use super::super::cross::{Cancel, caller};
use super::super::post;
use super::super::resume::principal;
use super::super::server::Server;
use super::super::stream::{Channel, Out, Place, Teller};
use super::client::hear;
use super::{Call, Said};
use std::sync::Arc;
use tokio::sync::mpsc::Receiver;
use trilithon_flow::{Body, Exchange, Response};
use trilithon_mcp::{EventId, Stream, state};

impl Federation {
    /// A server of the first era answers with a stream, in which it may ask.
    pub fn begin(
        self: &Arc<Federation>,
        server: &Arc<Server>,
        body: Body,
        cancel: Box<Cancel>,
        place: Place,
        call: &post::Call<'_>,
        cx: &Exchange,
    ) -> Response {
        let begun = Call {
            federation: self.clone(),
            server: server.clone(),
            cancel,
            head: call.head.clone_head(),
            exchange: cx.side(),
            method: call.message.method().into(),
            about: state::about(&call.message),
            principal: principal(cx),
            caller: caller(cx),
        };
        let (client, heard) = call.client();
        tokio::task::spawn_local(begun.run(body, client));
        self.heard_by(call, server, heard, place, cx)
    }

    /// The stream of one round.
    pub fn heard_by(
        &self,
        call: &post::Call<'_>,
        server: &Arc<Server>,
        heard: Receiver<Said>,
        place: Place,
        cx: &Exchange,
    ) -> Response {
        let id = call.id().unwrap_or("null");
        let out = Out::new(EventId::new(Stream::Answer(id.into())));
        let hearing = hear(heard, out.clone(), server.clone(), id.into(), cx.mcp_call.clone());
        Channel::new(out, vec![Box::pin(hearing) as Teller], self.keep_alive, place).response()
    }
}
