//! What the middlewares for calls of language models have in common.

use trilithon_model_derive::Config;

use crate::duration::Duration;
use crate::number::Number;
use crate::secret::Secret;
use crate::word::words;

/// What `chat-completion`, `responses-api` and `messages-api` have in common.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct ModelApi {
    /// The key for the upstream, sent in place of the client's credentials: as `Authorization: Bearer`, to upstreams of the
    /// Messages format as `X-Api-Key` unless it is written `Bearer …` (OAuth). When empty the client's credentials pass, a bearer
    /// token too.
    pub token: Secret,
    /// The model that is asked.
    pub model: String,
    /// Clients may ask another model than `model`. True when `model` is empty, else false.
    pub allow_model_override: Option<bool>,
    /// Clients may set what `params` sets. True when `params` is empty, else false.
    pub allow_params_override: Option<bool>,
    /// Parameters of requests: for those that leave them out, or for all if clients may not set them.
    pub params: Option<ModelParams>,
    /// What is told of calls.
    pub observability: Option<ModelObservability>,
    /// Who is asked, as telemetry and prices name it (`gen_ai.provider.name`). When empty it is who made the upstream's format:
    /// `openai` or `anthropic`. Not in Traefik Hub.
    pub provider: String,
    /// Largest request in bytes; larger ones get 413. When absent, what the install option
    /// `hub.aigateway.maxRequestBodySize` says. Not in Traefik Hub.
    pub max_request_body_size: Option<i64>,
    /// How long a stream may be silent before the client is sent a comment (`: keep-alive`), so that nobody on the way takes
    /// the connection for dead; 0 means never. Not in Traefik Hub.
    #[config(default = Duration::from_secs(15))]
    pub keep_alive: Duration,
    /// How long the upstream may be silent in the middle of a stream before that is taken for broken off: the client is told by an
    /// error event of its format, and what the model took until then is settled. 0 means as long as it likes. Not in Traefik
    /// Hub.
    #[config(default = Duration::from_secs(600))]
    pub stream_idle_timeout: Duration,
}

words! {
    /// The format of an upstream.
    UpstreamFormat: "a format that is translated" {
        /// OpenAI Chat Completions.
        #[default]
        Ccr = "ccr",
        /// Anthropic Messages.
        MessagesApi = "messagesAPI",
    }
}

impl UpstreamFormat {
    /// Who made it, as `gen_ai.provider.name` has it.
    pub fn maker(self) -> &'static str {
        match self {
            UpstreamFormat::Ccr => "openai",
            UpstreamFormat::MessagesApi => "anthropic",
        }
    }
}

/// Parameters that are set in requests.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct ModelParams {
    /// `temperature`.
    pub temperature: Option<Number>,
    /// `top_p`.
    pub top_p: Option<Number>,
    /// `top_k`, for `messages-api`.
    pub top_k: Option<Number>,
    /// Most tokens of an answer: `max_tokens`, for `responses-api` `max_output_tokens`.
    pub max_tokens: Option<Number>,
    /// The same as `max_completion_tokens`, for newer models of `chat-completion`. Where it limits and a client used the
    /// other name, the client's name is kept.
    pub max_completion_tokens: Option<Number>,
    /// `frequency_penalty`, for `chat-completion`.
    pub frequency_penalty: Option<Number>,
    /// `presence_penalty`, for `chat-completion`.
    pub presence_penalty: Option<Number>,
}

/// What is told of calls.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct ModelObservability {
    /// Metrics of calls.
    pub metrics: Option<ModelMetrics>,
    /// What traces tell of calls.
    pub traces: Option<ModelTraces>,
}

/// What traces tell of calls.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct ModelTraces {
    /// Tell what was asked and answered: `gen_ai.input.messages`, `gen_ai.system_instructions` and `gen_ai.output.messages`, up
    /// to 32 KiB of either side. What guards hide is hidden there, and what they refuse is left out.
    pub content: bool,
}

/// Metrics of calls.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct ModelMetrics {
    /// `basic` has tokens and durations, `detailed` also times of first and following chunks of streams, and cost.
    #[config(default = "basic".to_owned(), one_of("basic", "detailed"))]
    pub level: String,
}
