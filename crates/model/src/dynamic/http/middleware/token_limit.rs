//! What `ai-rate-limit` and `ai-quota` have in common.

use trilithon_model_derive::Config;

use super::client_request_format::ClientRequestFormat;
use super::in_flight_req::SourceCriterion;
use super::on_deny_response::OnDenyResponse;
use super::rate_limit::Redis;
use crate::duration::Duration;
use crate::rollout::{Mode, Percent};

/// Limits on what calls of language models take. At least one of the four limits, here or in `levels`, is needed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct TokenLimits {
    /// Limits the tokens of prompts, those that come from a vendor's cache included.
    pub input_token_limit: Option<TokenLimit>,
    /// Limits the tokens of answers, reasoning included.
    pub output_token_limit: Option<TokenLimit>,
    /// Limits both together.
    pub total_token_limit: Option<TokenLimit>,
    /// Limits what calls cost, by the price table. Not in Hub.
    pub cost_limit: Option<CostLimit>,
    /// Whose tokens are counted together; the client's address when absent.
    pub source_criterion: Option<SourceCriterion>,
    /// Further limits over the same calls, each for a caller of its own: an application, a group, everybody. A call passes
    /// when all of them let it, and is counted by all or by none. Not in Hub.
    pub levels: Vec<LimitLevel>,
    /// How bodies are to be read where no `chat-completion`, `responses-api` or `messages-api` stands before this one.
    pub client_request_format: ClientRequestFormat,
    /// Where answers of the format `custom` tell their tokens.
    pub usage: Option<UsageQueries>,
    /// What is set aside before a call for what it will take: `adaptive` the counted prompt and an answer as long as 95 of
    /// 100 were, `worstCase` the counted prompt and the longest answer that the call allows, `none` nothing: then calls
    /// are let in while anything is left. Not in Hub.
    #[config(default = "adaptive".to_owned(), one_of("adaptive", "worstCase", "none"))]
    pub reserve: String,
    /// What becomes of calls of a model without a price, under a `costLimit`: `refuse` or `allow`, which counts nothing for
    /// them. Not in Hub.
    #[config(default = "refuse".to_owned(), one_of("refuse", "allow"))]
    pub unpriced: String,
    /// The largest body of a request that is read, in bytes; a larger one is answered 413. When absent, what the install
    /// option `hub.aigateway.maxRequestBodySize` says. Not in Hub.
    pub max_request_body_size: Option<i64>,
    /// What is answered when nothing is left; 429 when absent.
    pub on_deny_response: Option<OnDenyResponse>,
    /// How seriously it is taken. Not in Hub.
    pub mode: Mode,
    /// For how many percent of callers. Not in Hub.
    pub percent: Percent,
}

/// So many tokens in so much time.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct TokenLimit {
    /// Tokens for each `period`. At least 1. Required.
    pub limit: i64,
    /// The time `limit` is meant for. Required, but for a quota with `calendar`.
    pub period: Option<Duration>,
    /// Tokens that may be taken at once, of `ai-rate-limit`; `limit` when absent.
    pub burst: Option<i64>,
    /// In place of `period`, of `ai-quota`: a stretch of the calendar, in UTC; weeks begin on Monday. Not in Hub.
    #[config(one_of("hour", "day", "week", "month"))]
    pub calendar: String,
}

/// So much money in so much time.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct CostLimit {
    /// US dollars for each `period`, as a decimal number: `"25"`, `"0.50"`. Required.
    pub limit: String,
    /// The time `limit` is meant for. Required, but for a quota with `calendar`.
    pub period: Option<Duration>,
    /// US dollars that may be spent at once, of `ai-rate-limit`; `limit` when absent.
    pub burst: String,
    /// In place of `period`, of `ai-quota`: a stretch of the calendar, in UTC; weeks begin on Monday.
    #[config(one_of("hour", "day", "week", "month"))]
    pub calendar: String,
}

/// Limits of one more caller.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct LimitLevel {
    /// Its name in log and store: letters, digits, `_`, `-`, `.`. Required.
    pub name: String,
    /// Whose tokens are counted together; all calls when absent.
    pub source_criterion: Option<SourceCriterion>,
    /// Limits the tokens of prompts.
    pub input_token_limit: Option<TokenLimit>,
    /// Limits the tokens of answers.
    pub output_token_limit: Option<TokenLimit>,
    /// Limits both together.
    pub total_token_limit: Option<TokenLimit>,
    /// Limits what calls cost.
    pub cost_limit: Option<CostLimit>,
}

/// Where an answer of no known format tells its tokens, such as `.usage.output_tokens` or `.results[0].tokens`; the part of
/// jq that `jsonQueries` of guards knows.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct UsageQueries {
    /// The tokens of the prompt.
    pub input_tokens: String,
    /// The tokens of the answer.
    pub output_tokens: String,
}

/// Where counts are kept.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct LimitStore {
    /// Share the counts of several gateways through Redis.
    pub redis: Option<Redis>,
}
