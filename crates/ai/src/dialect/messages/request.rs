//! Requests of Messages.

use super::super::gather::Gather;
use super::super::request::{each_message, flag, given, of_kind, optional, required, text, whole};
use super::super::{Invalid, Request};
use super::contents;
use std::fmt;
use trilithon_flow::Channel;
use trilithon_wire::json::{Kind, Value};

/// Checks a request and finds what is in it. That `max_tokens` is there is for whoever sends it to see to: counting
/// tokens needs none.
pub(in super::super) fn request(root: &Value<'_>) -> Result<Request, Invalid> {
    of_kind(root, Kind::Object, "body")?;
    let [
        model,
        messages,
        system,
        stream,
        max,
        tools,
        temperature,
        top_p,
        top_k,
    ] = root.fields([
        "model",
        "messages",
        "system",
        "stream",
        "max_tokens",
        "tools",
        "temperature",
        "top_p",
        "top_k",
    ])?;
    let mut gather = Gather::default();
    if let Some(system) = given(&system) {
        content_is(&system, format_args!("system"))?;
        contents(&system, Channel::System, &mut gather);
    }
    each_message(
        &required(&messages, Kind::Array, "messages")?,
        &mut gather,
        one_message,
    )?;
    gather.message = None;
    if let Some(tools) = optional(&tools, Kind::Array, "tools")? {
        gather.leaves(Channel::ToolDefinition, &tools);
    }
    for (number, name) in [(temperature, "temperature"), (top_p, "top_p"), (top_k, "top_k")] {
        optional(&number, Kind::Number, name)?;
    }
    Ok(Request {
        model: text(&model, "model")?,
        stream: flag(&stream, "stream")?,
        include_usage: true,
        max_output: whole(&max, "max_tokens")?,
        choices: 1,
        slots: gather.slots,
        opaque: gather.opaque,
    })
}

fn one_message(message: &Value<'_>, at: fmt::Arguments<'_>, gather: &mut Gather) -> Result<(), Invalid> {
    of_kind(message, Kind::Object, at)?;
    let [role, content] = message.fields(["role", "content"])?;
    let role = required(&role, Kind::String, format_args!("{at}.role"))?;
    let channel = match role.text().map(|t| t.to_str()).as_deref() {
        Some("user") => Channel::User,
        Some("assistant") => Channel::Assistant,
        Some("system") => Channel::System,
        _ => {
            return Err(Invalid::new(
                format_args!("{at}.role"),
                format!("`{at}.role` must be one of user and assistant"),
            ));
        }
    };
    let at = format_args!("{at}.content");
    let content = given(&content).ok_or_else(|| Invalid::new(at, format!("`{at}` is required")))?;
    content_is(&content, at)?;
    contents(&content, channel, gather);
    Ok(())
}

/// Content is a text, or blocks that say of which type they are and say what they say once.
fn content_is(content: &Value<'_>, at: fmt::Arguments<'_>) -> Result<(), Invalid> {
    match content.kind() {
        Kind::String => Ok(()),
        Kind::Array => content.items().enumerate().try_for_each(|(i, block)| {
            let at = format_args!("{at}[{i}]");
            of_kind(&block, Kind::Object, at)?;
            let [kind, words, inner, thinking] = block.fields(["type", "text", "content", "thinking"])?;
            required(&kind, Kind::String, format_args!("{at}.type"))?;
            optional(&words, Kind::String, format_args!("{at}.text"))?;
            optional(&thinking, Kind::String, format_args!("{at}.thinking"))?;
            match given(&inner) {
                Some(inner) if inner.kind() == Kind::Array => {
                    content_is(&inner, format_args!("{at}.content"))
                }
                _ => Ok(()),
            }
        }),
        _ => Err(Invalid::new(
            at,
            format!("`{at}` must be a string or an array of blocks"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::Dialect;
    use super::*;

    #[test]
    fn texts_are_found() {
        use Channel::*;
        let check = |body: &str, want: &[(Channel, Option<usize>, &str)]| {
            let request = Dialect::Messages.request(body.as_bytes()).unwrap();
            let slots = request.slots.into_iter();
            let got: Vec<_> = slots.map(|s| (s.channel, s.message, &body[s.range])).collect();
            assert_eq!(got, want, "{body}");
        };
        check(
            r#"{"system":"s","messages":[{"role":"user","content":"a"},{"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":"x"},{"type":"text","text":"b"}]}]}"#,
            &[
                (System, None, "s"),
                (User, Some(0), "a"),
                (Reasoning, Some(1), "t"),
                (Assistant, Some(1), "b"),
            ],
        );
        check(
            r#"{"system":[{"type":"text","text":"s"}],"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"i","content":[{"type":"text","text":"r"},{"type":"image","source":{}}]},{"type":"tool_result","content":"q"},{"type":"document","title":"d","source":{"type":"text","data":"w"}}]}]}"#,
            &[
                (System, None, "s"),
                (ToolResult, Some(0), "r"),
                (ToolResult, Some(0), "q"),
                (User, Some(0), "d"),
                (User, Some(0), "w"),
            ],
        );
        check(
            r#"{"messages":[{"role":"assistant","content":[{"type":"tool_use","input":{"city":"Ulm"}}]}],"tools":[{"name":"n"}]}"#,
            &[
                (ToolArguments, Some(0), "type"),
                (ToolArguments, Some(0), "tool_use"),
                (ToolArguments, Some(0), "input"),
                (ToolArguments, Some(0), "city"),
                (ToolArguments, Some(0), "Ulm"),
                (ToolDefinition, None, "name"),
                (ToolDefinition, None, "n"),
            ],
        );
    }

    #[test]
    fn what_is_no_text_is_told() {
        let body = br#"{"messages":[{"role":"user","content":[{"type":"image","source":{"data":"AAAA"}}]}]}"#;
        let request = Dialect::Messages.request(body).unwrap();
        assert_eq!(
            (request.opaque.len(), request.opaque[0].kind.as_str()),
            (1, "image")
        );
    }

    #[test]
    fn bad_requests_are_refused() {
        let check = |body: &str, param: Option<&str>| {
            let invalid = Dialect::Messages.request(body.as_bytes()).expect_err(body);
            assert_eq!(invalid.param.as_deref(), param, "{body}: {invalid}");
        };
        let message = |message: &str| format!(r#"{{"messages":[{message}]}}"#);
        check("{}", Some("messages"));
        check(r#"{"messages":[]}"#, Some("messages"));
        check(
            &message(r#"{"role":"tool","content":"a"}"#),
            Some("messages[0].role"),
        );
        check(&message(r#"{"role":"user"}"#), Some("messages[0].content"));
        check(
            &message(r#"{"role":"user","content":{}}"#),
            Some("messages[0].content"),
        );
        check(
            &message(r#"{"role":"user","content":[{}]}"#),
            Some("messages[0].content[0].type"),
        );
        check(
            &message(r#"{"role":"user","content":[{"type":"text","text":"a","text":"b"}]}"#),
            None,
        );
        check(
            &message(r#"{"role":"user","content":[{"type":"text","text":1}]}"#),
            Some("messages[0].content[0].text"),
        );
        check(
            r#"{"system":1,"messages":[{"role":"user","content":"a"}]}"#,
            Some("system"),
        );
        check(
            r#"{"max_tokens":"1","messages":[{"role":"user","content":"a"}]}"#,
            Some("max_tokens"),
        );
    }
}
