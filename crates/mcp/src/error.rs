//! What the gateway answers in a server's place: errors of JSON-RPC, and results that say no.

use crate::Era;
use std::fmt::Write as _;
use trilithon_wire::json::quote;

/// It is no JSON.
pub const PARSE_ERROR: i64 = -32700;
/// It is no message.
pub const INVALID_REQUEST: i64 = -32600;
/// The parameters are not those of the method.
pub const INVALID_PARAMS: i64 = -32602;
/// A header does not say what the message says (revision 2026-07-28).
pub const HEADER_MISMATCH: i64 = -32020;
/// There is no such method, or none in this revision.
pub const METHOD_NOT_FOUND: i64 = -32601;
/// The client did not say that it can be asked what the server has to ask (revision 2026-07-28).
pub const MISSING_CAPABILITY: i64 = -32021;
/// The revision is none that is spoken here (revision 2026-07-28).
pub const UNSUPPORTED_VERSION: i64 = -32022;
/// There is no such session (first era); clients open another one.
pub const NO_SESSION: i64 = -32001;
/// It failed here or at the server.
pub const INTERNAL_ERROR: i64 = -32603;

/// The code of a refusal: Traefik Hub's in the first era. The second keeps the range of JSON-RPC's own codes to itself, and everybody
/// else's are outside it.
pub fn forbidden(era: Era) -> i64 {
    match era {
        Era::Legacy => -32003,
        Era::Modern => 403,
    }
}

/// The code of a refusal by a limit, by the same reasons.
pub fn limited(era: Era) -> i64 {
    match era {
        Era::Legacy => -32029,
        Era::Modern => 429,
    }
}

/// An error. Without an `id` there is none in it, as the protocol's schema has it.
pub fn body(id: Option<&str>, code: i64, message: &str) -> Vec<u8> {
    let mut text = begin(id);
    let message = quoted(message);
    // Writing to a text does not fail.
    let _ = write!(text, "\"error\":{{\"code\":{code},\"message\":{message}}}}}");
    text.into_bytes()
}

/// The error for a revision that is not spoken here: it says which are.
pub fn unsupported_version(id: Option<&str>, asked: &str, supported: &[&str]) -> Vec<u8> {
    let mut text = begin(id);
    let supported: Vec<String> = supported.iter().map(|v| quoted(v)).collect();
    let _ = write!(
        text,
        "\"error\":{{\"code\":{UNSUPPORTED_VERSION},\"message\":\"Unsupported protocol version\",\"data\":{{\"supported\":[{}],\"requested\":{}}}}}}}",
        supported.join(","),
        quoted(asked)
    );
    text.into_bytes()
}

/// The error for a client that cannot be asked what has to be asked: `required` is what it would have to say of itself, as JSON.
pub fn missing_capability(id: Option<&str>, required: &str) -> Vec<u8> {
    let mut text = begin(id);
    let _ = write!(
        text,
        "\"error\":{{\"code\":{MISSING_CAPABILITY},\"message\":\"Missing required client capability\",\"data\":{{\"requiredCapabilities\":{required}}}}}}}"
    );
    text.into_bytes()
}

/// A tool's result that says what went wrong, for the model to read: the call is over, and the agent goes on.
pub fn tool_result(id: &str, era: Era, message: &str) -> Vec<u8> {
    let mut text = begin(Some(id));
    let kind = match era {
        Era::Legacy => "",
        Era::Modern => "\"resultType\":\"complete\",",
    };
    let message = quoted(message);
    let _ = write!(
        text,
        "\"result\":{{{kind}\"content\":[{{\"type\":\"text\",\"text\":{message}}}],\"isError\":true}}}}"
    );
    text.into_bytes()
}

fn begin(id: Option<&str>) -> String {
    match id {
        Some(id) => format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},"),
        None => "{\"jsonrpc\":\"2.0\",".to_owned(),
    }
}

fn quoted(text: &str) -> String {
    String::from_utf8(quote(text)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies() {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        assert_eq!(
            text(body(Some("7"), forbidden(Era::Legacy), "Forbidden")),
            r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32003,"message":"Forbidden"}}"#
        );
        assert_eq!(
            text(body(None, PARSE_ERROR, "a \"b\"")),
            r#"{"jsonrpc":"2.0","error":{"code":-32700,"message":"a \"b\""}}"#
        );
        assert_eq!(
            text(tool_result("\"x\"", Era::Legacy, "no")),
            r#"{"jsonrpc":"2.0","id":"x","result":{"content":[{"type":"text","text":"no"}],"isError":true}}"#
        );
        assert_eq!(
            text(unsupported_version(Some("1"), "2030-01-01", &["2026-07-28"])),
            r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32022,"message":"Unsupported protocol version","data":{"supported":["2026-07-28"],"requested":"2030-01-01"}}}"#
        );
        assert_eq!(
            text(missing_capability(Some("1"), r#"{"roots":{}}"#)),
            r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32021,"message":"Missing required client capability","data":{"requiredCapabilities":{"roots":{}}}}}"#
        );
        assert!(text(tool_result("1", Era::Modern, "no")).contains(r#""resultType":"complete""#));
        assert!(!(-32768..=-32000).contains(&forbidden(Era::Modern)));
        assert!(!(-32768..=-32000).contains(&limited(Era::Modern)));
    }
}
