//! `llm-guard`

use std::collections::BTreeMap;

use serde_json::Value;
use trilithon_model_derive::Config;

use super::guard::{GuardMcp, History, OnError};
use super::{ClientConfig, ClientRequestFormat, OnDenyResponse};
use crate::rollout::{Mode, Percent};

/// Asks a model, or any other HTTP service, what it thinks of a model call. An answer that cannot be judged is an error, never a
/// pass.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct LlmGuard {
    /// The URL that is asked. Required.
    pub endpoint: String,
    /// How bodies are read. Behind a `chat-completion`, `responses-api` or `messages-api` middleware that middleware's
    /// format counts.
    pub client_request_format: ClientRequestFormat,
    /// Bodies are messages of the Model Context Protocol. Behind an `mcp` middleware they are so without being called so. Not in
    /// Traefik Hub.
    #[config(allow_empty)]
    pub mcp: Option<GuardMcp>,
    /// In which form the question is asked. Exactly one. Required.
    pub format: Option<LlmFormat>,
    /// What is asked about requests.
    pub request: Option<LlmPhase>,
    /// What is asked about answers. Streams are judged in stretches of about a kilobyte before the client sees them.
    pub response: Option<LlmPhase>,
    /// Tell the client the reason of the condition in place of `message`.
    pub send_reason_as_error: bool,
    /// How the service is asked.
    pub client_config: Option<ClientConfig>,
    /// Model that is asked.
    #[config(deprecated = "use `format.ccr.model`")]
    pub model: String,
    /// Parameters of the question.
    #[config(deprecated = "use `format.ccr.params`")]
    pub params: BTreeMap<String, Value>,
    /// What happens when there is no answer, or none that can be judged. Not in Traefik Hub, which blocks.
    pub on_error: OnError,
    /// Which messages of a request are in the question where there is no template. Not in Traefik Hub.
    pub history: History,
    /// How seriously it is taken. Not in Traefik Hub.
    pub mode: Mode,
    /// For how many percent of callers. Not in Traefik Hub.
    pub percent: Percent,
}

/// In which form a question is asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct LlmFormat {
    /// As a call of OpenAI Chat Completions.
    #[config(allow_empty)]
    pub ccr: Option<JudgeModel>,
    /// As a call of OpenAI Responses.
    #[config(rename = "responsesAPI", allow_empty)]
    pub responses_api: Option<JudgeModel>,
    /// As the body that `template` makes.
    #[config(allow_empty)]
    pub custom: Option<CustomFormat>,
}

/// The model that is asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct JudgeModel {
    /// Its name.
    pub model: String,
    /// Further members of the question's body, such as `temperature` or `max_tokens`, as they are; Hub's `topP`, `maxTokens`,
    /// `maxCompletionTokens`, `frequencyPenalty` and `presencePenalty` are written as the API has them.
    pub params: BTreeMap<String, Value>,
}

/// A question in any form. It has no options.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct CustomFormat {}

/// What is asked about requests, or about answers.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct LlmPhase {
    /// The model's instructions.
    pub system_prompt: String,
    /// What is asked, as a Go template over the body: `{{ (index .messages 0).content }}`. When empty, the text that is judged.
    pub prompt_template: String,
    /// The body of the question, as a Go template over the body; for `format.custom`.
    pub template: String,
    /// Each says when the call is refused. The first that holds counts.
    pub block_conditions: Vec<GuardCondition>,
    /// Each says when something is recorded.
    pub trace_conditions: Vec<GuardCondition>,
    /// What an answer must satisfy that no block condition holds for; one that does not is an error. Not in Traefik Hub.
    pub pass_condition: String,
}

/// A condition over the service's answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct GuardCondition {
    /// What records call it; the condition itself when empty.
    pub reason: String,
    /// Such as `Contains("unsafe")` or `JSONGt(".score", "0.7")`. Required.
    pub condition: String,
    /// What the client is told.
    pub on_deny_response: Option<OnDenyResponse>,
}
