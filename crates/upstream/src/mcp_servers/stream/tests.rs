//! What becomes of servers' events, told as a table, and how long a stream lasts.

use super::*;
use crate::service::fake::{Fake, run};
use std::sync::Arc;
use trilithon_flow::Keep;
use trilithon_mcp::{Era, Naming};
use trilithon_model::dynamic::http::McpServer;

fn server() -> Arc<super::super::server::Server> {
    let config = McpServer {
        name: "files".to_owned(),
        ..McpServer::default()
    };
    let backend = Fake::new("s", 200, None);
    let naming = Naming::new("f", "_");
    Arc::new(super::super::server::Server::build(
        "all",
        &config,
        naming,
        backend,
        &Keep::default(),
    ))
}

fn place() -> Place {
    Arc::new(Places::new(1)).take().unwrap()
}

/// The answer to message 1 as a client sees it.
#[track_caller]
fn check(era: Era, said: &'static str, want: &str) {
    let told = run(async {
        let telling = Telling::new(server(), Some("1"), era);
        let mut body = passed(Body::from(said), telling, None, None, place());
        body.collect(u64::MAX).await.unwrap()
    });
    assert_eq!(String::from_utf8_lossy(&told), want, "{said:?}");
}

#[test]
fn events_pass_under_the_names_of_the_client() {
    let done = "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n\n";
    check(Era::Legacy, done, done);
    check(
        Era::Legacy,
        ": ping\n\ndata: {\"id\":1,\"result\":{}}",
        "data: {\"id\":1,\"result\":{}}\n\n",
    );
    check(
        Era::Legacy,
        "id: 7\nretry: 20\ndata:\n\nid: 8\nevent: message\ndata: {\"id\":1,\ndata: \"result\":{}}\n\n",
        "id: aMQ,files=Nw\nretry: 20\ndata: \n\nid: aMQ,files=OA\nevent: message\ndata: {\"id\":1,\ndata: \"result\":{}}\n\n",
    );
    check(
        Era::Legacy,
        "data: {\"id\":5,\"method\":\"ping\"}\n\ndata: {\"id\":1,\"result\":{\"contents\":[{\"uri\":\"a:1\"}]}}\n\n",
        "data: {\"id\":\"files:5\",\"method\":\"ping\"}\n\ndata: {\"id\":1,\"result\":{\"contents\":[{\"uri\":\"f+a:1\"}]}}\n\n",
    );
    check(
        Era::Modern,
        "id: 7\ndata: {\"id\":1,\"result\":{}}\n\n",
        "data: {\"id\":1,\"result\":{}}\n\n",
    );
}

#[test]
fn an_answer_that_breaks_off_is_an_error() {
    const LOST: &str = "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32603,\"message\":\"server `files` gave no answer: its answer cannot be read: the stream ended without an answer\"}}\n\n";
    check(Era::Legacy, ": ping\n\n", LOST);
    check(Era::Legacy, "data: no message\n\n", LOST);
    check(Era::Modern, "id: 7\ndata:\n\n", &format!("data: \n\n{LOST}"));
    // The client can come back for the rest.
    check(Era::Legacy, "id: 7\ndata:\n\n", "id: aMQ,files=Nw\ndata: \n\n");
}

#[test]
fn a_stream_lasts_until_its_last_teller() {
    let told = run(async {
        let out = Out::new(EventId::new(Stream::Listening));
        let (say, heard) = tokio::sync::oneshot::channel::<()>();
        let (one, two) = (out.clone(), out.clone());
        let tellers: Vec<Teller> = vec![
            Box::pin(async move { one.event(None, b"one") }),
            Box::pin(async move {
                drop(heard.await);
                two.event(Some("7"), b"two");
            }),
        ];
        let mut body = Channel::new(out, tellers, Some(Duration::from_millis(1)), place())
            .response()
            .body;
        let mut told = Vec::new();
        while !told.ends_with(COMMENT) {
            told.extend_from_slice(&body.chunk().await.unwrap().unwrap());
        }
        assert_eq!(told, b"data: one\n\n:\n\n", "silence is commented on");
        say.send(()).unwrap();
        body.collect(u64::MAX).await.unwrap()
    });
    assert!(told.ends_with(b"id: 7\ndata: two\n\n"), "{told:?}");
}

#[test]
fn a_stream_that_nobody_begins_is_none() {
    run(async {
        let out = Out::new(EventId::new(Stream::Listening));
        let limit = Duration::from_millis(1);
        let mut none = Channel::new(out.clone(), vec![Box::pin(async {})], None, place());
        assert!(!none.begins(limit).await);
        let waits: Vec<Teller> = vec![Box::pin(std::future::pending())];
        assert!(
            Channel::new(out, waits, None, place()).begins(limit).await,
            "it may yet begin"
        );
    });
}
