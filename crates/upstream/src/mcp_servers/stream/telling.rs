//! What is told of one server: its messages, as the client of the stream is to see them.

use super::super::answer::server_failed_body;
use super::super::ask::Failure;
use super::super::server::Server;
use super::super::states::Sealer;
use super::super::subscribe::News;
use super::Out;
use std::borrow::Cow;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use trilithon_mcp::Era;
use trilithon_mcp::bridge::Questions;
use trilithon_mcp::outward::{self, Kind};
use trilithon_wire::json;
use trilithon_wire::sse::Frame;

/// What is told of one server, and what was told so far.
pub struct Telling {
    server: Arc<Server>,
    /// The message that is answered; `None` where servers speak by themselves.
    id: Option<Box<str>>,
    era: Era,
    manner: Manner,
    answered: bool,
    /// The last event of the server, for coming back to it.
    pub last: Option<Box<[u8]>>,
    /// When the server wants to be come back to.
    pub retry: Option<Duration>,
}

/// What becomes of messages besides.
enum Manner {
    Plain,
    /// What the server wants to have back is sealed.
    Sealing(Box<Sealer>),
    /// What the server wants to know before it answers is put aside.
    Conversing(Option<Questions>),
    /// This is one of several subscriptions, which are told together.
    Subscribed(Rc<News>),
    /// A client of the first era hears of a subscription of the second, and of its machinery nothing.
    Heard,
}

impl Telling {
    pub fn new(server: Arc<Server>, id: Option<&str>, era: Era) -> Telling {
        Telling {
            server,
            id: id.map(Into::into),
            era,
            manner: Manner::Plain,
            answered: false,
            last: None,
            retry: None,
        }
    }

    /// The same, of which `news` is told instead of the client.
    pub fn for_subscriber(self, news: Rc<News>) -> Telling {
        self.by(Manner::Subscribed(news))
    }

    /// The same between two of the second era.
    pub fn sealing(self, sealer: Sealer) -> Telling {
        self.by(Manner::Sealing(Box::new(sealer)))
    }

    /// The same with a server whose questions are put aside.
    pub fn conversing(self) -> Telling {
        self.by(Manner::Conversing(None))
    }

    fn by(self, manner: Manner) -> Telling {
        Telling { manner, ..self }
    }

    /// The server is listened to by a subscription of the second era.
    pub fn hear(&mut self) {
        self.manner = Manner::Heard;
    }

    pub fn server(&self) -> &Server {
        &self.server
    }

    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// Whether nothing more is to come: the answer was told.
    pub fn is_over(&self) -> bool {
        self.answered
    }

    /// Takes the questions that were put aside.
    pub fn questions(&mut self) -> Option<Questions> {
        match &mut self.manner {
            Manner::Conversing(questions) => questions.take(),
            _ => None,
        }
    }

    /// An answer cannot be taken up again: the client is told, if it waits for one.
    pub fn give_up(&mut self, out: &Out) -> bool {
        let Some(id) = &self.id else { return false };
        let why = Failure::Unreadable("the stream cannot be taken up again".to_owned());
        out.event(None, &server_failed_body(&self.server, Some(id), &why));
        self.answered = true;
        true
    }

    /// Tells an event; `raw` is all of it.
    pub fn event(&mut self, raw: &[u8], frame: &Frame, out: &Out) {
        let (id, retry) = (frame.id(raw), frame.retry(raw));
        if !frame.has_data() && id.is_none() && retry.is_none() {
            // A comment: this stream has its own.
            return;
        }
        let millis = retry.and_then(|r| std::str::from_utf8(r).ok()?.parse().ok());
        self.retry = millis.map(Duration::from_millis).or(self.retry);
        let (name, mut data) = (frame.event(raw), frame.data(raw));
        // Clients take messages from events of this name only.
        if name.is_none_or(|name| name == b"message") && !data.is_empty() {
            match self.message(&data) {
                Some(doc) => data = Cow::Owned(doc.into_owned()),
                None => return,
            }
        } else if matches!(self.manner, Manner::Subscribed(_)) {
            return;
        }
        // In the second era streams are not taken up again.
        let id = id.filter(|_| self.era == Era::Legacy);
        let told = id.and_then(|id| {
            self.last = Some(id.into());
            out.see(&self.server.name, id)
        });
        // A server that gives no ids cannot be asked again for what it told; nobody comes back for what begins with the answer.
        if told.is_none() && !self.answered {
            out.keep();
        }
        out.fields(told.as_deref(), name, retry, frame.has_data().then_some(&data));
    }

    /// A message as it goes on; `None` for one that does not.
    fn message<'d>(&mut self, data: &'d [u8]) -> Option<Cow<'d, [u8]>> {
        let passed = outward::message(data, &self.server.name, &self.server.naming);
        let passed = passed.inspect_err(|error| {
            tracing::warn!(server = &*self.server.name, %error, "an event of a server of tools is left out");
        });
        let passed = passed.ok()?;
        let mut doc = passed.doc.map_or(Cow::Borrowed(data), Cow::Owned);
        let is_answer = passed.kind == Kind::Answer;
        match &mut self.manner {
            Manner::Conversing(questions) if is_answer => {
                *questions = Questions::read(&doc);
                if questions.is_some() {
                    return None;
                }
            }
            Manner::Sealing(sealer) if is_answer => {
                if let Some(shown) = sealer.shown(&doc) {
                    doc = Cow::Owned(shown);
                }
            }
            Manner::Plain | Manner::Sealing(_) | Manner::Conversing(_) => {}
            Manner::Subscribed(news) => {
                self.answered |= is_answer;
                if !is_answer {
                    news.told(&self.server, &doc);
                }
                return None;
            }
            Manner::Heard => {
                let is_news = passed.kind == Kind::Notification && !is_acknowledgement(&doc);
                return is_news.then_some(doc);
            }
        }
        self.answered |= is_answer;
        Some(doc)
    }
}

fn is_acknowledgement(doc: &[u8]) -> bool {
    let method = json::parse(doc).ok().and_then(|root| root.get("method")?.text());
    method.is_some_and(|method| method.is("notifications/subscriptions/acknowledged"))
}
