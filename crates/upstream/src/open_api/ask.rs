//! One call of a tool: the request to the API, and what comes back.

use super::OpenApi;
use serde_json::Value;
use trilithon_flow::{Body, Exchange, FaultKind, Headers, Known, Method, Request, Target, status};
use trilithon_mcp::openapi::{Answer, Call, result};

/// Headers of the caller's request that go on: where it came to and from, and its place in a trace. Nothing of who is asking.
const ROUTINE: [&str; 12] = [
    "host",
    "user-agent",
    "traceparent",
    "tracestate",
    "baggage",
    "x-real-ip",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-proto",
    "x-forwarded-server",
    "x-forwarded-prefix",
];

/// What came of a call.
pub struct Said {
    /// The answer to the client.
    pub message: Vec<u8>,
    pub failed: bool,
}

impl OpenApi {
    /// Makes the call.
    pub async fn ask(&self, call: &Call<'_>, from: &Request, cx: &mut Exchange) -> Said {
        let failed = |why: &str| Said {
            message: call.refusal(why),
            failed: true,
        };
        let asked = match call.tool.request(&call.arguments) {
            Ok(asked) => asked,
            Err(why) => return failed(&why),
        };
        let mut headers = self.headers(from, &asked.headers);
        let target = asked.target;
        let body = asked.body.map(|(kind, bytes)| {
            headers.set_known(Known::ContentType, kind);
            Body::from(bytes::Bytes::from(bytes))
        });
        let mut req = from.clone_head();
        req.method = Method::of(asked.method.as_bytes());
        req.target = Target::new(&target);
        req.headers = headers;
        req.body = body.unwrap_or_default();
        let mut res = self.child.backend.call(req, cx).await;
        let coding = res.headers.known(Known::ContentEncoding);
        if coding.is_some_and(|coding| !coding.eq_ignore_ascii_case(b"identity")) {
            return failed("the API answered with compressed bytes that it was not asked for");
        }
        let body = match res.body.collect(self.max_answer).await {
            Ok(body) => body,
            Err(fault) if fault.kind == FaultKind::TooLarge => {
                return failed(&format!(
                    "the answer of the API is larger than {} bytes",
                    self.max_answer
                ));
            }
            Err(_) => return failed("the answer of the API broke off"),
        };
        let kind = res.headers.known(Known::ContentType).unwrap_or_default();
        let answer = Answer {
            status: res.status,
            reason: status::text(res.status),
            kind: std::str::from_utf8(kind).unwrap_or_default(),
            body: &body,
            target: &target,
            schema: call.tool.output(),
        };
        let result = result(call.era, &answer);
        Said {
            failed: result["isError"] == Value::Bool(true),
            message: call.answer(&result),
        }
    }

    /// The headers of a call: the caller's, those of its arguments, and the gateway's own, which nobody takes the place of.
    fn headers(&self, from: &Request, arguments: &[(String, String)]) -> Headers {
        let mut headers = Headers::new();
        let passed = ROUTINE
            .iter()
            .copied()
            .chain(self.pass.iter().map(String::as_str));
        for name in passed.filter(|name| !is_of_message(name)) {
            for value in from.headers.get_all(name.as_bytes()) {
                headers.append(name, value);
            }
        }
        headers.set_known(Known::Accept, "application/json, */*;q=0.5");
        for (name, value) in arguments {
            headers.set(name, value);
        }
        for (name, value) in &self.headers {
            headers.set(name, value.expose());
        }
        headers
    }
}

/// Headers that say how a message is written, which is never the caller's to say for another message.
fn is_of_message(name: &str) -> bool {
    let known = Known::of(name.as_bytes());
    known.is_framing() || matches!(known, Known::ContentType | Known::ContentEncoding)
}
