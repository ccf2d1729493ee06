//! Schemas of both sides.

use super::*;

/// The schema, and its definitions.
fn converted(side: Side, version: &str, schema: &Value) -> Result<(Value, Value), String> {
    let text = json!({"openapi": version, "components": {"schemas": {
        "Pet": {"type": "object", "properties": {"id": {"type": "integer", "readOnly": true},
            "name": {"type": "string", "minLength": 1}, "secret": {"type": "string", "writeOnly": true},
            "parent": {"$ref": "#/components/schemas/Pet"}}, "required": ["id", "name"]},
        "Kind": {"oneOf": [{"$ref": "#/components/schemas/Cat"}], "discriminator": {"propertyName": "kind"}},
        "Cat": {"allOf": [{"$ref": "#/components/schemas/Kind"}, {"type": "object"}]},
        "Old": {"$ref": "#/components/schemas/Nope"},
    }}})
    .to_string();
    let document = Document::read(&text).expect("JSON");
    let mut schemas = Schemas::new(&document, side, false);
    let Converted { schema, needs } = schemas.convert(schema)?;
    let definitions = schemas.definitions(&needs, 10_000)?;
    Ok((schema, serde_json::from_str(&definitions).expect("JSON")))
}

fn check(side: Side, version: &str, schema: Value, want: Value) {
    assert_eq!(
        converted(side, version, &schema).map(|(schema, _)| schema),
        Ok(want),
        "{schema}"
    );
}

#[test]
fn circles_come_along_once() {
    let pets = json!({"type": "array", "items": {"$ref": "#/components/schemas/Pet"}, "xml": {"name": "p"}});
    let pet = json!({"type": "object", "properties": {"name": {"type": "string", "minLength": 1},
        "secret": {"type": "string", "writeOnly": true}, "parent": {"$ref": "#/$defs/Pet"}}, "required": ["name"]});
    let want = json!({"type": "array", "items": {"$ref": "#/$defs/Pet"}});
    assert_eq!(
        converted(Side::Request, "3.1.0", &pets),
        Ok((want, json!({"Pet": pet})))
    );

    let kind = json!({"$ref": "#/components/schemas/Kind"});
    let want =
        json!({"Kind": {"anyOf": [{"$ref": "#/$defs/Cat"}]}, "Cat": {"allOf": [{}, {"type": "object"}]}});
    assert_eq!(
        converted(Side::Request, "3.1.0", &kind).map(|(_, all)| all),
        Ok(want)
    );
}

#[test]
fn answers_are_described_loosely() {
    let pet = json!({"type": ["object", "null"], "properties": {"id": {"type": ["integer", "null"]},
        "name": {"type": ["string", "null"]}, "parent": {"$ref": "#/$defs/Pet"}}});
    let got = converted(
        Side::Answer,
        "3.1.0",
        &json!({"$ref": "#/components/schemas/Pet"}),
    );
    assert_eq!(got.map(|(_, all)| all), Ok(json!({"Pet": pet})));
    check(
        Side::Answer,
        "3.1.0",
        json!({"enum": ["a"], "type": "string", "format": "date", "additionalProperties": false, "not": {}}),
        json!({"type": ["string", "null"]}),
    );
    check(
        Side::Answer,
        "3.1.0",
        json!({"properties": {"a": false}}),
        json!({"properties": {"a": {}}}),
    );
}

#[test]
fn words_of_3_0() {
    check(
        Side::Request,
        "3.0.3",
        json!({"type": "string", "nullable": true, "enum": ["a"], "example": "a", "x-y": 1}),
        json!({"type": ["string", "null"], "enum": ["a", null], "examples": ["a"]}),
    );
    check(
        Side::Request,
        "3.0.3",
        json!({"minimum": 1, "exclusiveMinimum": true, "maximum": 9, "exclusiveMaximum": false}),
        json!({"exclusiveMinimum": 1, "maximum": 9}),
    );
    check(
        Side::Request,
        "3.0.3",
        json!({"allOf": [{"type": "object"}], "nullable": true}),
        json!({"anyOf": [{"allOf": [{"type": "object"}]}, {"type": "null"}]}),
    );
    check(
        Side::Request,
        "3.1.0",
        json!({"exclusiveMinimum": 1}),
        json!({"exclusiveMinimum": 1}),
    );
    check(Side::Request, "3.1.0", json!(true), json!(true));
}

#[test]
fn what_stands_beside_a_reference() {
    let schema = json!({"$ref": "#/components/schemas/Pet", "description": "A pet."});
    check(
        Side::Request,
        "3.0.3",
        schema.clone(),
        json!({"$ref": "#/$defs/Pet"}),
    );
    check(
        Side::Request,
        "3.1.0",
        schema,
        json!({"$ref": "#/$defs/Pet", "description": "A pet."}),
    );
}

#[test]
fn words_that_are_wrong_are_left_out() {
    check(
        Side::Request,
        "3.0.3",
        json!({"type": "date", "required": true, "enum": [], "minimum": "1", "maxLength": -1, "items": [{}], "allOf": [],
            "properties": [], "description": 7, "exclusiveMinimum": true, "if": 7, "unknown": 1}),
        json!({}),
    );
    check(
        Side::Request,
        "3.1.0",
        json!({"oneOf": [{"type": "string"}], "anyOf": [{"type": "null"}]}),
        json!({"anyOf": [{"type": "string"}], "allOf": [{"anyOf": [{"type": "null"}]}]}),
    );
    check(
        Side::Request,
        "3.0.3",
        json!({"type": "string", "format": "binary"}),
        json!({"type": "string", "contentEncoding": "base64"}),
    );
}

#[test]
fn what_cannot_be_followed() {
    let check = |schema: Value, want: &str| {
        let got = converted(Side::Request, "3.1.0", &schema);
        assert!(got.as_ref().is_err_and(|error| error.contains(want)), "{got:?}");
    };
    check(
        json!({"$ref": "https://other.test/pet.json"}),
        "leads out of the document",
    );
    check(json!({"$ref": "#/components/schemas/Old"}), "leads nowhere");
    let mut deep = json!({});
    for _ in 0..60 {
        deep = json!({"items": deep});
    }
    check(deep, "too deep");
}
