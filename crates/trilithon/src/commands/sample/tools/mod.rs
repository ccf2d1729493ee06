//! An offline server of tools by the Model Context Protocol, of both eras, with faults on demand.
//!
//! What tools there are is in [`catalog`], what they do in [`shop`], how the protocol is spoken in [`protocol`]. Faults are asked
//! for with words as those of the sample model; what was asked can be read again at `/calls`.

mod api;
mod catalog;
mod protocol;
mod sessions;
mod shop;

use super::asked::{self, Asked};
use super::line::{Event, Line};
use super::seen::Seen;
use super::wish::Wish;
use api::Api;
use protocol::Reply;
use serde_json::{Value, json};
use sessions::Sessions;
use shop::Shop;
use std::io;
use tokio::net::TcpStream;
use trilithon_mcp::header::SESSION_ID;
use trilithon_wire::Buffer;

/// The server's state.
pub struct Tools {
    /// Where orders are asked for; without it the tools know them.
    api: Option<Api>,
    shop: Shop,
    sessions: Sessions,
    seen: Seen,
}

impl Tools {
    /// A server whose tools ask for orders at `url` with `key`.
    ///
    /// # Errors
    /// `url` is none.
    pub fn new(url: Option<String>, key: Option<String>) -> anyhow::Result<Tools> {
        Ok(Tools {
            api: url.map(|url| Api::new(&url, key)).transpose()?,
            shop: Shop::default(),
            sessions: Sessions::default(),
            seen: Seen::of("tool"),
        })
    }

    /// Serves one connection until either side ends it.
    ///
    /// # Errors
    /// The client has gone.
    pub async fn serve(&self, mut tcp: TcpStream) -> io::Result<()> {
        tcp.set_nodelay(true)?;
        let mut buffer = Buffer::new();
        while let Some(asked) = asked::read(&mut tcp, &mut buffer).await? {
            let mut line = Line::new(&mut tcp, asked.method == "HEAD");
            if !self.answer(&mut line, &asked).await? {
                break;
            }
        }
        Ok(())
    }

    async fn answer(&self, line: &mut Line<'_>, asked: &Asked) -> io::Result<bool> {
        let plain = Wish::default();
        match (&*asked.method, asked.path()) {
            ("GET", "/calls") => return line.json(200, &self.seen.list().to_string(), "", &plain).await,
            ("DELETE", "/calls") => {
                return line.json(200, &self.seen.clear().to_string(), "", &plain).await;
            }
            _ => {}
        }
        let body: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
        let name = body["params"]["name"].as_str().or(body["method"].as_str());
        let name = name.unwrap_or(&asked.method);
        let wish = Wish::of("", asked);
        let number = self.seen.begin(asked, name);
        let is_due = wish.times.is_none_or(|times| self.seen.count(name) <= times);
        let wish = if is_due { wish } else { plain };
        let outcome = self.reply(line, asked, &wish).await;
        self.seen
            .end(number, line.status(), line.events(), line.end(&outcome));
        outcome
    }

    async fn reply(&self, line: &mut Line<'_>, asked: &Asked, wish: &Wish) -> io::Result<bool> {
        if wish.lost {
            self.sessions.forget();
        }
        if let Some(refusal) = &wish.refusal {
            let retry = refusal.retry_after.as_ref();
            let more = retry.map_or_else(String::new, |t| format!("Retry-After: {t}\r\n"));
            return line
                .refuse(refusal.status, &failure(&refusal.message), &more, wish)
                .await;
        }
        match self.speak(asked, wish).await {
            Reply::Bare(status) => {
                line.bare(
                    status,
                    if status == 405 {
                        "Allow: POST, DELETE\r\n"
                    } else {
                        ""
                    },
                )
                .await
            }
            Reply::Json {
                status,
                body,
                session,
            } => {
                let more = session.map_or_else(String::new, |id| format!("{SESSION_ID}: {id}\r\n"));
                line.json(status, &body.to_string(), &more, wish).await
            }
            Reply::Events(messages) => {
                let event = |data: String| Event {
                    name: Some("message"),
                    data,
                };
                let events: Vec<Event> = messages.iter().map(|m| event(m.to_string())).collect();
                line.stream(&events, &event(failure("as you wish")), "", wish)
                    .await
            }
        }
    }
}

/// A message that names no request and says what is wrong.
fn failure(message: &str) -> String {
    json!({"jsonrpc": "2.0", "error": {"code": -32603, "message": message}}).to_string()
}
