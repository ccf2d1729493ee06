//! Whether arguments are what a tool's schema asks for. Keywords that are not known here ask for nothing: the API has the last word.

use serde_json::{Map, Value};

/// Levels of references and schemas in one another.
const MAX_DEPTH: usize = 64;
/// Schemas that are looked at for one call.
const MAX_STEPS: usize = 100_000;

/// Checks a value.
///
/// # Errors
/// What does not fit, and where.
pub fn validate(schema: &Value, value: &Value) -> Result<(), String> {
    let mut check = Check {
        root: schema,
        steps: 0,
    };
    check.value(schema, value, "", MAX_DEPTH)
}

struct Check<'s> {
    root: &'s Value,
    steps: usize,
}

impl<'s> Check<'s> {
    fn value(&mut self, schema: &'s Value, value: &Value, at: &str, depth: usize) -> Result<(), String> {
        self.steps += 1;
        if depth == 0 || self.steps > MAX_STEPS {
            return Err(format!(
                "{} cannot be checked: it is too deep or too large",
                place(at)
            ));
        }
        let schema = match schema {
            Value::Bool(false) => return Err(format!("{} is not allowed", place(at))),
            Value::Object(schema) => schema,
            _ => return Ok(()),
        };
        let choices_of = schema.get("enum").and_then(Value::as_array);
        self.steps += choices_of.map_or(0, Vec::len);
        if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
            let target = reference
                .strip_prefix('#')
                .and_then(|pointer| self.root.pointer(pointer));
            if let Some(target) = target {
                self.value(target, value, at, depth - 1)?;
            }
        }
        kind(schema, value, at)?;
        choices(schema, value, at)?;
        bounds(schema, value, at)?;
        match value {
            Value::Object(members) => self.object(schema, members, at, depth)?,
            Value::Array(items) => {
                if let Some(each) = schema.get("items") {
                    for (i, item) in items.iter().enumerate() {
                        self.value(each, item, &format!("{at}[{i}]"), depth - 1)?;
                    }
                }
            }
            _ => {}
        }
        self.combined(schema, value, at, depth)
    }

    fn object(
        &mut self,
        schema: &'s Map<String, Value>,
        members: &Map<String, Value>,
        at: &str,
        depth: usize,
    ) -> Result<(), String> {
        let names = schema.get("required").and_then(Value::as_array);
        for name in names.into_iter().flatten().filter_map(Value::as_str) {
            if !members.contains_key(name) {
                return Err(format!("{} is missing", place(&below(at, name))));
            }
        }
        let properties = schema.get("properties").and_then(Value::as_object);
        let others = schema.get("additionalProperties");
        for (name, value) in members {
            let at = below(at, name);
            match (properties.and_then(|all| all.get(name)), others) {
                (Some(schema), _) => self.value(schema, value, &at, depth - 1)?,
                (None, _) if schema.contains_key("patternProperties") => {}
                (None, Some(Value::Bool(false))) => {
                    return Err(format!("{} is not known", place(&at)));
                }
                (None, Some(schema)) => self.value(schema, value, &at, depth - 1)?,
                (None, None) => {}
            }
        }
        Ok(())
    }

    /// `allOf`, `anyOf`, `oneOf`.
    fn combined(
        &mut self,
        schema: &'s Map<String, Value>,
        value: &Value,
        at: &str,
        depth: usize,
    ) -> Result<(), String> {
        let list = |word: &str| schema.get(word).and_then(Value::as_array);
        for one in list("allOf").into_iter().flatten() {
            self.value(one, value, at, depth - 1)?;
        }
        for (word, most) in [("anyOf", usize::MAX), ("oneOf", 1)] {
            let Some(all) = list(word) else { continue };
            let (mut fitting, mut why) = (0, String::new());
            for one in all {
                match self.value(one, value, at, depth - 1) {
                    Ok(()) => fitting += 1,
                    Err(error) => why = error,
                }
                if fitting == 1 && word == "anyOf" {
                    break;
                }
            }
            if fitting == 0 {
                return Err(format!("{} fits none of {} forms; {why}", place(at), all.len()));
            }
            if fitting > most {
                let forms = all.len();
                return Err(format!(
                    "{} fits {fitting} of {forms} forms, of which only one may fit",
                    place(at)
                ));
            }
        }
        Ok(())
    }
}

fn below(at: &str, name: &str) -> String {
    match at {
        "" => name.to_owned(),
        at => format!("{at}.{name}"),
    }
}

/// A place as messages name it.
fn place(at: &str) -> String {
    match at {
        "" => "the arguments".to_owned(),
        at => format!("`{at}`"),
    }
}

fn kind(schema: &Map<String, Value>, value: &Value, at: &str) -> Result<(), String> {
    let is = |kind: &str| match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.as_f64().is_some_and(|n| n.fract() == 0.0),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => true,
    };
    let (fits, wanted) = match schema.get("type") {
        Some(Value::String(kind)) => (is(kind), kind.clone()),
        Some(Value::Array(kinds)) => {
            let kinds: Vec<&str> = kinds.iter().filter_map(Value::as_str).collect();
            (kinds.iter().any(|kind| is(kind)), kinds.join(" or "))
        }
        _ => return Ok(()),
    };
    match fits {
        true => Ok(()),
        false => Err(format!("{} is no {wanted}", place(at))),
    }
}

fn choices(schema: &Map<String, Value>, value: &Value, at: &str) -> Result<(), String> {
    if let Some(all) = schema.get("enum").and_then(Value::as_array)
        && !all.contains(value)
    {
        let shown: Vec<String> = all.iter().take(20).map(Value::to_string).collect();
        return Err(format!("{} is none of {}", place(at), shown.join(", ")));
    }
    match schema.get("const") {
        Some(only) if only != value => Err(format!("{} is not {only}", place(at))),
        _ => Ok(()),
    }
}

