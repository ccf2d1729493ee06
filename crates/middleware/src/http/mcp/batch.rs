//! Several messages in one request: each is decided on, judged, limited and sent by itself, and what comes of them is one answer. What
//! is refused of them gets its error in it.

use super::super::model_call::meter::is_stream;
use super::Mcp;
use super::denial::error;
use super::open;
use bytes::Bytes;
use std::collections::VecDeque;
use std::task::{Context, Poll, ready};
use trilithon_flow::limits::MAX_MCP_ANSWER;
use trilithon_flow::{
    Beginning, Body, Exchange, Fault, Known, Method, Mode, Next, Request, Response, SharedMcpCall, Source,
    read_up_to,
};
use trilithon_mcp::batch::{self, Part, joined};
use trilithon_mcp::{error as code, header};
use trilithon_wire::json::{self, Kind};

/// The messages of a request that has several.
pub struct Batch {
    body: Bytes,
    parts: Vec<Part>,
}

/// Reads a request that was read whole; `None` for one with a single message, and for clients of later revisions, whose messages come
/// alone.
///
/// # Errors
/// The answer: 400 for what is no batch.
pub fn read(req: &Request, body: &Bytes) -> Result<Option<Batch>, Response> {
    if !batch::may_come(req.headers.get(header::PROTOCOL_VERSION)) {
        return Ok(None);
    }
    match batch::parts(body) {
        None => Ok(None),
        Some(Ok(parts)) => Ok(Some(Batch {
            body: body.clone(),
            parts,
        })),
        Some(Err(invalid)) => Err(error(400, None, invalid.code, &invalid.message)),
    }
}

/// Whether a request can have several messages: whether it has to be read for that.
pub fn may_be(req: &Request) -> bool {
    let coding = req.headers.known(Known::ContentEncoding);
    req.method == Method::Post
        && req.upgrade.is_none()
        && coding.is_none()
        && batch::may_come(req.headers.get(header::PROTOCOL_VERSION))
}

impl Batch {
    /// Sends the messages one after the other, each in an exchange of its own beside `cx`, whose record tells of all.
    pub async fn run(
        self,
        gate: &Mcp,
        req: Request,
        cx: &mut Exchange,
        next: Next<'_>,
        mode: Mode,
    ) -> Response {
        // The record is of all of them.
        open::shared(cx);
        let mut answers = Answers::default();
        for part in self.parts {
            let message = self.body.slice(part.range.clone());
            let mut one = req.clone_head();
            one.headers
                .set_known(Known::ContentLength, message.len().to_string());
            one.body = Body::from(message);
            let mut side = cx.side();
            side.record.router.clone_from(&cx.record.router);
            side.record.tool_call.clone_from(&cx.record.tool_call);
            side.record.started_at = cx.record.started_at;
            let res = gate.message(one, &mut side, next, mode, Company::Others).await;
            let is_denied = |call: &SharedMcpCall| call.borrow().denied_by.is_some();
            let is_ours = side.mcp_call.as_ref().is_some_and(is_denied);
            tell(side, cx);
            if res.status == 401 || (res.status == 404 && !is_ours) {
                // Who is nobody, or has no session any more, is that for all of them, and goes by the status.
                return res;
            }
            answers.add(res, part.id.as_deref()).await;
        }
        answers.finish()
    }
}

/// Whether a message came alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Company {
    Alone,
    Others,
}

/// Tells the exchange of all what became of one.
fn tell(side: Exchange, cx: &mut Exchange) {
    let mut record = side.record;
    cx.record.decisions.append(&mut record.decisions);
    cx.mcp_batch.extend(side.mcp_call);
    if record.service.is_some() {
        cx.record.service = record.service;
        cx.record.balancer = record.balancer;
        cx.record.server_url = record.server_url;
        cx.record.server_addr = record.server_addr;
        cx.record.origin_status = record.origin_status;
        cx.record.origin_duration += record.origin_duration;
    }
}

