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
use trilithon_mcp::error as code;
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
    if !batch::may_come(req.headers.known(Known::McpProtocolVersion)) {
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
        && batch::may_come(req.headers.known(Known::McpProtocolVersion))
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
            let mut side = Side::of(cx);
            let (noted, company) = (side.own.record.noted(), Company::Others(side.of.mcp_batch.len()));
            let res = gate.message(one, &mut side.own, next, mode, company).await;
            let is_denied = |call: &SharedMcpCall| call.borrow().denied_by.is_some();
            let is_ours = side.own.mcp_call.as_ref().is_some_and(is_denied);
            if res.status == 401 || (res.status == 404 && !is_ours) {
                // Who is nobody, or has no session any more, is that for all of them, and goes by the status.
                return res;
            }
            if answers.add(res, part.id.as_deref()).await {
                side.own.record.end_since(noted);
            }
        }
        answers.finish()
    }
}

/// Whether a message came alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Company {
    Alone,
    /// With others, among which it has this place.
    Others(usize),
}

impl Company {
    /// Its place among others.
    pub fn place(self) -> Option<usize> {
        match self {
            Company::Alone => None,
            Company::Others(at) => Some(at),
        }
    }
}

/// The exchange of one message, beside that of all. What becomes of it is told to that one when it ends, also where the client leaves
/// in the middle.
struct Side<'a> {
    own: Exchange,
    of: &'a mut Exchange,
}

impl Side<'_> {
    fn of(cx: &mut Exchange) -> Side<'_> {
        let mut own = cx.side();
        own.record.router.clone_from(&cx.record.router);
        own.record.tool_call.clone_from(&cx.record.tool_call);
        own.record.started_at = cx.record.started_at;
        own.record.tracing = cx.record.tracing;
        // There is one trace, which each is noted in.
        own.record.trace = cx.record.trace.take();
        Side { own, of: cx }
    }
}

impl Drop for Side<'_> {
    fn drop(&mut self) {
        let (mut record, all) = (std::mem::take(&mut self.own.record), &mut self.of.record);
        all.trace = record.trace;
        all.decisions.append(&mut record.decisions);
        self.of.mcp_batch.extend(self.own.mcp_call.take());
        if record.service.is_some() {
            all.service = record.service;
            all.balancer = record.balancer;
            all.server_url = record.server_url;
            all.server_addr = record.server_addr;
            all.origin_status = record.origin_status;
            all.origin_duration += record.origin_duration;
        }
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
    /// Adds the answer to the message with this `id`. One without an `id` is not answered, whatever became of it. Whether it is all
    /// there: a stream goes on.
    async fn add(&mut self, mut res: Response, id: Option<&str>) -> bool {
        let Some(id) = id else { return true };
        if is_stream(&res) && (200..300).contains(&res.status) {
            self.streams.push_back(res.body.take());
            return false;
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
        true
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
