//! Requests of Chat Completions.

use super::super::gather::Gather;
use super::super::messages;
use super::super::request::{each_message, flag, given, of_kind, optional, required, text, whole};
use super::super::{Invalid, Request};
use std::fmt;
use trilithon_flow::Channel;
use trilithon_wire::json::{Kind, Value};

/// Most choices that a request may ask for, as OpenAI has it.
const MAX_CHOICES: u64 = 128;

/// Checks a request and finds what is in it.
pub(in super::super) fn request(root: &Value<'_>) -> Result<Request, Invalid> {
    of_kind(root, Kind::Object, "body")?;
    let [model, messages, stream, options, max, max_completion, n] = root.fields([
        "model",
        "messages",
        "stream",
        "stream_options",
        "max_tokens",
        "max_completion_tokens",
        "n",
    ])?;
    let mut gather = Gather::default();
    each_message(
        &required(&messages, Kind::Array, "messages")?,
        &mut gather,
        one_message,
    )?;
    beside_messages(root, &mut gather)?;
    let options = optional(&options, Kind::Object, "stream_options")?;
    let include_usage = match options {
        Some(options) => flag(
            &options.fields(["include_usage"])?[0],
            "stream_options.include_usage",
        )?,
        None => false,
    };
    let choices = whole(&n, "n")?.unwrap_or(1);
    if !(1..=MAX_CHOICES).contains(&choices) {
        return Err(Invalid::new("n", format!("`n` must be from 1 to {MAX_CHOICES}")));
    }
    let max = whole(&max, "max_tokens")?;
    Ok(Request {
        model: text(&model, "model")?,
        stream: flag(&stream, "stream")?,
        include_usage,
        max_output: whole(&max_completion, "max_completion_tokens")?.or(max),
        choices,
        slots: gather.slots,
        opaque: gather.opaque,
    })
}

/// What a request says to the model beside its messages: tools, forms of the answer, a predicted answer.
fn beside_messages(root: &Value<'_>, gather: &mut Gather) -> Result<(), Invalid> {
    let [
        tools,
        functions,
        form,
        prediction,
        temperature,
        top_p,
        frequency,
        presence,
    ] = root.fields([
        "tools",
        "functions",
        "response_format",
        "prediction",
        "temperature",
        "top_p",
        "frequency_penalty",
        "presence_penalty",
    ])?;
    let numbers = [
        (temperature, "temperature"),
        (top_p, "top_p"),
        (frequency, "frequency_penalty"),
        (presence, "presence_penalty"),
    ];
    for (number, name) in numbers {
        optional(&number, Kind::Number, name)?;
    }
    let definitions = [
        optional(&tools, Kind::Array, "tools")?,
        optional(&functions, Kind::Array, "functions")?,
        optional(&form, Kind::Object, "response_format")?,
    ];
    gather.message = None;
    for definition in definitions.into_iter().flatten() {
        gather.leaves(Channel::ToolDefinition, &definition);
    }
    if let Some(prediction) = optional(&prediction, Kind::Object, "prediction")? {
        let [content] = prediction.fields(["content"])?;
        contents(
            &content,
            Channel::Assistant,
            format_args!("prediction.content"),
            gather,
        )?;
    }
    Ok(())
}

