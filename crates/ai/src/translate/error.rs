//! An upstream's refusal in the client's words.

use crate::dialect::Dialect;
use serde_json::{Value, json};

/// Translates the body of an error of the other dialect for clients of `to`; gives the status that belongs to it. A body that
/// is none of the dialect's is not shown.
pub fn error(to: Dialect, status: u16, body: &[u8]) -> (u16, Vec<u8>) {
    let told: Value = serde_json::from_slice(body).unwrap_or_default();
    let message = told["error"]["message"].as_str();
    let message = message.unwrap_or("the model's server answered with an error");
    // Only Messages knows 529.
    let status = if status == 529 && to != Dialect::Messages {
        503
    } else {
        status
    };
    let is_too_long =
        told["error"]["code"] == "context_length_exceeded" || message.starts_with("prompt is too long");
    let mut body = to.error(status, message);
    if is_too_long && to == Dialect::Chat {
        let mut coded: Value = serde_json::from_slice(&body).unwrap_or_default();
        coded["error"]["code"] = json!("context_length_exceeded");
        body = coded.to_string().into_bytes();
    }
    (status, body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_keep_what_clients_act_on() {
        let check = |to, status, body: &str, want_status, want: &str| {
            let (status, body) = error(to, status, body.as_bytes());
            let body = String::from_utf8(body).unwrap();
            assert_eq!(status, want_status);
            assert!(body.contains(want), "{body}");
        };
        let overloaded = r#"{"type":"error","error":{"type":"overloaded_error","message":"busy"}}"#;
        check(
            Dialect::Chat,
            529,
            overloaded,
            503,
            r#""message":"busy","type":"server_error""#,
        );
        let long = r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 2 > 1"}}"#;
        check(
            Dialect::Chat,
            400,
            long,
            400,
            r#""code":"context_length_exceeded""#,
        );
        let limited = r#"{"error":{"message":"slow down","type":"rate_limit_error","code":null}}"#;
        check(
            Dialect::Messages,
            429,
            limited,
            429,
            r#"{"type":"rate_limit_error","message":"slow down"}"#,
        );
        check(
            Dialect::Messages,
            502,
            "<html>secret</html>",
            502,
            "answered with an error",
        );
    }
}