/// What came of the messages so far.
#[derive(Default)]
struct Answers {
    whole: Vec<Vec<u8>>,
    /// Bytes of them.
    size: usize,
    streams: VecDeque<Body>,
}

impl Answers {
    /// Adds the answer to the message with this `id`. One without an `id` is not answered, whatever became of it.
    async fn add(&mut self, mut res: Response, id: Option<&str>) {
        let Some(id) = id else { return };
        if is_stream(&res) && (200..300).contains(&res.status) {
            return self.streams.push_back(res.body.take());
        }
        let room = MAX_MCP_ANSWER.saturating_sub(self.size);
        let failed = |why: &str| vec![code::body(Some(id), code::INTERNAL_ERROR, why)];
        let said = match read_up_to(res.body.take(), room as u64).await {
            Ok(Beginning::Whole(body, _)) => messages(&body),
            Ok(Beginning::Larger(_)) => failed("the answers are too large together"),
            Err(_) => Vec::new(),
        };
        let said = match said.is_empty() {
            true => failed(&format!("there is no answer: status {}", res.status)),
            false => said,
        };
        self.size += said.iter().map(Vec::len).sum::<usize>();
        self.whole.extend(said);
    }

    /// One answer: an array, or a stream where one of them is.
    fn finish(self) -> Response {
        if self.streams.is_empty() {
            let body = joined(&self.whole);
            let status = if body.is_empty() { 202 } else { 200 };
            let mut res = Response::bare(status, body);
            if status == 200 {
                res.headers.set_known(Known::ContentType, "application/json");
            }
            return res;
        }
        let events = self
            .whole
            .iter()
            .map(|answer| [b"data: ", &**answer, b"\n\n"].concat());
        let events: Vec<u8> = events.flatten().collect();
        let mut res = Response::new(200);
        res.headers.set_known(Known::ContentType, "text/event-stream");
        res.headers.set_known(Known::CacheControl, "no-cache");
        res.body = Body::from_source(Row {
            bodies: self.streams,
            out: events.into(),
        });
        res
    }
}

/// The messages of an answer, each in one line; none for what is no JSON.
fn messages(body: &[u8]) -> Vec<Vec<u8>> {
    let line = |raw: &str| raw.replace(['\r', '\n'], " ").into_bytes();
    match json::parse(body) {
        Ok(root) if root.kind() == Kind::Array => root.items().map(|one| line(one.raw())).collect(),
        Ok(root) if root.kind() == Kind::Object => vec![line(root.raw())],
        _ => Vec::new(),
    }
}

/// Streams of events one after the other.
struct Row {
    bodies: VecDeque<Body>,
    out: Bytes,
}

impl Source for Row {
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<&[u8], Fault>> {
        while self.out.is_empty() {
            let Some(body) = self.bodies.front_mut() else {
                break;
            };
            self.out = ready!(body.poll_chunk(cx))?;
            if self.out.is_empty() {
                self.bodies.pop_front();
                // Whatever the last event lacked, the next begins anew.
                self.out = Bytes::from_static(b"\n\n");
            }
        }
        Poll::Ready(Ok(&self.out))
    }

    fn consume(&mut self, n: usize) {
        bytes::Buf::advance(&mut self.out, n);
    }

    fn length(&self) -> Option<u64> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::super::build;
    use crate::http::kit::{Asked as Seen, Bench, Outcome};
    use crate::http::testing::request;
    use serde_json::{Value, json};
    use trilithon_flow::{Body, Response};
    use trilithon_model::dynamic::http::{Effect, Mcp, McpPolicy, McpResourceMetadata, McpUndo, McpUndoCall};
    use trilithon_model::rollout::Mode;

    fn rules() -> Mcp {
        let deny = McpPolicy {
            matches: "Equals(`mcp.params.name`, `drop`)".to_owned(),
            action: Some(Effect::Deny),
            ..McpPolicy::default()
        };
        Mcp {
            policies: vec![deny],
            default_action: Some(Effect::Allow),
            ..Mcp::default()
        }
    }

