//! What is known of one message to a server of tools (Model Context Protocol), and what the record says of it.

mod asked;
mod told;

pub use asked::Asked;
pub use told::Told;

use crate::model_call::{Coverage, MAX_TOLD};
use crate::record::Name;
use crate::trace::Link;
use bytes::Bytes;
use std::cell::RefCell;
use std::rc::Rc;
use trilithon_wire::json::{self, Splice};

/// The call of an exchange, shared with the answer that is still under way.
pub type SharedMcpCall = Rc<RefCell<McpCall>>;

/// How many parts of a message are looked for; `trilithon_mcp::part` says which.
pub const PARTS: usize = 20;
pub type Parts = json::Parts<PARTS>;

/// A message that is the same to all readers, and where its parts stand in it: who reads it again need neither check nor search.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    pub body: Bytes,
    pub parts: Parts,
}

impl Layout {
    /// Whether these very bytes are it: equal ones would have to be compared.
    pub fn is_of(&self, body: &Bytes) -> bool {
        self.body.as_ptr() == body.as_ptr() && self.body.len() == body.len()
    }

    /// The message after changes that leave it the same to all readers, and replace parts only by such of their kind.
    pub fn changed(&self, splice: &Splice) -> Layout {
        Layout {
            body: splice.apply(&self.body).into(),
            parts: self.parts.moved(splice),
        }
    }
}

/// What a message is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Subject {
    #[default]
    None,
    Tool(Name),
    Prompt(Name),
    /// A resource, by its URI.
    Resource(Name),
}

impl Subject {
    /// Its name, whatever it is.
    pub fn name(&self) -> Option<&Name> {
        match self {
            Subject::None => None,
            Subject::Tool(name) | Subject::Prompt(name) | Subject::Resource(name) => Some(name),
        }
    }
}

/// How a message is answered that does not pass.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answering {
    /// Its `id`, as it is written; `None` where nobody waits for an answer.
    pub id: Option<Box<str>>,
    /// It is of a revision from 2026-07-28 on, whose errors have codes of their own.
    pub modern: bool,
    /// A refusal is a result that says so (`gracefulErrors`), for the agent to go on.
    pub graceful: bool,
}

/// Something noticed about the definition of a tool, a prompt or a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noticed {
    /// Its name, or its URI.
    pub name: Name,
    /// What it is: `changed`, `new`, `renamed`, `hidden_text`, `unreadable`, `bad_headers`, `unchecked_schema`.
    pub what: &'static str,
}

/// One message, and what came of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct McpCall {
    /// The method; empty for an answer to the server, a stream that is only listened to, and what could not be read.
    pub method: Name,
    pub subject: Subject,
    /// The message's `id`, as it is written; `None` for a notification.
    pub id: Option<Name>,
    /// The revision of the protocol that the message says it follows.
    pub version: Option<Name>,
    /// The server that was asked, where one service stands for several.
    pub server: Option<Name>,
    /// The parked call that this is a round of, the same in all of its rounds: one that a server asked something in the middle of.
    pub parked: Option<Name>,
    /// Questions of the server that the answer asks instead of a result.
    pub asked: u64,
    /// What the call is named by whoever asked for it: the id that a model gave the tool call.
    pub tool_call: Option<Name>,
    /// The place in a trace that the message names, where its request has another. No log tells of it.
    pub link: Option<Link>,
    /// Why there was no result: the code of an error, or `tool_error` where a tool says that it failed.
    pub error: Option<Name>,
    /// The message was refused by this middleware, and answered by the gateway.
    pub denied_by: Option<Name>,
    /// Items that were taken out of a list.
    pub hidden: u64,
    /// Items that rules in shadow would take out.
    pub would_hide: u64,
    /// What guards looked at, and what they did not: one entry for each guard and phase.
    pub coverage: Vec<Coverage>,
    /// What was noticed about definitions; not all of it where that is much.
    pub noticed: Vec<Noticed>,
    /// How it is answered where it does not pass. No log tells of it.
    pub answering: Answering,
    /// The messages of a request that has several; of itself there is nothing to tell then.
    pub batch: Vec<McpCall>,
}

impl McpCall {
    /// Ready to be shared.
    pub fn shared(self) -> SharedMcpCall {
        Rc::new(RefCell::new(self))
    }

    /// Takes note of what a guard saw. A stream is many messages: what it saw of each is summed up, with the severest verdict.
    pub fn cover(&mut self, coverage: Coverage) {
        let known = self
            .coverage
            .iter_mut()
            .find(|known| known.guard == coverage.guard && known.phase == coverage.phase);
        let Some(known) = known else {
            return self.coverage.push(coverage);
        };
        known.judged += coverage.judged;
        known.unjudged += coverage.unjudged;
        known.duration += coverage.duration;
        if known.verdict.severity() < coverage.verdict.severity() {
            known.verdict = coverage.verdict;
            known.reason = coverage.reason;
        }
    }

    /// Takes note of something about a definition.
    pub fn notice(&mut self, name: Name, what: &'static str) {
        if self.noticed.len() < MAX_TOLD {
            self.noticed.push(Noticed { name, what });
        }
    }
}
