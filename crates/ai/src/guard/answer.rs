//! What a model that is asked as a judge has said: the text of its answer, by the format that it was asked in.

use serde_json::Value;

/// The text of a Chat Completions answer: its first choice's.
///
/// # Errors
/// It is none, or the model refused or did not come to an end.
pub fn chat_completion(body: &[u8]) -> Result<String, &'static str> {
    let body: Value = serde_json::from_slice(body).map_err(|_| "the answer is no JSON")?;
    let choice = body.pointer("/choices/0").ok_or("the answer has no choice")?;
    if choice.get("finish_reason").and_then(Value::as_str) == Some("length") {
        return Err("the answer was cut off");
    }
    let content = choice.pointer("/message/content").and_then(Value::as_str);
    content.map(str::to_owned).ok_or("the answer has no text")
}

/// The text of a Responses answer: that of all its messages.
///
/// # Errors
/// It is none, or the model refused or did not come to an end.
pub fn responses_api(body: &[u8]) -> Result<String, &'static str> {
    let body: Value = serde_json::from_slice(body).map_err(|_| "the answer is no JSON")?;
    if body
        .get("status")
        .and_then(Value::as_str)
        .is_some_and(|s| s != "completed")
    {
        return Err("the answer was cut off");
    }
    let output = body
        .get("output")
        .and_then(Value::as_array)
        .ok_or("the answer has no output")?;
    let of_type = |value: &&Value, name: &str| value.get("type").and_then(Value::as_str) == Some(name);
    let messages = output.iter().filter(|item| of_type(item, "message"));
    let parts = messages.flat_map(|item| {
        item.get("content")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
    });
    let texts: Vec<&str> = parts
        .filter(|part| of_type(part, "output_text"))
        .filter_map(|part| part.get("text").and_then(Value::as_str))
        .collect();
    if texts.is_empty() {
        return Err("the answer has no text");
    }
    Ok(texts.concat())
}

/// The body of any other service's answer.
///
/// # Errors
/// It is not UTF-8.
pub fn custom(body: &[u8]) -> Result<String, &'static str> {
    let text = std::str::from_utf8(body).map_err(|_| "the answer is not UTF-8")?;
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts() {
        let check =
            |read: fn(&[u8]) -> Result<String, &'static str>, body: &str, want: Result<&str, &str>| {
                assert_eq!(read(body.as_bytes()).as_deref().map_err(|e| *e), want, "{body}");
            };
        let chat = r#"{"choices":[{"message":{"content":"unsafe\nS1"},"finish_reason":"stop"}]}"#;
        check(chat_completion, chat, Ok("unsafe\nS1"));
        check(chat_completion, "x", Err("the answer is no JSON"));
        check(
            chat_completion,
            r#"{"choices":[]}"#,
            Err("the answer has no choice"),
        );
        check(
            chat_completion,
            r#"{"choices":[{"message":{"content":null}}]}"#,
            Err("the answer has no text"),
        );
        let cut = r#"{"choices":[{"message":{"content":"s"},"finish_reason":"length"}]}"#;
        check(chat_completion, cut, Err("the answer was cut off"));
        let output = r#"{"status":"completed","output":[{"type":"reasoning","content":[{"type":"output_text","text":"hm"}]},
            {"type":"message","content":[{"type":"output_text","text":"un"},{"type":"output_text","text":"safe"}]}]}"#;
        check(responses_api, output, Ok("unsafe"));
        check(
            responses_api,
            r#"{"status":"incomplete","output":[]}"#,
            Err("the answer was cut off"),
        );
        check(responses_api, r#"{"output":[]}"#, Err("the answer has no text"));
        check(custom, "{\"score\":1}", Ok("{\"score\":1}"));
        assert!(custom(b"\xff").is_err());
    }
}