    /// Answers with what it was asked; `stream` in an event.
    fn server() -> Bench {
        Bench::new(|seen: &Seen| {
            let asked: Value = serde_json::from_str(&seen.body).unwrap_or_default();
            if asked["id"].is_null() {
                return Response::new(202);
            }
            let answer =
                json!({"jsonrpc": "2.0", "id": asked["id"], "result": {"did": asked["params"]["name"]}});
            let (kind, body) = match asked["params"]["name"] == "stream" {
                true => ("text/event-stream", format!("data: {answer}\n")),
                false => ("application/json", answer.to_string()),
            };
            let mut res = Response::bare(200, body);
            res.headers.set("Content-Type", kind);
            res
        })
    }

    fn send(config: &Mcp, headers: &[(&str, &str)], body: &str) -> (Bench, Outcome) {
        let mut bench = server();
        let chain = bench.around(|cx| build(config, cx));
        let mut req = request("POST", "/mcp", headers);
        req.headers.set("Content-Type", "application/json");
        req.body = Body::from(body.to_owned());
        let outcome = bench.send(&chain, req);
        (bench, outcome)
    }

    fn call(id: u64, tool: &str) -> String {
        json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": tool}}).to_string()
    }

    const TOLD: &str = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;

    fn batch(messages: &[&str]) -> String {
        format!("[{}]", messages.join(","))
    }

    #[test]
    fn each_message_is_decided_on_by_itself() {
        let body = batch(&[&call(1, "read"), &call(2, "drop"), TOLD, &call(3, "write")]);
        for headers in [&[][..], &[("MCP-Protocol-Version", "2025-03-26")]] {
            let (bench, outcome) = send(&rules(), headers, &body);
            assert_eq!(outcome.header("Content-Type"), Some("application/json"));
            let want = json!([
                {"jsonrpc": "2.0", "id": 1, "result": {"did": "read"}},
                {"jsonrpc": "2.0", "id": 2, "error": {"code": -32003, "message": "Forbidden"}},
                {"jsonrpc": "2.0", "id": 3, "result": {"did": "write"}},
            ]);
            assert_eq!((outcome.status, outcome.text()), (200, want.to_string()));
            assert_eq!((bench.asked(), bench.last().body), (3, call(3, "write")));
            let decided: Vec<bool> = outcome.record.decisions.iter().map(|d| d.allowed).collect();
            assert_eq!(decided, [true, false, true, true]);
            let told = outcome.record.mcp_call.expect("told").told();
            let want = json!({"batch": [
                {"method": "tools/call", "tool": "read", "id": "1"},
                {"method": "tools/call", "tool": "drop", "id": "2", "deniedBy": "m@file"},
                {"method": "notifications/initialized"},
                {"method": "tools/call", "tool": "write", "id": "3"},
            ]});
            assert_eq!(told, want);
        }
    }

    #[test]
    fn nobody_answers_what_is_only_told() {
        let (bench, outcome) = send(&rules(), &[], &batch(&[TOLD, TOLD]));
        assert_eq!((outcome.status, &*outcome.text(), bench.asked()), (202, "", 2));
        let silent = r#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"drop"}}"#;
        let (bench, outcome) = send(&rules(), &[], &batch(&[silent]));
        assert_eq!((outcome.status, &*outcome.text(), bench.asked()), (202, "", 0));
    }

