//! Masking a stream is masking the whole, however it is cut: into deltas, events and reads, in any dialect and spelling.

use super::*;
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::BTreeMap;
use trilithon_rule::Regexp;
use trilithon_wire::json::{self, Value};
use trilithon_wire::sse::Frames;

/// What is hidden; one of them goes over a character of two units.
const SECRETS: [&str; 2] = ["SECRET-[0-9]+", "k😀+é?"];

/// What texts are made of: secrets, beginnings of some, and what JSON escapes.
const FRAGMENTS: [&str; 12] = [
    "SECRET-1",
    "SECRET-23",
    "SECRE",
    "k😀😀é",
    "k",
    "😀",
    "é",
    " ",
    "\"",
    "\\",
    "\n",
    "words ",
];

/// A text of an answer: which choice or block says it, and whether a tool is given it.
type Place = (usize, bool);

/// The units of UTF-16 that a client puts together, by the text that they belong to.
type Heard = BTreeMap<Place, Vec<u16>>;

fn masked(text: &str) -> String {
    let hidden: Vec<_> = SECRETS
        .iter()
        .flat_map(|secret| {
            let regex = Regexp::new(secret).unwrap();
            let found: Vec<_> = regex
                .regex()
                .find_iter(text.as_bytes())
                .map(|m| m.range())
                .collect();
            found
        })
        .collect();
    let is_hidden = |at: usize| hidden.iter().any(|range| range.contains(&at));
    text.char_indices()
        .map(|(at, c)| if is_hidden(at) { '*' } else { c })
        .collect()
}

/// Cuts a text between any two units and writes the pieces as the insides of strings of JSON.
fn pieces(text: &str, random: &mut fastrand::Rng) -> Vec<String> {
    let units: Vec<u16> = text.encode_utf16().collect();
    let (mut pieces, mut rest) = (Vec::new(), &units[..]);
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(random.usize(1..=rest.len().min(7)));
        pieces.push(written(piece, random.bool()));
        rest = after;
    }
    pieces
}

fn written(units: &[u16], escaped: bool) -> String {
    let escape = |unit: &u16| format!("\\u{unit:04x}");
    let one = |c: Result<char, std::char::DecodeUtf16Error>| match c {
        Ok(c) if !escaped && c >= ' ' && !matches!(c, '"' | '\\') => c.to_string(),
        Ok(c) => c.encode_utf16(&mut [0; 2]).iter().map(escape).collect(),
        Err(half) => escape(&half.unpaired_surrogate()),
    };
    char::decode_utf16(units.iter().copied()).map(one).collect()
}

/// The units that the inside of a string of JSON says.
fn units(raw: &str) -> Vec<u16> {
    let (mut units, mut rest) = (Vec::new(), raw);
    while let Some(c) = rest.chars().next() {
        if let Some(hex) = rest.strip_prefix("\\u") {
            units.push(u16::from_str_radix(&hex[..4], 16).unwrap());
            rest = &hex[4..];
            continue;
        }
        let c = match (c, rest.chars().nth(1)) {
            ('\\', Some('n')) => '\n',
            ('\\', Some(c)) => c,
            (c, _) => c,
        };
        units.extend(c.encode_utf16(&mut [0; 2]).iter());
        rest = rest.strip_prefix('\\').unwrap_or(rest);
        rest = &rest[rest.chars().next().map_or(0, char::len_utf8)..];
    }
    units
}

/// What a tool is given: JSON with the text in it.
fn arguments(text: &str) -> String {
    serde_json::json!({ "k": text }).to_string()
}

/// Writes texts as the data of a stream's events.
type Write = fn(&[(Place, String)], &mut fastrand::Rng) -> Vec<String>;

