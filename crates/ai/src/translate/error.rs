//! An upstream's refusal in the client's words.

use crate::dialect::Dialect;
use serde_json::{Value, json};

/// How Messages says that a context is full.
const TOO_LONG: &str = "prompt is too long";

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
    let is_too_long = told["error"]["code"] == "context_length_exceeded" || message.starts_with(TOO_LONG);
    let told = match to {
        // Clients know it by how it begins.
        Dialect::Messages if is_too_long && !message.starts_with(TOO_LONG) => {
            to.error(status, &format!("{TOO_LONG}: {message}"))
        }
        _ => to.error(status, message),
    };
    if is_too_long && to == Dialect::Chat {
        let mut coded: Value = serde_json::from_slice(&told).unwrap_or_default();
        coded["error"]["code"] = json!("context_length_exceeded");
        return (status, coded.to_string().into_bytes());
    }
    (status, told)
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
        let full = r#"{"error":{"message":"at most 9 tokens","code":"context_length_exceeded"}}"#;
        check(
            Dialect::Messages,
            400,
            full,
            400,
            r#""message":"prompt is too long: at most 9 tokens""#,
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
