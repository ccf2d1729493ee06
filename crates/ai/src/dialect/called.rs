//! Ids of the tool calls that a model asks for: whoever calls the tool hands them on, and tells its result by them.

use trilithon_wire::json::{Text, Value};

/// Of the calls in `tool_calls` of Chat Completions.
pub(super) fn chat<'d>(calls: &Value<'d>) -> impl Iterator<Item = Text<'d>> {
    calls.items().filter_map(|call| call.get("id")?.text())
}

/// Of a content block of Messages.
pub(super) fn messages<'d>(block: &Value<'d>) -> Option<Text<'d>> {
    let kind = block.get("type")?.text()?;
    kind.is("tool_use").then(|| block.get("id")?.text())?
}

/// Of an output item of Responses.
pub(super) fn responses<'d>(item: &Value<'d>) -> Option<Text<'d>> {
    let kind = item.get("type")?.text()?;
    kind.to_str()
        .ends_with("_call")
        .then(|| item.get("call_id")?.text())?
}

#[cfg(test)]
mod tests {
    use super::super::Dialect;

    #[test]
    fn whole_answers_and_streams_tell_the_same() {
        let check = |dialect: Dialect, whole: &str, events: &[&str], want: &[&str]| {
            let answer = dialect.answer(whole.as_bytes()).unwrap();
            assert_eq!(answer.tool_calls, want, "{whole}");
            let streamed = events.iter().flat_map(|data| {
                let event = dialect.event(data.as_bytes()).unwrap();
                let ids = event.tool_calls.iter().map(|id| id.to_str().into_owned());
                ids.collect::<Vec<_>>()
            });
            let mut streamed: Vec<String> = streamed.collect();
            streamed.dedup();
            assert_eq!(streamed, want, "{dialect:?}");
        };
        check(
            Dialect::Chat,
            r#"{"choices":[{"message":{"tool_calls":[{"id":"a"},{"id":"b"},{"id":7},{}]}}]}"#,
            &[
                r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"a"},{"index":1,"id":"b"}]}}]}"#,
                r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{"}}]}}]}"#,
            ],
            &["a", "b"],
        );
        check(
            Dialect::Messages,
            r#"{"content":[{"type":"text","text":"x","id":"no"},{"type":"tool_use","id":"a"},{"type":"server_tool_use","id":"no"}]}"#,
            &[
                r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
                r#"{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"a","input":{}}}"#,
            ],
            &["a"],
        );
        check(
            Dialect::Responses,
            r#"{"output":[{"type":"message","id":"no"},{"type":"function_call","id":"fc","call_id":"a"}]}"#,
            &[
                r#"{"type":"response.output_item.added","item":{"type":"function_call","call_id":"a","arguments":""}}"#,
                r#"{"type":"response.completed","response":{"output":[{"type":"function_call","call_id":"a"}]}}"#,
            ],
            &["a"],
        );
    }
}
