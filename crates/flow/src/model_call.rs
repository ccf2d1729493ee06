//! What the record says of one call of a language model, and of the guards that looked at it.
//!
//! A [`ModelCall`] is made by the first middleware that knows a body for one, is told more while the answer streams, and
//! goes into the [`Record`](crate::Record) at the end.

mod body_limit;
mod content;
mod told;

pub use body_limit::BodyLimit;
pub use content::{Content, Piece, Talk};
pub(crate) use told::{CoverageTold, MAX_TOLD};

use crate::limits::{MODEL_KEEP_ALIVE_SECONDS, MODEL_STREAM_IDLE_SECONDS};
use crate::record::Name;
use crate::{Fault, FaultKind, Mode, Record};
use std::borrow::Cow;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

/// The call of an exchange, shared with the answer that is still under way.
pub type SharedCall = Rc<RefCell<ModelCall>>;

/// Bytes of a name that comes from outside; the rest is cut off.
const MAX_NAME: usize = 256;

/// Tool calls of one answer whose ids are kept.
pub const MAX_TOOL_CALLS: usize = 64;

/// A name that comes from a client or an upstream.
pub fn name(text: &str) -> Name {
    let mut end = text.len().min(MAX_NAME);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    Name::from(&text[..end])
}

/// How bodies are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// OpenAI Chat Completions.
    Ccr,
    /// OpenAI Responses.
    ResponsesApi,
    /// Anthropic Messages.
    MessagesApi,
    /// Any JSON; where its text lies is configured.
    Custom,
}

impl Format {
    pub const ALL: [Format; 4] = [
        Format::Ccr,
        Format::ResponsesApi,
        Format::MessagesApi,
        Format::Custom,
    ];

    /// As `clientRequestFormat` writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Format::Ccr => "ccr",
            Format::ResponsesApi => "responsesAPI",
            Format::MessagesApi => "messagesAPI",
            Format::Custom => "custom",
        }
    }
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// An answer of a model.
    Chat,
    /// The tokens of a prompt, and no answer.
    CountTokens,
    /// What was said before, such as a stored response: no model is asked.
    Retrieve,
}

impl Operation {
    pub const ALL: [Operation; 3] = [Operation::Chat, Operation::CountTokens, Operation::Retrieve];

    /// As `gen_ai.operation.name`.
    pub fn as_str(self) -> &'static str {
        match self {
            Operation::Chat => "chat",
            Operation::CountTokens => "count_tokens",
            Operation::Retrieve => "retrieve",
        }
    }
}

/// How a count of tokens was come by, from the weakest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Basis {
    /// Guessed from lengths.
    #[default]
    Estimated,
    /// Counted here, with the model's tokenizer.
    Counted,
    /// Said by the upstream.
    Reported,
}

impl Basis {
    pub fn as_str(self) -> &'static str {
        match self {
            Basis::Estimated => "estimated",
            Basis::Counted => "counted",
            Basis::Reported => "reported",
        }
    }
}

/// Tokens of one call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Usage {
    /// All tokens of the prompt, those read from and written to a cache included, whichever way the upstream counts.
    pub input: u64,
    /// All tokens of the answer, reasoning included.
    pub output: u64,
    /// Of `input`: read from the upstream's prompt cache.
    pub cache_read: u64,
    /// Of `input`: written to it.
    pub cache_write: u64,
    /// Of `cache_write`: to stay there for an hour, which costs more.
    pub cache_write_hour: u64,
    /// Of `output`: spent on reasoning.
    pub reasoning: u64,
    pub basis: Basis,
}

impl Usage {
    /// Input and output together.
    pub fn total(&self) -> u64 {
        self.input.saturating_add(self.output)
    }
}

/// What one answer took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// The model that the answer names.
    pub served: Option<Name>,
    /// The model that it was asked of.
    pub asked: Option<Name>,
    pub usage: Usage,
}

/// What a call cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cost {
    /// In billionths of a US dollar.
    pub nano_usd: i128,
    /// Which state of the price table it was reckoned with.
    pub epoch: Name,
}

/// Whoever knows what calls cost. It is asked once, at the end of the exchange.
pub trait Tariff: Send + Sync {
    /// Tells the call its cost, if there is a price. `record` says whose call it is.
    fn reckon(&self, call: &mut ModelCall, record: &Record);
}

/// One attempt at a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leg {
    /// Who was asked, as [`ModelCall::provider`].
    pub provider: Name,
    /// For which model; empty when the body named none.
    pub model: Name,
    pub outcome: LegOutcome,
}

/// What came of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LegOutcome {
    /// Nothing yet.
    Open,
    /// The status of the answer.
    Status(u16),
    /// Why there was none.
    Error(&'static str),
}

