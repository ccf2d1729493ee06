//! The kinds that Traefik Proxy does not have.

use trilithon_model_derive::Config;

use super::{
    AiQuota, AiRateLimit, ApiKey, ChatCompletion, ContentGuard, Jwt, Limit, LlmGuard, Mcp, MessagesApi,
    ParallelLlmGuard, Policy, ResponsesApi, Undo,
};

/// Kinds that Traefik Proxy does not have: those of Traefik Hub under Hub's names, and the gateway's own. Each can be
/// written under `plugin`, as Hub has it, or directly.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct Extra {
    /// Gives each caller a budget of tokens or money for calls of language models.
    #[config(rename = "ai-quota")]
    pub ai_quota: Option<Box<AiQuota>>,
    /// Limits how fast each caller takes tokens of language models.
    #[config(rename = "ai-rate-limit")]
    pub ai_rate_limit: Option<Box<AiRateLimit>>,
    /// Asks for an API key.
    pub api_key: Option<Box<ApiKey>>,
    /// Asks for a JSON Web Token.
    pub jwt: Option<Box<Jwt>>,
    /// Limits how much each caller may take.
    pub limit: Option<Box<Limit>>,
    /// Governs calls of tools by the Model Context Protocol.
    #[config(allow_empty)]
    pub mcp: Option<Box<Mcp>>,
    /// Decides by rules over the request and the identity.
    pub policy: Option<Box<Policy>>,
    /// Says how what a request did can be undone.
    pub undo: Option<Box<Undo>>,
    /// Governs calls of models in OpenAI's Chat Completions format.
    #[config(rename = "chat-completion", allow_empty)]
    pub chat_completion: Option<Box<ChatCompletion>>,
    /// Governs calls of models in OpenAI's Responses format.
    #[config(rename = "responses-api", allow_empty)]
    pub responses_api: Option<Box<ResponsesApi>>,
    /// Governs calls of models in Anthropic's Messages format.
    #[config(rename = "messages-api", allow_empty)]
    pub messages_api: Option<Box<MessagesApi>>,
    /// Blocks or masks what must not be in a model call.
    #[config(rename = "content-guard")]
    pub content_guard: Option<Box<ContentGuard>>,
    /// Asks a model or a service what it thinks of a model call.
    #[config(rename = "llm-guard")]
    pub llm_guard: Option<Box<LlmGuard>>,
    /// Asks several guards at once.
    #[config(rename = "parallel-llm-guard")]
    pub parallel_llm_guard: Option<Box<ParallelLlmGuard>>,
    /// Former name of `content-guard` with `clientRequestFormat: ccr`.
    #[config(
        rename = "chat-completion-content-guard",
        deprecated = "use `content-guard` with `clientRequestFormat: ccr`"
    )]
    pub chat_completion_content_guard: Option<Box<ContentGuard>>,
    /// Former name of `llm-guard` with `format.custom`.
    #[config(
        rename = "llm-guard-custom",
        deprecated = "use `llm-guard` with `format.custom`"
    )]
    pub llm_guard_custom: Option<Box<LlmGuard>>,
    /// Former name of `llm-guard` with `clientRequestFormat: ccr` and `format.ccr`.
    #[config(
        rename = "chat-completion-llm-guard",
        deprecated = "use `llm-guard` with `clientRequestFormat: ccr` and `format.ccr`"
    )]
    pub chat_completion_llm_guard: Option<Box<LlmGuard>>,
    /// Former name of `llm-guard` with `clientRequestFormat: ccr` and `format.custom`.
    #[config(
        rename = "chat-completion-llm-guard-custom",
        deprecated = "use `llm-guard` with `clientRequestFormat: ccr` and `format.custom`"
    )]
    pub chat_completion_llm_guard_custom: Option<Box<LlmGuard>>,
}
