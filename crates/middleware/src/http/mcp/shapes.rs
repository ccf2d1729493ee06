//! What lists say that calls of tools look like, learnt as they go by, and calls held against it. A call of a tool that no list has named
//! passes: rules decide by its message alone.

use super::super::model_call::meter::{is_readable, is_stream};
use super::super::model_call::watch::{self, Look};
use super::denial::{era, error};
use super::open::Opened;
use std::sync::{Arc, Mutex, PoisonError};
use trilithon_flow::model_call::name as cut;
use trilithon_flow::{Build, Known, Request, Response, SharedMcpCall};
use trilithon_mcp::error::HEADER_MISMATCH;
use trilithon_mcp::shapes::listed;
use trilithon_mcp::{List, Shapes as Book};

/// What is known of the tools of one server, by the middleware's name; kept over reloads.
pub struct Shapes {
    name: Arc<str>,
    book: Arc<Mutex<Book>>,
}

impl Shapes {
    pub fn build(cx: &mut Build<'_>) -> Shapes {
        Shapes {
            name: cx.name.into(),
            book: cx.keep.get(cx.name, &(), Mutex::default),
        }
    }

    /// Looks whether the headers of a call say what its arguments say.
    ///
    /// # Errors
    /// The answer to one whose headers do not.
    pub fn check(&self, opened: &Opened, req: &Request) -> Result<(), Response> {
        let tool = opened
            .asked
            .tool()
            .filter(|_| &*opened.asked.method == "tools/call");
        let mirror = tool.and_then(|tool| self.book.lock().unwrap_or_else(PoisonError::into_inner).of(tool));
        let Some(mirror) = mirror else {
            return Ok(());
        };
        let call = opened.call.borrow();
        let arguments = opened.asked.params.get("arguments");
        let verified = mirror.verify(&req.headers, arguments, era(&call));
        verified.map_err(|name| {
            let message = format!("header mismatch: `{name}` does not say what the arguments say");
            error(400, call.answering.id.as_deref(), HEADER_MISMATCH, &message)
        })
    }

    /// Has a list of tools come in a form that can be read; whether this is one.
    pub fn expect(&self, opened: Option<&Opened>, req: &mut Request) -> bool {
        let is_list = opened.is_some_and(|opened| *opened.asked.method == *List::Tools.method());
        if is_list {
            req.headers.remove_known(Known::AcceptEncoding);
        }
        is_list
    }

    /// Learns from a list of tools that goes by. No byte of it waits.
    pub fn learn(&self, call: SharedMcpCall, mut res: Response) -> Response {
        if is_readable(&res) && !res.body.is_empty() {
            let is_stream = is_stream(&res);
            let learning = Learning {
                name: self.name.clone(),
                book: self.book.clone(),
                call,
            };
            res.body = watch::body(res.body.take(), is_stream, learning);
        }
        res
    }
}

struct Learning {
    name: Arc<str>,
    book: Arc<Mutex<Book>>,
    call: SharedMcpCall,
}

impl Look for Learning {
    fn event(&mut self, data: &[u8]) {
        self.whole(data);
    }

