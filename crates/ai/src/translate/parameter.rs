//! What becomes of each parameter of a request when it is translated: the one table that translation, its tests and its
//! documentation are made from.

use crate::dialect::Dialect;

/// What becomes of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is said in the other dialect's words; these.
    Mapped(&'static str),
    /// It is left out, and the client is told.
    Dropped,
    /// The client counts on it: a request with it is refused.
    Refused,
}

/// One row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameter {
    pub name: &'static str,
    pub fate: Fate,
    /// What there is to know.
    pub note: &'static str,
}

const fn row(name: &'static str, fate: Fate, note: &'static str) -> Parameter {
    Parameter { name, fate, note }
}

use Fate::{Dropped, Mapped, Refused};

const CHAT: &[Parameter] = &[
    row("model", Mapped("model"), ""),
    row(
        "messages",
        Mapped("messages, system"),
        "system and developer messages become `system`; neighbours of one role become one message",
    ),
    row(
        "max_completion_tokens",
        Mapped("max_tokens"),
        "4096 when neither limit is given: Messages requires one",
    ),
    row(
        "max_tokens",
        Mapped("max_tokens"),
        "`max_completion_tokens` has precedence",
    ),
    row("stream", Mapped("stream"), ""),
    row(
        "stream_options",
        Mapped("(the answer)"),
        "usage is told at the end if it was asked for",
    ),
    row("temperature", Mapped("temperature"), "above 1 it is 1"),
    row("top_p", Mapped("top_p"), ""),
    row("stop", Mapped("stop_sequences"), ""),
    row("tools", Mapped("tools"), "functions; other kinds are refused"),
    row("tool_choice", Mapped("tool_choice"), "`required` is `any`"),
    row(
        "parallel_tool_calls",
        Mapped("tool_choice.disable_parallel_tool_use"),
        "",
    ),
    row(
        "reasoning_effort",
        Mapped("thinking"),
        "a budget: minimal and low 1024, medium 4096, high 16384; where `max_tokens` leaves no room for it, that grows by it",
    ),
    row("user", Mapped("metadata.user_id"), ""),
    row(
        "safety_identifier",
        Mapped("metadata.user_id"),
        "`user` has precedence",
    ),
    row("service_tier", Dropped, ""),
    row("store", Dropped, ""),
    row("metadata", Dropped, "Messages knows the user only"),
    row("prompt_cache_key", Dropped, ""),
    row("seed", Dropped, "Messages has no seed"),
    row("frequency_penalty", Dropped, ""),
    row("presence_penalty", Dropped, ""),
    row("verbosity", Dropped, ""),
    row("prediction", Dropped, "only makes answers faster"),
    row("n", Refused, "more than 1"),
    row("logprobs", Refused, "true"),
    row("top_logprobs", Refused, "more than 0"),
    row("logit_bias", Refused, "unless it is empty"),
    row(
        "response_format",
        Refused,
        "unless it is `text`: Messages does not promise JSON",
    ),
    row("modalities", Refused, "unless it is text alone"),
    row("audio", Refused, ""),
    row("functions", Refused, "write `tools`"),
    row("function_call", Refused, "write `tool_choice`"),
    row("web_search_options", Refused, ""),
];

const MESSAGES: &[Parameter] = &[
    row("model", Mapped("model"), ""),
    row(
        "messages",
        Mapped("messages"),
        "results of tools become messages of role `tool`",
    ),
    row("system", Mapped("messages[0]"), "role `system`"),
    row("max_tokens", Mapped("max_completion_tokens"), ""),
    row(
        "stream",
        Mapped("stream, stream_options"),
        "usage is always asked for",
    ),
    row("temperature", Mapped("temperature"), ""),
    row("top_p", Mapped("top_p"), ""),
    row("stop_sequences", Mapped("stop"), "more than four are refused"),
    row(
        "tools",
        Mapped("tools"),
        "the client's own; tools of the server are refused",
    ),
    row(
        "tool_choice",
        Mapped("tool_choice, parallel_tool_calls"),
        "`any` is `required`",
    ),
    row(
        "thinking",
        Mapped("reasoning_effort"),
        "by budget: up to 2048 low, up to 8192 medium, above high",
    ),
    row("metadata", Mapped("safety_identifier"), "its `user_id`"),
    row("top_k", Dropped, ""),
    row("service_tier", Dropped, ""),
    row("container", Refused, ""),
    row("mcp_servers", Refused, ""),
    row("context_management", Refused, ""),
    row("output_config", Refused, ""),
    row("output_format", Refused, ""),
];

/// The parameters of a dialect that is translated; none of one that is not.
pub fn of(dialect: Dialect) -> &'static [Parameter] {
    match dialect {
        Dialect::Chat => CHAT,
        Dialect::Messages => MESSAGES,
        Dialect::Responses => &[],
    }
}

/// What becomes of a parameter; one that is not known is dropped.
pub fn fate(dialect: Dialect, name: &str) -> Fate {
    let row = of(dialect).iter().find(|row| row.name == name);
    row.map_or(Dropped, |row| row.fate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_parameter_has_one_row() {
        for dialect in Dialect::ALL {
            let rows = of(dialect);
            for (n, row) in rows.iter().enumerate() {
                assert!(
                    rows[..n].iter().all(|other| other.name != row.name),
                    "{}",
                    row.name
                );
                assert_eq!(fate(dialect, row.name), row.fate);
            }
        }
        assert_eq!(fate(Dialect::Chat, "new_one"), Dropped);
    }
}
