//! References inside a document (RFC 6901 as a fragment).

use super::document::Document;
use serde_json::Value;

/// References that lead to references.
const MAX_STEPS: usize = 16;

/// What stands at a place, references followed; `None` for one that leads nowhere, out of the document, or in a circle.
pub fn follow<'d>(document: &'d Document<'_>, value: &'d Value) -> Option<&'d Value> {
    let mut value = value;
    for _ in 0..MAX_STEPS {
        match value.get("$ref") {
            None => return Some(value),
            Some(to) => value = document.find(to.as_str()?)?,
        }
    }
    None
}

/// The names that a reference follows from the document's root; `None` for one that leads out of it.
pub fn names(reference: &str) -> Option<Vec<String>> {
    let pointer = reference.strip_prefix('#')?;
    let pointer = match pointer.contains('%') {
        true => decoded(pointer)?,
        false => pointer.to_owned(),
    };
    let names = pointer.split('/').skip(1);
    Some(
        names
            .map(|name| name.replace("~1", "/").replace("~0", "~"))
            .collect(),
    )
}

/// What these names lead to from a value on.
pub fn under<'d>(value: &'d Value, names: &[String]) -> Option<&'d Value> {
    names.iter().try_fold(value, |value, name| match value {
        Value::Array(items) => items.get(name.parse::<usize>().ok()?),
        value => value.get(name),
    })
}

fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let hex = [rest.next()?, rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&hex).ok()?, 16).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn references() {
        let text = json!({"a": {"b/c": 7}, "one": {"$ref": "#/two"}, "two": {"$ref": "#/a"},
            "circle": {"$ref": "#/circle"}, "away": {"$ref": "https://other.test/x.json"}, "odd": {"$ref": 7}})
        .to_string();
        let document = Document::read(&text).expect("JSON");
        let check = |name: &str, want: Option<Value>| {
            assert_eq!(follow(&document, document.member(name)), want.as_ref(), "{name}");
        };
        check("one", Some(json!({"b/c": 7})));
        check("circle", None);
        check("away", None);
        check("odd", None);
        assert_eq!(document.find("#/a/b~1c"), Some(&json!(7)));
        assert_eq!(document.find("#/a/b%7E1c"), Some(&json!(7)));
        assert_eq!(document.find("#/nope"), None);
    }
}
