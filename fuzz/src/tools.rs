//! Calls of tools: APIs that documents describe, places in traces, what clients keep for the gateway, calls that undo.

use serde_json::{Value, json};
use trilithon_flow::Headers;
use trilithon_flow::trace::{Propagators, baggage};
use trilithon_mcp::openapi::{Answer, Api, Document, Options, Tool, result};
use trilithon_mcp::merge::Lists;
use trilithon_mcp::{
    Abilities, Cursor, Era, EventId, Leg, List, Message, Naming, Seal, Session, bridge, meta, outward, part, tag,
};
use trilithon_policy::undo::{Names, Root, Template};
use trilithon_wire::json;

/// Tools that are called of one document.
const CALLED: usize = 8;

/// A document and the arguments of calls, a line each: tools have names and schemas that clients take, calls stay on their path and
/// write clean heads, and structured results are objects.
pub fn openapi(text: &str) {
    let (document, arguments) = text.split_once('\n').unwrap_or((text, "{}"));
    let Ok(document) = Document::read(document) else { return };
    let api = match Api::of(&document, &Options::default()) {
        Ok(api) => api,
        Err(mistake) => return assert!(!mistake.message.is_empty()),
    };
    let arguments = serde_json::from_str::<Value>(arguments).unwrap_or_default();
    for tool in api.tools() {
        let listed: Value = serde_json::from_str(tool.listed()).expect("a tool is listed as JSON");
        let name = listed["name"].as_str().expect("a tool has a name");
        assert!(!name.is_empty() && name.len() <= 64 && api.tool(name).is_some_and(|found| found.name() == name));
        assert_eq!(listed["inputSchema"]["type"], "object");
        assert!(listed.get("outputSchema").is_none_or(|schema| schema["type"] == "object"));
    }
    for tool in api.tools().iter().take(CALLED) {
        call(tool, &arguments);
        answer(tool, arguments.to_string().as_bytes());
    }
}

fn call(tool: &Tool, arguments: &Value) {
    let Some(Ok(asked)) = arguments.as_object().map(|all| tool.request(all)) else {
        return;
    };
    let path = asked.target.split('?').next().unwrap_or_default();
    assert!(path.starts_with('/'), "{path}");
    assert!(path.split('/').all(|segment| !matches!(segment, "." | "..")), "{path}");
    let lines = asked.headers.iter().map(|(name, value)| format!("{name}{value}"));
    let kind = asked.body.iter().map(|(kind, _)| kind.clone());
    for text in lines.chain(kind) {
        assert!(text.bytes().all(|b| (b' '..=b'~').contains(&b)), "{text:?}");
    }
}

fn answer(tool: &Tool, body: &[u8]) {
    let answer = Answer {
        status: 200,
        kind: "application/json",
        body,
        schema: tool.output(),
        ..Answer::default()
    };
    let result = result(Era::Modern, &answer);
    let object = result.get("structuredContent");
    assert!(object.is_none_or(Value::is_object) && (object.is_some() || tool.output().is_none()), "{result}");
}

/// `traceparent`, `tracestate`, `baggage` and a message, a line each: what was read is read again as it was written, and a message
/// is told its place with nothing else changed.
pub fn trace(text: &str) {
    let mut lines = text.splitn(4, '\n');
    let [parent, state, said, message] = std::array::from_fn(|_| lines.next().unwrap_or_default());
    let mut headers = Headers::new();
    for (name, value) in [("traceparent", parent), ("tracestate", state), ("baggage", said)] {
        headers.append(name, value);
    }
    let (propagators, _) = Propagators::read(None);
    if let Some(remote) = propagators.extract(&headers) {
        let mut written = Headers::new();
        propagators.inject(&mut written, &remote, remote.state.as_deref());
        let again = propagators.extract(&written).expect("what is written is read");
        assert_eq!((again.trace, again.span), (remote.trace, remote.span));
        assert_eq!(again.state, remote.state);
    }
    let _ = baggage::tool_call(said.as_bytes());
    if said.len() < 4096 {
        let named = baggage::naming(Some(said), "call 1");
        assert_eq!(baggage::tool_call(named.as_bytes()).as_deref(), Some("call 1"), "{named}");
    }
    let Ok(read) = Message::read(message.as_bytes()) else {
        return;
    };
    let Some(with) = meta::with(&read.layout(message.as_bytes().to_vec().into()), &[(part::TRACE_PARENT, parent)]) else {
        return;
    };
    let again = Message::read(&with.body).expect("it is a message still");
    assert_eq!(again.layout(with.body.clone()), with, "its parts are where they are said to be");
    let (Ok(mut before), Ok(mut after)) = (
        serde_json::from_str::<Value>(message),
        serde_json::from_slice::<Value>(&with.body),
    ) else {
        return;
    };
    let mut members = after["params"]["_meta"].as_object().into_iter().flatten();
    assert!(members.any(|(name, value)| json::alike(name, meta::TRACE_PARENT) && value == parent));
    for message in [&mut before, &mut after] {
        message["params"]["_meta"] = json!({});
    }
    assert_eq!(before, after);
}