/// A dialect's streams: how they are written, and how a client reads them.
struct Wire {
    format: ClientRequestFormat,
    asked: &'static str,
    write: Write,
    read: fn(&Value<'_>, &mut Heard),
}

fn say(heard: &mut Heard, place: Place, value: Option<Value<'_>>) {
    if let Some(text) = value.and_then(|value| value.text()) {
        heard.entry(place).or_default().extend(units(text.raw()));
    }
}

fn number(value: &Value<'_>, name: &str) -> usize {
    value.get(name).and_then(|n| n.as_u64()).unwrap_or(0) as usize
}

/// Choices speak across each other, each first in words and then to a tool.
fn chat(texts: &[(Place, String)], random: &mut fastrand::Rng) -> Vec<String> {
    let mut choices: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for ((index, is_tool), text) in texts {
        let own = choices.entry(*index).or_default();
        own.extend(pieces(text, random).into_iter().map(|piece| {
            let delta = if *is_tool {
                format!(r#""tool_calls":[{{"index":0,"function":{{"arguments":"{piece}"}}}}]"#)
            } else {
                format!(r#""content":"{piece}""#)
            };
            format!(r#"{{"id":"c","choices":[{{"index":{index},"delta":{{{delta}}}}}]}}"#)
        }));
    }
    for (index, own) in &mut choices {
        own.push(format!(
            r#"{{"id":"c","choices":[{{"index":{index},"delta":{{}},"finish_reason":"stop"}}]}}"#
        ));
        own.reverse();
    }
    let mut events = Vec::new();
    while !choices.is_empty() {
        let next = *random.choice(choices.keys()).unwrap();
        match choices.get_mut(&next).and_then(Vec::pop) {
            Some(event) => events.push(event),
            None => drop(choices.remove(&next)),
        }
    }
    events.push("[DONE]".to_owned());
    events
}

fn hear_chat(event: &Value<'_>, heard: &mut Heard) {
    for choice in event.get("choices").unwrap().items() {
        let (index, delta) = (number(&choice, "index"), choice.get("delta").unwrap());
        say(heard, (index, false), delta.get("content"));
        for call in delta.get("tool_calls").iter().flat_map(Value::items) {
            let function = call.get("function").unwrap();
            say(heard, (index, true), function.get("arguments"));
        }
    }
}

/// One block after the other.
fn messages(texts: &[(Place, String)], random: &mut fastrand::Rng) -> Vec<String> {
    let mut events = vec![r#"{"type":"message_start","message":{"id":"m","usage":{}}}"#.to_owned()];
    for (at, ((_, is_tool), text)) in texts.iter().enumerate() {
        let (kind, delta, name) = match is_tool {
            true => (r#""tool_use","input":{}"#, "input_json_delta", "partial_json"),
            false => (r#""text","text":"""#, "text_delta", "text"),
        };
        events.push(format!(
            r#"{{"type":"content_block_start","index":{at},"content_block":{{"type":{kind}}}}}"#
        ));
        events.extend(pieces(text, random).into_iter().map(|piece| {
            format!(r#"{{"type":"content_block_delta","index":{at},"delta":{{"type":"{delta}","{name}":"{piece}"}}}}"#)
        }));
        events.push(format!(r#"{{"type":"content_block_stop","index":{at}}}"#));
    }
    events.push(r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"}}"#.to_owned());
    events.push(r#"{"type":"message_stop"}"#.to_owned());
    events
}

fn hear_messages(event: &Value<'_>, heard: &mut Heard) {
    if let Some(delta) = event.get("delta") {
        let index = number(event, "index");
        say(heard, (index, false), delta.get("text"));
        say(heard, (index, true), delta.get("partial_json"));
    }
}

/// One item after the other; each is told in pieces and then whole, and all of them at the end.
fn responses(texts: &[(Place, String)], random: &mut fastrand::Rng) -> Vec<String> {
    let (mut events, mut items) = (Vec::new(), Vec::new());
    for (at, ((_, is_tool), text)) in texts.iter().enumerate() {
        let whole = written(&text.encode_utf16().collect::<Vec<_>>(), random.bool());
        let (kind, name, item) = match is_tool {
            true => (
                "function_call_arguments",
                "arguments",
                format!(r#"{{"type":"function_call","arguments":"{whole}"}}"#),
            ),
            false => (
                "output_text",
                "text",
                format!(r#"{{"type":"message","content":[{{"type":"output_text","text":"{whole}"}}]}}"#),
            ),
        };
        events.extend(pieces(text, random).into_iter().map(|piece| {
            format!(r#"{{"type":"response.{kind}.delta","output_index":{at},"content_index":0,"delta":"{piece}"}}"#)
        }));
        events.push(format!(
            r#"{{"type":"response.{kind}.done","output_index":{at},"content_index":0,"{name}":"{whole}"}}"#
        ));
        events.push(format!(
            r#"{{"type":"response.output_item.done","output_index":{at},"item":{item}}}"#
        ));
        items.push(item);
    }
    events.push(format!(
        r#"{{"type":"response.completed","response":{{"status":"completed","output":[{}]}}}}"#,
        items.join(",")
    ));
    events
}

/// What is told once more is heard as a text of its own.
fn hear_responses(event: &Value<'_>, heard: &mut Heard) {
    const AGAIN: usize = 100;
    let kind = event
        .get("type")
        .and_then(|v| v.text())
        .unwrap()
        .to_str()
        .into_owned();
    let at = number(event, "output_index");
    let is_tool = kind.contains("function_call");
    let mut item = |at: usize, item: &Value<'_>| {
        say(heard, (at, true), item.get("arguments"));
        for part in item.get("content").iter().flat_map(Value::items) {
            say(heard, (at, false), part.get("text"));
        }
    };
    if let Some(one) = event.get("item") {
        item(at + AGAIN, &one);
    } else if let Some(response) = event.get("response") {
        let all = response.get("output").unwrap();
        all.items()
            .enumerate()
            .for_each(|(at, one)| item(at + 2 * AGAIN, &one));
    } else if kind.ends_with(".delta") {
        say(heard, (at, is_tool), event.get("delta"));
    } else {
        let whole = event.get("text").or_else(|| event.get("arguments"));
        say(heard, (at + 3 * AGAIN, is_tool), whole);
    }
}

const WIRES: [Wire; 3] = [
    Wire {
        format: ClientRequestFormat::Ccr,
        asked: r#"{"stream":true,"messages":[{"role":"user","content":"a"}]}"#,
        write: chat,
        read: hear_chat,
    },
    Wire {
        format: ClientRequestFormat::MessagesApi,
        asked: r#"{"stream":true,"max_tokens":9,"messages":[{"role":"user","content":"a"}]}"#,
        write: messages,
        read: hear_messages,
    },
    Wire {
        format: ClientRequestFormat::ResponsesApi,
        asked: r#"{"stream":true,"input":"a"}"#,
        write: responses,
        read: hear_responses,
    },
];

/// Events as bytes, with any line ends and with comments between, cut into reads anywhere.
fn reads(events: &[String], random: &mut fastrand::Rng) -> Vec<&'static [u8]> {
    let mut bytes = Vec::new();
    for event in events {
        let end = *random.choice(["\n", "\r\n", "\r"].iter()).unwrap();
        if random.u8(..) < 40 {
            bytes.extend_from_slice(format!(": ping{end}{end}").as_bytes());
        }
        let name = if random.bool() {
            format!("event: x{end}")
        } else {
            String::new()
        };
        let space = if random.bool() { " " } else { "" };
        bytes.extend_from_slice(format!("{name}data:{space}{event}{end}{end}").as_bytes());
    }
    let (mut reads, mut rest): (Vec<&[u8]>, &'static [u8]) = (Vec::new(), bytes.leak());
    while !rest.is_empty() {
        let (read, after) = rest.split_at(random.usize(1..=rest.len().min(200)));
        reads.push(read);
        rest = after;
    }
    reads
}

fn heard(wire: &Wire, stream: &[u8]) -> BTreeMap<Place, String> {
    let (mut cut, mut rest, mut heard) = (Frames::new(1 << 20), stream, Heard::default());
    while let Some(frame) = cut.next_or_rest(rest, true).unwrap() {
        let (raw, after) = rest.split_at(frame.len);
        if let Ok(event) = json::parse(&frame.data(raw)) {
            (wire.read)(&event, &mut heard);
        }
        rest = after;
    }
    let text = |(place, units): (Place, Vec<u16>)| (place, String::from_utf16_lossy(&units));
    heard.into_iter().map(text).collect()
}

fn through(wire: &Wire, reads: &[&'static [u8]]) -> Outcome {
    let reads = reads.to_vec();
    let mut bench = Bench::raw(move |_| {
        let acts = reads.iter().flat_map(|read| [Act::Data(read), Act::Pause]);
        let mut res = Response {
            body: Script::new(acts).body(),
            ..Response::new(200)
        };
        res.headers.set_known(Known::ContentType, EVENTS);
        res
    });
    let config = Content {
        response: phase(vec![rule(&SECRETS, mask("*", 0, 0))]),
        ..hiding(wire.format)
    };
    let chain = guarded(&mut bench, &config);
    bench.send(&chain, post(wire.asked))
}

fn texts() -> impl Strategy<Value = Vec<(Place, String)>> {
    let text = vec(prop::sample::select(&FRAGMENTS[..]), 1..6).prop_map(|parts| parts.concat());
    let said = vec((0..3usize, any::<bool>(), text), 1..4);
    said.prop_map(|all| {
        let by_place: BTreeMap<Place, String> = all
            .into_iter()
            .map(|(choice, is_tool, text)| {
                let text = if is_tool { arguments(&text) } else { text };
                ((choice, is_tool), text)
            })
            .collect();
        by_place.into_iter().collect()
    })
}

proptest! {
    #[test]
    fn masking_a_stream_is_masking_the_whole(texts in texts(), wire in 0..WIRES.len(), seed in any::<u64>()) {
        let (wire, mut random) = (&WIRES[wire], fastrand::Rng::with_seed(seed));
        let events = (wire.write)(&texts, &mut random);
        let reads = reads(&events, &mut random);
        let outcome = through(wire, &reads);
        prop_assert_eq!(outcome.status, 200);
        let want: BTreeMap<Place, String> = heard(wire, &reads.concat())
            .into_iter()
            .map(|(place, text)| (place, masked(&text)))
            .collect();
        prop_assert_eq!(heard(wire, &outcome.body), want);
        let is_clean = texts.iter().all(|(_, text)| masked(text) == *text);
        prop_assert!(!is_clean || outcome.body == reads.concat(), "what is not touched stays as it is");
    }
}
