//! One subscription of a client (`subscriptions/listen`, revision 2026-07-28) as several servers honour it.

use crate::Naming;
use serde_json::{Map, Value, json};

/// Where notifications and the end of a subscription name it.
const SUBSCRIPTION_ID: &str = "io.modelcontextprotocol/subscriptionId";
const ACKNOWLEDGED: &str = "notifications/subscriptions/acknowledged";

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
