//! The kinds that Traefik Proxy does not have.

use trilithon_model_derive::Config;

use super::{ApiKey, ChatCompletion, Jwt, Limit, MessagesApi, Policy, ResponsesApi};

/// Kinds that Traefik Proxy does not have: those of Traefik Hub under Hub's names, and the gateway's own. Each can be
/// written under `plugin`, as Hub has it, or directly.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct Extra {
    /// Asks for an API key.
    pub api_key: Option<Box<ApiKey>>,
    /// Asks for a JSON Web Token.
    pub jwt: Option<Box<Jwt>>,
    /// Limits how much each caller may take.
    pub limit: Option<Box<Limit>>,
    /// Decides by rules over the request and the identity.
    pub policy: Option<Box<Policy>>,
    /// Governs calls of models in OpenAI's Chat Completions format.
    #[config(rename = "chat-completion", allow_empty)]
    pub chat_completion: Option<Box<ChatCompletion>>,
    /// Governs calls of models in OpenAI's Responses format.
    #[config(rename = "responses-api", allow_empty)]
    pub responses_api: Option<Box<ResponsesApi>>,
    /// Governs calls of models in Anthropic's Messages format.
    #[config(rename = "messages-api", allow_empty)]
    pub messages_api: Option<Box<MessagesApi>>,
}
