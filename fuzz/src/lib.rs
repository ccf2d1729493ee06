//! What must hold for any input. A target is one of these functions; a found input becomes a row of the tests beside the parser.
#![forbid(unsafe_code)]

pub mod ai;
pub mod tools;

use std::rc::Rc;
use std::sync::Arc;

use trilithon_flow::{Connection, Exchange, Request, Target};
use trilithon_mcp::{Message, list, part};
use trilithon_model::dialect::{self, Dialect};
use trilithon_model::{Problems, Source, decode_dynamic, decode_static, routing_file};
use trilithon_policy::Claims;
use trilithon_policy::cel::Program;
use trilithon_policy::fact::Facts;
use trilithon_policy::token::{Key, KeySet, Origin, Token};
use trilithon_rule::{RouteIndex, Rule, Sample, Syntax};
use trilithon_template::{Limits, Template, Value};
use trilithon_wire::{
    BodyDecoder, Framing, HeadLimits, Headers, Reject, RequestOptions, Step, encode, parse_request,
    parse_response, proxy_protocol,
};

const LIMITS: HeadLimits = HeadLimits {
    bytes: 8192,
    fields: 64,
};

/// A request head means the same however it is cut, and the same again when it is written anew.
pub fn request(bytes: &[u8]) {
    let mut headers = Headers::new();
    let whole = parse_request(bytes, &mut headers, &LIMITS);
    let mut others = Headers::new();
    for end in 0..bytes.len() {
        match (&whole, parse_request(&bytes[..end], &mut others, &LIMITS)) {
            (Ok(Some(head)), Ok(Some(shorter))) => assert_eq!(*head, shorter),
            (Ok(Some(head)), Ok(None)) => assert!(end < head.len),
            (Ok(None), Ok(None)) | (Err(_), Ok(None) | Err(_)) => {}
            (whole, part) => panic!("{whole:?} but {part:?} after {end} bytes"),
        }
    }
    let Ok(Some(head)) = whole else { return };
    assert!(
        head.framing != Framing::Close,
        "a request cannot end with the connection"
    );
    if head.http10 {
        return; // what 1.0 may leave out or say is refused in 1.1
    }
    let (Ok(method), Ok(target)) = (str::from_utf8(head.method), str::from_utf8(head.target)) else {
        return;
    };
    let mut written = Vec::new();
    encode::request_head(
        &mut written,
        method,
        target,
        &headers,
        head.framing,
        RequestOptions::default(),
    );
    let limits = HeadLimits {
        bytes: LIMITS.bytes * 2,
        fields: LIMITS.fields + 4,
    };
    let again = parse_request(&written, &mut others, &limits);
    let again = again.unwrap_or_else(|reject| panic!("written so that it is refused: {reject:?}"));
    let again = again.expect("a whole head is written");
    assert_eq!(
        (again.method, again.target, again.len),
        (head.method, head.target, written.len())
    );
    let same = again.framing == head.framing || again.framing.is_empty() && head.framing.is_empty();
    assert!(
        same,
        "framed as {:?}, forwarded as {:?}",
        head.framing, again.framing
    );
}

/// A response head means the same however it is cut. The first byte says what the request was.
pub fn response(bytes: &[u8]) {
    let Some((kind, bytes)) = bytes.split_first() else {
        return;
    };
    let (to_head, to_connect) = (kind & 1 == 1, kind & 2 == 2);
    let mut headers = Headers::new();
    let whole = parse_response(bytes, &mut headers, &LIMITS, to_head, to_connect);
    for end in 0..bytes.len() {
        let part = parse_response(&bytes[..end], &mut headers, &LIMITS, to_head, to_connect);
        match (&whole, part) {
            (Ok(Some(head)), Ok(Some(shorter))) => assert_eq!(*head, shorter),
            (Ok(Some(head)), Ok(None)) => assert!(end < head.len),
            (Ok(None), Ok(None)) | (Err(_), Ok(None) | Err(_)) => {}
            (whole, part) => panic!("{whole:?} but {part:?} after {end} bytes"),
        }
    }
    if let Ok(Some(head)) = whole {
        assert!((100..=999).contains(&head.status));
        assert!(
            !to_head || head.upgrade || head.framing.is_empty(),
            "an answer to HEAD has no body"
        );
    }
}

