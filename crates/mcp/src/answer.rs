//! What an answer of a server says of how it went, and what can stand in the place of one.

use trilithon_wire::contains;
use trilithon_wire::json::{self, Kind, Value};

/// Why a message has no good result: the code of an error, or `tool_error`; `None` for a result, and for what is no answer.
pub fn failure(doc: &[u8]) -> Option<String> {
    // Most messages fail at nothing, and those name neither `error` nor `isError`.
    let root = contains(doc, b"rror\"").then(|| json::parse(doc).ok())??;
    if root.get("method").is_some() {
        return None;
    }
    if let Some(error) = root.get("error") {
        let code = error.get("code").map(|code| code.raw().to_owned());
        return Some(code.unwrap_or_else(|| "error".to_owned()));
    }
    let says_so = root
        .get("result")?
        .get("isError")
        .as_ref()
        .and_then(Value::as_bool)?;
    says_so.then(|| "tool_error".to_owned())
}

/// What became of a call of a tool.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It is no answer, or one that asks for more before the tool does anything.
    Open,
    /// There is no result, or one that says that it failed.
    Failed,
    /// The structured result; else the only text of it where that is JSON; else null.
    Done(serde_json::Value),
}

/// What an answer to `tools/call` says.
pub fn outcome(doc: &[u8]) -> Outcome {
    let Ok(root) = json::parse(doc) else {
        return Outcome::Open;
    };
    let Ok([method, result, error]) = root.fields(["method", "result", "error"]) else {
        return Outcome::Failed;
    };
    match (method, result, error) {
        (None, Some(result), None) => done(&result),
        (None, None, Some(_)) => Outcome::Failed,
        _ => Outcome::Open,
    }
}

fn done(result: &Value<'_>) -> Outcome {
    let names = ["isError", "resultType", "structuredContent", "content"];
    let Ok([is_error, kind, structured, content]) = result.fields(names) else {
        return Outcome::Failed;
    };
    if kind
        .and_then(|k| k.text())
        .is_some_and(|kind| !kind.is("complete"))
    {
        return Outcome::Open;
    }
    if is_error.as_ref().and_then(Value::as_bool) == Some(true) {
        return Outcome::Failed;
    }
    let text = || only_text(&content?);
    let found = match structured {
        Some(structured) => json::tree(structured.raw().as_bytes()).ok(),
        None => text().and_then(|text| json::tree(text.as_bytes()).ok()),
    };
    Outcome::Done(found.unwrap_or_default())
}

/// The text of a result that is nothing else.
fn only_text(content: &Value<'_>) -> Option<String> {
    let mut items = content.items();
    let item = items.next().filter(|item| item.kind() == Kind::Object)?;
    let text = item.get("text")?.text()?.to_str().into_owned();
    items.next().is_none().then_some(text)
}

/// What can stand in the place of a message of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Another answer, to the same question.
    Answer(Vec<u8>),
    /// Nothing: nobody waits for it.
    Told,
    /// Nothing that the server would see: it asks, and the client would answer.
    Question,
}

/// Finds the place of a message, or of several in an array; `answer` makes the answer to a question with this `id`.
pub fn place(doc: &[u8], answer: impl Fn(&str) -> Vec<u8>) -> Place {
    let Ok(root) = json::parse(doc) else {
        // Whoever asked gets no other answer.
        return Place::Question;
    };
    if root.kind() != Kind::Array {
        return place_of(&root, &answer);
    }
    let mut answers = Vec::new();
    for message in root.items() {
        match place_of(&message, &answer) {
            Place::Answer(one) => answers.push(one),
            Place::Told => {}
            Place::Question => return Place::Question,
        }
    }
    match answers.is_empty() {
        true => Place::Told,
        false => Place::Answer([b"[", &*answers.join(&b","[..]), b"]"].concat()),
    }
}

fn place_of(message: &Value<'_>, answer: &impl Fn(&str) -> Vec<u8>) -> Place {
    match (message.get("id"), message.get("method")) {
        (Some(id), None) => Place::Answer(answer(id.raw())),
        (Some(_), Some(_)) => Place::Question,
        (None, Some(_)) => Place::Told,
        (None, None) => Place::Question,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes() {
        use serde_json::{Value, json};
        let check = |doc: &str, want: Outcome| assert_eq!(outcome(doc.as_bytes()), want, "{doc}");
        let done = |value: Value| Outcome::Done(value);
        check(
            r#"{"id":1,"result":{"structuredContent":{"id":7},"content":[{"type":"text","text":"x"}]}}"#,
            done(json!({"id": 7})),
        );
        check(
            r#"{"id":1,"result":{"resultType":"complete","content":[{"type":"text","text":"{\"id\":7}"}]}}"#,
            done(json!({"id": 7})),
        );
        check(
            r#"{"id":1,"result":{"content":[{"type":"text","text":"done"}]}}"#,
            done(Value::Null),
        );
        check(
            r#"{"id":1,"result":{"content":[{"type":"text","text":"1"},{"type":"text","text":"2"}]}}"#,
            done(Value::Null),
        );
        check(
            r#"{"id":1,"result":{"content":[],"isError":true}}"#,
            Outcome::Failed,
        );
        check(r#"{"id":1,"error":{"code":-32602}}"#, Outcome::Failed);
        check(
            r#"{"id":1,"result":{},"result":{"isError":true}}"#,
            Outcome::Failed,
        );
        check(
            r#"{"id":1,"result":{"resultType":"input_required"}}"#,
            Outcome::Open,
        );
        check(
            r#"{"method":"notifications/progress","params":{}}"#,
            Outcome::Open,
        );
        check("{", Outcome::Open);
    }

    #[test]
    fn places() {
        let check = |doc: &str, want: Place| {
            let got = place(doc.as_bytes(), |id| format!("E{id}").into_bytes());
            assert_eq!(got, want, "{doc}");
        };
        let answer = |text: &str| Place::Answer(text.into());
        check(r#"{"id":7,"result":{}}"#, answer("E7"));
        check(r#"{"id":"a","error":{}}"#, answer("E\"a\""));
        check(r#"{"method":"notifications/message"}"#, Place::Told);
        check(r#"{"id":1,"method":"sampling/createMessage"}"#, Place::Question);
        check(
            r#"[{"id":1,"result":{}},{"method":"n"},{"id":2,"result":{}}]"#,
            answer("[E1,E2]"),
        );
        check(r#"[{"method":"n"}]"#, Place::Told);
        check("{", Place::Question);
        check("{}", Place::Question);
    }

    #[test]
    fn failures() {
        let check = |doc: &str, want: Option<&str>| {
            assert_eq!(failure(doc.as_bytes()).as_deref(), want, "{doc}");
        };
        check(r#"{"jsonrpc":"2.0","id":1,"result":{"content":[]}}"#, None);
        check(r#"{"jsonrpc":"2.0","id":1,"result":{"isError":false}}"#, None);
        check(
            r#"{"jsonrpc":"2.0","id":1,"result":{"isError":true}}"#,
            Some("tool_error"),
        );
        check(
            r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32602}}"#,
            Some("-32602"),
        );
        check(r#"{"jsonrpc":"2.0","error":{}}"#, Some("error"));
        check(r#"{"jsonrpc":"2.0","method":"x","params":{"error":1}}"#, None);
        check(r#"{"error""#, None);
    }
}
