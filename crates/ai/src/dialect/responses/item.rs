//! Items: what goes in and comes out of a response. Messages, reasoning, calls of tools and their results.

use super::super::answer::string;
use super::super::gather::Gather;
use trilithon_flow::Channel;
use trilithon_wire::json::{Kind, Value};

/// Finds what is in one item. A message's channel is its role's.
pub(super) fn item(item: &Value<'_>, gather: &mut Gather) {
    let kind = string(item, "type").unwrap_or_default();
    match kind.as_str() {
        "message" | "" => {
            let channel = role(string(item, "role").as_deref()).unwrap_or(Channel::User);
            if let Some(content) = item.get("content") {
                contents(&content, channel, gather);
            }
        }
        "reasoning" => {
            for name in ["summary", "content"] {
                if let Some(texts) = item.get(name) {
                    contents(&texts, Channel::Reasoning, gather);
                }
            }
            if let Some(hidden) = item.get("encrypted_content").filter(|v| !v.is_null()) {
                gather.opaque("encrypted_content", &hidden);
            }
        }
        "item_reference" | "image_generation_call" => gather.opaque(&kind, item),
        kind if kind.ends_with("_output") => {
            if let Some(output) = item.get("output") {
                contents(&output, Channel::ToolResult, gather);
            }
        }
        _ => gather.leaves(Channel::ToolArguments, item),
    }
}

/// The channel of a role, if there is such a role.
pub(super) fn role(role: Option<&str>) -> Option<Channel> {
    match role? {
        "system" | "developer" => Some(Channel::System),
        "user" => Some(Channel::User),
        "assistant" => Some(Channel::Assistant),
        _ => None,
    }
}

/// A text, or parts.
pub(super) fn contents(content: &Value<'_>, channel: Channel, gather: &mut Gather) {
    match content.kind() {
        Kind::String | Kind::Number => gather.text(channel, content),
        Kind::Array => content.items().for_each(|item| part(&item, channel, gather)),
        Kind::Object => part(content, channel, gather),
        Kind::Null | Kind::Bool => {}
    }
}

/// One part, by what it holds.
pub(super) fn part(part: &Value<'_>, channel: Channel, gather: &mut Gather) {
    if part.kind() != Kind::Object {
        return gather.leaves(channel, part);
    }
    let text = part.get("text").or_else(|| part.get("refusal"));
    match text {
        Some(text) => gather.text(channel, &text),
        None => gather.opaque(&string(part, "type").unwrap_or_default(), part),
    }
    // What a text refers to is told with its name and address.
    if let Some(annotations) = part.get("annotations") {
        gather.leaves(channel, &annotations);
    }
}
