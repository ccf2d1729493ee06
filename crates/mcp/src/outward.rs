//! Messages of one server of several on their way to a client: addresses are written as the client knows them, and what the server
//! numbered gets the server's name; every other byte stays.

use crate::{Naming, tag};
use trilithon_wire::contains;
use trilithon_wire::json::{self, Kind as Json, Splice, Value, Wanted, quote};

/// A message, as it goes on.
#[derive(Debug, PartialEq, Eq)]
pub struct Passed {
    pub kind: Kind,
    /// It says that it is a message of JSON-RPC.
    pub is_rpc: bool,
    /// `None` when it stays as it is.
    pub doc: Option<Vec<u8>>,
}

/// What a server says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It asks the client.
    Request,
    Notification,
    /// It answers the client.
    Answer,
}

const MESSAGE: &[Wanted] = &[
    Wanted::new("jsonrpc", 0),
    Wanted::new("id", 1),
    Wanted::new("method", 2),
    Wanted::new("params", 3),
    Wanted::new("result", 4),
];

/// Reads a message of `server` and rewrites what is to be rewritten.
///
/// # Errors
/// It is no JSON, or says something twice.
pub fn message(doc: &[u8], server: &str, naming: &Naming) -> Result<Passed, json::Error> {
    let (root, parts) = json::find::<5>(doc, MESSAGE)?;
    let [rpc, id, method, params, result] = std::array::from_fn(|part| parts.value_in(&root, part));
    let mut edits = Edits {
        splice: Splice::new(),
        naming,
    };
    let kind = match (method, id) {
        (Some(_), Some(id)) => {
            edits.put(&id, tag::tagged(server, &id).into_bytes());
            let meta = params.and_then(|p| p.get("_meta"));
            if let Some(token) = meta.and_then(|m| m.get("progressToken")) {
                edits.put(&token, tag::tagged(server, &token).into_bytes());
            }
            Kind::Request
        }
        (Some(method), None) => {
            let is = |name| method.text().is_some_and(|m| m.is(name));
            if is("notifications/resources/updated") {
                edits.uri(params.and_then(|p| p.get("uri")));
            } else if is("notifications/cancelled")
                && let Some(number) = params.and_then(|p| p.get("requestId"))
            {
                edits.put(&number, tag::tagged(server, &number).into_bytes());
            }
            Kind::Notification
        }
        (None, _) => {
            if let Some(result) = result.filter(|_| !naming.is_plain() && may_name(doc)) {
                edits.result(&result);
            }
            Kind::Answer
        }
    };
    let splice = edits.splice;
    Ok(Passed {
        kind,
        is_rpc: rpc.is_some(),
        doc: (!splice.is_empty()).then(|| splice.apply(doc)),
    })
}

/// Whether an address can stand in it: most results have none, and are not walked through. An escape may spell anything.
fn may_name(doc: &[u8]) -> bool {
    contains(doc, b"uri") || contains(doc, b"\\u")
}

struct Edits<'n> {
    splice: Splice,
    naming: &'n Naming,
}