    #[test]
    fn a_stream_makes_a_stream_of_all() {
        let body = batch(&[&call(1, "stream"), &call(2, "drop"), &call(3, "stream")]);
        let (_, outcome) = send(&rules(), &[], &body);
        assert_eq!(outcome.header("Content-Type"), Some("text/event-stream"));
        let event = |id: u64| format!(r#"data: {{"jsonrpc":"2.0","id":{id},"result":{{"did":"stream"}}}}"#);
        let refused = r#"data: {"jsonrpc":"2.0","id":2,"error":{"code":-32003,"message":"Forbidden"}}"#;
        let text = outcome.text();
        // Each ends, also where the server's stream ended without that.
        let events: Vec<&str> = text
            .split("\n\n")
            .map(str::trim)
            .filter(|event| !event.is_empty())
            .collect();
        assert_eq!(events, [refused, &event(1), &event(3)]);
    }

    #[test]
    fn what_is_not_taken_with_others() {
        let refused = |config: &Mcp, headers: &[(&str, &str)], body: &str, part: &str| {
            let (bench, outcome) = send(config, headers, body);
            assert_eq!((outcome.status, bench.asked()), (400, 0), "{body}");
            assert!(outcome.text().contains(part), "{}", outcome.text());
        };
        let two = batch(&[&call(1, "read"), &call(2, "write")]);
        for version in ["2025-06-18", "2025-11-25", "2026-07-28", "1999-01-01"] {
            refused(
                &rules(),
                &[("MCP-Protocol-Version", version)],
                &two,
                "several messages",
            );
        }
        let hello = r#"{"jsonrpc":"2.0","id":1,"method":"initialize"}"#;
        refused(&rules(), &[], &batch(&[hello]), "`initialize`");
        refused(
            &rules(),
            &[],
            &batch(&[&call(1, "read"), &call(1, "write")]),
            "the same `id`",
        );
        refused(&rules(), &[], "[]", "no message");
        let mut config = rules();
        config.undo = vec![McpUndo {
            tool: "write".to_owned(),
            call: Some(McpUndoCall {
                tool: "unwrite".to_owned(),
                ..McpUndoCall::default()
            }),
        }];
        let (bench, outcome) = send(&config, &[], &two);
        assert!(outcome.text().contains("can be undone"), "{}", outcome.text());
        assert_eq!((outcome.status, bench.asked()), (200, 1));
    }

    #[test]
    fn a_session_that_is_lost_is_lost_for_all() {
        let mut bench =
            Bench::new(|_: &Seen| Response::bare(404, r#"{"error":{"code":-32001,"message":"no"}}"#));
        let chain = bench.around(|cx| build(&rules(), cx));
        let mut req = request("POST", "/mcp", &[("Mcp-Session-Id", "s1")]);
        req.body = Body::from(batch(&[&call(1, "read"), &call(2, "write")]));
        assert_eq!((bench.send(&chain, req).status, bench.asked()), (404, 1));
        let mut config = rules();
        config.status_code_on_deny = 404;
        let (bench, outcome) = send(&config, &[], &batch(&[&call(1, "drop"), &call(2, "write")]));
        assert_eq!((outcome.status, bench.asked()), (200, 1));
    }

    #[test]
    fn who_is_nobody_is_that_for_all() {
        let mut config = rules();
        config.default_action = Some(Effect::Deny);
        config.resource_metadata = Some(McpResourceMetadata {
            resource: "https://mcp.test/mcp".to_owned(),
            ..McpResourceMetadata::default()
        });
        let (bench, outcome) = send(&config, &[], &batch(&[&call(1, "read"), &call(2, "write")]));
        assert_eq!((outcome.status, bench.asked()), (401, 0));
        assert!(
            outcome
                .header("WWW-Authenticate")
                .is_some_and(|c| c.starts_with("Bearer"))
        );
    }

    #[test]
    fn without_rules_a_batch_passes_as_it_came() {
        let body = batch(&[&call(1, "read"), &call(2, "drop")]);
        let mut shadow = rules();
        shadow.mode = Mode::Shadow;
        for config in [Mcp::default(), shadow] {
            let (bench, _) = send(&config, &[], &body);
            assert_eq!((bench.asked(), bench.last().body), (1, body.clone()));
        }
    }
}