fn one_message(message: &Value<'_>, at: fmt::Arguments<'_>, gather: &mut Gather) -> Result<(), Invalid> {
    of_kind(message, Kind::Object, at)?;
    let [
        role,
        content,
        calls,
        call,
        refusal,
        thought,
        thoughts,
        blocks,
        name,
    ] = message.fields([
        "role",
        "content",
        "tool_calls",
        "function_call",
        "refusal",
        "reasoning_content",
        "reasoning",
        "thinking_blocks",
        "name",
    ])?;
    let role = required(&role, Kind::String, format_args!("{at}.role"))?;
    let role = role.text().map(|t| t.to_str()).unwrap_or_default();
    let channel = match &*role {
        "system" | "developer" => Channel::System,
        "user" => Channel::User,
        "assistant" => Channel::Assistant,
        "tool" | "function" => Channel::ToolResult,
        _ => {
            return Err(Invalid::new(
                format_args!("{at}.role"),
                format!("`{at}.role` must be one of developer, system, user, assistant, tool and function"),
            ));
        }
    };
    contents(&content, channel, format_args!("{at}.content"), gather)?;
    if channel != Channel::Assistant && given(&content).is_none() {
        return Err(Invalid::new(
            format_args!("{at}.content"),
            format!("`{at}.content` is required"),
        ));
    }
    let texts = [
        (refusal, Channel::Assistant),
        (thought, Channel::Reasoning),
        (thoughts, Channel::Reasoning),
        (name, channel),
    ];
    for (value, channel) in texts {
        if let Some(value) = given(&value) {
            gather.leaves(channel, &value);
        }
    }
    if let Some(blocks) = optional(&blocks, Kind::Array, format_args!("{at}.thinking_blocks"))? {
        for (i, block) in blocks.items().enumerate() {
            of_kind(&block, Kind::Object, format_args!("{at}.thinking_blocks[{i}]"))?;
            block.fields(["type", "thinking", "text"])?;
            messages::block(&block, Channel::Reasoning, gather);
        }
    }
    let calls = optional(&calls, Kind::Array, format_args!("{at}.tool_calls"))?;
    let call = optional(&call, Kind::Object, format_args!("{at}.function_call"))?;
    for call in [calls, call].into_iter().flatten() {
        gather.leaves(Channel::ToolArguments, &call);
    }
    Ok(())
}

/// A text, or parts of which some are texts.
fn contents(
    content: &Option<Value<'_>>,
    channel: Channel,
    at: fmt::Arguments<'_>,
    gather: &mut Gather,
) -> Result<(), Invalid> {
    let Some(content) = given(content) else {
        return Ok(());
    };
    match content.kind() {
        Kind::String => gather.text(channel, &content),
        Kind::Array => {
            for (i, part) in content.items().enumerate() {
                one_part(&part, channel, format_args!("{at}[{i}]"), gather)?;
            }
        }
        _ => {
            return Err(Invalid::new(
                at,
                format!("`{at}` must be a string or an array of parts"),
            ));
        }
    }
    Ok(())
}

