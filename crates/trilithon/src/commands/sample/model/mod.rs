//! An offline model server: Chat Completions, Responses and Messages, as JSON and as events, with faults on demand.
//!
//! It is deterministic: the same request gets the same bytes. What it says is made of the request ([`reply`]), how it
//! fails is asked for with words ([`wish`]), and what it was asked can be read again at `/calls` ([`seen`]).

mod call;
mod chat;
pub mod dialect;
mod guard;
mod messages;
mod reply;
mod responses;

use super::asked::{self, Asked};
use super::line::{Event, Line};
use super::seen::Seen;
use super::wish::Wish;
use call::Call;
use dialect::{Dialect, Refusal};
use reply::Reply;
use serde_json::{Value, json};
use std::io;
use tokio::net::TcpStream;
use trilithon_wire::Buffer;

/// The models that `/v1/models` names. Any other name is answered too.
const MODELS: [&str; 3] = ["sample", "sample-small", "judge"];

/// The server's state.
pub struct Model {
    key: Option<String>,
    seen: Seen,
}

impl Model {
    /// A server that takes `key` only, or any.
    pub fn new(key: Option<String>) -> Model {
        Model {
            key,
            seen: Seen::of("model"),
        }
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
            let goes_on = match Dialect::of(asked.path()) {
                Some(dialect) if asked.method == "POST" => self.answer(&mut line, &asked, dialect).await?,
                _ => self.other(&mut line, &asked).await?,
            };
            if !goes_on {
                break;
            }
        }
        Ok(())
    }

    /// A call of a model.
    async fn answer(&self, line: &mut Line<'_>, asked: &Asked, dialect: Dialect) -> io::Result<bool> {
        let body: Result<Value, _> = serde_json::from_slice(&asked.body);
        let body = body.unwrap_or_default();
        let model = body["model"].as_str().unwrap_or_default();
        let wish = Wish::of(model, asked);
        let number = self.seen.begin(asked, model);
        let is_due = wish.times.is_none_or(|times| self.seen.count(model) <= times);
        let wish = if is_due { wish } else { Wish::default() };
        let outcome = match self.reply(asked, dialect, &body, &wish) {
            Ok((call, reply)) => say(line, &call, &reply, &wish).await,
            Err(refusal) => refuse(line, dialect, &refusal, &wish).await,
        };
        self.seen
            .end(number, line.status(), line.events(), line.end(&outcome));
        outcome
    }

    fn reply(
        &self,
        asked: &Asked,
        dialect: Dialect,
        body: &Value,
        wish: &Wish,
    ) -> Result<(Call, Reply), Refusal> {
        self.admit(asked)?;
        if let Some(refusal) = &wish.refusal {
            return Err(refusal.clone());
        }
        let call = Call::read(dialect, asked, body, wish)?;
        let reply = Reply::to(&call, &asked.body, wish);
        Ok((call, reply))
    }

    fn admit(&self, asked: &Asked) -> Result<(), Refusal> {
        let Some(key) = &self.key else { return Ok(()) };
        let bearer = asked
            .headers
            .get_str("Authorization")
            .and_then(|v| v.strip_prefix("Bearer "));
        let given = bearer.or_else(|| asked.headers.get_str("X-Api-Key"));
        if given == Some(key) {
            return Ok(());
        }
        Err(Refusal::new(
            401,
            "the key is not the one that this server was started with",
        ))
    }

    /// Everything that is no call of a model.
    async fn other(&self, line: &mut Line<'_>, asked: &Asked) -> io::Result<bool> {
        let wish = Wish::of("", asked);
        let body: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
        let answer = match (&*asked.method, asked.path()) {
            ("GET", "/calls") => self.seen.list(),
            ("DELETE", "/calls") => self.seen.clear(),
            ("GET" | "HEAD", "/v1/models") => models(),
            ("POST", "/v1/messages/count_tokens") => json!({"input_tokens": call::words(&body)}),
            ("POST", "/analyze") => guard::analyze(&body),
            ("POST", "/guard") => guard::judge(&body),
            ("GET" | "HEAD", path) if path.starts_with("/v1/models/") => model(&path["/v1/models/".len()..]),
            _ => {
                let refusal = Refusal::new(
                    404,
                    "there is nothing here; a sample model knows /v1/chat/completions, /v1/responses, /v1/messages, /v1/models, /analyze, /guard and /calls",
                );
                return refuse(line, Dialect::Chat, &refusal, &wish).await;
            }
        };
        if let Some(refusal) = &wish.refusal {
            return refuse(line, Dialect::Chat, refusal, &wish).await;
        }
        line.json(200, &answer.to_string(), "", &wish).await
    }
}

/// Says what the model says. `false`: the connection is to end.
async fn say(line: &mut Line<'_>, call: &Call, reply: &Reply, wish: &Wish) -> io::Result<bool> {
    if !call.is_stream {
        let body = match call.dialect {
            Dialect::Chat => chat::body(call, reply, wish),
            Dialect::Responses => responses::body(call, reply, wish),
            Dialect::Messages => messages::body(call, reply, wish),
        };
        return line.json(200, &body.to_string(), "", wish).await;
    }
    let events = match call.dialect {
        Dialect::Chat => chat::events(call, reply, wish),
        Dialect::Responses => responses::events(call, reply, wish),
        Dialect::Messages => messages::events(call, reply, wish),
    };
    let (name, data) = Refusal::overloaded().event(call.dialect);
    let error = Event {
        name,
        data: data.to_string(),
    };
    line.stream(&events, &error, "", wish).await
}

/// Says no.
async fn refuse(line: &mut Line<'_>, dialect: Dialect, refusal: &Refusal, wish: &Wish) -> io::Result<bool> {
    let retry = refusal.retry_after.as_ref();
    let more = retry.map_or_else(String::new, |t| format!("Retry-After: {t}\r\n"));
    let body = refusal.body(dialect).to_string();
    line.refuse(refusal.status, &body, &more, wish).await
}

fn models() -> Value {
    json!({"object": "list", "data": MODELS.map(model), "has_more": false, "first_id": MODELS[0], "last_id": MODELS[2]})
}

/// What both vendors say of a model, in one object.
fn model(name: &str) -> Value {
    json!({
        "id": name, "object": "model", "created": reply::CREATED, "owned_by": "trilithon",
        "type": "model", "display_name": name, "created_at": "2023-11-14T22:13:20Z",
    })
}
