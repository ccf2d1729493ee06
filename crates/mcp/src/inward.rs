//! Messages of a client on their way to one server of several: what they name is written as the server knows it, and every
//! other byte stays.

use crate::{Message, part, tag};
use std::borrow::Cow;
use trilithon_wire::json::{Splice, Value, quote};

/// What a message names, by which its server is found.
#[derive(Clone, Debug)]
pub enum Named<'j> {
    /// A tool or a prompt.
    Name(Value<'j>),
    /// A resource, or a template of addresses.
    Uri(Value<'j>),
}

impl<'j> Named<'j> {
    /// What `message` names, for the methods that are for one server.
    pub fn of(message: &Message<'j>) -> Option<Named<'j>> {
        let part = |part| message.value(part).filter(|v| v.text().is_some());
        let text = |object: &Value<'j>, name| object.get(name).filter(|v| v.text().is_some());
        match message.method() {
            "tools/call" | "prompts/get" => part(part::NAME).map(Named::Name),
            "resources/read" | "resources/subscribe" | "resources/unsubscribe" => {
                part(part::URI).map(Named::Uri)
            }
            "completion/complete" => {
                let subject = message.params()?.get("ref")?;
                let name = text(&subject, "name").map(Named::Name);
                name.or_else(|| text(&subject, "uri").map(Named::Uri))
            }
            _ => None,
        }
    }

    /// As the client wrote it.
    pub fn text(&self) -> Cow<'j, str> {
        let (Named::Name(value) | Named::Uri(value)) = self;
        value.text().map(|t| t.to_str()).unwrap_or_default()
    }

    /// The message with `inner` in its place.
    pub fn replaced(&self, message: &[u8], inner: &str) -> Vec<u8> {
        let (Named::Name(value) | Named::Uri(value)) = self;
        let mut splice = Splice::new();
        // There is one replacement.
        let _ = splice.replace(value.range(), quote(inner));
        splice.apply(message)
    }
}

/// The message with another `cursor`, which it has.
pub fn with_cursor(message: &Message<'_>, body: &[u8], cursor: &str) -> Vec<u8> {
    let mut splice = Splice::new();
    if let Some(value) = message.params().and_then(|params| params.get("cursor")) {
        // There is one replacement.
        let _ = splice.replace(value.range(), quote(cursor));
    }
    splice.apply(body)
}

/// A message that subscribes, with those of the addresses that `own` knows, as it knows them.
pub fn with_subscriptions(
    message: &Message<'_>,
    body: &[u8],
    own: impl Fn(&str) -> Option<String>,
) -> Vec<u8> {
    let wanted = message.params().and_then(|params| params.get("notifications"));
    let uris = wanted.and_then(|wanted| wanted.get("resourceSubscriptions"));
    let mut splice = Splice::new();
    if let Some(uris) = uris {
        let kept = uris.items().filter_map(|uri| own(&uri.text()?.to_str()));
        let kept: Vec<String> = kept
            .map(|uri| String::from_utf8(quote(&uri)).unwrap_or_default())
            .collect();
        // There is one replacement.
        let _ = splice.replace(uris.range(), format!("[{}]", kept.join(",")));
    }
    splice.apply(body)
}

/// The server that a client's answer or progress is for, and the message with that server's own number in it; `None` for one that
/// is about nothing that a server numbered.
pub fn returned(message: &Message<'_>, body: &[u8]) -> Option<(String, Vec<u8>)> {
    let number = match message.method() {
        "" => message.id.clone(),
        "notifications/progress" => message.params()?.get("progressToken"),
        _ => None,
    }?;
    let (server, own) = tag::parted(&number)?;
    let mut splice = Splice::new();
    // There is one replacement.
    let _ = splice.replace(number.range(), own);
    Some((server, splice.apply(body)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: Vec<u8>) -> String {
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn names_are_replaced_alone() {
        let check = |doc: &str, named: &str, inner: &str, want: &str| {
            let message = Message::read(doc.as_bytes()).unwrap();
            let found = Named::of(&message).unwrap();
            assert_eq!(found.text(), named, "{doc}");
            assert_eq!(text(found.replaced(doc.as_bytes(), inner)), want, "{doc}");
        };
        check(
            r#"{ "jsonrpc":"2.0","id":1,"method":"tools/call","params":{"arguments":{"name":"x",  "n":1.50},"name":"files_read"}}"#,
            "files_read",
            "read",
            r#"{ "jsonrpc":"2.0","id":1,"method":"tools/call","params":{"arguments":{"name":"x",  "n":1.50},"name":"read"}}"#,
        );
        check(
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"files_\u0061b"}}"#,
            "files_ab",
            "ab",
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"ab"}}"#,
        );
        check(
            r#"{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"f+file:///a"}}"#,
            "f+file:///a",
            "file:///a",
            r#"{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"file:///a"}}"#,
        );
        check(
            r#"{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":{"type":"ref/resource","uri":"f+a:{x}"},"argument":{"name":"uri","value":""}}}"#,
            "f+a:{x}",
            "a:{x}",
            r#"{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":{"type":"ref/resource","uri":"a:{x}"},"argument":{"name":"uri","value":""}}}"#,
        );
        check(
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a"}}"#,
            "a",
            "a",
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a"}}"#,
        );
    }

    #[test]
    fn what_names_nothing() {
        for doc in [
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":7}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"resources/subscribe","params":{}}"#,
            r#"{"jsonrpc":"2.0","id":1,"result":{}}"#,
        ] {
            assert!(
                Named::of(&Message::read(doc.as_bytes()).unwrap()).is_none(),
                "{doc}"
            );
        }
    }

    #[test]
    fn what_returns_finds_its_server() {
        let check = |doc: &str, want: Option<(&str, &str)>| {
            let message = Message::read(doc.as_bytes()).unwrap();
            let got = returned(&message, doc.as_bytes()).map(|(server, doc)| (server, text(doc)));
            assert_eq!(got, want.map(|(s, d)| (s.to_owned(), d.to_owned())), "{doc}");
        };
        check(
            r#"{"jsonrpc":"2.0","id":"files:7","result":{"id":"files:7"}}"#,
            Some(("files", r#"{"jsonrpc":"2.0","id":7,"result":{"id":"files:7"}}"#)),
        );
        check(
            r#"{"jsonrpc":"2.0","id":"files:\"a\"","error":{"code":-1,"message":"no"}}"#,
            Some((
                "files",
                r#"{"jsonrpc":"2.0","id":"a","error":{"code":-1,"message":"no"}}"#,
            )),
        );
        check(
            r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"files:1","progress":1}}"#,
            Some((
                "files",
                r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1}}"#,
            )),
        );
        check(r#"{"jsonrpc":"2.0","id":7,"result":{}}"#, None);
        check(r#"{"jsonrpc":"2.0","id":"files:7","method":"ping"}"#, None);
    }

    #[test]
    fn each_server_is_subscribed_to_its_own() {
        let doc = r#"{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":{"toolsListChanged":true,"resourceSubscriptions":["f+a:1","b:1",7]}}}"#;
        let message = Message::read(doc.as_bytes()).unwrap();
        let own = |uri: &str| uri.strip_prefix("f+").map(str::to_owned);
        assert_eq!(
            text(with_subscriptions(&message, doc.as_bytes(), own)),
            r#"{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":{"toolsListChanged":true,"resourceSubscriptions":["a:1"]}}}"#
        );
    }

    #[test]
    fn a_cursor_is_replaced() {
        let doc = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"cursor":"v1.x","_meta":{}}}"#;
        let message = Message::read(doc.as_bytes()).unwrap();
        assert_eq!(
            text(with_cursor(&message, doc.as_bytes(), "a\"b")),
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"cursor":"a\"b","_meta":{}}}"#
        );
    }
}
