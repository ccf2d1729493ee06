//! What tells once more, token by token, what a text of an answer says: the log probabilities of its tokens. Where
//! something of a text is hidden, they would show it.

use super::Dialect;
use std::ops::Range;
use trilithon_wire::contains;
use trilithon_wire::json::{self, Kind, Value};

/// Where a body or an event tells of tokens, and what may stand there instead.
pub(super) fn find(dialect: Dialect, data: &[u8]) -> Vec<(Range<usize>, &'static str)> {
    let mut found = Vec::new();
    if contains(data, b"logprobs")
        && let Ok(root) = json::parse(data)
    {
        match dialect {
            Dialect::Chat => {
                let choices = root.get("choices");
                choices
                    .iter()
                    .flat_map(Value::items)
                    .for_each(|choice| own(&choice, &mut found));
            }
            Dialect::Responses => within(&root, &mut found),
            // It has none.
            Dialect::Messages => {}
        }
    }
    found
}

fn own(value: &Value<'_>, found: &mut Vec<(Range<usize>, &'static str)>) {
    let Some(tokens) = value.get("logprobs") else {
        return;
    };
    match tokens.kind() {
        Kind::Array => found.push((tokens.range(), "[]")),
        Kind::Object => found.push((tokens.range(), "null")),
        _ => {}
    }
}

/// An event, or what it tells of: response, items, parts.
fn within(value: &Value<'_>, found: &mut Vec<(Range<usize>, &'static str)>) {
    own(value, found);
    for name in ["response", "item", "part", "output", "content"] {
        if let Some(inner) = value.get(name) {
            match inner.kind() {
                Kind::Array => inner.items().for_each(|item| within(&item, found)),
                _ => within(&inner, found),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_found() {
        let check = |dialect: Dialect, data: &str, want: &[&str]| {
            let found = find(dialect, data.as_bytes());
            let got: Vec<&str> = found.into_iter().map(|(range, _)| &data[range]).collect();
            assert_eq!(got, want, "{data}");
        };
        check(
            Dialect::Chat,
            r#"{"choices":[{"delta":{"content":"a"},"logprobs":{"content":[1]}},{"logprobs":null}]}"#,
            &[r#"{"content":[1]}"#],
        );
        check(
            Dialect::Responses,
            r#"{"delta":"a","logprobs":[{"token":"a"}]}"#,
            &[r#"[{"token":"a"}]"#],
        );
        check(
            Dialect::Responses,
            r#"{"response":{"output":[{"content":[{"text":"a","logprobs":[2]}],"arguments":{"logprobs":[3]}}]}}"#,
            &["[2]"],
        );
        check(Dialect::Messages, r#"{"logprobs":[1]}"#, &[]);
    }
}
