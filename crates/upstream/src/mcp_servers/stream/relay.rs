//! Events of a server on their way into a stream.

use super::super::answer::server_failed_body;
use super::super::ask::Failure;
use super::super::cross::Cancel;
use super::super::server::Server;
use super::super::subscribe::News;
use super::Out;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use trilithon_flow::limits::MAX_MCP_ANSWER;
use trilithon_flow::{Body, Fault, FaultKind};
use trilithon_mcp::Era;
use trilithon_mcp::bridge::{self, Questions};
use trilithon_mcp::outward::{self, Kind};
use trilithon_wire::sse::{Frame, Frames};

/// What is told of one server, and what was told so far.
pub struct Telling {
    server: Arc<Server>,
    /// The message that is answered; `None` where servers speak by themselves.
    id: Option<Box<str>>,
    era: Era,
    answered: bool,
    /// Who is told instead of the client, where this is one of several subscriptions.
    news: Option<Rc<News>>,
    /// What the client asked, where the server speaks the first era and the client the second.
    bridged: Option<(Box<str>, Option<Box<Cancel>>)>,
    /// Whether questions in an answer are asked here, and not the client's to read.
    converses: bool,
    /// They are put here.
    pub questions: Option<Questions>,
    /// The last event of the server, for coming back to it.
    pub last: Option<Box<[u8]>>,
    /// When the server wants to be come back to.
    pub retry: Option<Duration>,
}

impl Telling {
    pub fn new(server: Arc<Server>, id: Option<&str>, era: Era) -> Telling {
        Telling {
            server,
            id: id.map(Into::into),
            era,
            answered: false,
            news: None,
            bridged: None,
            converses: false,
            questions: None,
            last: None,
            retry: None,
        }
    }

    /// The same, of which `news` is told.
    pub fn for_subscriber(self, news: Rc<News>) -> Telling {
        Telling {
            news: Some(news),
            ..self
        }
    }

    /// The same over a bridge from a server of the first era to a client of the second, who asked with `method`.
    pub fn bridged(self, method: &str, cancel: Box<Cancel>) -> Telling {
        Telling {
            bridged: Some((method.into(), Some(cancel))),
            ..self
        }
    }

    /// The same with a server whose questions are put aside.
    pub fn conversing(self) -> Telling {
        Telling {
            converses: true,
            ..self
        }
    }

    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// Whether nothing more is to come: the answer was told.
    pub fn is_over(&self) -> bool {
        self.answered
    }

    /// An answer cannot be taken up again: the client is told, if it waits for one.
    pub fn give_up(&mut self, out: &Out) -> bool {
        let Some(id) = &self.id else { return false };
        let why = Failure::Unreadable("the stream cannot be taken up again".to_owned());
        out.event(None, &server_failed_body(&self.server, Some(id), &why));
        self.answered = true;
        true
    }

    fn event(&mut self, raw: &[u8], frame: &Frame, out: &Out) {
        let (id, retry) = (frame.id(raw), frame.retry(raw));
        if !frame.has_data() && id.is_none() && retry.is_none() {
            // A comment: this stream has its own.
            return;
        }
        let millis = retry.and_then(|r| std::str::from_utf8(r).ok()?.parse().ok());
        self.retry = millis.map(Duration::from_millis).or(self.retry);
        let name = frame.event(raw);
        let data = frame.data(raw);
        // Clients take messages from events of this name only.
        let is_message = name.is_none_or(|name| name == b"message") && !data.is_empty();
        let (mut changed, mut kind) = (None, None);
        if is_message {
            match outward::message(&data, &self.server.name, &self.server.naming) {
                Ok(passed) => {
                    self.answered |= passed.kind == Kind::Answer;
                    changed = passed.doc;
                    kind = Some(passed.kind);
                }
                Err(error) => {
                    tracing::warn!(server = &*self.server.name, %error, "an event of a server of tools is left out");
                    return;
                }
            }
        }
        if self.converses
            && is_message
            && let Some(questions) = Questions::read(&data)
        {
            self.questions = Some(questions);
            self.answered = false;
            return;
        }
        if is_message && let Some((method, cancel)) = &mut self.bridged {
            match kind {
                Some(Kind::Answer) => {
                    if let Some(cancel) = cancel.take() {
                        cancel.answered();
                    }
                    let doc = changed.as_deref().unwrap_or(&data);
                    let id = self.id.as_deref().unwrap_or("null");
                    changed = bridge::modern_answer(doc, id, method).ok();
                }
                // It was told that the client can be asked nothing.
                Some(Kind::Request) => return,
                _ => {}
            }
        }
        if let Some(news) = &self.news {
            if is_message && !self.answered {
                news.told(&self.server, changed.as_deref().unwrap_or(&data));
            }
            return;
        }
        // In the second era streams are not taken up again.
        let id = id.filter(|_| self.era == Era::Legacy);
        let told = id.and_then(|id| {
            self.last = Some(id.into());
            out.see(&self.server.name, id)
        });
        let data = frame.has_data().then(|| changed.as_deref().unwrap_or(&data));
        out.fields(told.as_deref(), name, retry, data);
    }
}

/// Passes on the events of a body until its end.
///
/// # Errors
/// It breaks off, or an event is too large.
pub async fn relay(body: &mut Body, telling: &mut Telling, out: &Out) -> Result<(), Fault> {
    let mut cut = Frames::new(MAX_MCP_ANSWER);
    let mut held: Vec<u8> = Vec::new();
    loop {
        out.room().await;
        let chunk = body.chunk().await.transpose()?;
        let ended = chunk.is_none();
        held.extend_from_slice(&chunk.unwrap_or_default());
        let mut used = 0;
        loop {
            let rest = held.get(used..).unwrap_or_default();
            let next = match cut.next(rest) {
                Ok(None) if ended => cut.rest(rest),
                next => next,
            };
            let too_large = |_| {
                Fault::new(
                    FaultKind::TooLarge,
                    "an event of the server's stream is too large",
                )
            };
            let Some(frame) = next.map_err(too_large)? else {
                break;
            };
            let raw = rest.get(..frame.len).unwrap_or_default();
            telling.event(raw, &frame, out);
            used += frame.len;
        }
        held.drain(..used);
        if ended {
            return Ok(());
        }
    }
}

/// Passes on the answer to one message. When it breaks off, and nothing says where the client could come back, the client is told.
pub async fn answer(mut body: Body, mut telling: Telling, out: Out) {
    let ended = relay(&mut body, &mut telling, &out).await;
    if telling.answered || telling.last.is_some() {
        return;
    }
    let why = match ended {
        Ok(()) => Failure::Unreadable("the stream ended without an answer".to_owned()),
        Err(fault) => Failure::Broken(fault.to_string()),
    };
    tracing::warn!(server = &*telling.server.name, %why, "a server of tools did not end its answer");
    if let Some(id) = telling.id() {
        out.event(None, &server_failed_body(&telling.server, Some(id), &why));
    }
}
