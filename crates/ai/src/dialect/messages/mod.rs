//! Anthropic Messages (`POST /v1/messages`).

mod answer;
mod denial;
mod request;
mod stream;

pub(super) use answer::answer;
pub(super) use denial::denial;
pub(super) use request::request;
pub(super) use stream::event;

use super::Reported;
use super::answer::{number, string};
use super::gather::Gather;
use trilithon_flow::Channel;
use trilithon_wire::json::{Kind, Value};

/// The `usage` of a message or an event. What went through the cache is counted beside the input.
fn usage(within: &Value<'_>) -> Reported {
    let Some(usage) = within.get("usage") else {
        return Reported::default();
    };
    Reported {
        input: number(&usage, &["input_tokens"]),
        output: number(&usage, &["output_tokens"]),
        cache_read: number(&usage, &["cache_read_input_tokens"]),
        cache_write: number(&usage, &["cache_creation_input_tokens"]),
        cache_write_hour: number(&usage, &["cache_creation", "ephemeral_1h_input_tokens"]),
        reasoning: None,
    }
}

/// A text, or blocks of content, as what this channel says.
fn contents(content: &Value<'_>, channel: Channel, gather: &mut Gather) {
    match content.kind() {
        Kind::String | Kind::Number => gather.text(channel, content),
        Kind::Array => content.items().for_each(|item| block(&item, channel, gather)),
        Kind::Object => block(content, channel, gather),
        Kind::Null | Kind::Bool => {}
    }
}

/// One block of content, of whatever type.
pub(super) fn block(block: &Value<'_>, channel: Channel, gather: &mut Gather) {
    let kind = string(block, "type").unwrap_or_default();
    match kind.as_str() {
        "thinking" => member(block, "thinking", Channel::Reasoning, gather),
        "image" | "redacted_thinking" | "container_upload" => gather.opaque(&kind, block),
        "document" => document(block, channel, gather),
        kind if kind.ends_with("tool_use") => gather.leaves(Channel::ToolArguments, block),
        kind if kind.ends_with("tool_result") => {
            if let Some(content) = block.get("content") {
                contents(&content, Channel::ToolResult, gather);
            }
        }
        "text" => member(block, "text", channel, gather),
        // What is not known may hold text anywhere.
        _ => gather.leaves(channel, block),
    }
}

fn document(document: &Value<'_>, channel: Channel, gather: &mut Gather) {
    member(document, "title", channel, gather);
    member(document, "context", channel, gather);
    let Some(source) = document.get("source") else {
        return;
    };
    match string(&source, "type").as_deref() {
        Some("text") => member(&source, "data", channel, gather),
        Some("content") => {
            if let Some(content) = source.get("content") {
                contents(&content, channel, gather);
            }
        }
        _ => gather.opaque("document", document),
    }
}

fn member(within: &Value<'_>, name: &str, channel: Channel, gather: &mut Gather) {
    if let Some(value) = within.get(name) {
        gather.text(channel, &value);
    }
}