/// What a server answers, as clients of other names and of the other era get it: JSON stays JSON, an answer is one to who asked, and a
/// list that is made of it is one.
pub fn passed(bytes: &[u8]) {
    let is_json = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).is_ok();
    if !is_json(bytes) {
        return;
    }
    let naming = Naming::new("b", "_");
    if let Ok(passed) = outward::message(bytes, "b", &naming) {
        assert!(passed.doc.is_none_or(|doc| is_json(&doc)));
    }
    if let Ok(answer) = bridge::modern_answer(bytes, "\"7\"", "tools/call", || Abilities::of(bytes)) {
        let answer: Value = serde_json::from_slice(&answer).expect("it was JSON");
        assert!(answer.get("id").is_none_or(|id| id == "7"));
    }
    if let Some(questions) = bridge::Questions::read(bytes) {
        assert!(questions.asked.iter().all(|(_, _, params)| is_json(params.as_bytes())));
    }
    for list in List::ALL {
        let mut lists = Lists::new(list);
        if lists.add(bytes, "b", &naming, |name| name.ends_with('x')).is_ok() {
            assert!(is_json(&lists.finish("7", Era::Modern, None)));
        }
    }
}

/// What clients keep comes back as it was, and what nobody sealed opens nothing.
pub fn sealed(text: &str) {
    let seal = Seal::new([b"a secret that the fuzzer does not guess".as_slice()]);
    assert_eq!(Session::open(&seal, "s", text), None);
    assert_eq!(Cursor::open(&seal, "s", List::Tools, text), None);
    if let Some(id) = EventId::read(text) {
        assert_eq!(EventId::read(&id.write()), Some(id));
    }
    if let Some((server, raw)) = json::parse(text.as_bytes()).ok().as_ref().and_then(tag::parted) {
        let value = json::parse(raw.as_bytes()).expect("a number is JSON");
        let again = tag::tagged(&server, &value);
        let again = json::parse(again.as_bytes()).expect("a tag is JSON");
        assert_eq!(tag::parted(&again), Some((server, raw)));
    }
    let cursor = Cursor(vec![("a".into(), text.into())]);
    let written = cursor.seal(&seal, "s", List::Tools).expect("somebody has more");
    assert_eq!(Cursor::open(&seal, "s", List::Tools, &written), Some(cursor));
    assert_eq!(Cursor::open(&seal, "t", List::Tools, &written), None);
    let mut session = Session {
        number: [1; 16],
        principal: [2; 16],
        created: 3,
        hello: text.into(),
        legs: vec![Leg {
            server: "a".into(),
            id: (!text.is_empty()).then(|| text.into()),
            version: "2025-11-25".into(),
        }],
    };
    let written = session.seal(&seal, "s");
    assert_eq!(Session::open(&seal, "s", &written), Some(session));
}

/// A template is refused with its place; values fill one segment of a path each.
pub fn undo(text: &str) {
    let mut names = Names::default();
    let template = match Template::parse(text, Root::OF_HTTP, &mut names) {
        Ok(template) => template,
        Err(mistake) => return assert!(mistake.at <= text.len() && !mistake.message.is_empty()),
    };
    let with = |values: &[Value]| {
        let values: Vec<Option<Value>> = (0..names.iter().count())
            .map(|at| values.get(at % values.len()).cloned())
            .collect();
        let _ = template.json(&names, &values);
        template.path(&names, &values)
    };
    let Ok(plain) = with(&[json!("v")]) else { return };
    // What is a path already is not escaped: it comes from a request line, or is checked where it is read.
    if names.iter().any(|name| name.root().is_path()) {
        return;
    }
    let hostile = [json!("a/b"), json!(".."), json!("?x"), json!("#"), json!("%2e"), json!("."), json!("\r\n"), json!(7), json!([])];
    for start in 0..hostile.len() {
        let values: Vec<Value> = hostile.iter().cycle().skip(start).take(hostile.len()).cloned().collect();
        let Ok(path) = with(&values) else { continue };
        for c in ['/', '?', '#', '\r', '\n'] {
            assert_eq!(path.matches(c).count(), plain.matches(c).count(), "{path:?}");
        }
        let dots = |path: &str| path.split('/').filter(|segment| matches!(*segment, "." | "..")).count();
        assert_eq!(dots(&path), dots(&plain), "{path:?}");
    }
}
