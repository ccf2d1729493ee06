//! Arguments that calls of a tool repeat in headers of their own (`x-mcp-header` in its schema, from revision 2026-07-28 on), for those
//! who do not read messages. Whoever does must see that both say the same.

use crate::{Era, header};
use serde_json::{Map, Number, Value};
use std::fmt;
use trilithon_wire::Headers;

/// What the names of these headers begin with.
pub const PREFIX: &str = "Mcp-Param-";
/// Where a property's schema names its header.
const ANNOTATION: &str = "x-mcp-header";
/// Bytes of the names of one tool: of its headers, and of the members that lead to their arguments.
const MAX_NAMES: usize = 4096;

/// The arguments of one tool that its calls repeat.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mirror {
    params: Vec<Param>,
    /// Bytes of their names.
    names: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Param {
    /// Where it stands in the arguments, from the outside in.
    path: Vec<String>,
    header: String,
}

/// Why a schema's annotations hold for nobody: clients leave such a tool out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadMirror {
    /// No name that a header can have.
    Name,
    /// Two arguments for one header.
    Twice,
    /// The argument is no plain text, whole number or truth value.
    Kind,
    /// It does not stand where every call has it: not below `properties` alone.
    Place,
    TooLarge,
}

impl fmt::Display for BadMirror {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            BadMirror::Name => "`x-mcp-header` is no name of a header",
            BadMirror::Twice => "two arguments have the same `x-mcp-header`",
            BadMirror::Kind => "`x-mcp-header` stands at what is no string, integer or boolean",
            BadMirror::Place => "`x-mcp-header` stands elsewhere than at a property of a property",
            BadMirror::TooLarge => "the names of arguments with `x-mcp-header` have more than 4096 bytes",
        })
    }
}

impl Mirror {
    /// Reads a tool's `inputSchema`.
    ///
    /// # Errors
    /// The first annotation that does not hold.
    pub fn read(schema: &Value) -> Result<Mirror, BadMirror> {
        let mut mirror = Mirror::default();
        mirror.schema(schema, Some(&mut Vec::new()))?;
        Ok(mirror)
    }

    /// Whether nothing is repeated.
    pub fn is_empty(&self) -> bool {
        self.params.is_empty()
    }

    /// Takes in a schema; `path` is that of the arguments it is for, where it is for the same ones in every call.
    fn schema(&mut self, schema: &Value, mut path: Option<&mut Vec<String>>) -> Result<(), BadMirror> {
        let members = match schema {
            Value::Object(members) => members,
            Value::Array(all) => return all.iter().try_for_each(|one| self.schema(one, None)),
            _ => return Ok(()),
        };
        for (keyword, value) in members {
            match (&**keyword, value) {
                (ANNOTATION, name) => self.annotated(members, name, path.as_deref())?,
                ("properties", Value::Object(properties)) => {
                    for (name, property) in properties {
                        if let Some(path) = &mut path {
                            path.push(name.clone());
                            self.schema(property, Some(path))?;
                            path.pop();
                        } else {
                            self.schema(property, None)?;
                        }
                    }
                }
                // Members of these are named by whoever wrote the schema.
                ("$defs" | "definitions" | "patternProperties" | "dependentSchemas", Value::Object(all)) => {
                    all.values().try_for_each(|one| self.schema(one, None))?;
                }
                // These hold values, not schemas.
                ("default" | "const" | "enum" | "examples", _) => {}
                (_, other) => self.schema(other, None)?,
            }
        }
        Ok(())
    }

