//! Headers that repeat arguments.

use super::{all_but_drop, build};
use crate::http::kit::{Asked as Seen, Bench, Outcome};
use crate::http::testing::request;
use trilithon_flow::{Body, Chain, Request, Response};
use trilithon_model::dynamic::http::Mcp;
use trilithon_model::rollout::Mode;

const LIST: &str = r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[
    {"name":"pay","inputSchema":{"properties":{"region":{"type":"string","x-mcp-header":"Region"}}}},
    {"name":"odd","inputSchema":{"properties":{"region":{"type":"number","x-mcp-header":"Region"}}}}]}}"#;

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
        let front = front(&all_but_drop(), is_stream);
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
    let mut shadow = all_but_drop();
    shadow.mode = Mode::Shadow;
    for config in [shadow, Mcp::default()] {
        let front = front(&config, false);
        send(&front, "tools/list", "", None);
        assert_eq!(call(&front, "pay", r#""region":"eu""#, Some("us")).0, 200);
    }
}