    fn whole(&mut self, body: &[u8]) {
        for listed in listed(body) {
            let tool = cut(&listed.name);
            if listed.mirror.is_err() {
                self.call.borrow_mut().notice(tool.clone(), "bad_headers");
            }
            let news = self
                .book
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .learn(listed);
            if let Some(why) = news {
                let server = &*self.name;
                tracing::warn!(server, tool = &*tool, %why, "headers of a tool are not verified; clients leave it out");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::build;
    use crate::http::kit::{Asked as Seen, Bench, Outcome};
    use crate::http::testing::request;
    use trilithon_flow::{Body, Chain, Request, Response};
    use trilithon_model::dynamic::http::{Effect, Mcp, McpPolicy};
    use trilithon_model::rollout::Mode;

    const LIST: &str = r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[
        {"name":"pay","inputSchema":{"properties":{"region":{"type":"string","x-mcp-header":"Region"}}}},
        {"name":"odd","inputSchema":{"properties":{"region":{"type":"number","x-mcp-header":"Region"}}}}]}}"#;

    fn rules(mode: Mode) -> Mcp {
        let deny = McpPolicy {
            matches: "Equals(`mcp.params.name`, `drop`)".to_owned(),
            action: Some(Effect::Deny),
            ..McpPolicy::default()
        };
        Mcp {
            policies: vec![deny],
            default_action: Some(Effect::Allow),
            mode,
            ..Mcp::default()
        }
    }

    fn front(config: &Mcp, is_stream: bool) -> (Bench, Chain) {
        let mut bench = Bench::new(move |seen: &Seen| {
            let (kind, answer) = match (seen.body.contains("tools/list"), is_stream) {
                (true, true) => (
                    "text/event-stream",
                    format!("data: {}\n\n", LIST.replace('\n', "")),
                ),
                (true, false) => ("application/json", LIST.to_owned()),
                (false, _) => (
                    "application/json",
                    r#"{"jsonrpc":"2.0","id":1,"result":{}}"#.to_owned(),
                ),
            };
            let mut res = Response::bare(200, answer);
            res.headers.set("Content-Type", kind);
            res
        });
        let chain = bench.around(|cx| build(config, cx));
        (bench, chain)
    }

    fn send(front: &(Bench, Chain), method: &str, params: &str, header: Option<&str>) -> Outcome {
        let meta = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}"#;
        let mut req: Request = request("POST", "/mcp", &[("Content-Type", "application/json")]);
        if let Some(region) = header {
            req.headers.append("Mcp-Param-Region", region);
        }
        req.body = Body::from(format!(
            r#"{{"jsonrpc":"2.0","id":7,"method":"{method}","params":{{{meta}{params}}}}}"#
        ));
        front.0.send(&front.1, req)
    }

    fn call(front: &(Bench, Chain), tool: &str, region: &str, header: Option<&str>) -> (u16, String) {
        let params = format!(r#","name":"{tool}","arguments":{{{region}}}"#);
        let outcome = send(front, "tools/call", &params, header);
        (outcome.status, outcome.text())
    }

    #[test]
    fn headers_say_what_arguments_say_once_a_list_named_the_tool() {
        for is_stream in [false, true] {
            let front = front(&rules(Mode::Enforce), is_stream);
            let eu = r#""region":"eu""#;
            assert_eq!(
                call(&front, "pay", eu, Some("us")).0,
                200,
                "nobody knows of it yet"
            );
            let list = send(&front, "tools/list", "", None);
            assert!(list.text().contains("\"pay\""), "{}", list.text());
            let noticed = list.record.mcp_call.expect("told").noticed;
            let noticed: Vec<_> = noticed.iter().map(|n| (&*n.name, n.what)).collect();
            assert_eq!(noticed, [("odd", "bad_headers")]);
            let before = front.0.asked();
            for header in [Some("us"), None] {
                let (status, text) = call(&front, "pay", eu, header);
                let want = r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32020,"message":"header mismatch: `Mcp-Param-Region` does not say what the arguments say"}}"#;
                assert_eq!((status, &*text), (400, want));
            }
            assert_eq!(call(&front, "pay", "", Some("eu")).0, 400);
            assert_eq!(front.0.asked(), before, "the server saw none of it");
            assert_eq!(call(&front, "pay", eu, Some("eu")).0, 200);
            assert_eq!(front.0.last().header("Mcp-Param-Region"), Some("eu"));
            // What does not hold asks for nothing, and what nobody asked for goes on.
            for tool in ["odd", "other"] {
                assert_eq!(call(&front, tool, eu, Some("us")).0, 200, "{tool}");
                assert_eq!(front.0.last().header("Mcp-Param-Region"), Some("us"));
            }
        }
    }

    #[test]
    fn nothing_is_refused_where_nothing_is_enforced() {
        for config in [rules(Mode::Shadow), Mcp::default()] {
            let front = front(&config, false);
            send(&front, "tools/list", "", None);
            assert_eq!(call(&front, "pay", r#""region":"eu""#, Some("us")).0, 200);
        }
    }
}
