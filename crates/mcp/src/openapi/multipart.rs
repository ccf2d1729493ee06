//! `multipart/form-data` (RFC 7578).

use super::body::bytes;
use super::parameter::plain;
use aws_lc_rs::digest::{SHA256, digest};
use serde_json::{Map, Value};
use std::fmt::Write as _;

/// One field of a form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    pub name: String,
    /// The type of its part, where the document says one.
    pub kind: Option<String>,
    /// It comes in base64, and goes as a file.
    pub is_bytes: bool,
}

/// The type, with the boundary, and the body. A list has a part for each of its items.
///
/// # Errors
/// A file that is no base64.
pub fn written(fields: &[Field], members: &Map<String, Value>) -> Result<(String, Vec<u8>), String> {
    let mut parts = Vec::new();
    for (name, value) in members {
        let field = fields.iter().find(|field| field.name == *name);
        match value {
            Value::Array(items) => {
                for item in items {
                    parts.push(part(name, field, item)?);
                }
            }
            Value::Null => {}
            value => parts.push(part(name, field, value)?),
        }
    }
    // Nobody can put the digest of a text into the text.
    let mut boundary = String::new();
    for byte in &digest(&SHA256, &parts.concat()).as_ref()[..16] {
        // Writing to a text does not fail.
        let _ = write!(boundary, "{byte:02x}");
    }
    let mut body = Vec::new();
    for part in &parts {
        body.extend_from_slice(format!("--{boundary}\r\n").as_bytes());
        body.extend_from_slice(part);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    Ok((format!("multipart/form-data; boundary={boundary}"), body))
}

/// One part: its head and its content.
fn part(name: &str, field: Option<&Field>, value: &Value) -> Result<Vec<u8>, String> {
    let quoted = quoted(name);
    let mut head = format!("Content-Disposition: form-data; name=\"{quoted}\"");
    let mut kind = field.and_then(|field| field.kind.as_deref());
    let content = match field.is_some_and(|field| field.is_bytes) {
        true => {
            head.push_str(&format!("; filename=\"{quoted}\""));
            kind = kind.or(Some("application/octet-stream"));
            bytes(&format!("`{name}`"), value)?
        }
        false => {
            if value.is_object() || value.is_array() {
                kind = kind.or(Some("application/json"));
            }
            plain(value).into_bytes()
        }
    };
    if let Some(kind) = kind {
        head.push_str(&format!("\r\nContent-Type: {kind}"));
    }
    Ok([head.as_bytes(), b"\r\n\r\n", &content].concat())
}

/// A name as browsers write it there (HTML, section 4.10.21.8).
fn quoted(name: &str) -> String {
    name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn forms() {
        let field = |name: &str, kind: Option<&str>, is_bytes: bool| Field {
            name: name.to_owned(),
            kind: kind.map(str::to_owned),
            is_bytes,
        };
        let fields = [field("file", None, true), field("png", Some("image/png"), true)];
        let check = |value: Value, want: Result<&[&str], &str>| {
            let got = written(&fields, value.as_object().expect("an object"));
            let want = want.map(|parts| {
                let kind = &got.as_ref().expect("a body").0;
                let boundary = kind.split_once("boundary=").expect("a boundary").1;
                let parts = parts
                    .iter()
                    .map(|part| format!("--{boundary}\r\nContent-Disposition: form-data; {part}\r\n"));
                format!("{}--{boundary}--\r\n", parts.collect::<String>())
            });
            let got = got
                .as_ref()
                .map(|(_, body)| String::from_utf8_lossy(body).into_owned());
            assert_eq!(got.map_err(Clone::clone), want.map_err(str::to_owned));
        };
        check(
            json!({"name": "Rex", "n": 7, "none": null, "tags": ["a", "b"], "o": {"k": 1}}),
            Ok(&[
                "name=\"name\"\r\n\r\nRex",
                "name=\"n\"\r\n\r\n7",
                "name=\"tags\"\r\n\r\na",
                "name=\"tags\"\r\n\r\nb",
                "name=\"o\"\r\nContent-Type: application/json\r\n\r\n{\"k\":1}",
            ]),
        );
        check(
            json!({"file": "aGk=", "png": ["aGk"]}),
            Ok(&[
                "name=\"file\"; filename=\"file\"\r\nContent-Type: application/octet-stream\r\n\r\nhi",
                "name=\"png\"; filename=\"png\"\r\nContent-Type: image/png\r\n\r\nhi",
            ]),
        );
        check(
            json!({"a\"\r\nX: y": "v"}),
            Ok(&["name=\"a%22%0D%0AX: y\"\r\n\r\nv"]),
        );
        check(json!({}), Ok(&[]));
        check(json!({"file": "no base64"}), Err("`file` is no base64"));
    }
}
