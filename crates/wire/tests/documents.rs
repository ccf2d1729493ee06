//! What must hold for any JSON document and any event stream: the strict reader takes what `serde_json` takes, text
//! decodes to what it decodes to, a spliced document reads as the changed tree, and frames do not depend on how a stream
//! is cut.

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Map, Value};
use trilithon_wire::json::{self, Splice};
use trilithon_wire::sse::{Frame, Frames};

fn tree() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        // Exact in both directions: the other reader rounds the last digits of long ones.
        any::<i32>().prop_map(|n| Value::from(f64::from(n) / 8.0)),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::from),
            vec((".{0,8}", inner), 0..6).prop_map(|m| Value::Object(m.into_iter().collect())),
        ]
    })
}

/// The tree as the walker sees it.
fn read(value: &json::Value<'_>) -> Value {
    match value.kind() {
        json::Kind::Object => {
            let members = value.members().map(|(n, v)| (n.to_str().into_owned(), read(&v)));
            Value::Object(members.collect::<Map<_, _>>())
        }
        json::Kind::Array => value.items().map(|v| read(&v)).collect(),
        json::Kind::String => value.text().expect("a string").to_str().into(),
        _ => serde_json::from_str(value.raw()).expect("a scalar"),
    }
}

fn is_valid(text: &str) -> bool {
    serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}

fn frames(stream: &[u8], cuts: &[usize]) -> Vec<(Vec<u8>, Frame)> {
    let (mut cut, mut all, mut at) = (Frames::new(1 << 20), Vec::new(), 0);
    let mut ends: Vec<usize> = cuts.iter().map(|c| c % (stream.len() + 1)).collect();
    ends.sort_unstable();
    ends.push(stream.len());
    for end in ends {
        while let Some(frame) = cut.next(&stream[at..end]).expect("within the limit") {
            let raw = stream[at..at + frame.len].to_vec();
            at += frame.len;
            all.push((raw, frame));
        }
    }
    if let Some(frame) = cut.next_or_rest(&stream[at..], true).expect("within the limit") {
        all.push((stream[at..].to_vec(), frame));
    }
    all
}

proptest! {
    #[test]
    fn what_is_written_is_read(tree in tree(), pretty in any::<bool>()) {
        let text = if pretty { serde_json::to_string_pretty(&tree) } else { serde_json::to_string(&tree) }.unwrap();
        let value = json::parse(text.as_bytes()).unwrap();
        prop_assert_eq!(read(&value), tree);
    }

    #[test]
    fn both_readers_take_the_same(tree in tree(), at in any::<usize>(), with in r#"[\[\]{},:"\\0-9a-z +.eE\-\n\t\u{1}]{0,2}"#, gone in 0..3usize) {
        let text = serde_json::to_string(&tree).unwrap();
        let mut chars: Vec<char> = text.chars().collect();
        let at = at % (chars.len() + 1);
        chars.splice(at..(at + gone).min(chars.len()), with.chars());
        let text: String = chars.into_iter().collect();
        prop_assert_eq!(json::parse(text.as_bytes()).is_ok(), is_valid(&text), "{}", text);
    }

    #[test]
    fn any_bytes_are_harmless(bytes in vec(any::<u8>(), 0..80)) {
        if let Ok(value) = json::parse(&bytes) {
            prop_assert!(is_valid(std::str::from_utf8(&bytes).unwrap()));
            read(&value);
        }
    }

    #[test]
    fn parts_of_text_are_where_they_say(text in ".{0,20}", escape in vec(any::<bool>(), 20), from in any::<usize>(), to in any::<usize>()) {
        let mut doc = "\"".to_owned();
        for (i, c) in text.chars().enumerate() {
            if escape[i % escape.len()] {
                c.encode_utf16(&mut [0; 2]).iter().for_each(|u| doc += &format!("\\u{u:04x}"));
            } else {
                let quoted = json::quote(c.encode_utf8(&mut [0; 4]));
                doc += std::str::from_utf8(&quoted[1..quoted.len() - 1]).unwrap();
            }
        }
        doc.push('"');
        let decoded = json::parse(doc.as_bytes()).unwrap().text().unwrap().decode();
        prop_assert_eq!(&*decoded.text, text.as_str());
        let mut ends: Vec<usize> = text.char_indices().map(|(i, _)| i).collect();
        ends.push(text.len());
        let (a, b) = (ends[from % ends.len()], ends[to % ends.len()]);
        let part = a.min(b)..a.max(b);
        let raw = format!("\"{}\"", &doc[decoded.raw(part.clone())]);
        prop_assert_eq!(serde_json::from_str::<String>(&raw).unwrap(), &text[part]);
    }

    #[test]
    fn a_splice_is_the_change_of_the_tree(members in vec(("[a-e]{1,2}", tree()), 0..6), sets in vec(("[a-e]{1,2}", tree()), 0..4)) {
        let mut tree: Map<String, Value> = members.into_iter().collect();
        let sets: Map<String, Value> = sets.into_iter().collect();
        let doc = serde_json::to_string_pretty(&tree).unwrap();
        let root = json::parse(doc.as_bytes()).unwrap();
        let mut splice = Splice::new();
        for (name, value) in sets {
            splice.set(&root, &name, &value.to_string()).unwrap();
            tree.insert(name, value);
        }
        let spliced: Value = serde_json::from_slice(&splice.apply(doc.as_bytes())).unwrap();
        prop_assert_eq!(spliced, Value::Object(tree));
    }

    #[test]
    fn frames_do_not_depend_on_cuts(
        lines in vec("(data|event|id|retry|)(:| :|: )?[a-z{}\"é]{0,6}|", 0..12),
        ends in vec(prop_oneof![Just("\n"), Just("\r"), Just("\r\n"), Just("\n\n"), Just("\r\n\r\n")], 12),
        cuts in vec(any::<usize>(), 0..8),
    ) {
        let stream: String = lines.iter().zip(&ends).flat_map(|(l, e)| [l.as_str(), e]).collect();
        let whole = frames(stream.as_bytes(), &[]);
        let joined: Vec<u8> = whole.iter().flat_map(|(raw, _)| raw.clone()).collect();
        prop_assert_eq!(joined, stream.as_bytes());
        prop_assert_eq!(frames(stream.as_bytes(), &cuts), whole);
    }
}