/// One call of a model.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelCall {
    /// As the client speaks; while the request is beyond a translation, as the upstream does.
    pub format: Format,
    /// As the upstream speaks, where that is translated.
    pub upstream_format: Option<Format>,
    /// Parameters of the client that the upstream's format has nothing like.
    pub dropped: Vec<Name>,
    pub operation: Operation,
    /// Who is asked, as `gen_ai.provider.name`: `openai`, `anthropic`.
    pub provider: Name,
    /// The model that the client named.
    pub asked: Option<Name>,
    /// The model that was sent on.
    pub sent: Option<Name>,
    /// The model that the answer names.
    pub served: Option<Name>,
    /// Whether the client asked for a stream.
    pub stream: bool,
    /// Most tokens of output that the client asked for.
    pub max_output: Option<u64>,
    /// Tokens of the prompt as a limit counted them before the call, and how; `None` where no limit did.
    pub prompt: Option<(u64, Basis)>,
    /// `None` until the upstream or a counter said something.
    pub usage: Option<Usage>,
    /// What answers took that nobody got: those of attempts before the present one.
    pub lost: Vec<Taken>,
    /// Of all that was taken; `None` without a price.
    pub cost: Option<Cost>,
    /// Why the answer ended, once for each choice, in the words of its dialect.
    pub finish_reasons: Vec<Name>,
    pub response_id: Option<Name>,
    /// Ids of the tool calls that the answer asks for; the first [`MAX_TOOL_CALLS`].
    pub tool_calls: Vec<Name>,
    /// From the beginning of the exchange to the first event of the answer that holds content; `None` without a stream.
    pub first_chunk: Option<Duration>,
    /// From the first such event to the last.
    pub streaming: Duration,
    /// Events of a stream that hold content.
    pub chunks: u64,
    /// Why the present answer broke off in its middle, after its head had gone. At the end it becomes the record's.
    pub fault: Option<Fault>,
    /// How long its stream may be silent before the client is sent a comment; zero: as long as it likes.
    pub keep_alive: Duration,
    /// How long its upstream may be silent in the middle of a stream before that is taken for broken off; zero: as long as it
    /// likes.
    pub stream_idle: Duration,
    /// Attempts, in order; the last one is what was answered with.
    pub legs: Vec<Leg>,
    /// What guards looked at, and what they did not.
    pub coverage: Vec<Coverage>,
    /// All of it is for the metrics, also what only some want (`observability.metrics.level: detailed`).
    pub detailed: bool,
    /// Somebody reads the usage of the present answer already.
    pub metered: bool,
    /// What was said, where traces are to be told.
    pub content: Option<Box<Content>>,
    /// The answer was made by the gateway in place of a model's: by which guard or limit.
    pub denied_by: Option<Name>,
}

impl ModelCall {
    /// A call of which nothing more is known yet.
    pub fn new(format: Format) -> ModelCall {
        ModelCall {
            format,
            upstream_format: None,
            dropped: Vec::new(),
            operation: Operation::Chat,
            provider: Name::from(""),
            asked: None,
            sent: None,
            served: None,
            stream: false,
            max_output: None,
            prompt: None,
            usage: None,
            lost: Vec::new(),
            cost: None,
            finish_reasons: Vec::new(),
            response_id: None,
            tool_calls: Vec::new(),
            first_chunk: None,
            streaming: Duration::ZERO,
            chunks: 0,
            fault: None,
            keep_alive: Duration::from_secs(MODEL_KEEP_ALIVE_SECONDS),
            stream_idle: Duration::from_secs(MODEL_STREAM_IDLE_SECONDS),
            legs: Vec::new(),
            coverage: Vec::new(),
            detailed: false,
            metered: false,
            content: None,
            denied_by: None,
        }
    }

    /// The call, to be shared with its answer.
    pub fn shared(self) -> SharedCall {
        Rc::new(RefCell::new(self))
    }

    /// What answers took so far, in the order of the attempts.
    pub fn taken(&self) -> impl Iterator<Item = Taken> {
        self.lost.iter().cloned().chain(self.present())
    }

    /// What the present answer took.
    fn present(&self) -> Option<Taken> {
        self.usage.map(|usage| Taken {
            served: self.served.clone(),
            asked: self.sent.clone().or(self.asked.clone()),
            usage,
        })
    }

    /// Forgets what an answer said, but not what it took: another attempt has one of its own.
    pub fn anew(&mut self) {
        self.lost.extend(self.present());
        self.served = None;
        self.usage = None;
        self.finish_reasons.clear();
        self.response_id = None;
        self.tool_calls.clear();
        self.first_chunk = None;
        self.streaming = Duration::ZERO;
        self.chunks = 0;
        self.fault = None;
        self.metered = false;
    }

    /// The present answer broke off in its middle, or turned out to be none.
    pub fn broke(&mut self, fault: Fault) {
        if let Some(leg) = self.legs.last_mut() {
            leg.outcome = LegOutcome::Error(match fault.kind {
                FaultKind::ResponseTimeout => "timeout",
                FaultKind::Malformed => "malformed",
                _ => "broken",
            });
        }
        self.fault = Some(fault);
    }

