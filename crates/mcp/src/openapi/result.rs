//! What an API answered, as a tool's result.

use super::output::fitting;
use crate::Era;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// An answer that was read whole, or the beginning of one that is too large.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer<'a> {
    pub status: u16,
    /// The status in words.
    pub reason: &'a str,
    /// `Content-Type`, as it came.
    pub kind: &'a str,
    pub body: &'a [u8],
    /// What was asked: names what comes as bytes.
    pub target: &'a str,
    /// What a structured result has to fit, where the tool says so.
    pub schema: Option<&'a Value>,
}

/// The result: text and, for a JSON object, the object, or what of it fits the tool's schema; pictures and sounds as such; other bytes
/// as a resource. `isError` for 4xx and 5xx.
pub fn result(era: Era, answer: &Answer<'_>) -> Value {
    let failed = answer.status >= 400;
    let kind = answer
        .kind
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    let text = std::str::from_utf8(answer.body).ok();
    let mut result = match (text, kind.split('/').next()) {
        (_, Some(media @ ("image" | "audio"))) if !failed && kind != "image/svg+xml" => {
            let data = STANDARD.encode(answer.body);
            json!({"content": [{"type": media, "data": data, "mimeType": kind}]})
        }
        (Some(text), _) => of_text(answer, text, failed),
        (None, _) => {
            let kind = if kind.is_empty() {
                "application/octet-stream"
            } else {
                &kind
            };
            let blob = STANDARD.encode(answer.body);
            let resource = json!({"uri": format!("api:{}", answer.target), "mimeType": kind, "blob": blob});
            json!({"content": [{"type": "resource", "resource": resource}]})
        }
    };
    if failed {
        result["isError"] = true.into();
    } else if answer.schema.is_some() && result.get("structuredContent").is_none() {
        // A tool that says what its results are has to give one; none of its members is asked for.
        result["structuredContent"] = json!({});
    }
    if era == Era::Modern {
        result["resultType"] = "complete".into();
    }
    result
}

fn of_text(answer: &Answer<'_>, text: &str, failed: bool) -> Value {
    let status = format!("{} {}", answer.status, answer.reason);
    let said = match (failed, text.trim().is_empty()) {
        (_, true) => status,
        (true, false) => format!("{status}\n{text}"),
        (false, false) => text.to_owned(),
    };
    let mut result = json!({"content": [{"type": "text", "text": said}]});
    let object = trilithon_wire::json::tree(answer.body)
        .ok()
        .filter(Value::is_object);
    if let Some(object) = object {
        result["structuredContent"] = match answer.schema {
            Some(schema) => fitting(schema, object),
            None => object,
        };
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(status: u16, reason: &str, kind: &str, body: &[u8], want: Value) {
        let answer = Answer {
            status,
            reason,
            kind,
            body,
            target: "/pets/7",
            schema: None,
        };
        assert_eq!(result(Era::Legacy, &answer), want);
    }

    #[test]
    fn results_of_tools_that_say_what_they_are() {
        let schema = json!({"type": "object", "properties": {"id": {"type": "integer"}}});
        let check = |status: u16, body: &str, want: Option<Value>| {
            let answer = Answer {
                status,
                kind: "application/json",
                body: body.as_bytes(),
                schema: Some(&schema),
                ..Answer::default()
            };
            assert_eq!(
                result(Era::Legacy, &answer).get("structuredContent"),
                want.as_ref(),
                "{body}"
            );
        };
        check(200, r#"{"id":7,"more":1}"#, Some(json!({"id": 7, "more": 1})));
        check(200, r#"{"id":"7","more":1}"#, Some(json!({"more": 1})));
        check(200, "[7]", Some(json!({})));
        check(204, "", Some(json!({})));
        check(404, r#"{"id":"none"}"#, Some(json!({})));
        check(404, "no", None);
    }

    #[test]
    fn results() {
        let text = |text: &str| json!([{"type": "text", "text": text}]);
        check(
            200,
            "OK",
            "application/json; charset=utf-8",
            br#"{"id":7}"#,
            json!({"content": text(r#"{"id":7}"#), "structuredContent": {"id": 7}}),
        );
        check(
            200,
            "OK",
            "application/json",
            b"[1]",
            json!({"content": text("[1]")}),
        );
        check(
            204,
            "No Content",
            "",
            b"",
            json!({"content": text("204 No Content")}),
        );
        check(
            404,
            "Not Found",
            "application/problem+json",
            br#"{"title":"no"}"#,
            json!({"content": text("404 Not Found\n{\"title\":\"no\"}"), "structuredContent": {"title": "no"}, "isError": true}),
        );
        check(
            200,
            "OK",
            "image/png",
            &[0x89, 0x50],
            json!({"content": [{"type": "image", "data": "iVA=", "mimeType": "image/png"}]}),
        );
        check(
            200,
            "OK",
            "application/pdf",
            &[0xff, 0xfe],
            json!({"content": [{"type": "resource",
                "resource": {"uri": "api:/pets/7", "mimeType": "application/pdf", "blob": "//4="}}]}),
        );
        let modern = result(
            Era::Modern,
            &Answer {
                status: 200,
                ..Answer::default()
            },
        );
        assert_eq!(modern["resultType"], "complete");
    }
}
