//! `messages-api`

use trilithon_model_derive::Config;

use super::{ModelObservability, ModelParams};
use crate::secret::Secret;

/// Governs calls in Anthropic's Messages format: checks requests, sets model, parameters and system prompt, holds the key,
/// counts tokens. What it does not set stays byte for byte as the client wrote it. Requests without a body pass.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct MessagesApi {
    /// The key for the upstream, sent as `X-Api-Key`, or as `Authorization` when it is written `Bearer …` (OAuth); the
    /// client's credentials go. When empty they pass, a bearer token of the client's own too.
    pub token: Secret,
    /// The model that is asked.
    pub model: String,
    /// Clients may ask another model than `model`. True when `model` is empty, else false.
    pub allow_model_override: Option<bool>,
    /// Clients may set what `params` sets. True when `params` is empty, else false.
    pub allow_params_override: Option<bool>,
    /// Parameters of requests: for those that leave them out, or for all if clients may not set them.
    pub params: Option<ModelParams>,
    /// The `Anthropic-Version` that is sent, such as `2023-06-01`; the client's when empty.
    pub anthropic_version: String,
    /// A system prompt. It stands before the client's own.
    pub system: String,
    /// Mark the last block of the last message as the end of what is to be cached, unless the client set marks itself.
    pub prompt_caching: bool,
    /// What is told of calls.
    pub observability: Option<ModelObservability>,
    /// Who is asked, as telemetry and prices name it (`gen_ai.provider.name`). Not in Traefik Hub.
    #[config(default = "anthropic".to_owned())]
    pub provider: String,
    /// Largest request in bytes; larger ones get 413. When absent, what the install option
    /// `hub.aigateway.maxRequestBodySize` says. Not in Traefik Hub.
    pub max_request_body_size: Option<i64>,
}
