//! What a server says while it answers, sorted: what its client is told, what it is asked, and what the gateway says to it itself.

use super::super::server::Server;
use super::Client;
use std::collections::VecDeque;
use std::sync::Arc;
use trilithon_mcp::rounds::{self, Question, Saying};
use trilithon_mcp::{Abilities, Level, outward};
use trilithon_wire::json;
use trilithon_wire::sse::Frame;

/// Bytes that may wait for a client that is away.
const ENOUGH: usize = 64 * 1024;
/// Questions that one client is asked at once.
const MOST_QUESTIONS: usize = 16;
/// What the server is told by the gateway itself and was not told yet.
const MOST_REPLIES: usize = 64;
/// News that were not told yet; they say that something changed, and more of them say no more.
const MOST_NEWS: usize = 64;

/// Notifications that a client hears of where it listens, and not in the answer to its call.
const NEWS: [&str; 4] = [
    "notifications/tools/list_changed",
    "notifications/prompts/list_changed",
    "notifications/resources/list_changed",
    "notifications/resources/updated",
];

/// What was heard and not passed on.
pub struct Heard {
    server: Arc<Server>,
    abilities: Abilities,
    level: Option<Level>,
    pub told: VecDeque<Vec<u8>>,
    pub questions: Vec<Question>,
    /// What the server is to be told: that somebody is there, and what nobody can be asked.
    pub replies: Vec<Vec<u8>>,
    /// The answer, as the server gave it.
    pub answer: Option<Vec<u8>>,
    /// That something changed, as the server says it.
    news: Vec<Vec<u8>>,
    bytes: usize,
    /// How many questions have a name.
    named: u64,
}

impl Heard {
    /// What is heard for nobody yet, who can be asked nothing.
    pub fn new(server: Arc<Server>) -> Heard {
        Heard {
            server,
            abilities: Abilities::default(),
            level: None,
            told: VecDeque::new(),
            questions: Vec::new(),
            replies: Vec::new(),
            answer: None,
            news: Vec::new(),
            bytes: 0,
            named: 0,
        }
    }

    /// From now on it is heard for this client.
    pub fn turn_to(&mut self, client: &Client) {
        (self.abilities, self.level) = (client.abilities, client.level);
    }

    /// Whether more may be heard while nobody is there to be told.
    pub fn has_room(&self) -> bool {
        self.bytes < ENOUGH && self.answer.is_none()
    }

    /// The next message for the client.
    pub fn next(&mut self) -> Option<Vec<u8>> {
        let doc = self.told.pop_front()?;
        self.bytes = self.bytes.saturating_sub(doc.len());
        Some(doc)
    }

    /// Takes what is news to those who listen.
    pub fn take_news(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.news)
    }

    /// Takes what is to be asked.
    pub fn take_questions(&mut self) -> Vec<Question> {
        let questions = std::mem::take(&mut self.questions);
        let bytes: usize = questions.iter().map(Question::size).sum();
        self.bytes = self.bytes.saturating_sub(bytes);
        questions
    }

    /// What is to be asked once more goes first.
    pub fn ask_again(&mut self, questions: Vec<Question>) {
        self.bytes += questions.iter().map(Question::size).sum::<usize>();
        self.questions.splice(..0, questions);
    }

    /// Hears an event; `raw` is all of it.
    pub fn event(&mut self, raw: &[u8], frame: &Frame) {
        let data = frame.data(raw);
        // Clients take messages from events of this name only.
        if frame.event(raw).is_none_or(|name| name == b"message")
            && !data.is_empty()
            && let Err(error) = self.message(&data)
        {
            tracing::warn!(server = &*self.server.name, %error, "an event of a server of tools is left out");
        }
    }

    /// Hears an event of the stream beside: nothing in it is the answer.
    pub fn event_beside(&mut self, raw: &[u8], frame: &Frame) {
        let answer = self.answer.take();
        self.event(raw, frame);
        self.answer = answer;
    }

    fn message(&mut self, doc: &[u8]) -> Result<(), json::Error> {
        match rounds::saying(doc)? {
            Saying::Answer => self.answer = Some(self.outward(doc)?),
            Saying::Ping(id) => self.reply(rounds::answer(&id, "{}")),
            Saying::Question(question) => self.question(question),
            Saying::Withdrawn(id) => self.questions.retain(|question| question.id != id),
            Saying::Notification(method) if NEWS.contains(&&*method) => {
                if self.news.len() < MOST_NEWS {
                    self.news.push(doc.to_vec());
                }
            }
            Saying::Notification(method) => {
                if &*method != "notifications/message" || self.wants(doc) {
                    let doc = self.outward(doc)?;
                    self.bytes += doc.len();
                    self.told.push_back(doc);
                }
            }
        }
        Ok(())
    }

    fn question(&mut self, mut question: Question) {
        let params = json::parse(question.params.as_bytes()).ok();
        let can = self.abilities.take(&question.method, params.as_ref());
        if !can || self.questions.len() >= MOST_QUESTIONS {
            return self.reply(rounds::refusal(&question.id));
        }
        self.named += 1;
        question.name = format!("q{}", self.named).into();
        self.bytes += question.size();
        self.questions.push(question);
    }

    fn reply(&mut self, doc: Vec<u8>) {
        if self.replies.len() < MOST_REPLIES {
            self.replies.push(doc);
        }
    }

    fn wants(&self, doc: &[u8]) -> bool {
        let root = json::parse(doc).ok();
        let level = root.and_then(|root| Level::read(root.get("params")?.get("level").as_ref()));
        self.level
            .is_some_and(|from| level.is_some_and(|level| level >= from))
    }

    fn outward(&self, doc: &[u8]) -> Result<Vec<u8>, json::Error> {
        let passed = outward::message(doc, &self.server.name, &self.server.naming)?;
        Ok(passed.doc.unwrap_or_else(|| doc.to_vec()))
    }
}
