//! One call of a tool: the request to the API, and what comes back.

use super::OpenApi;
use serde_json::Value;
use trilithon_flow::{Body, Exchange, FaultKind, Headers, Known, Method, Request, Target, status};
use trilithon_mcp::openapi::{Answer, Api, Call, result};

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
    pub async fn ask(&self, api: &Api, call: &Call<'_>, from: &Request, cx: &mut Exchange) -> Said {
        let failed = |why: &str| Said {
            message: call.refusal(why),
            failed: true,
        };
        let asked = match call.tool.request(api.base(), &call.arguments) {
            Ok(asked) => asked,
            Err(why) => return failed(&why),
        };
        let mut headers = self.headers(from);
        for (name, value) in &asked.headers {
            headers.set(name, value);
        }
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
        };
        let result = result(call.era, &answer);
        Said {
            failed: result["isError"] == Value::Bool(true),
            message: call.answer(&result),
        }
    }

    /// The headers of a call, before those of its arguments.
    fn headers(&self, from: &Request) -> Headers {
        let mut headers = Headers::new();
        let passed = ROUTINE
            .iter()
            .copied()
            .chain(self.pass.iter().map(String::as_str));
        for name in passed.filter(|name| !headers_of_framing(name)) {
            for value in from.headers.get_all(name.as_bytes()) {
                headers.append(name, value);
            }
        }
        headers.set_known(Known::Accept, "application/json, */*;q=0.5");
        for (name, value) in &self.headers {
            headers.set(name, value.expose());
        }
        headers
    }
}

/// Headers that say how a message is written, which is never the caller's to say for another message.
fn headers_of_framing(name: &str) -> bool {
    const FRAMING: [&str; 9] = [
        "connection",
        "content-length",
        "content-type",
        "content-encoding",
        "transfer-encoding",
        "te",
        "trailer",
        "upgrade",
        "expect",
    ];
    FRAMING.iter().any(|known| known.eq_ignore_ascii_case(name))
}
