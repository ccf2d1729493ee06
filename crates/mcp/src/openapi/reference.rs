//! References inside a document (RFC 6901 as a fragment).

use serde_json::Value;

/// References that lead to references.
const MAX_STEPS: usize = 16;

/// What stands at a place, references followed; `None` for one that leads nowhere, out of the document, or in a circle.
pub fn follow<'d>(document: &'d Value, value: &'d Value) -> Option<&'d Value> {
    let mut value = value;
    for _ in 0..MAX_STEPS {
        match value.get("$ref") {
            None => return Some(value),
            Some(to) => value = find(document, to.as_str()?)?,
        }
    }
    None
}

/// What a reference leads to.
pub fn find<'d>(document: &'d Value, reference: &str) -> Option<&'d Value> {
    let pointer = reference.strip_prefix('#')?;
    match pointer.contains('%') {
        true => document.pointer(&decoded(pointer)?),
        false => document.pointer(pointer),
    }
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
        let document = json!({"a": {"b/c": 7}, "one": {"$ref": "#/two"}, "two": {"$ref": "#/a"},
            "circle": {"$ref": "#/circle"}, "away": {"$ref": "https://other.test/x.json"}, "odd": {"$ref": 7}});
        let check = |name: &str, want: Option<Value>| {
            assert_eq!(follow(&document, &document[name]), want.as_ref(), "{name}");
        };
        check("one", Some(json!({"b/c": 7})));
        check("circle", None);
        check("away", None);
        check("odd", None);
        assert_eq!(find(&document, "#/a/b~1c"), Some(&json!(7)));
        assert_eq!(find(&document, "#/a/b%7E1c"), Some(&json!(7)));
        assert_eq!(find(&document, "#/nope"), None);
        assert_eq!(find(&document, "other.json#/a"), None);
    }
}