/// A chunked body is the same however it is cut. The first byte says into pieces of what size.
pub fn chunked(bytes: &[u8]) {
    let Some((size, bytes)) = bytes.split_first() else {
        return;
    };
    let whole = decode(bytes, bytes.len().max(1));
    let parts = decode(bytes, usize::from(*size) + 1);
    match (whole, parts) {
        (Ok(whole), Ok(parts)) => assert_eq!(whole, parts),
        (Err(_), Err(_)) => {}
        (whole, parts) => panic!("whole: {whole:?}, in parts: {parts:?}"),
    }
}

/// (data, bytes used, whether it ended)
fn decode(bytes: &[u8], size: usize) -> Result<(Vec<u8>, usize, bool), Reject> {
    let mut decoder = BodyDecoder::new(Framing::Chunked);
    let (mut data, mut at, mut end) = (Vec::new(), 0, size.min(bytes.len()));
    loop {
        match decoder.step(&bytes[at..end])? {
            Step::Data { skip, len } => {
                data.extend_from_slice(&bytes[at + skip..at + skip + len]);
                decoder.consumed(len);
                at += skip + len;
            }
            Step::Skip(skip) => at += skip,
            Step::End { skip } => return Ok((data, at + skip, true)),
            Step::More if end == bytes.len() => return Ok((data, 0, false)),
            Step::More => end = (end + size).min(bytes.len()),
        }
    }
}

/// A rule that is taken matches alike by itself and in an index; one that is not says where.
pub fn rule(text: &str, syntax: Syntax) {
    let samples = [
        Sample::get("a.test", "/"),
        Sample::get("B.a.test:8080", "/api/v1?key=value").header("X-One", "1"),
        Sample::get("", "/%2F//x"),
    ];
    match Rule::http(text, syntax) {
        Err(error) => {
            let span = error.span();
            assert!(
                span.start <= span.end && span.end <= text.len(),
                "{span:?} is outside of {} bytes",
                text.len()
            );
            assert!(!error.to_string().is_empty());
        }
        Ok(rule) => {
            let index = RouteIndex::new(vec![(rule.clone(), rule.default_priority(), 0, ())]);
            for sample in &samples {
                let matches = rule.matches(sample);
                assert_eq!(index.find(sample).is_some(), matches, "{sample:?}");
                assert_eq!(rule.misses(sample).is_empty(), matches, "{sample:?}");
            }
        }
    }
    let _ = Rule::tcp(text, syntax);
}

/// Any text is configuration or problems, and a problem lies inside the text.
pub fn configuration(text: &str, dialect: Dialect) {
    let name = if dialect == Dialect::Yaml {
        "fuzz.yml"
    } else {
        "fuzz.toml"
    };
    let source = Source::text(name, text);
    check_places(&routing_file(&source).1, text);
    let mut problems = Problems::new();
    if let Some(node) = dialect::parse_as(dialect, &source, &mut problems) {
        let (mut install, more) = decode_static(&node);
        check_places(&more, text);
        check_places(&install.finish(&node), text);
        check_places(&decode_dynamic(&node).1, text);
    }
    check_places(&problems, text);
    drop(Arc::clone(&source));
}

fn check_places(problems: &Problems, text: &str) {
    let lines = text.matches(['\n', '\r']).count() as u32; // a lone CR ends a line of YAML too
    for problem in problems.iter() {
        assert!(
            problem.span.line <= lines + 1,
            "{problem:?} is behind {lines} lines"
        );
    }
}

/// A PROXY header is the same however it is cut, and its addresses survive being written.
pub fn proxy(bytes: &[u8]) {
    let whole = proxy_protocol::parse(bytes);
    for end in 0..bytes.len() {
        match (&whole, proxy_protocol::parse(&bytes[..end])) {
            (Ok(Some(header)), Ok(Some(shorter))) => assert_eq!(*header, shorter),
            (_, Ok(None)) | (Err(_), Err(_)) => {}
            (whole, part) => panic!("{whole:?} but {part:?} after {end} bytes"),
        }
    }
    let Ok(Some(header)) = whole else { return };
    assert!(header.len <= bytes.len());
    if let Some((source, destination)) = header.addresses {
        let mut written = Vec::new();
        proxy_protocol::write_v2(&mut written, source, destination);
        let again = proxy_protocol::parse(&written)
            .ok()
            .flatten()
            .expect("a header of ours is one");
        assert_eq!((again.len, again.addresses), (written.len(), header.addresses));
    }
}

