//! Answers of Messages.

use super::super::Answer;
use super::super::answer::{owned, string};
use super::super::called;
use super::super::gather::Gather;
use super::{contents, usage};
use trilithon_flow::Channel;
use trilithon_wire::json::Value;

/// Finds what is in a whole answer.
pub(in super::super) fn answer(root: &Value<'_>) -> Answer {
    let mut gather = Gather::default();
    let mut tool_calls = Vec::new();
    if let Some(content) = root.get("content") {
        contents(&content, Channel::Assistant, &mut gather);
        tool_calls = owned(content.items().filter_map(|block| called::messages(&block)));
    }
    Answer {
        id: string(root, "id"),
        model: string(root, "model"),
        reported: usage(root),
        finish_reasons: string(root, "stop_reason").into_iter().collect(),
        tool_calls,
        slots: gather.slots,
        opaque: gather.opaque,
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::Dialect;
    use super::*;

    #[test]
    fn answers() {
        let body = r#"{"id":"msg_1","model":"claude","role":"assistant","stop_reason":"tool_use","content":[
            {"type":"thinking","thinking":"hm","signature":"s"},{"type":"text","text":"hi"},
            {"type":"tool_use","id":"t","name":"f","input":{"a":"b"}},{"type":"redacted_thinking","data":"x"}],
            "usage":{"input_tokens":5,"cache_read_input_tokens":2,"cache_creation_input_tokens":3,"output_tokens":7}}"#;
        let answer = Dialect::Messages.answer(body.as_bytes()).unwrap();
        assert_eq!(answer.finish_reasons, ["tool_use"]);
        let usage = Dialect::Messages.usage(answer.reported).unwrap();
        assert_eq!(
            (usage.input, usage.output),
            (10, 7),
            "the cached are told beside the input"
        );
        assert_eq!((usage.cache_read, usage.cache_write), (2, 3));
        let slots: Vec<_> = answer
            .slots
            .iter()
            .map(|s| (s.channel, &body[s.range.clone()]))
            .collect();
        assert_eq!(
            slots[..2],
            [(Channel::Reasoning, "hm"), (Channel::Assistant, "hi")]
        );
        assert!(slots.contains(&(Channel::ToolArguments, "b")));
        assert_eq!(answer.opaque.len(), 1);
    }
}
