//! Calls of language models: JSON, streams of events, dialects, what guards hide, conditions, queries, translation.

use serde_json::Value as Json;
use std::ops::Range;
use trilithon_ai::Query;
use trilithon_ai::dialect::{Channel, Delta, Dialect};
use trilithon_ai::guard::condition::{Answer, Condition};
use trilithon_ai::guard::hold::{Hold, Key, Piece};
use trilithon_ai::translate;
use trilithon_wire::json::{self, Fault, Kind, Splice, Text, Value};
use trilithon_wire::sse::Frames;

/// What another library takes for JSON is JSON here, but for doubts and depth; every text knows where it is written.
pub fn json(bytes: &[u8]) {
    let root = match json::parse(bytes) {
        Ok(root) => root,
        Err(error) => {
            let doubted = matches!(error.what, Fault::Twice | Fault::Depth);
            assert!(doubted || serde_json::from_slice::<Json>(bytes).is_err(), "{error}");
            return;
        }
    };
    walk(&root);
    assert_eq!(Splice::new().apply(bytes), bytes);
}

fn walk(value: &Value<'_>) {
    if let Some(text) = value.text() {
        let decoded = text.decode();
        let mut end = text.range().start;
        for (at, c) in decoded.text.char_indices() {
            let raw = decoded.raw(at..at + c.len_utf8());
            assert_eq!(raw.start, end, "characters follow each other");
            end = raw.end;
        }
        assert_eq!(end, text.range().end);
    }
    if value.kind() == Kind::Array {
        value.items().for_each(|item| walk(&item));
    }
    value.members().for_each(|(_, value)| walk(&value));
}

/// Frames are the same however a stream is cut, and nothing lies between them.
pub fn sse(bytes: &[u8]) {
    let whole = frames(bytes, bytes.len().max(1));
    assert_eq!(whole.concat(), bytes);
    for piece in [1, 2, 3, 7] {
        assert_eq!(frames(bytes, piece), whole, "in pieces of {piece}");
    }
}

fn frames(bytes: &[u8], piece: usize) -> Vec<Vec<u8>> {
    let (mut cut, mut rest, mut all) = (Frames::new(usize::MAX), Vec::new(), Vec::new());
    for chunk in bytes.chunks(piece) {
        rest.extend_from_slice(chunk);
        while let Some(frame) = cut.next(&rest).expect("no bound") {
            let _ = (frame.data(&rest[..frame.len]), frame.event(&rest[..frame.len]));
            all.push(rest.drain(..frame.len).collect());
        }
    }
    if let Some(frame) = cut.next_or_rest(&rest, true).expect("no bound") {
        all.push(rest.drain(..frame.len).collect());
    }
    assert!(rest.is_empty());
    all
}

/// Every text that a dialect finds is one, whatever the body is.
pub fn dialects(bytes: &[u8]) {
    for dialect in Dialect::ALL {
        if let Ok(request) = dialect.request(bytes) {
            request.slots.iter().for_each(|slot| is_text(bytes, &slot.range));
        }
        if let Ok(answer) = dialect.answer(bytes) {
            answer.slots.iter().for_each(|slot| is_text(bytes, &slot.range));
        }
        if let Ok(event) = dialect.event(bytes) {
            event.deltas.iter().for_each(|delta| is_text(bytes, &delta.range));
        }
        for (range, blank) in dialect.echoes(bytes) {
            let mut splice = Splice::new();
            splice.replace(range, blank).expect("one");
            json::parse(&splice.apply(bytes)).expect("still JSON");
        }
    }
}

fn is_text(bytes: &[u8], range: &Range<usize>) {
    let doc = std::str::from_utf8(bytes).expect("JSON is UTF-8");
    let decoded = Text::at(doc, range.clone()).decode();
    assert!(decoded.range() == *range);
}