    fn annotated(
        &mut self,
        schema: &Map<String, Value>,
        name: &Value,
        path: Option<&Vec<String>>,
    ) -> Result<(), BadMirror> {
        let path = path.filter(|path| !path.is_empty()).ok_or(BadMirror::Place)?;
        let name = name
            .as_str()
            .filter(|name| is_token(name))
            .ok_or(BadMirror::Name)?;
        let kind = schema.get("type").and_then(Value::as_str);
        if !matches!(kind, Some("string" | "integer" | "boolean")) {
            return Err(BadMirror::Kind);
        }
        let header = format!("{PREFIX}{name}");
        let mut known = self.params.iter();
        if known.any(|known| known.header.eq_ignore_ascii_case(&header)) {
            return Err(BadMirror::Twice);
        }
        self.names += header.len() + path.iter().map(String::len).sum::<usize>();
        if self.names > MAX_NAMES {
            return Err(BadMirror::TooLarge);
        }
        self.params.push(Param {
            path: path.clone(),
            header,
        });
        Ok(())
    }

    /// Looks whether the headers of a call say what its arguments say. What is absent or null has no header. Calls of the first era
    /// know nothing of such headers; where they have one, it must be right all the same.
    ///
    /// # Errors
    /// The first header that does not, is missing, or is there twice.
    pub fn verify(&self, headers: &Headers, arguments: Option<&Value>, era: Era) -> Result<(), &str> {
        for param in &self.params {
            let mut lines = headers.get_all(param.header.as_bytes());
            let same = match (lines.next(), param.of(arguments)) {
                (None, None) => true,
                (None, Some(_)) => era == Era::Legacy,
                (Some(_), None) => false,
                (Some(line), Some(value)) => says(line, value) && lines.next().is_none(),
            };
            if !same {
                return Err(&param.header);
            }
        }
        Ok(())
    }
}

impl Param {
    fn of<'a>(&self, arguments: Option<&'a Value>) -> Option<&'a Value> {
        let value = self
            .path
            .iter()
            .try_fold(arguments?, |value, name| value.get(name));
        value.filter(|value| !value.is_null())
    }
}

/// A token (RFC 9110 §5.6.2).
fn is_token(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    !name.is_empty() && name.bytes().all(plain)
}

/// Whether a line says a value: text as it is or in Base64, numbers by their value.
fn says(line: &[u8], value: &Value) -> bool {
    let Some(line) = header::decoded(line) else {
        return false;
    };
    match value {
        Value::String(text) => *line == *text.as_bytes(),
        Value::Bool(truth) => *line == *truth.to_string().as_bytes(),
        Value::Number(number) => serde_json::from_slice(&line).is_ok_and(|said| is_same(&said, number)),
        _ => false,
    }
}