/// Limits of numbers, and of the lengths of texts, lists and objects.
fn bounds(schema: &Map<String, Value>, value: &Value, at: &str) -> Result<(), String> {
    let limit = |word: &str| schema.get(word).and_then(Value::as_f64);
    let fails = |word: &str, bad: bool| match bad {
        true => Err(format!("{} does not fit `{word}: {}`", place(at), schema[word])),
        false => Ok(()),
    };
    if let Some(number) = value.as_f64() {
        fails("minimum", limit("minimum").is_some_and(|least| number < least))?;
        fails("maximum", limit("maximum").is_some_and(|most| number > most))?;
        fails(
            "exclusiveMinimum",
            limit("exclusiveMinimum").is_some_and(|least| number <= least),
        )?;
        fails(
            "exclusiveMaximum",
            limit("exclusiveMaximum").is_some_and(|most| number >= most),
        )?;
    }
    let (least, most, length) = match value {
        Value::String(text) => ("minLength", "maxLength", text.chars().count()),
        Value::Array(items) => ("minItems", "maxItems", items.len()),
        Value::Object(members) => ("minProperties", "maxProperties", members.len()),
        _ => return Ok(()),
    };
    let length = length as f64;
    fails(least, limit(least).is_some_and(|least| length < least))?;
    fails(most, limit(most).is_some_and(|most| length > most))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(schema: Value, value: Value, want: Option<&str>) {
        let got = validate(&schema, &value).err();
        assert_eq!(got.as_deref(), want, "{schema} {value}");
    }

    #[test]
    fn types() {
        check(json!({"type": "integer"}), json!(7), None);
        check(json!({"type": "integer"}), json!(7.0), None);
        check(
            json!({"type": "integer"}),
            json!(7.5),
            Some("the arguments is no integer"),
        );
        check(json!({"type": ["string", "null"]}), json!(null), None);
        check(
            json!({"type": ["string", "null"]}),
            json!(1),
            Some("the arguments is no string or null"),
        );
        check(
            json!({"type": "boolean"}),
            json!("true"),
            Some("the arguments is no boolean"),
        );
        check(json!(true), json!(1), None);
        check(json!(false), json!(1), Some("the arguments is not allowed"));
    }

    #[test]
    fn objects() {
        let schema = json!({"type": "object", "required": ["id"], "additionalProperties": false,
            "properties": {"id": {"type": "integer"}, "tags": {"type": "array", "items": {"enum": ["a", "b"]}}}});
        check(schema.clone(), json!({"id": 1, "tags": ["a"]}), None);
        check(schema.clone(), json!({}), Some("`id` is missing"));
        check(schema.clone(), json!({"id": 1, "x": 1}), Some("`x` is not known"));
        check(schema.clone(), json!({"id": "1"}), Some("`id` is no integer"));
        check(
            schema,
            json!({"id": 1, "tags": ["a", "c"]}),
            Some("`tags[1]` is none of \"a\", \"b\""),
        );
        check(
            json!({"additionalProperties": {"type": "string"}}),
            json!({"a": 1}),
            Some("`a` is no string"),
        );
    }

    #[test]
    fn limits() {
        check(
            json!({"minimum": 1}),
            json!(0),
            Some("the arguments does not fit `minimum: 1`"),
        );
        check(
            json!({"exclusiveMaximum": 1}),
            json!(1),
            Some("the arguments does not fit `exclusiveMaximum: 1`"),
        );
        check(json!({"maxLength": 2}), json!("éé"), None);
        check(
            json!({"maxLength": 2}),
            json!("abc"),
            Some("the arguments does not fit `maxLength: 2`"),
        );
        check(
            json!({"minItems": 1}),
            json!([]),
            Some("the arguments does not fit `minItems: 1`"),
        );
        check(json!({"const": 1}), json!(2), Some("the arguments is not 1"));
    }

    #[test]
    fn combinations_and_circles() {
        let any_of = json!({"anyOf": [{"type": "string"}, {"const": 7}]});
        check(any_of.clone(), json!("x"), None);
        check(any_of.clone(), json!(7), None);
        check(
            any_of,
            json!(true),
            Some("the arguments fits none of 2 forms; the arguments is not 7"),
        );
        let one_of = json!({"oneOf": [{"type": "string"}, {"type": "integer"}, {"maximum": 9}]});
        check(one_of.clone(), json!(10), None);
        check(
            one_of.clone(),
            json!(7),
            Some("the arguments fits 2 of 3 forms, of which only one may fit"),
        );
        check(
            one_of,
            json!(10.5),
            Some("the arguments fits none of 3 forms; the arguments does not fit `maximum: 9`"),
        );
        let beside = json!({"$ref": "#/$defs/N", "maximum": 9, "$defs": {"N": {"type": "integer"}}});
        check(
            beside.clone(),
            json!(10),
            Some("the arguments does not fit `maximum: 9`"),
        );
        check(beside, json!("9"), Some("the arguments is no integer"));
        let tree = json!({"$ref": "#/$defs/T", "$defs": {"T": {"type": "object",
            "properties": {"next": {"$ref": "#/$defs/T"}, "n": {"type": "integer"}}}}});
        check(tree.clone(), json!({"next": {"next": {"n": 1}}}), None);
        check(
            tree.clone(),
            json!({"next": {"next": {"n": "1"}}}),
            Some("`next.next.n` is no integer"),
        );
        let circle = json!({"$ref": "#/$defs/A", "$defs": {"A": {"$ref": "#/$defs/A"}}});
        check(
            circle,
            json!(1),
            Some("the arguments cannot be checked: it is too deep or too large"),
        );
    }
}
