//! Bodies of requests: how the document has them, and how a value is written so.

use super::document::Document;
use super::keyword::is_bytes;
use super::multipart::{self, Field};
use super::parameter::{Parameter, Place, Style};
use super::reference::follow;
use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::{Value, json};

/// Base64 as models write it: with padding or without.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// How a body is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Form {
    /// As JSON, under this type.
    Json(String),
    /// `application/x-www-form-urlencoded`, with the styles of fields that have one.
    Pairs(Vec<(String, Style)>),
    /// `multipart/form-data`.
    Parts(Vec<Field>),
    /// As it is, under this type.
    Text(String),
    /// Bytes, which come in base64, under this type.
    Bytes(String),
}

/// The schema of a body.
pub enum Schema<'d> {
    Written(&'d Value),
    /// That of what stands for the body.
    Own(Value),
}

impl Form {
    /// How an operation's body is written: as JSON if it may be, else as a form, text, or bytes.
    ///
    /// # Errors
    /// It has no type, or one that no header can have.
    pub fn read<'d>(document: &'d Document<'_>, body: &'d Value) -> Result<(Form, Schema<'d>), String> {
        let content = body["content"].as_object().filter(|content| !content.is_empty());
        let content = content.ok_or("its body has no `content`")?;
        if let Some(name) = content
            .keys()
            .find(|name| !name.bytes().all(|b| (b' '..=b'~').contains(&b)))
        {
            return Err(format!("`{}` is no type of a body", name.escape_debug()));
        }
        let find = |is: &dyn Fn(&str) -> bool| content.iter().find(|(name, _)| is(&kind(name)));
        if let Some((name, media)) = find(&is_json) {
            let name = if name.contains('*') {
                "application/json"
            } else {
                name
            };
            return Ok((Form::Json(name.to_owned()), Schema::Written(&media["schema"])));
        }
        let pairs = find(&|kind| kind == "application/x-www-form-urlencoded");
        let parts = find(&|kind| kind == "multipart/form-data");
        match (pairs, parts) {
            (Some((_, media)), None) => {
                return Ok((Form::Pairs(styles(media)), Schema::Written(&media["schema"])));
            }
            (_, Some((_, media))) => {
                return Ok((
                    Form::Parts(fields(document, media)),
                    Schema::Written(&media["schema"]),
                ));
            }
            (None, None) => {}
        }
        if let Some((name, _)) = find(&is_text) {
            let schema = json!({"type": "string", "contentMediaType": kind(name)});
            return Ok((Form::Text(name.clone()), Schema::Own(schema)));
        }
        let kind = content.keys().next().map(|name| kind(name));
        let kind = kind.filter(|kind| kind.contains('/') && !kind.contains('*'));
        let kind = kind.unwrap_or_else(|| "application/octet-stream".to_owned());
        let schema = json!({"type": "string", "contentEncoding": "base64", "contentMediaType": kind});
        Ok((Form::Bytes(kind), Schema::Own(schema)))
    }

    /// The body's type and its bytes.
    ///
    /// # Errors
    /// What does not fit, for the model to read.
    pub fn write(&self, value: &Value) -> Result<(String, Vec<u8>), String> {
        match (self, value) {
            (Form::Json(kind), value) => Ok((kind.clone(), value.to_string().into_bytes())),
            (Form::Text(kind), Value::String(text)) => Ok((kind.clone(), text.clone().into_bytes())),
            (Form::Bytes(kind), value) => Ok((kind.clone(), bytes("the body", value)?)),
            (Form::Parts(fields), Value::Object(members)) => multipart::written(fields, members),
            (Form::Pairs(styles), Value::Object(members)) => {
                let mut pairs = String::new();
                for (name, value) in members {
                    let style = styles.iter().find(|(named, _)| named == name);
                    let parameter = Parameter {
                        name: name.clone(),
                        argument: name.clone(),
                        place: Place::Query,
                        style: match style {
                            Some((_, style)) => *style,
                            None if value.is_object() => Style::Json,
                            None => Style::Again,
                        },
                    };
                    parameter.add_pairs(value, &mut pairs);
                }
                Ok(("application/x-www-form-urlencoded".to_owned(), pairs.into_bytes()))
            }
            (Form::Text(_), _) => Err("the body is no string".to_owned()),
            (Form::Pairs(_) | Form::Parts(_), _) => Err("the body is no object".to_owned()),
        }
    }
}