/// Whether two numbers are the same, however they are written.
pub(crate) fn is_same(one: &Number, other: &Number) -> bool {
    let whole = |n: &Number| n.as_i64().map(i128::from).or(n.as_u64().map(i128::from));
    match (whole(one), whole(other)) {
        (Some(one), Some(other)) => one == other,
        _ => one.as_f64() == other.as_f64(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn schema() -> Value {
        json!({"type": "object", "properties": {
            "region": {"type": "string", "x-mcp-header": "Region"},
            "dry": {"type": "boolean", "x-mcp-header": "Dry-Run"},
            "deep": {"type": "object", "properties": {"n": {"type": "integer", "x-mcp-header": "N"}}},
            // A property may have any name, and a value may hold anything.
            "x-mcp-header": {"type": "string", "default": {"x-mcp-header": 7}},
        }})
    }

    #[test]
    fn headers_say_what_arguments_say() {
        let mirror = Mirror::read(&schema()).unwrap();
        let check = |arguments: Value, sent: &[(&str, &str)], want: Result<(), &str>| {
            let headers: Headers = sent.iter().copied().collect();
            let got = mirror.verify(&headers, Some(&arguments), Era::Modern);
            assert_eq!(got, want, "{arguments} {sent:?}");
        };
        let region = "Mcp-Param-Region";
        check(json!({}), &[], Ok(()));
        check(json!({"region": null}), &[], Ok(()));
        check(json!({"region": "eu"}), &[(region, "eu")], Ok(()));
        check(
            json!({"region": "eu"}),
            &[("mcp-param-region", "=?base64?ZXU=?=")],
            Ok(()),
        );
        check(json!({"region": "eu"}), &[], Err(region));
        check(json!({"region": "eu"}), &[(region, "us")], Err(region));
        check(json!({"region": "eu"}), &[(region, "EU")], Err(region));
        check(json!({"region": "eu"}), &[(region, "=?base64?%?=")], Err(region));
        check(
            json!({"region": "eu"}),
            &[(region, "eu"), (region, "eu")],
            Err(region),
        );
        check(json!({"region": ["eu"]}), &[(region, "eu")], Err(region));
        check(json!({}), &[(region, "eu")], Err(region));
        check(json!({"region": null}), &[(region, "null")], Err(region));
        check(json!({"dry": true}), &[("Mcp-Param-Dry-Run", "true")], Ok(()));
        check(
            json!({"dry": true}),
            &[("Mcp-Param-Dry-Run", "True")],
            Err("Mcp-Param-Dry-Run"),
        );
        for (said, want) in [
            ("42", true),
            ("42.0", true),
            ("4.2e1", true),
            ("43", false),
            ("+42", false),
            ("x", false),
        ] {
            let want = want.then_some(()).ok_or("Mcp-Param-N");
            check(json!({"deep": {"n": 42}}), &[("Mcp-Param-N", said)], want);
        }
        let large = json!({"deep": {"n": 9_007_199_254_740_992_u64}});
        check(large, &[("Mcp-Param-N", "9007199254740993")], Err("Mcp-Param-N"));
        // What no tool asked for is nobody's to judge.
        check(json!({}), &[("Mcp-Param-Other", "x")], Ok(()));
    }

    #[test]
    fn the_first_era_need_not_have_them() {
        let mirror = Mirror::read(&schema()).unwrap();
        let arguments = json!({"region": "eu"});
        let sent = |line: &str| Headers::from_iter([("Mcp-Param-Region", line)]);
        let verify = |headers: &Headers| mirror.verify(headers, Some(&arguments), Era::Legacy);
        assert_eq!(verify(&Headers::default()), Ok(()));
        assert_eq!(verify(&sent("us")), Err("Mcp-Param-Region"));
        assert!(mirror.verify(&Headers::default(), None, Era::Modern).is_ok());
    }

    #[test]
    fn bad_annotations() {
        let check = |property: Value, want: BadMirror| {
            let schema = json!({"properties": {"a": property}});
            assert_eq!(Mirror::read(&schema), Err(want), "{schema}");
        };
        let text = |name: Value| json!({"type": "string", "x-mcp-header": name});
        for name in [json!(""), json!("a b"), json!("a:"), json!("\u{e4}"), json!(7)] {
            check(text(name), BadMirror::Name);
        }
        check(json!({"x-mcp-header": "A"}), BadMirror::Kind);
        check(json!({"type": "number", "x-mcp-header": "A"}), BadMirror::Kind);
        check(
            json!({"type": ["string", "null"], "x-mcp-header": "A"}),
            BadMirror::Kind,
        );
        check(
            json!({"type": "array", "items": text(json!("A"))}),
            BadMirror::Place,
        );
        check(json!({"anyOf": [text(json!("A"))]}), BadMirror::Place);
        check(
            json!({"additionalProperties": {"properties": {"b": text(json!("A"))}}}),
            BadMirror::Place,
        );
        check(json!({"$defs": {"default": text(json!("A"))}}), BadMirror::Place);
        check(
            json!({"properties": {"b": text(json!("A")), "c": text(json!("a"))}}),
            BadMirror::Twice,
        );
        assert_eq!(Mirror::read(&text(json!("A"))), Err(BadMirror::Place));
        check(text(json!("x".repeat(5000))), BadMirror::TooLarge);
        let many = (0..300).map(|n| (format!("p{n}"), text(json!(format!("H{n}")))));
        let many: Map<String, Value> = many.collect();
        assert_eq!(
            Mirror::read(&json!({"properties": many})),
            Err(BadMirror::TooLarge)
        );
    }
}
