//! OpenAI Chat Completions (`POST /v1/chat/completions`).

mod answer;
mod denial;
mod request;
mod stream;

pub(super) use answer::answer;
pub(super) use denial::denial;
pub(super) use request::request;
pub(super) use stream::event;

use super::Reported;
use super::answer::number;
use trilithon_wire::json::Value;

/// The `usage` of an answer or a chunk.
fn usage(root: &Value<'_>) -> Reported {
    let Some(usage) = root.get("usage") else {
        return Reported::default();
    };
    Reported {
        input: number(&usage, &["prompt_tokens"]),
        output: number(&usage, &["completion_tokens"]),
        cache_read: number(&usage, &["prompt_tokens_details", "cached_tokens"])
            .or_else(|| number(&usage, &["prompt_cache_hit_tokens"])),
        cache_write: None,
        cache_write_hour: None,
        reasoning: number(&usage, &["completion_tokens_details", "reasoning_tokens"]),
    }
}