/// What base64 stands for.
///
/// # Errors
/// It is none; `name` says what.
pub fn bytes(name: &str, value: &Value) -> Result<Vec<u8>, String> {
    let decoded = value.as_str().and_then(|text| BASE64.decode(text.trim()).ok());
    decoded.ok_or_else(|| format!("{name} is no base64"))
}

/// A type without its parameters, in small letters.
pub fn kind(media: &str) -> String {
    let kind = media.split(';').next().unwrap_or_default();
    kind.trim().to_ascii_lowercase()
}

pub fn is_json(kind: &str) -> bool {
    matches!(kind, "application/json" | "text/json" | "*/*" | "application/*") || kind.ends_with("+json")
}

/// What models write as text.
fn is_text(kind: &str) -> bool {
    let is_known = matches!(
        kind,
        "application/xml"
            | "application/yaml"
            | "application/x-yaml"
            | "application/x-ndjson"
            | "application/graphql"
    );
    is_known
        || kind.starts_with("text/") && !kind.contains('*')
        || kind.ends_with("+xml")
        || kind.ends_with("+yaml")
}

/// The fields of a form that have a style.
fn styles(media: &Value) -> Vec<(String, Style)> {
    let encoding = media["encoding"].as_object();
    let style = |(name, said): (&String, &Value)| {
        let written = said["style"].as_str()?;
        let style = Style::of(Place::Query, Some(written), said["explode"].as_bool())?;
        Some((name.clone(), style))
    };
    encoding.into_iter().flatten().filter_map(style).collect()
}