fn one_part(
    part: &Value<'_>,
    channel: Channel,
    at: fmt::Arguments<'_>,
    gather: &mut Gather,
) -> Result<(), Invalid> {
    of_kind(part, Kind::Object, at)?;
    let [kind, text, refusal] = part.fields(["type", "text", "refusal"])?;
    let kind = required(&kind, Kind::String, format_args!("{at}.type"))?;
    let kind = kind.text().map(|t| t.to_str()).unwrap_or_default();
    match &*kind {
        "text" => gather.text(
            channel,
            &required(&text, Kind::String, format_args!("{at}.text"))?,
        ),
        "refusal" => gather.text(
            channel,
            &required(&refusal, Kind::String, format_args!("{at}.refusal"))?,
        ),
        kind => {
            // What it is called is the vendor's business; a text in it is looked at all the same.
            if let Some(text) = given(&text) {
                gather.leaves(channel, &text);
            }
            gather.opaque(kind, part);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::super::Dialect;
    use super::*;

    /// What each slot is and says.
    fn slots(body: &str) -> Vec<(Channel, Option<usize>, &str)> {
        let request = Dialect::Chat.request(body.as_bytes()).unwrap();
        let slots = request.slots.into_iter();
        slots.map(|s| (s.channel, s.message, &body[s.range])).collect()
    }

    #[test]
    fn texts_are_found() {
        use Channel::*;
        let check = |body: &str, want: &[(Channel, Option<usize>, &str)]| {
            assert_eq!(slots(body), want, "{body}");
        };
        check(
            r#"{"model":"m","messages":[{"role":"developer","content":"a"},{"content":"b\n","role":"user"}]}"#,
            &[(System, Some(0), "a"), (User, Some(1), r"b\n")],
        );
        check(
            r#"{"messages":[{"role":"user","name":"u","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"data:"}},{"type":"text","text":""}]}]}"#,
            &[(User, Some(0), "a"), (User, Some(0), "u")],
        );
        check(
            r#"{"messages":[{"role":"assistant","content":null,"reasoning_content":"r","tool_calls":[{"id":"c","function":{"arguments":"{}"}}]},{"role":"tool","content":"t"}]}"#,
            &[
                (Reasoning, Some(0), "r"),
                (ToolArguments, Some(0), "id"),
                (ToolArguments, Some(0), "c"),
                (ToolArguments, Some(0), "function"),
                (ToolArguments, Some(0), "arguments"),
                (ToolArguments, Some(0), "{}"),
                (ToolResult, Some(1), "t"),
            ],
        );
        check(
            r#"{"messages":[{"role":"assistant","thinking_blocks":[{"type":"thinking","thinking":"t","signature":"s"},{"type":"redacted_thinking","data":"d"},{"type":"text","text":"x"}]}]}"#,
            &[(Reasoning, Some(0), "t"), (Reasoning, Some(0), "x")],
        );
        check(
            r#"{"messages":[{"role":"user","content":"a"}],"tools":[{"type":"x"}],"prediction":{"type":"content","content":"p"}}"#,
            &[
                (User, Some(0), "a"),
                (ToolDefinition, None, "type"),
                (ToolDefinition, None, "x"),
                (Assistant, None, "p"),
            ],
        );
    }

    #[test]
    fn facts_are_read() {
        let check = |more: &str, want: Request| {
            let body = format!(r#"{{"messages":[{{"role":"user","content":""}}]{more}}}"#);
            assert_eq!(Dialect::Chat.request(body.as_bytes()), Ok(want), "{more}");
        };
        let plain = Request {
            choices: 1,
            ..Request::default()
        };
        check("", plain.clone());
        check(
            r#","model":"gpt","stream":true,"stream_options":{"include_usage":true},"max_tokens":5,"n":2"#,
            Request {
                model: Some("gpt".into()),
                stream: true,
                include_usage: true,
                max_output: Some(5),
                choices: 2,
                ..Request::default()
            },
        );
        check(
            r#","max_tokens":5,"max_completion_tokens":6"#,
            Request {
                max_output: Some(6),
                ..plain.clone()
            },
        );
        check(
            r#","stream":null,"tools":null,"temperature":0.5,"new":{"option":1}"#,
            plain,
        );
    }

    #[test]
    fn bad_requests_are_refused() {
        let check = |body: &str, param: Option<&str>| {
            let invalid = Dialect::Chat.request(body.as_bytes()).expect_err(body);
            assert_eq!(invalid.param.as_deref(), param, "{body}: {invalid}");
        };
        let with = |more: &str| format!(r#"{{"messages":[{{"role":"user","content":"a"}}],{more}}}"#);
        let message = |message: &str| format!(r#"{{"messages":[{message}]}}"#);
        check("", None);
        check("[]", Some("body"));
        check("{}", Some("messages"));
        check(r#"{"messages":[]}"#, Some("messages"));
        check(r#"{"messages":"a"}"#, Some("messages"));
        check(&message("1"), Some("messages[0]"));
        check(&message(r#"{"content":"a"}"#), Some("messages[0].role"));
        check(
            &message(r#"{"role":"root","content":"a"}"#),
            Some("messages[0].role"),
        );
        check(&message(r#"{"role":"user"}"#), Some("messages[0].content"));
        check(
            &message(r#"{"role":"user","content":1}"#),
            Some("messages[0].content"),
        );
        check(
            &message(r#"{"role":"user","content":["a"]}"#),
            Some("messages[0].content[0]"),
        );
        check(
            &message(r#"{"role":"user","content":[{"text":"a"}]}"#),
            Some("messages[0].content[0].type"),
        );
        check(
            &message(r#"{"role":"user","content":[{"type":"text"}]}"#),
            Some("messages[0].content[0].text"),
        );
        check(&message(r#"{"role":"user","content":"a","content":"b"}"#), None);
        check(
            &message(r#"{"role":"assistant","thinking_blocks":[1]}"#),
            Some("messages[0].thinking_blocks[0]"),
        );
        check(
            &message(r#"{"role":"assistant","thinking_blocks":[{"thinking":"a","thinking":"b"}]}"#),
            None,
        );
        check(&with(r#""messages":[]"#), None);
        check(&with(r#""Messages":[]"#), None);
        check(&with(r#""model":1"#), Some("model"));
        check(&with(r#""stream":"yes""#), Some("stream"));
        check(&with(r#""n":0"#), Some("n"));
        check(&with(r#""n":129"#), Some("n"));
        check(&with(r#""max_tokens":-1"#), Some("max_tokens"));
        check(&with(r#""max_tokens":1.5"#), Some("max_tokens"));
        check(&with(r#""temperature":"hot""#), Some("temperature"));
        check(&with(r#""tools":{}"#), Some("tools"));
        check(&with(r#""stream_options":1"#), Some("stream_options"));
    }
}
