//! What a server of the first era says by itself, for clients of the second that listen.

use super::asking::Asking;
use super::client::{Client, text};
use super::{LAX, start};
use serde_json::{Value, json};
use std::sync::atomic::Ordering;
use trilithon_testkit::{Gateway, PATIENCE, until};

/// A client that listens, and what it was told first.
fn listen(gateway: &Gateway, uris: &[&str]) -> (Client, Value) {
    let mut client = Client::new(gateway, "ann-key");
    let wanted = json!({"toolsListChanged": true, "promptsListChanged": true, "resourceSubscriptions": uris});
    let request = client.message(
        "subscriptions/listen",
        &json!({"notifications": wanted}),
        &json!({}),
    );
    client.http.send(request);
    let first = hear(&mut client);
    assert_eq!(
        first["method"], "notifications/subscriptions/acknowledged",
        "{first}"
    );
    (client, first["params"]["notifications"].clone())
}

/// The next message of a stream.
fn hear(client: &mut Client) -> Value {
    loop {
        let event = String::from_utf8(client.http.read_until(b"\n\n")).unwrap();
        if let Some(data) = event.lines().find_map(|line| line.strip_prefix("data: ")) {
            let message: Value = serde_json::from_str(data).unwrap();
            let meta = &message["params"]["_meta"];
            assert_eq!(meta["io.modelcontextprotocol/subscriptionId"], "q", "{message}");
            return message;
        }
    }
}

#[test]
fn who_listens_hears_of_changes() {
    let server = Asking::default();
    let gateway = start(&server, LAX);
    let (mut one, agreed) = listen(&gateway, &["x+a:1", "x+a:2", "other+a:1"]);
    let want = json!({"toolsListChanged": true, "resourceSubscriptions": ["x+a:1", "x+a:2"]});
    assert_eq!(agreed, want, "what the server can tell");
    let (mut two, agreed) = listen(&gateway, &["x+a:2"]);
    assert_eq!(agreed["resourceSubscriptions"], json!(["x+a:2"]));
    assert_eq!(server.listened.load(Ordering::Relaxed), 1, "one stream for both");
    let mut subscribed = server.subscribed();
    subscribed.sort();
    assert_eq!(
        subscribed,
        [r#"resources/subscribe "a:1""#, r#"resources/subscribe "a:2""#]
    );

    for (method, params) in [
        ("notifications/prompts/list_changed", json!({})),
        ("notifications/resources/updated", json!({"uri": "a:1"})),
        ("notifications/tools/list_changed", json!({})),
    ] {
        server.say(&json!({"jsonrpc": "2.0", "method": method, "params": params}));
    }
    let heard = hear(&mut one);
    assert_eq!(
        (&heard["method"], &heard["params"]["uri"]),
        (&json!("notifications/resources/updated"), &json!("x+a:1"))
    );
    assert_eq!(hear(&mut one)["method"], "notifications/tools/list_changed");
    assert_eq!(hear(&mut two)["method"], "notifications/tools/list_changed");
    // Some servers say it in the answer to a call.
    let mut caller = Client::new(&gateway, "ann-key");
    assert_eq!(text(&caller.call(&json!({"name": "x_talk"}))), "talked");
    assert_eq!(hear(&mut one)["method"], "notifications/tools/list_changed");

    // A resource is subscribed to while somebody wants to hear of it.
    let told = |count: usize| {
        until(PATIENCE, || {
            (server.subscribed().len() == count).then(|| server.subscribed())
        })
    };
    drop(one);
    assert_eq!(
        told(3).expect("one less").last().unwrap(),
        r#"resources/unsubscribe "a:1""#
    );
    drop(two);
    assert_eq!(
        told(4).expect("none").last().unwrap(),
        r#"resources/unsubscribe "a:2""#
    );
}