/// The fields of a form in parts.
fn fields(document: &Document<'_>, media: &Value) -> Vec<Field> {
    let schema = follow(document, &media["schema"]).unwrap_or(&Value::Null);
    let properties = schema["properties"].as_object();
    let field = |(name, schema): (&String, &Value)| {
        let schema = follow(document, schema)?;
        // A list has a part for each of its items.
        let schema = schema
            .get("items")
            .and_then(|items| follow(document, items))
            .unwrap_or(schema);
        let said = media["encoding"][name]["contentType"].as_str();
        // One of several is chosen; a wildcard chooses none.
        let said = said.and_then(|said| said.split(',').next()).map(str::trim);
        let fits = |kind: &&str| !kind.contains('*') && kind.bytes().all(|b| (b' '..=b'~').contains(&b));
        Some(Field {
            name: name.clone(),
            kind: said.filter(fits).map(str::to_owned),
            is_bytes: schema.as_object().is_some_and(is_bytes),
        })
    };
    properties.into_iter().flatten().filter_map(field).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &Value) -> Result<(Form, Value), String> {
        let document = Document::read("{}").expect("JSON");
        let (form, schema) = Form::read(&document, body)?;
        let schema = match schema {
            Schema::Written(schema) => schema.clone(),
            Schema::Own(schema) => schema,
        };
        Ok((form, schema))
    }

    #[test]
    fn types() {
        let check = |kinds: &[&str], want: Result<Form, &str>| {
            let content: serde_json::Map<String, Value> =
                kinds.iter().map(|kind| ((*kind).to_owned(), json!({}))).collect();
            let got = read(&json!({"content": content})).map(|(form, _)| form);
            assert_eq!(got, want.map_err(str::to_owned), "{kinds:?}");
        };
        let text = |kind: &str| Ok(Form::Text(kind.to_owned()));
        let bytes = |kind: &str| Ok(Form::Bytes(kind.to_owned()));
        let json = |kind: &str| Ok(Form::Json(kind.to_owned()));
        check(
            &["text/plain", "application/json; charset=utf-8"],
            json("application/json; charset=utf-8"),
        );
        check(
            &["application/merge-patch+json"],
            json("application/merge-patch+json"),
        );
        check(&["application/*+json"], json("application/json"));
        check(&["*/*"], json("application/json"));
        check(
            &["application/x-www-form-urlencoded"],
            Ok(Form::Pairs(Vec::new())),
        );
        check(
            &["multipart/form-data", "application/x-www-form-urlencoded"],
            Ok(Form::Parts(Vec::new())),
        );
        check(&["application/xml"], text("application/xml"));
        check(&["application/soap+xml"], text("application/soap+xml"));
        check(&["image/png"], bytes("image/png"));
        check(&["image/*"], bytes("application/octet-stream"));
        check(&[""], bytes("application/octet-stream"));
        check(&["a/b\r\nX: y"], Err("`a/b\\r\\nX: y` is no type of a body"));
        check(&[], Err("its body has no `content`"));
    }

    #[test]
    fn bodies() {
        let check = |form: Form, value: Value, want: Result<&str, &str>| {
            let got = form.write(&value);
            let got = got
                .as_ref()
                .map(|(_, bytes)| std::str::from_utf8(bytes).expect("text"));
            assert_eq!(got.map_err(String::as_str), want);
        };
        let json_body = json!({"a": [1]});
        check(
            Form::Json("application/json".to_owned()),
            json_body.clone(),
            Ok(r#"{"a":[1]}"#),
        );
        check(Form::Text("text/plain".to_owned()), json!("hi"), Ok("hi"));
        check(
            Form::Text("text/plain".to_owned()),
            json_body.clone(),
            Err("the body is no string"),
        );
        check(Form::Bytes("image/png".to_owned()), json!("aGk"), Ok("hi"));
        check(Form::Bytes("image/png".to_owned()), json!("aGk="), Ok("hi"));
        check(
            Form::Bytes("image/png".to_owned()),
            json!("!"),
            Err("the body is no base64"),
        );
        check(
            Form::Pairs(Vec::new()),
            json!({"a": ["x", "y"], "o": {"k": 1}}),
            Ok("a=x&a=y&o=%7B%22k%22%3A1%7D"),
        );
        let deep = vec![("o".to_owned(), Style::Deep)];
        check(
            Form::Pairs(deep),
            json!({"o": {"k": [1]}}),
            Ok("o%5Bk%5D%5B0%5D=1"),
        );
        check(Form::Pairs(Vec::new()), json!([]), Err("the body is no object"));
    }

    #[test]
    fn fields_of_forms() {
        let media = json!({"content": {"multipart/form-data": {
            "schema": {"properties": {"file": {"type": "string", "format": "binary"}, "name": {"type": "string"},
                "pages": {"type": "array", "items": {"format": "binary"}}}},
            "encoding": {"file": {"contentType": "image/png, image/jpeg"}, "pages": {"contentType": "image/*"}}}}});
        let field = |name: &str, kind: Option<&str>, is_bytes: bool| Field {
            name: name.to_owned(),
            kind: kind.map(str::to_owned),
            is_bytes,
        };
        let want = vec![
            field("file", Some("image/png"), true),
            field("name", None, false),
            field("pages", None, true),
        ];
        assert_eq!(read(&media).map(|(form, _)| form), Ok(Form::Parts(want)));
        let media = json!({"content": {"application/x-www-form-urlencoded": {
            "encoding": {"expand": {"style": "deepObject", "explode": true}, "x": {"style": "matrix"}}}}});
        let want = vec![("expand".to_owned(), Style::Deep)];
        assert_eq!(read(&media).map(|(form, _)| form), Ok(Form::Pairs(want)));
    }
}
