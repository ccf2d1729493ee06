//! What an answer of a server says of how it went.

use trilithon_wire::json::{self, Value};

/// Why a message has no good result: the code of an error, or `tool_error`; `None` for a result, and for what is no answer.
pub fn failure(doc: &[u8]) -> Option<String> {
    // Most messages fail at nothing, and those do not name it.
    let may_fail = contains(doc, b"\"error\"") || contains(doc, b"\"isError\"");
    let root = may_fail.then(|| json::parse(doc).ok())??;
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

fn contains(doc: &[u8], part: &[u8]) -> bool {
    doc.windows(part.len()).any(|w| w == part)
}

#[cfg(test)]
mod tests {
    use super::*;

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
