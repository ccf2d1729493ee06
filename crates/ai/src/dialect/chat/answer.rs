//! Answers of Chat Completions.

use super::super::Answer;
use super::super::answer::{owned, string};
use super::super::called;
use super::super::gather::Gather;
use super::super::messages;
use super::usage;
use trilithon_flow::Channel;
use trilithon_wire::json::{Kind, Value};

/// Finds what is in a whole answer.
pub(in super::super) fn answer(root: &Value<'_>) -> Answer {
    let mut gather = Gather::default();
    let mut finish_reasons = Vec::new();
    let mut tool_calls = Vec::new();
    for (i, choice) in root.get("choices").iter().flat_map(Value::items).enumerate() {
        let index = choice.get("index").and_then(|v| v.as_u64());
        gather.choice = index.map_or(i as u32, |n| n as u32);
        finish_reasons.extend(string(&choice, "finish_reason"));
        if let Some(message) = choice.get("message") {
            one_message(&message, &mut gather);
            let calls = message.get("tool_calls");
            tool_calls.extend(calls.iter().flat_map(|calls| owned(called::chat(calls))));
        }
    }
    Answer {
        id: string(root, "id"),
        model: string(root, "model"),
        reported: usage(root),
        finish_reasons,
        tool_calls,
        slots: gather.slots,
        opaque: gather.opaque,
    }
}

/// Every member, so that a vendor's own kind of text is not passed over.
fn one_message(message: &Value<'_>, gather: &mut Gather) {
    for (name, value) in message.members() {
        match &*name.to_str() {
            "role" => {}
            "content" if value.kind() == Kind::Array => parts(&value, gather),
            "reasoning_content" | "reasoning" | "reasoning_details" => {
                gather.leaves(Channel::Reasoning, &value)
            }
            "thinking_blocks" => value
                .items()
                .for_each(|block| messages::block(&block, Channel::Reasoning, gather)),
            "tool_calls" | "function_call" => gather.leaves(Channel::ToolArguments, &value),
            "audio" => gather.opaque("audio", &value),
            _ => gather.leaves(Channel::Assistant, &value),
        }
    }
}

fn parts(content: &Value<'_>, gather: &mut Gather) {
    for part in content.items() {
        match part.get("text").or_else(|| part.get("refusal")) {
            Some(text) => gather.text(Channel::Assistant, &text),
            None => gather.opaque(&string(&part, "type").unwrap_or_default(), &part),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::{Dialect, Reported};
    use super::*;

    #[test]
    fn answers() {
        let body = r#"{"id":"c1","model":"gpt-x","choices":[
            {"index":0,"message":{"role":"assistant","content":"hi","refusal":null,"reasoning_content":"hm","thinking_blocks":[{"type":"thinking","thinking":"hum","signature":"s"}]},"finish_reason":"stop"},
            {"index":1,"message":{"role":"assistant","content":null,"tool_calls":[{"function":{"arguments":"{\"a\":1}"}}]},"finish_reason":"tool_calls"}],
            "usage":{"prompt_tokens":5,"completion_tokens":7,"prompt_tokens_details":{"cached_tokens":2},"completion_tokens_details":{"reasoning_tokens":3}}}"#;
        let answer = Dialect::Chat.answer(body.as_bytes()).unwrap();
        assert_eq!(
            (answer.id.as_deref(), answer.model.as_deref()),
            (Some("c1"), Some("gpt-x"))
        );
        assert_eq!(answer.finish_reasons, ["stop", "tool_calls"]);
        let reported = Reported {
            input: Some(5),
            output: Some(7),
            cache_read: Some(2),
            cache_write: None,
            cache_write_hour: None,
            reasoning: Some(3),
        };
        assert_eq!(answer.reported, reported);
        let usage = Dialect::Chat.usage(reported).unwrap();
        assert_eq!(
            (usage.input, usage.output, usage.total()),
            (5, 7, 12),
            "the cached are among the input"
        );
        let slots: Vec<_> = answer
            .slots
            .iter()
            .map(|s| (s.channel, s.choice, &body[s.range.clone()]))
            .collect();
        let arguments = slots.iter().find(|s| s.2.starts_with('{')).unwrap();
        assert_eq!(
            slots[..3],
            [
                (Channel::Assistant, 0, "hi"),
                (Channel::Reasoning, 0, "hm"),
                (Channel::Reasoning, 0, "hum")
            ]
        );
        assert_eq!(*arguments, (Channel::ToolArguments, 1, r#"{\"a\":1}"#));
    }

    #[test]
    fn what_looks_otherwise_is_passed_over() {
        for body in [
            "[]",
            "{}",
            r#"{"choices":{"a":1},"usage":[]}"#,
            r#"{"choices":[1,{"message":"x"}],"usage":{"prompt_tokens":"5"}}"#,
        ] {
            let answer = Dialect::Chat.answer(body.as_bytes()).unwrap();
            assert_eq!(answer, Answer::default(), "{body}");
        }
        assert!(Dialect::Chat.answer(b"<html>").is_err());
    }
}
