//! OpenAI Responses (`POST /v1/responses`).

mod answer;
mod denial;
mod item;
mod request;
mod stream;

pub(super) use answer::answer;
pub(super) use denial::denial;
pub(super) use request::request;
pub(super) use stream::event;

use super::Reported;
use super::answer::number;
use trilithon_wire::json::Value;

/// The `usage` of a response.
fn usage(response: &Value<'_>) -> Reported {
    let Some(usage) = response.get("usage") else {
        return Reported::default();
    };
    Reported {
        input: number(&usage, &["input_tokens"]),
        output: number(&usage, &["output_tokens"]),
        cache_read: number(&usage, &["input_tokens_details", "cached_tokens"]),
        cache_write: None,
        cache_write_hour: None,
        reasoning: number(&usage, &["output_tokens_details", "reasoning_tokens"]),
    }
}
