//! `messages-api`

use trilithon_model_derive::Config;

use super::{ModelApi, UpstreamFormat};

/// Governs calls in Anthropic's Messages format: checks requests, sets model, parameters and system prompt, holds the key,
/// counts tokens. What it does not set stays byte for byte as the client wrote it. Requests without a body pass.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct MessagesApi {
    /// The `Anthropic-Version` that is sent, such as `2023-06-01`; the client's when empty.
    pub anthropic_version: String,
    /// A system prompt. It stands before the client's own.
    pub system: String,
    /// Mark the last block of the last message as the end of what is to be cached, unless the client set marks itself.
    pub prompt_caching: bool,
    /// The format of the upstream, where it is not that of the clients: with `ccr` requests and answers are translated. Not in
    /// Traefik Hub.
    pub upstream_format: Option<UpstreamFormat>,
    /// What all formats have.
    #[config(flatten)]
    pub api: ModelApi,
}
