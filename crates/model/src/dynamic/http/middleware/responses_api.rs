//! `responses-api`

use trilithon_model_derive::Config;

use super::{ModelObservability, ModelParams};
use crate::secret::Secret;

/// Governs calls in OpenAI's Responses format: checks requests, sets model and parameters, holds the key, counts tokens.
/// What it does not set stays byte for byte as the client wrote it. Requests without a body pass.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct ResponsesApi {
    /// The key for the upstream, sent as `Authorization: Bearer` in place of the client's credentials; those pass when empty.
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
    /// Who is asked, as telemetry and prices name it (`gen_ai.provider.name`). Not in Traefik Hub.
    #[config(default = "openai".to_owned())]
    pub provider: String,
    /// Largest request in bytes; larger ones get 413. When absent, what the install option
    /// `hub.aigateway.maxRequestBodySize` says. Not in Traefik Hub.
    pub max_request_body_size: Option<i64>,
}