/// A stream of which all is hidden is still one of as many frames, and shows nothing.
pub fn hold(bytes: &[u8]) {
    for dialect in Dialect::ALL {
        let (mut hold, mut cut, mut rest, mut count) = (Hold::new(1, Some(dialect)), Frames::new(usize::MAX), bytes, 0);
        while let Some(frame) = cut.next_or_rest(rest, true).expect("no bound") {
            let (raw, after) = rest.split_at(frame.len);
            let data = frame.data(raw);
            let event = dialect.event(&data).unwrap_or_default();
            let pieces: Vec<Piece> = event.deltas.iter().map(piece).collect();
            hold.push(raw.to_vec().into(), std::str::from_utf8(&data).unwrap_or_default(), &pieces);
            (rest, count) = (after, count + 1);
        }
        hold.close(|_| true);
        for channel in 0..hold.channels().len() {
            let received = hold.channels()[channel].received();
            hold.judge(channel, 0, received, &[(0..received, '*')]);
        }
        while let Some((bytes, _)) = hold.pop() {
            count -= 1;
            hidden(dialect, &bytes);
        }
        assert!(hold.is_empty() && count == 0, "all of it goes on");
    }
}

fn piece(delta: &Delta) -> Piece {
    Piece {
        key: Key {
            kind: delta.channel,
            choice: delta.choice,
            index: delta.index,
        },
        restates: delta.restates,
        range: delta.range.clone(),
    }
}

/// Nothing of a frame's texts is to be seen; arguments of tools may have got quotes.
fn hidden(dialect: Dialect, raw: &[u8]) {
    let frame = Frames::new(usize::MAX).next_or_rest(raw, true);
    let Some(frame) = frame.expect("no bound") else { return };
    let data = frame.data(raw);
    let Ok(event) = dialect.event(&data) else { return };
    let doc = std::str::from_utf8(&data).expect("JSON is UTF-8");
    for delta in event.deltas.iter().filter(|delta| delta.channel != Channel::ToolArguments) {
        let text = Text::at(doc, delta.range.clone()).to_str();
        assert!(text.chars().all(|c| c == '*'), "{text}");
    }
}

/// A condition is read or refused, and says yes, no or that it cannot say.
pub fn conditions(text: &str) {
    let (condition, answer) = text.split_once('\n').unwrap_or((text, "{}"));
    if let (Ok(condition), Ok(answer)) = (Condition::parse(condition), Answer::new(answer)) {
        let _ = condition.holds(&answer);
    }
}

/// A query finds texts or nothing.
pub fn query(text: &str) {
    let (query, doc) = text.split_once('\n').unwrap_or((text, "{}"));
    if let (Ok(query), Ok(root)) = (Query::parse(query), json::parse(doc.as_bytes())) {
        let _ = query.number(&root);
        query.find(&root).iter().for_each(|range| is_text(doc.as_bytes(), range));
    }
}

/// What is translated is JSON of the other dialect, also event by event.
pub fn translation(bytes: &[u8]) {
    for (from, to) in [(Dialect::Chat, Dialect::Messages), (Dialect::Messages, Dialect::Chat)] {
        if let Ok(translated) = translate::request(from, bytes) {
            assert!(serde_json::from_slice::<Json>(&translated.body).is_ok());
        }
        if let Ok(body) = translate::answer(to, bytes, 0) {
            assert!(to.answer(&body).is_ok());
        }
        let mut stream = translate::Stream::new(to, 0, true).expect("it is translated");
        let mut out = Vec::new();
        for line in bytes.split(|b| *b == b'\n') {
            if stream.event(line, &mut out).is_err() {
                stream.fail("no", &mut out);
            }
        }
        let _ = stream.end(&mut out);
        for raw in frames(&out, out.len().max(1)) {
            let frame = Frames::new(usize::MAX).next_or_rest(&raw, true).expect("no bound").expect("a frame");
            assert!(to.event(&frame.data(&raw)).is_ok());
        }
    }
}
