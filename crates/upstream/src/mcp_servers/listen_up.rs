//! Listening to a server of the second era for a client of the first: what the client subscribed to message by message is one
//! subscription there (`subscriptions/listen`), held while the client has its stream, and opened anew when it ends or the client wants
//! to hear of something else.

use super::Federation;
use super::answer;
use super::ask::is_stream;
use super::cross::{is_modern, upward};
use super::listen::{Heard, Listener};
use super::post::Call;
use super::server::Server;
use super::stream::relay;
use bytes::Bytes;
use trilithon_flow::{Exchange, Known, Response};
use trilithon_mcp::Session;
use trilithon_wire::json::quote;

/// Whether a method of the first era begins or ends a subscription.
pub fn is_subscription(method: &str) -> bool {
    matches!(method, "resources/subscribe" | "resources/unsubscribe")
}

impl Federation {
    /// A subscription or its end, where the server has no such methods: it is told by who listens. `None` for a server that has
    /// them.
    pub async fn subscribe_up(
        &self,
        server: &Server,
        session: &Session,
        call: &Call<'_>,
        cx: &mut Exchange,
    ) -> Option<Response> {
        let id = call.id()?;
        // Who opens no session says so when it is asked.
        let leg = self.leg(session, server, None, call.head, cx).await.ok()?;
        is_modern(&leg).then(|| {
            self.remember(session, server, &call.message);
            answer::json(200, format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#))
        })
    }
}

impl Listener {
    /// Listens once, until the server ends it.
    pub async fn listen_up(&mut self) -> Heard {
        let entry = self.federation.table.entry(&self.session.number);
        let slot = entry.slot(&self.server.name);
        self.telling.hear();
        loop {
            let changed = slot.subscriptions.changed();
            let body = subscription(&slot.subscriptions.all());
            let Ok(mut req) = upward(&self.server, &self.session, None, &self.head, &body) else {
                return Heard::Nothing;
            };
            req.headers.set_known(Known::ContentType, "application/json");
            req.headers
                .set_known(Known::Accept, "application/json, text/event-stream");
            let asking = self.server.backend.call(req, &mut self.exchange);
            let Ok(mut res) = tokio::time::timeout(self.federation.timeout, asking).await else {
                return Heard::Failed;
            };
            match res.status {
                200..300 if is_stream(&res) => self.begin(),
                status => {
                    let server = &*self.server.name;
                    tracing::debug!(server, status, "a server of tools cannot be listened to");
                    return match status {
                        500..600 => Heard::Failed,
                        _ => Heard::Nothing,
                    };
                }
            }
            tokio::select! {
                // How it ended does not matter: it is come back to.
                _ = relay(&mut res.body, &mut self.telling, &self.out) => return Heard::Ended,
                () = changed => {}
            }
        }
    }
}

/// The message that subscribes to all lists, and to these resources.
fn subscription(uris: &[Box<str>]) -> Bytes {
    let uris = uris
        .iter()
        .map(|uri| String::from_utf8(quote(uri)).unwrap_or_default());
    let uris = uris.collect::<Vec<_>>().join(",");
    let notifications = format!(
        r#"{{"toolsListChanged":true,"promptsListChanged":true,"resourcesListChanged":true,"resourceSubscriptions":[{uris}]}}"#
    );
    format!(
        r#"{{"jsonrpc":"2.0","id":"trilithon:listen","method":"subscriptions/listen","params":{{"notifications":{notifications}}}}}"#
    )
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_subscription_for_all() {
        let body = subscription(&["a:\"1\"".into(), "b:2".into()]);
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        let wanted = &body["params"]["notifications"];
        assert_eq!(
            wanted["resourceSubscriptions"],
            serde_json::json!(["a:\"1\"", "b:2"])
        );
        assert_eq!(wanted["toolsListChanged"], true);
    }
}