/// An expression that is taken decides like the part of it that is said to decide; one that is not says where.
pub fn claims(text: &str) {
    let facts = serde_json::json!({"sub": "a", "list": ["a", 1, true], "deep": {"a": "a b"}});
    let Some(facts) = facts.as_object() else { return };
    match Claims::parse(text) {
        Err(error) => assert!(error.at <= text.len(), "{error}"),
        Ok(parsed) => {
            let explained = parsed.explain(facts);
            assert_eq!(explained.holds, parsed.holds(facts));
            let part = Claims::parse(explained.because).expect("a part is an expression");
            assert_eq!(part.holds(facts), explained.holds, "{}", explained.because);
        }
    }
}

/// Nothing that was not signed is verified, as a token or after a set of keys of the same bytes.
pub fn token(bytes: &[u8]) {
    let _ = KeySet::parse(bytes, Origin::Remote);
    let _ = Key::from_pem(&String::from_utf8_lossy(bytes));
    let key = Key::secret(None, b"a secret that the fuzzer does not guess").expect("a key");
    if let Ok(token) = Token::read(bytes) {
        assert!(token.verify([key].iter()).is_err());
    }
}

/// A template ends within its limits, and what it wrote comes from its own bytes, in order.
pub fn template(text: &str) {
    let limits = Limits {
        time: std::time::Duration::from_secs(2),
        steps: 20_000,
        memory: 1 << 20,
        output: 64 << 10,
    };
    let Ok(template) = Template::parse("t", text) else {
        return;
    };
    let data = serde_json::json!({"name": "web", "n": 3, "items": ["a", 1.5, null], "map": {"k": "v"}});
    let Ok(rendered) = template.render_traced(&Value::from(&data), &limits) else {
        return;
    };
    assert!(rendered.text.len() <= limits.output);
    let mut last = None;
    for origin in &rendered.origins {
        assert!(last < Some(origin.output), "origins go forward");
        assert!(origin.source < text.len(), "an origin is in the text");
        last = Some(origin.output);
    }
}

/// An expression is refused with its place, or decides the same each time; it never takes for ever, and never panics.
pub fn expression(text: &str) {
    let program = match Program::compile(text) {
        Ok(program) => program,
        Err(mistake) => return assert!(mistake.at <= text.len() && !mistake.message.is_empty()),
    };
    let address = ([127, 0, 0, 1], 80).into();
    let connection = Connection::new(address, address, "web".into(), None);
    let exchange = Exchange::new(Rc::new(connection), Rc::default());
    let request = Request {
        target: Target::new("/api/items?page=2&page=3&q=%ff"),
        ..Request::default()
    };
    let facts = Facts {
        request: &request,
        exchange: &exchange,
        client_ip: "127.0.0.1",
        now: 0,
        mcp: None,
    };
    assert_eq!(program.holds(&facts), program.holds(&facts));
    for fact in program.facts() {
        assert!(!fact.shown(&facts).is_empty() || fact.read(&facts).is_ok());
    }
}

/// A message is read as another reader reads it, and lists can be shortened whatever they are.
pub fn mcp(bytes: &[u8]) {
    let is_json = |bytes: &[u8]| serde_json::from_slice::<serde_json::Value>(bytes).is_ok();
    if let Ok(filtered) = list::filter(bytes, |_, _, asked| asked.params().contains_key("uri")) {
        // Half of a surrogate pair, which this reader refuses, stays where it is.
        assert!(!is_json(bytes) || filtered.doc.is_none_or(|doc| is_json(&doc)));
    }
    let Ok(message) = Message::read(bytes) else { return };
    let asked = message.asked(&bytes.to_vec().into(), &message.call());
    let params = message.params().map_or("{}", |params| params.raw());
    assert!(serde_json::from_str::<serde_json::Value>(params).is_ok(), "policies see none of them");
    for (part, path) in [(part::ARGUMENTS, &["arguments"][..]), (part::META, &["_meta"]), (part::BAGGAGE, &["_meta", "baggage"])] {
        let there = message.params().and_then(|params| path.iter().try_fold(params, |value, name| value.get(name)));
        assert_eq!(message.value(part).map(|v| v.range()), there.map(|v| v.range()), "{path:?}");
    }
    // Readers differ in how deep they follow, not in what they find there.
    let Ok(root) = serde_json::from_slice::<serde_json::Value>(bytes) else {
        return;
    };
    assert_eq!(root["method"].as_str().unwrap_or_default(), message.method());
    // Parameters of an answer say nothing.
    let params = root["params"].as_object().filter(|_| message.method.is_some());
    assert_eq!(params.cloned().unwrap_or_default(), *asked.params());
    let named = ["name", "uri", "taskId"].map(|member| root["params"][member].as_str());
    assert!(message.name().is_none_or(|name| named.contains(&Some(name))));
}
