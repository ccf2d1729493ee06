//! What was said in a call of a language model, by OpenTelemetry's GenAI conventions: opt-in, and bounded where it is taken.

use crate::span::Span;
use serde_json::{Value, json};
use trilithon_flow::model_call::Piece;
use trilithon_flow::{Channel, ModelCall};

/// Tells what was said; nothing unless somebody asked for it.
pub fn tell(call: &ModelCall, span: &mut Span<'_>) {
    let Some(content) = &call.content else { return };
    let asked = content.shown(&content.asked);
    let (system, others): (Vec<&Piece>, Vec<&Piece>) = asked
        .iter()
        // Tools have an attribute of their own, which is not told.
        .filter(|piece| piece.channel != Channel::ToolDefinition)
        .partition(|piece| piece.channel == Channel::System);
    let system = system.into_iter().map(part).collect();
    let input = others
        .into_iter()
        .map(|piece| json!({"role": role(piece.channel), "parts": [part(piece)]}))
        .collect();
    let output = output(call, &content.shown(&content.answered));
    let all = [
        ("gen_ai.system_instructions", system),
        ("gen_ai.input.messages", input),
        ("gen_ai.output.messages", output),
    ];
    for (name, list) in all {
        if !list.is_empty() {
            // JSON that is cut off is none.
            span.whole_text(name, &Value::Array(list).to_string());
        }
    }
}

/// One message for each choice.
fn output(call: &ModelCall, pieces: &[Piece]) -> Vec<Value> {
    let mut choices: Vec<u32> = pieces.iter().map(|piece| piece.choice).collect();
    choices.sort_unstable();
    choices.dedup();
    let message = |(choice, reason): (u32, Option<&str>)| {
        let parts: Vec<Value> = pieces.iter().filter(|p| p.choice == choice).map(part).collect();
        json!({"role": "assistant", "parts": parts, "finish_reason": reason})
    };
    let reasons = call.finish_reasons.iter().map(|reason| Some(&**reason));
    let reasons = reasons.chain(std::iter::repeat(None));
    choices.into_iter().zip(reasons).map(message).collect()
}

fn role(channel: Channel) -> &'static str {
    match channel {
        Channel::System => "system",
        Channel::Assistant | Channel::Reasoning | Channel::ToolArguments => "assistant",
        Channel::ToolResult => "tool",
        Channel::User | Channel::ToolDefinition | Channel::Query => "user",
    }
}

fn part(piece: &Piece) -> Value {
    let kind = match piece.channel {
        Channel::Reasoning => "reasoning",
        Channel::ToolArguments => "tool_call",
        Channel::ToolResult => "tool_call_response",
        _ => "text",
    };
    json!({"type": kind, "content": piece.text})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::span::testing::{keys, told};
    use opentelemetry_proto::tonic::common::v1::{AnyValue, any_value};
    use trilithon_flow::Format;
    use trilithon_flow::model_call::Content;

    fn json(value: Option<AnyValue>) -> Value {
        match value.and_then(|v| v.value) {
            Some(any_value::Value::StringValue(text)) => serde_json::from_str(&text).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_was_said_is_told_if_asked_for() {
        let silent = ModelCall::new(Format::Ccr);
        assert!(keys(&told(|span| tell(&silent, span))).is_empty());
        let mut content = Content::default();
        for (index, (channel, text)) in [
            (Channel::System, "be kind"),
            (Channel::User, "my secret"),
            (Channel::ToolDefinition, "tool"),
        ]
        .into_iter()
        .enumerate()
        {
            content.asked.say(channel, 0, index as u32, text);
        }
        content.answered.say(Channel::Reasoning, 0, 0, "hm");
        content.answered.say(Channel::Assistant, 0, 0, "yes");
        content.hide("secret", '*');
        let call = ModelCall {
            content: Some(content.into()),
            finish_reasons: vec!["stop".into()],
            ..ModelCall::new(Format::Ccr)
        };
        let span = told(|span| tell(&call, span));
        let got: Vec<(String, Value)> = span
            .attributes
            .into_iter()
            .map(|a| (a.key, json(a.value)))
            .collect();
        let text = |text: &str| json!({"type": "text", "content": text});
        let thought = json!({"type": "reasoning", "content": "hm"});
        let want = [
            ("gen_ai.system_instructions", json!([text("be kind")])),
            (
                "gen_ai.input.messages",
                json!([{"role": "user", "parts": [text("my ******")]}]),
            ),
            (
                "gen_ai.output.messages",
                json!([{"role": "assistant", "parts": [thought, text("yes")], "finish_reason": "stop"}]),
            ),
        ];
        assert_eq!(got, want.map(|(key, value)| (key.to_owned(), value)));
    }
}
