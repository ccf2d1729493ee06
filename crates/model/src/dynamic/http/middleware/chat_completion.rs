//! `chat-completion`

use trilithon_model_derive::Config;

use super::{ModelApi, UpstreamFormat};

/// Governs calls in OpenAI's Chat Completions format: checks requests, sets model and parameters, holds the key, counts
/// tokens. What it does not set stays byte for byte as the client wrote it. Requests without a body pass.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct ChatCompletion {
    /// The format of the upstream, where it is not that of the clients: with `messagesAPI` requests and answers are translated.
    /// Not in Traefik Hub.
    pub upstream_format: Option<UpstreamFormat>,
    /// What all formats have.
    #[config(flatten)]
    pub api: ModelApi,
}
