//! The guards that the model server plays: an analyser with Presidio's answers, and a judge.

use serde_json::{Value, json};

/// Words that the judge calls unsafe.
const UNSAFE: [&str; 3] = ["bomb", "poison", "ignore all previous instructions"];

/// `POST /analyze`: addresses of e-mail, with offsets in characters as Presidio counts them. A list of texts gets a list.
pub fn analyze(body: &Value) -> Value {
    match &body["text"] {
        Value::Array(texts) => texts
            .iter()
            .map(|text| found(text.as_str().unwrap_or_default()))
            .collect(),
        text => found(text.as_str().unwrap_or_default()),
    }
}

fn found(text: &str) -> Value {
    let mut findings = Vec::new();
    let mut start = 0;
    for word in text.split_inclusive(char::is_whitespace) {
        let bare = word.trim_end_matches(|c: char| !c.is_alphanumeric());
        if bare
            .split_once('@')
            .is_some_and(|(user, host)| !user.is_empty() && host.contains('.'))
        {
            let end = start + bare.chars().count();
            findings.push(json!({"entity_type": "EMAIL_ADDRESS", "start": start, "end": end, "score": 1.0}));
        }
        start += word.chars().count();
    }
    findings.into()
}

/// `POST /guard`: a classifier's answer to `{"input": text}`.
pub fn judge(body: &Value) -> Value {
    let is_unsafe = is_unsafe(body["input"].as_str().unwrap_or_default());
    json!({"jailbreak": is_unsafe, "score": if is_unsafe { 0.98 } else { 0.02 }})
}

/// What the model `judge` says of a text: the two lines of Llama Guard.
pub fn opinion(text: &str) -> String {
    if is_unsafe(text) {
        "unsafe\nS9".to_owned()
    } else {
        "safe".to_owned()
    }
}

fn is_unsafe(text: &str) -> bool {
    let text = text.to_lowercase();
    UNSAFE.iter().any(|word| text.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_count_characters() {
        let found = analyze(&json!({"text": "grüße an ada@example.com!"}));
        assert_eq!(
            found,
            json!([{"entity_type": "EMAIL_ADDRESS", "start": 9, "end": 24, "score": 1.0}])
        );
        assert_eq!(analyze(&json!({"text": ["nothing", "x@y"]})), json!([[], []]));
    }
}
