//! What Presidio's analyzer is asked (`POST /analyze`), and what its answer means.
//!
//! Its offsets count code points; an answer that is not exactly of its form, or points outside the text, is an error.

use super::Finding;
use serde_json::{Value, json};

/// The body of a request about several texts.
pub fn question(texts: &[&str], language: &str, entities: &[&str]) -> Vec<u8> {
    let mut body = json!({"text": texts, "language": language});
    if !entities.is_empty() {
        body["entities"] = json!(entities);
    }
    body.to_string().into_bytes()
}

/// What was found in each text. `rules` says which rules are about an entity; others are passed over.
///
/// # Errors
/// What is wrong with the answer, without a word of it.
pub fn findings(
    answer: &[u8],
    texts: &[&str],
    rules: impl Fn(&str) -> Vec<usize>,
) -> Result<Vec<Vec<Finding>>, &'static str> {
    let answer: Value = serde_json::from_slice(answer).map_err(|_| "the answer is no JSON")?;
    let lists = answer.as_array().ok_or("the answer is no list")?;
    if lists.len() != texts.len() {
        return Err("the answer is not about as many texts as were asked about");
    }
    let one = |(list, text): (&Value, &&str)| {
        let list = list.as_array().ok_or("the answer has no list for a text")?;
        let mut found = Vec::new();
        let offsets = offsets(text);
        for entry in list {
            let (entity, range) = entry_of(entry, &offsets)?;
            found.extend(rules(entity).into_iter().map(|rule| Finding {
                range: range.clone(),
                rule,
            }));
        }
        Ok(found)
    };
    lists.iter().zip(texts).map(one).collect()
}

fn entry_of<'a>(
    entry: &'a Value,
    offsets: &[usize],
) -> Result<(&'a str, std::ops::Range<usize>), &'static str> {
    let entity = entry.get("entity_type").and_then(Value::as_str);
    let entity = entity.ok_or("an entry has no `entity_type`")?;
    let offset = |name: &str| {
        let point = entry.get(name).and_then(Value::as_u64)?;
        offsets.get(usize::try_from(point).ok()?).copied()
    };
    let places = (offset("start"), offset("end"));
    match places {
        (Some(start), Some(end)) if start < end => Ok((entity, start..end)),
        _ => Err("an entry's `start` and `end` are no place in the text"),
    }
}

/// The byte at which each code point begins, and the end.
fn offsets(text: &str) -> Vec<usize> {
    let begins = text.char_indices().map(|(at, _)| at);
    begins.chain(std::iter::once(text.len())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(entity: &str) -> Vec<usize> {
        match entity {
            "PERSON" => vec![0],
            "EMAIL_ADDRESS" => vec![1, 2],
            _ => vec![],
        }
    }

    #[test]
    fn asks() {
        let body = |entities: &[&str]| String::from_utf8(question(&["a\"b", "ü"], "en", entities)).unwrap();
        assert_eq!(
            body(&["PERSON"]),
            r#"{"text":["a\"b","ü"],"language":"en","entities":["PERSON"]}"#
        );
        assert_eq!(body(&[]), r#"{"text":["a\"b","ü"],"language":"en"}"#);
    }

    #[test]
    fn understands() {
        let check = |answer: &str, want: Result<Vec<Vec<(&str, usize)>>, &'static str>| {
            let texts = ["Ünn: ü@x.de", "äb"];
            let found = findings(answer.as_bytes(), &texts, rules);
            let told = found.map(|lists| {
                let told = |(list, text): (Vec<Finding>, &&'static str)| {
                    list.into_iter().map(|f| (&text[f.range], f.rule)).collect()
                };
                lists.into_iter().zip(&texts).map(told).collect::<Vec<Vec<_>>>()
            });
            assert_eq!(told, want, "{answer}");
        };
        check("[[],[]]", Ok(vec![vec![], vec![]]));
        check(
            r#"[[{"entity_type":"PERSON","start":0,"end":3,"score":0.85},{"entity_type":"URL","start":5,"end":11,"score":1}],
                [{"entity_type":"EMAIL_ADDRESS","start":1,"end":2,"score":1}]]"#,
            Ok(vec![vec![("Ünn", 0)], vec![("b", 1), ("b", 2)]]),
        );
        check("", Err("the answer is no JSON"));
        check("{}", Err("the answer is no list"));
        check(
            "[[]]",
            Err("the answer is not about as many texts as were asked about"),
        );
        check("[[],{}]", Err("the answer has no list for a text"));
        check(
            r#"[[{"start":0,"end":1}],[]]"#,
            Err("an entry has no `entity_type`"),
        );
        let outside = "an entry's `start` and `end` are no place in the text";
        for place in [
            r#""start":0,"end":12"#,
            r#""start":2,"end":2"#,
            r#""start":-1,"end":2"#,
            r#""end":2"#,
        ] {
            check(
                &format!(r#"[[{{"entity_type":"PERSON",{place}}}],[]]"#),
                Err(outside),
            );
        }
    }
}
