//! `content-guard`

use trilithon_model_derive::Config;

use super::guard::{GuardMcp, History, OnError};
use super::{ClientConfig, ClientRequestFormat, OnDenyResponse};
use crate::rollout::{Mode, Percent};

/// Blocks or masks what must not be in a model call: personal data, secrets, whatever patterns describe. Text is looked at as
/// it is meant, with escapes resolved: in instructions, messages, reasoning, tool arguments and results, of every choice.
/// Streams are looked at before the client sees them, without waiting for their end.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct ContentGuard {
    /// What finds entities. Exactly one. Required.
    pub engine: Option<ContentEngine>,
    /// How bodies are read. Behind a `chat-completion`, `responses-api` or `messages-api` middleware that middleware's
    /// format counts, and `jsonQueries` are not looked at.
    pub client_request_format: ClientRequestFormat,
    /// Bodies are messages of the Model Context Protocol. Behind an `mcp` middleware they are so without being called so. Not in
    /// Traefik Hub.
    #[config(allow_empty)]
    pub mcp: Option<GuardMcp>,
    /// What is done with requests.
    pub request: Option<ContentPhase>,
    /// What is done with answers.
    pub response: Option<ContentPhase>,
    /// How Presidio is asked. Not in Traefik Hub.
    pub client_config: Option<ClientConfig>,
    /// What happens when text cannot be judged. Not in Traefik Hub, which blocks.
    pub on_error: OnError,
    /// Which messages of a request are judged. Not in Traefik Hub, which judges all.
    pub history: History,
    /// How seriously it is taken. Not in Traefik Hub.
    pub mode: Mode,
    /// For how many percent of callers. Not in Traefik Hub.
    pub percent: Percent,
}

/// What finds entities.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct ContentEngine {
    /// Entities are patterns in Go's syntax (RE2).
    #[config(allow_empty)]
    pub regex: Option<RegexEngine>,
    /// Entities are found by a Presidio analyzer.
    pub presidio: Option<PresidioEngine>,
    /// Entities are those that the gateway recognises itself, such as `EMAIL_ADDRESS`, `CREDIT_CARD` or `PRIVATE_KEY`: see
    /// [Guards](../../../../guards.md#what-is-recognised). Not in Traefik Hub.
    #[config(allow_empty)]
    pub builtin: Option<BuiltinEngine>,
}

/// The engine of patterns. It has no options.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct RegexEngine {}

/// The engine of the gateway's own recognisers. It has no options.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct BuiltinEngine {}

/// A Presidio analyzer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct PresidioEngine {
    /// Its URL, such as `http://presidio:3000`. Required.
    pub host: String,
    /// The language of the text.
    #[config(default = "en".to_owned())]
    pub language: String,
}

/// What is done with requests, or with answers.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct ContentPhase {
    /// The rules. All apply, to the text as it came. Required.
    pub rules: Vec<ContentRule>,
    /// What the client is told when a rule blocks.
    pub on_deny_response: Option<OnDenyResponse>,
}

/// What is done with some entities. One of `block` and `mask` is needed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct ContentRule {
    /// Where the text is, for `custom` bodies, as in jq: `.messages[].content`.
    pub json_queries: Vec<String>,
    /// What is looked for. Required.
    pub entities: Vec<String>,
    /// Text that holds one is refused.
    pub block: bool,
    /// Each is hidden.
    #[config(allow_empty)]
    pub mask: Option<ContentMask>,
    /// What records call it; `rule-1` and so on when empty.
    pub reason: String,
}

/// How an entity is hidden: a character for each of its characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct ContentMask {
    /// The character.
    #[config(default = "*".to_owned())]
    pub char: String,
    /// Characters at the beginning that stay. Where nothing would be hidden, all is.
    pub unmask_from_left: i64,
    /// Characters at the end that stay.
    pub unmask_from_right: i64,
}
