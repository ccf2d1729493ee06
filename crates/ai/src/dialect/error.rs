//! Errors as clients of a dialect expect them.

use super::Dialect;
use serde_json::{Value, json};

/// The body of an answer with this status.
pub(super) fn body(dialect: Dialect, status: u16, message: &str, param: Option<&str>) -> Vec<u8> {
    value(dialect, status, message, param).to_string().into_bytes()
}

/// The same before it is text.
pub(super) fn value(dialect: Dialect, status: u16, message: &str, param: Option<&str>) -> Value {
    let kind = kind(dialect, status);
    match dialect {
        Dialect::Chat | Dialect::Responses => json!({
            "error": { "message": message, "type": kind, "param": param, "code": null }
        }),
        Dialect::Messages => json!({ "type": "error", "error": { "type": kind, "message": message } }),
    }
}

/// The type of an error, by the status it comes with.
fn kind(dialect: Dialect, status: u16) -> &'static str {
    match (dialect, status) {
        (Dialect::Messages, 401) => "authentication_error",
        (Dialect::Messages, 402) => "billing_error",
        (Dialect::Messages, 403) => "permission_error",
        (Dialect::Messages, 404) => "not_found_error",
        (Dialect::Messages, 413) => "request_too_large",
        (Dialect::Messages, 429) => "rate_limit_error",
        (Dialect::Messages, 504) => "timeout_error",
        (Dialect::Messages, 529) => "overloaded_error",
        (Dialect::Messages, 500..) => "api_error",
        (_, 429) => "rate_limit_exceeded",
        (_, 500..) => "server_error",
        _ => "invalid_request_error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_look_as_clients_expect() {
        let check = |dialect: Dialect, status, param, want: &str| {
            let got = String::from_utf8(body(dialect, status, "no", param)).unwrap();
            assert_eq!(got, want, "{dialect:?} {status}");
        };
        check(
            Dialect::Chat,
            400,
            Some("model"),
            r#"{"error":{"message":"no","type":"invalid_request_error","param":"model","code":null}}"#,
        );
        check(
            Dialect::Responses,
            429,
            None,
            r#"{"error":{"message":"no","type":"rate_limit_exceeded","param":null,"code":null}}"#,
        );
        check(
            Dialect::Messages,
            413,
            None,
            r#"{"type":"error","error":{"type":"request_too_large","message":"no"}}"#,
        );
        check(
            Dialect::Messages,
            503,
            None,
            r#"{"type":"error","error":{"type":"api_error","message":"no"}}"#,
        );
    }
}
