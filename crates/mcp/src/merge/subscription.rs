//! One subscription of a client (`subscriptions/listen`, revision 2026-07-28) as several servers honour it.

use crate::Naming;
use serde_json::{Map, Value, json};
use trilithon_wire::json::{self as wire, Splice};

/// Where notifications and the end of a subscription name it.
const SUBSCRIPTION_ID: &str = "io.modelcontextprotocol/subscriptionId";
const ACKNOWLEDGED: &str = "notifications/subscriptions/acknowledged";

/// A notification of a server of the first era as the subscription with this `id` has it: it names that. `None` for what is no
/// notification.
pub fn in_subscription(id: &str, doc: &[u8]) -> Option<Vec<u8>> {
    let root = wire::parse(doc).ok()?;
    let mut splice = Splice::new();
    let named = format!("{{\"{SUBSCRIPTION_ID}\":{id}}}");
    let params = root.get("params");
    match (&params, params.as_ref().and_then(|params| params.get("_meta"))) {
        (None, _) => splice.set(&root, "params", &format!("{{\"_meta\":{named}}}")),
        (Some(params), None) => splice.set(params, "_meta", &named),
        (_, Some(meta)) => splice.set(&meta, SUBSCRIPTION_ID, id),
    }
    .ok()?;
    Some(splice.apply(doc))
}

/// What the servers have agreed to tell.
#[derive(Debug)]
pub struct Subscription {
    /// The `id` of the client's message, as it is written.
    id: Box<str>,
    honoured: Map<String, Value>,
}

impl Subscription {
    pub fn new(id: &str) -> Subscription {
        Subscription {
            id: id.into(),
            honoured: Map::new(),
        }
    }

    /// Takes what a server agrees to tell; false when `doc` does not say that.
    pub fn add(&mut self, doc: &[u8], naming: &Naming) -> bool {
        let Ok(doc) = serde_json::from_slice::<Value>(doc) else {
            return false;
        };
        if doc.get("method") != Some(&Value::from(ACKNOWLEDGED)) {
            return false;
        }
        let agreed = doc.pointer("/params/notifications").and_then(Value::as_object);
        for (name, value) in agreed.into_iter().flatten() {
            match value {
                Value::Bool(true) => {
                    self.honoured.insert(name.clone(), Value::Bool(true));
                }
                Value::Array(uris) => {
                    let outer = uris
                        .iter()
                        .filter_map(Value::as_str)
                        .map(|uri| naming.uri_out(uri).into());
                    let all = self.honoured.entry(name.clone()).or_insert_with(|| json!([]));
                    if let Value::Array(all) = all {
                        all.extend(outer);
                    }
                }
                _ => {}
            }
        }
        true
    }

    /// The first message of the stream: what the client will be told.
    pub fn acknowledgement(&self) -> Vec<u8> {
        let params = json!({"_meta": {SUBSCRIPTION_ID: self.id()}, "notifications": self.honoured});
        json!({"jsonrpc": "2.0", "method": ACKNOWLEDGED, "params": params})
            .to_string()
            .into_bytes()
    }

    /// The last one: nothing more will come.
    pub fn end(&self) -> Vec<u8> {
        let result = json!({"resultType": "complete", "_meta": {SUBSCRIPTION_ID: self.id()}});
        json!({"jsonrpc": "2.0", "id": self.id(), "result": result})
            .to_string()
            .into_bytes()
    }

    fn id(&self) -> Value {
        serde_json::from_str(&self.id).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notifications_name_their_subscription() {
        let check = |doc: &str, want: Option<&str>| {
            let told = in_subscription("\"q\"", doc.as_bytes()).map(|doc| String::from_utf8(doc).unwrap());
            assert_eq!(told.as_deref(), want, "{doc}");
        };
        const META: &str = r#""_meta":{"io.modelcontextprotocol/subscriptionId":"q""#;
        check(
            r#"{"method":"a"}"#,
            Some(&format!(r#"{{"params":{{{META}}}}},"method":"a"}}"#)),
        );
        check(
            r#"{"params":{"uri":"a:1"}}"#,
            Some(&format!(r#"{{"params":{{{META}}},"uri":"a:1"}}}}"#)),
        );
        check(
            r#"{"params":{"_meta":{"x":1}}}"#,
            Some(&format!(r#"{{"params":{{{META},"x":1}}}}}}"#)),
        );
        check(r#"{"params":[]}"#, None);
        check("{", None);
    }

    #[test]
    fn what_servers_honour_is_put_together() {
        let mut all = Subscription::new("\"q\"");
        let agrees = |what: &Value| {
            json!({"jsonrpc": "2.0", "method": ACKNOWLEDGED, "params": {"notifications": what}}).to_string()
        };
        let a = agrees(
            &json!({"toolsListChanged": true, "promptsListChanged": false, "resourceSubscriptions": ["a:1"]}),
        );
        let b = agrees(&json!({"toolsListChanged": false, "resourceSubscriptions": ["b:1"]}));
        assert!(all.add(a.as_bytes(), &Naming::default()));
        assert!(all.add(b.as_bytes(), &Naming::new("f", "_")));
        assert!(!all.add(br#"{"method":"notifications/message"}"#, &Naming::default()));
        assert!(!all.add(b"{", &Naming::default()));
        let told: Value = serde_json::from_slice(&all.acknowledgement()).unwrap();
        let want = json!({"_meta": {SUBSCRIPTION_ID: "q"},
            "notifications": {"toolsListChanged": true, "resourceSubscriptions": ["a:1", "f+b:1"]}});
        assert_eq!((&told["method"], &told["params"]), (&json!(ACKNOWLEDGED), &want));
        let end: Value = serde_json::from_slice(&all.end()).unwrap();
        assert_eq!(
            (&end["id"], &end["result"]["resultType"]),
            (&json!("q"), &json!("complete"))
        );
    }
}
