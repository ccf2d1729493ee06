//! Answers of Responses.

use super::super::Answer;
use super::super::answer::{owned, string};
use super::super::called;
use super::super::gather::Gather;
use super::item::item;
use super::usage;
use trilithon_wire::json::Value;

/// Finds what is in a whole answer.
pub(in super::super) fn answer(root: &Value<'_>) -> Answer {
    let mut gather = Gather::default();
    let mut tool_calls = Vec::new();
    for (i, output) in root.get("output").iter().flat_map(Value::items).enumerate() {
        gather.message = Some(i);
        item(&output, &mut gather);
        tool_calls.extend(owned(called::responses(&output).into_iter()));
    }
    Answer {
        id: string(root, "id"),
        model: string(root, "model"),
        reported: usage(root),
        finish_reasons: finish(root).into_iter().collect(),
        tool_calls,
        slots: gather.slots,
        opaque: gather.opaque,
    }
}

/// Why it ended: what it is incomplete for, else its status.
fn finish(response: &Value<'_>) -> Option<String> {
    let why = response
        .get("incomplete_details")
        .and_then(|d| string(&d, "reason"));
    why.or_else(|| string(response, "status"))
}

#[cfg(test)]
mod tests {
    use super::super::super::Dialect;
    use trilithon_flow::Channel;

    #[test]
    fn answers() {
        let body = r#"{"id":"resp_1","model":"gpt","status":"incomplete","incomplete_details":{"reason":"max_output_tokens"},"output":[
            {"type":"reasoning","summary":[{"type":"summary_text","text":"hm"}],"encrypted_content":"x"},
            {"type":"message","role":"assistant","content":[{"type":"output_text","text":"hi"},{"type":"refusal","refusal":"no"}]},
            {"type":"function_call","name":"f","arguments":"{}"}],
            "usage":{"input_tokens":5,"input_tokens_details":{"cached_tokens":4},"output_tokens":7,"output_tokens_details":{"reasoning_tokens":6}}}"#;
        let answer = Dialect::Responses.answer(body.as_bytes()).unwrap();
        assert_eq!(answer.finish_reasons, ["max_output_tokens"]);
        let usage = Dialect::Responses.usage(answer.reported).unwrap();
        assert_eq!(
            (usage.input, usage.cache_read, usage.output, usage.reasoning),
            (5, 4, 7, 6)
        );
        let slots: Vec<_> = answer
            .slots
            .iter()
            .map(|s| (s.channel, &body[s.range.clone()]))
            .collect();
        let want = [
            (Channel::Reasoning, "hm"),
            (Channel::Assistant, "hi"),
            (Channel::Assistant, "no"),
        ];
        assert_eq!(slots[..3], want);
        assert!(slots.contains(&(Channel::ToolArguments, "{}")));
        assert_eq!(answer.opaque.len(), 1);
    }
}