    /// Takes note of a tool call that the answer asks for. Streams may tell of one more than once.
    pub fn calls(&mut self, id: &str) {
        let has_room = self.tool_calls.len() < MAX_TOOL_CALLS;
        if has_room && !id.is_empty() && !self.tool_calls.iter().any(|known| **known == *id) {
            self.tool_calls.push(name(id));
        }
    }

    /// Takes note of tokens, unless they are known on a better basis.
    pub fn count(&mut self, usage: Usage) {
        if self.usage.is_none_or(|known| known.basis <= usage.basis) {
            self.usage = Some(usage);
        }
    }
}

/// The kinds of text in a body or a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Channel {
    /// Instructions: a system or developer message.
    System,
    User,
    Assistant,
    /// What a model thought before it spoke.
    Reasoning,
    /// What a tool gave back.
    ToolResult,
    /// What a model wants a tool to be given: JSON text, in pieces when it streams.
    ToolArguments,
    /// What a tool is said to do: its description and that of its parameters.
    ToolDefinition,
    /// Text that a configured query found.
    Query,
}

impl Channel {
    /// As log and configuration name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Channel::System => "system",
            Channel::User => "user",
            Channel::Assistant => "assistant",
            Channel::Reasoning => "reasoning",
            Channel::ToolResult => "tool_result",
            Channel::ToolArguments => "tool_arguments",
            Channel::ToolDefinition => "tool_definition",
            Channel::Query => "query",
        }
    }
}

/// When a guard looked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Phase {
    Request,
    Response,
    /// A complete tool call, before the client sees it.
    Tool,
}

impl Phase {
    pub const ALL: [Phase; 3] = [Phase::Request, Phase::Response, Phase::Tool];

    pub fn as_str(self) -> &'static str {
        match self {
            Phase::Request => "request",
            Phase::Response => "response",
            Phase::Tool => "tool",
        }
    }
}

/// What a guard made of what it saw, or why it saw nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    Pass,
    /// Something was found that only is to be told.
    Flag,
    Mask,
    Block,
    /// It could not say.
    Error,
    /// It was not asked: there was nothing to look at, or something it cannot read.
    NotRun,
    /// Another guard had decided before it did.
    Cancelled,
}

impl Verdict {
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Pass => "pass",
            Verdict::Flag => "flag",
            Verdict::Mask => "mask",
            Verdict::Block => "block",
            Verdict::Error => "error",
            Verdict::NotRun => "not_run",
            Verdict::Cancelled => "cancelled",
        }
    }

    /// How severe it is, beside others about the same: an error is not known to be mild.
    pub fn severity(self) -> u8 {
        match self {
            Verdict::NotRun | Verdict::Cancelled => 0,
            Verdict::Pass => 1,
            Verdict::Flag => 2,
            Verdict::Mask => 3,
            Verdict::Error => 4,
            Verdict::Block => 5,
        }
    }
}

/// Which guard saw which bytes of a call, which it did not, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Coverage {
    /// Qualified name of the middleware.
    pub guard: Name,
    /// What judges in it: `regex`, `presidio`, `llm`.
    pub engine: &'static str,
    pub phase: Phase,
    /// `None` for all of a body.
    pub channel: Option<Channel>,
    pub verdict: Verdict,
    /// Bytes of decoded text that it judged.
    pub judged: u64,
    /// Bytes that it should have judged and did not.
    pub unjudged: u64,
    /// Why not, or why the verdict; empty where there is nothing to say. Never text of the call.
    pub reason: Cow<'static, str>,
    pub duration: Duration,
    pub mode: Mode,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whoever is asked anew pays for what came before.
    #[test]
    fn what_was_taken_is_not_forgotten() {
        let mut call = ModelCall::new(Format::Ccr);
        (call.asked, call.sent) = (Some("a".into()), Some("b".into()));
        let mut answered = |output: u64, served: Option<&str>| {
            call.anew();
            call.served = served.map(Name::from);
            call.usage = Some(Usage {
                output,
                ..Usage::default()
            });
            let taken = call.taken();
            let told = taken.map(|t| (t.served.as_deref().map(str::to_owned), t.usage.output));
            told.collect::<Vec<_>>()
        };
        assert_eq!(answered(3, Some("c")), [(Some("c".to_owned()), 3)]);
        assert_eq!(answered(4, None), [(Some("c".to_owned()), 3), (None, 4)]);
        call.anew();
        call.anew();
        assert_eq!(call.taken().count(), 2, "each is told once");
        assert!(call.taken().all(|taken| taken.asked.as_deref() == Some("b")));
    }

    #[test]
    fn what_is_reported_is_not_guessed_over() {
        let usage = |input, basis| Usage {
            input,
            basis,
            ..Usage::default()
        };
        let mut call = ModelCall::new(Format::Ccr);
        let mut check = |told, want| {
            call.count(told);
            assert_eq!(call.usage, Some(want));
        };
        let (guess, said) = (usage(10, Basis::Estimated), usage(7, Basis::Reported));
        check(guess, guess);
        check(said, said);
        check(guess, said);
        check(usage(8, Basis::Counted), said);
        check(usage(9, Basis::Reported), usage(9, Basis::Reported));
    }
}
