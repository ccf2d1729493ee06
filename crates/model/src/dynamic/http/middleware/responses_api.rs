//! `responses-api`

use trilithon_model_derive::Config;

use super::ModelApi;

/// Governs calls in OpenAI's Responses format: checks requests, sets model and parameters, holds the key, counts tokens.
/// What it does not set stays byte for byte as the client wrote it. Requests without a body pass.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct ResponsesApi {
    /// What all formats have.
    #[config(flatten)]
    pub api: ModelApi,
}
