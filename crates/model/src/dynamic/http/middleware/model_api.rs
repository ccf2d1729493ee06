//! What the middlewares for calls of language models have in common.

use trilithon_model_derive::Config;

use crate::number::Number;

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
}

/// Metrics of calls.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct ModelMetrics {
    /// `basic` has tokens and durations, `detailed` also times of first and following chunks of streams, and cost.
    #[config(default = "basic".to_owned(), one_of("basic", "detailed"))]
    pub level: String,
}