impl Edits<'_> {
    fn put(&mut self, value: &Value<'_>, json: Vec<u8>) {
        // Values that are rewritten do not lie in each other.
        let _ = self.splice.replace(value.range(), json);
    }

    fn uri(&mut self, uri: Option<Value<'_>>) {
        if let Some(uri) = uri
            && let Some(text) = uri.text()
            && !self.naming.is_plain()
        {
            let outer = self.naming.uri_out(&text.to_str());
            self.put(&uri, quote(&outer));
        }
    }

    /// Where results hold addresses of resources that a client may ask for.
    fn result(&mut self, result: &Value<'_>) {
        let items = |name: &str| result.get(name).filter(|v| v.kind() == Json::Array);
        for resource in items("contents").iter().flat_map(Value::items) {
            self.uri(resource.get("uri"));
        }
        for block in items("content").iter().flat_map(Value::items) {
            self.block(&block);
        }
        for message in items("messages").iter().flat_map(Value::items) {
            match message.get("content") {
                Some(content) if content.kind() == Json::Array => {
                    content.items().for_each(|block| self.block(&block));
                }
                Some(content) => self.block(&content),
                None => {}
            }
        }
    }

    /// A piece of content: a link to a resource, or one that lies in it.
    fn block(&mut self, block: &Value<'_>) {
        let kind = block.get("type").and_then(|t| t.text());
        let is = |name| kind.as_ref().is_some_and(|kind| kind.is(name));
        if is("resource_link") {
            self.uri(block.get("uri"));
        } else if is("resource") {
            self.uri(block.get("resource").and_then(|r| r.get("uri")));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(doc: &str, kind: Kind, want: Option<&str>) {
        let passed = message(doc.as_bytes(), "files", &Naming::new("f", "_")).unwrap();
        let got = passed.doc.map(|d| String::from_utf8(d).unwrap());
        assert_eq!((passed.kind, got.as_deref()), (kind, want), "{doc}");
    }

    #[test]
    fn addresses_in_results() {
        check(
            r#"{"jsonrpc":"2.0","id":1,"result":{"contents":[{"uri":"a:1","text":"a:1"},{"uri":"a:2"}]}}"#,
            Kind::Answer,
            Some(
                r#"{"jsonrpc":"2.0","id":1,"result":{"contents":[{"uri":"f+a:1","text":"a:1"},{"uri":"f+a:2"}]}}"#,
            ),
        );
        check(
            r#"{"id":1,"result":{"content":[{"type":"text","uri":"a:1"},{"type":"resource_link","uri":"a:1"},{"type":"resource","resource":{"uri":"a:2"}}],"structuredContent":{"uri":"a:1"}}}"#,
            Kind::Answer,
            Some(
                r#"{"id":1,"result":{"content":[{"type":"text","uri":"a:1"},{"type":"resource_link","uri":"f+a:1"},{"type":"resource","resource":{"uri":"f+a:2"}}],"structuredContent":{"uri":"a:1"}}}"#,
            ),
        );
        check(
            r#"{"id":1,"result":{"messages":[{"role":"user","content":{"type":"resource","resource":{"uri":"a:2"}}},{"content":[{"type":"resource_link","uri":"a:3"}]}]}}"#,
            Kind::Answer,
            Some(
                r#"{"id":1,"result":{"messages":[{"role":"user","content":{"type":"resource","resource":{"uri":"f+a:2"}}},{"content":[{"type":"resource_link","uri":"f+a:3"}]}]}}"#,
            ),
        );
        check(
            r#"{"id":1,"result":{"content":[{"type":"text","text":"x"}]}}"#,
            Kind::Answer,
            None,
        );
        check(
            r#"{"id":1,"error":{"code":-32602,"message":"a:1"}}"#,
            Kind::Answer,
            None,
        );
    }

    #[test]
    fn what_a_server_numbers() {
        check(
            r#"{"jsonrpc":"2.0","id":7,"method":"sampling/createMessage","params":{"_meta":{"progressToken":"t"},"id":7}}"#,
            Kind::Request,
            Some(
                r#"{"jsonrpc":"2.0","id":"files:7","method":"sampling/createMessage","params":{"_meta":{"progressToken":"files:\"t\""},"id":7}}"#,
            ),
        );
        check(
            r#"{"method":"notifications/cancelled","params":{"requestId":7}}"#,
            Kind::Notification,
            Some(r#"{"method":"notifications/cancelled","params":{"requestId":"files:7"}}"#),
        );
        check(
            r#"{"method":"notifications/resources/updated","params":{"uri":"a:1"}}"#,
            Kind::Notification,
            Some(r#"{"method":"notifications/resources/updated","params":{"uri":"f+a:1"}}"#),
        );
        check(
            r#"{"method":"notifications/progress","params":{"progressToken":1,"progress":2}}"#,
            Kind::Notification,
            None,
        );
    }

    #[test]
    fn plain_names_stay() {
        let doc = br#"{"id":1,"result":{"contents":[{"uri":"a:1"}]}}"#;
        let passed = message(doc, "files", &Naming::default()).unwrap();
        assert_eq!(passed.doc, None);
        assert!(message(br#"{"id":1,"id":2,"method":"x"}"#, "files", &Naming::default()).is_err());
        assert!(message(b"{", "files", &Naming::default()).is_err());
    }
}
