//! The headers of Streamable HTTP. From revision 2026-07-28 on they repeat parts of the message, for those who do not read it; whoever
//! does must see that both say the same.

use crate::Message;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::borrow::Cow;
use trilithon_wire::{Headers, Known};

/// The session of the first era.
pub const SESSION_ID: &str = "Mcp-Session-Id";
/// The revision that a request follows.
pub const PROTOCOL_VERSION: &str = "MCP-Protocol-Version";
/// The message's method.
pub const METHOD: &str = "Mcp-Method";
/// The name or address of what is asked for.
pub const NAME: &str = "Mcp-Name";

/// A header that does not say what the message says, or says it twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mismatch(pub &'static str);

/// Looks whether the headers say what the message says. A header that is not there is the server's to miss: decisions are made by
/// the message.
///
/// # Errors
/// The first one that does not.
pub fn verify(headers: &Headers, message: &Message<'_>) -> Result<(), Mismatch> {
    // What `initialize` offers is not yet what requests follow.
    let version = message.version().filter(|_| message.method() != "initialize");
    let said = [
        (
            Known::McpMethod,
            METHOD,
            Some(message.method()).filter(|m| !m.is_empty()),
        ),
        (Known::McpName, NAME, message.name()),
        (Known::McpProtocolVersion, PROTOCOL_VERSION, version),
    ];
    for (known, header, said) in said {
        if !headers.has(known) {
            continue;
        }
        let mut lines = headers.get_all(header.as_bytes());
        let Some(line) = lines.next() else { continue };
        let same = said.is_none_or(|said| decoded(line).is_some_and(|line| *line == *said.as_bytes()));
        if !same || lines.next().is_some() {
            return Err(Mismatch(header));
        }
    }
    Ok(())
}

/// The first of the headers that a request of the second era must have and this one has not.
pub fn missing(headers: &Headers, message: &Message<'_>) -> Option<&'static str> {
    let named = matches!(message.method(), "tools/call" | "prompts/get" | "resources/read");
    let wanted = [PROTOCOL_VERSION, METHOD]
        .into_iter()
        .chain(named.then_some(NAME));
    wanted.into_iter().find(|name| !headers.contains(name))
}

/// A text as the value of a header: in Base64 where it is no plain text, or looks as if it were in Base64.
pub fn encode(text: &str) -> Cow<'_, str> {
    let plain = text.bytes().all(|b| b == b' ' || b.is_ascii_graphic());
    match plain && text.trim() == text && !text.starts_with("=?base64?") {
        true => text.into(),
        false => format!("=?base64?{}?=", STANDARD.encode(text)).into(),
    }
}

/// The value of a header; in Base64 between `=?base64?` and `?=` where it is no plain text. `None` when that cannot be read.
pub(crate) fn decoded(line: &[u8]) -> Option<Cow<'_, [u8]>> {
    let coded = line
        .strip_prefix(b"=?base64?")
        .and_then(|l| l.strip_suffix(b"?="));
    match coded {
        Some(coded) => STANDARD.decode(coded).ok().map(Cow::Owned),
        None => Some(Cow::Borrowed(line)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"añadir","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}"#;

    #[track_caller]
    fn check(body: &str, sent: &[(&str, &str)], want: Result<(), &'static str>) {
        let headers: Headers = sent.iter().copied().collect();
        let message = Message::read(body.as_bytes()).unwrap();
        assert_eq!(verify(&headers, &message).map_err(|m| m.0), want, "{sent:?}");
    }

    #[test]
    fn headers_say_what_the_message_says() {
        let name = "=?base64?YcOxYWRpcg==?=";
        check(CALL, &[], Ok(()));
        check(
            CALL,
            &[
                (METHOD, "tools/call"),
                (NAME, name),
                (PROTOCOL_VERSION, "2026-07-28"),
            ],
            Ok(()),
        );
        check(CALL, &[(METHOD, "tools/list")], Err(METHOD));
        check(CALL, &[("mcp-method", "Tools/call")], Err(METHOD));
        check(CALL, &[(NAME, "add")], Err(NAME));
        check(CALL, &[(NAME, "=?base64?YWRk?=")], Err(NAME));
        check(CALL, &[(NAME, "=?base64?%%?=")], Err(NAME));
        check(CALL, &[(NAME, name), (NAME, name)], Err(NAME));
        check(CALL, &[(PROTOCOL_VERSION, "2025-11-25")], Err(PROTOCOL_VERSION));
        let list = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
        check(
            list,
            &[(NAME, "whatever"), (PROTOCOL_VERSION, "2025-11-25")],
            Ok(()),
        );
    }

    #[test]
    fn headers_that_are_missing() {
        let message = Message::read(CALL.as_bytes()).unwrap();
        let check = |sent: &[&str], want: Option<&str>| {
            let headers: Headers = sent.iter().map(|name| (*name, "x")).collect();
            assert_eq!(missing(&headers, &message), want, "{sent:?}");
        };
        check(&[], Some(PROTOCOL_VERSION));
        check(&[PROTOCOL_VERSION, NAME], Some(METHOD));
        check(&["mcp-method", PROTOCOL_VERSION], Some(NAME));
        check(&[NAME, METHOD, PROTOCOL_VERSION], None);
    }

    #[test]
    fn names_as_headers() {
        let check = |text: &str, want: &str| {
            assert_eq!(encode(text), want);
            assert_eq!(decoded(want.as_bytes()).as_deref(), Some(text.as_bytes()));
        };
        check("add", "add");
        check("a b", "a b");
        check(" a", "=?base64?IGE=?=");
        check("a\u{f1}adir", "=?base64?YcOxYWRpcg==?=");
        check("=?base64?x?=", "=?base64?PT9iYXNlNjQ/eD89?=");
    }

    #[test]
    fn what_is_offered_is_not_what_is_followed() {
        let initialize =
            r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25"}}"#;
        check(initialize, &[(PROTOCOL_VERSION, "2025-06-18")], Ok(()));
    }
}
