//! Requests of Responses.

use super::super::answer::string;
use super::super::gather::Gather;
use super::super::request::{flag, given, of_kind, optional, required, text, whole};
use super::super::{Invalid, Request};
use super::item::{item, role};
use std::fmt;
use trilithon_flow::Channel;
use trilithon_wire::json::{Kind, Value};

/// Checks a request and finds what is in it.
pub(in super::super) fn request(root: &Value<'_>) -> Result<Request, Invalid> {
    of_kind(root, Kind::Object, "body")?;
    let [
        model,
        input,
        instructions,
        stream,
        max,
        tools,
        form,
        prompt,
        temperature,
        top_p,
    ] = root.fields([
        "model",
        "input",
        "instructions",
        "stream",
        "max_output_tokens",
        "tools",
        "text",
        "prompt",
        "temperature",
        "top_p",
    ])?;
    let mut gather = Gather::default();
    if let Some(instructions) = given(&instructions) {
        items(
            &instructions,
            Channel::System,
            format_args!("instructions"),
            &mut gather,
        )?;
    }
    match given(&input) {
        Some(input) => items(&input, Channel::User, format_args!("input"), &mut gather)?,
        // A stored prompt, or a talk that goes on, may need none.
        None if given(&prompt).is_some()
            || ["conversation", "previous_response_id"]
                .iter()
                .any(|n| root.get(n).is_some()) => {}
        None => return Err(Invalid::new("input", "`input` is required")),
    }
    gather.message = None;
    if let Some(prompt) = optional(&prompt, Kind::Object, "prompt")? {
        gather.leaves(Channel::User, &prompt);
    }
    let definitions = [
        optional(&tools, Kind::Array, "tools")?,
        optional(&form, Kind::Object, "text")?,
    ];
    for definition in definitions.into_iter().flatten() {
        gather.leaves(Channel::ToolDefinition, &definition);
    }
    for (number, name) in [(temperature, "temperature"), (top_p, "top_p")] {
        optional(&number, Kind::Number, name)?;
    }
    Ok(Request {
        model: text(&model, "model")?,
        stream: flag(&stream, "stream")?,
        include_usage: true,
        max_output: whole(&max, "max_output_tokens")?,
        choices: 1,
        slots: gather.slots,
        opaque: gather.opaque,
    })
}

/// A text, or items.
fn items(
    value: &Value<'_>,
    channel: Channel,
    at: fmt::Arguments<'_>,
    gather: &mut Gather,
) -> Result<(), Invalid> {
    match value.kind() {
        Kind::String => {
            gather.message = (channel == Channel::User).then_some(0);
            gather.text(channel, value);
        }
        Kind::Array => {
            for (i, each) in value.items().enumerate() {
                is_item(&each, format_args!("{at}[{i}]"))?;
                gather.message = Some(i);
                item(&each, gather);
            }
        }
        _ => {
            return Err(Invalid::new(
                at,
                format!("`{at}` must be a string or an array of items"),
            ));
        }
    }
    Ok(())
}

/// An item says what it is by a type or a role, and everything once.
fn is_item(item: &Value<'_>, at: fmt::Arguments<'_>) -> Result<(), Invalid> {
    of_kind(item, Kind::Object, at)?;
    let [kind, who, content, _output, _arguments] =
        item.fields(["type", "role", "content", "output", "arguments"])?;
    optional(&kind, Kind::String, format_args!("{at}.type"))?;
    let is_message = given(&kind).is_none() || string(item, "type").as_deref() == Some("message");
    if !is_message {
        return Ok(());
    }
    let who = required(&who, Kind::String, format_args!("{at}.role"))?;
    if role(who.text().map(|t| t.to_str()).as_deref()).is_none() {
        return Err(Invalid::new(
            format_args!("{at}.role"),
            format!("`{at}.role` must be one of developer, system, user and assistant"),
        ));
    }
    let at = format_args!("{at}.content");
    let content = given(&content).ok_or_else(|| Invalid::new(at, format!("`{at}` is required")))?;
    match content.kind() {
        Kind::String => Ok(()),
        Kind::Array => content.items().enumerate().try_for_each(|(i, part)| {
            let at = format_args!("{at}[{i}]");
            of_kind(&part, Kind::Object, at)?;
            let [kind, words, refusal] = part.fields(["type", "text", "refusal"])?;
            required(&kind, Kind::String, format_args!("{at}.type"))?;
            optional(&words, Kind::String, format_args!("{at}.text"))?;
            optional(&refusal, Kind::String, format_args!("{at}.refusal"))?;
            Ok(())
        }),
        _ => Err(Invalid::new(
            at,
            format!("`{at}` must be a string or an array of parts"),
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
            let request = Dialect::Responses.request(body.as_bytes()).unwrap();
            let slots = request.slots.into_iter();
            let got: Vec<_> = slots.map(|s| (s.channel, s.message, &body[s.range])).collect();
            assert_eq!(got, want, "{body}");
        };
        check(
            r#"{"model":"m","instructions":"i","input":"a"}"#,
            &[(System, None, "i"), (User, Some(0), "a")],
        );
        check(
            r#"{"input":[{"role":"user","content":[{"type":"input_text","text":"a"},{"type":"input_image","image_url":"d"}]},{"type":"function_call_output","call_id":"c","output":"o"},{"type":"reasoning","summary":[{"type":"summary_text","text":"s"}]}]}"#,
            &[
                (User, Some(0), "a"),
                (ToolResult, Some(1), "o"),
                (Reasoning, Some(2), "s"),
            ],
        );
        check(
            r#"{"previous_response_id":"r","tools":[{"name":"n"}]}"#,
            &[(ToolDefinition, None, "name"), (ToolDefinition, None, "n")],
        );
        check(
            r#"{"input":[{"type":"function_call","arguments":"{}"}]}"#,
            &[
                (ToolArguments, Some(0), "type"),
                (ToolArguments, Some(0), "function_call"),
                (ToolArguments, Some(0), "arguments"),
                (ToolArguments, Some(0), "{}"),
            ],
        );
    }

    #[test]
    fn bad_requests_are_refused() {
        let check = |body: &str, param: Option<&str>| {
            let invalid = Dialect::Responses.request(body.as_bytes()).expect_err(body);
            assert_eq!(invalid.param.as_deref(), param, "{body}: {invalid}");
        };
        check("{}", Some("input"));
        check(r#"{"input":1}"#, Some("input"));
        check(r#"{"input":["a"]}"#, Some("input[0]"));
        check(r#"{"input":[{}]}"#, Some("input[0].role"));
        check(
            r#"{"input":[{"role":"root","content":""}]}"#,
            Some("input[0].role"),
        );
        check(r#"{"input":[{"role":"user"}]}"#, Some("input[0].content"));
        check(
            r#"{"input":[{"role":"user","content":[{"text":"a"}]}]}"#,
            Some("input[0].content[0].type"),
        );
        check(
            r#"{"input":"a","max_output_tokens":"1"}"#,
            Some("max_output_tokens"),
        );
        check(r#"{"input":"a","input":"b"}"#, None);
        check(r#"{"input":"a","stream":1}"#, Some("stream"));
    }
}
