//! The arguments of a tool: an operation's parameters and its body, and the schema of them all.

use super::body::{self, Form};
use super::document::Document;
use super::operation::At;
use super::output::with_definitions;
use super::parameter::{Parameter, Place};
use super::reference::follow;
use super::schema::Schemas;
use super::tool::Body;
use super::{MAX_TOOL, short};
use serde_json::{Map, Value, json};

/// What goes into a tool.
pub struct Arguments {
    pub parameters: Vec<Parameter>,
    pub body: Option<Body>,
    /// The schema of all arguments, as JSON.
    pub schema: String,
}

impl Arguments {
    /// The arguments of an operation, described by these schemas.
    ///
    /// # Errors
    /// Why they make no tool.
    pub fn read(
        document: &Document<'_>,
        at: &At<'_>,
        credentials: &Credentials,
        schemas: &mut Schemas<'_>,
    ) -> Result<Arguments, String> {
        let mut draft = Draft {
            schemas,
            properties: Map::new(),
            required: Vec::new(),
            needs: Vec::new(),
        };
        let mut parameters = Vec::new();
        for value in merged(document, at.item, at.operation)? {
            let read = Parameter::read(value)?.filter(|parameter| !credentials.have(parameter));
            let Some(mut parameter) = read else { continue };
            parameter.argument = argument(&parameter, &draft.properties);
            let schema = draft.convert(schema_of(value))?;
            let is_required = value["required"] == true || parameter.place == Place::Path;
            draft.add(&parameter.argument, schema, value, is_required);
            parameters.push(parameter);
        }
        check_path(at.path, &parameters)?;
        let mut body = None;
        if let Some(value) = at.operation.get("requestBody") {
            let value =
                follow(document, value).ok_or("the `$ref` of its body leads nowhere in this document")?;
            let (form, schema) = Form::read(document, value)?;
            let argument = match draft.properties.contains_key("body") {
                true => "request_body",
                false => "body",
            };
            let schema = match schema {
                body::Schema::Own(schema) => schema,
                body::Schema::Written(schema) => draft.convert(schema)?,
            };
            draft.add(argument, schema, value, value["required"] == true);
            body = Some(Body {
                argument: argument.to_owned(),
                form,
            });
        }
        let schema = draft.finish()?;
        Ok(Arguments {
            parameters,
            body,
            schema,
        })
    }
}

/// The schema of the arguments so far.
struct Draft<'s, 'd> {
    schemas: &'s mut Schemas<'d>,
    properties: Map<String, Value>,
    required: Vec<String>,
    needs: Vec<usize>,
}

impl Draft<'_, '_> {
    fn convert(&mut self, schema: &Value) -> Result<Value, String> {
        let converted = self.schemas.convert(schema)?;
        self.needs.extend(converted.needs);
        Ok(converted.schema)
    }

    /// Adds an argument, with what the document says of what it is for.
    fn add(&mut self, name: &str, mut schema: Value, of: &Value, is_required: bool) {
        if let Some(members) = schema.as_object_mut() {
            let text = of["description"].as_str();
            if let Some(text) = text.filter(|_| !self.schemas.is_brief()) {
                members.entry("description").or_insert_with(|| short(text).into());
            }
            if of["deprecated"] == true {
                members.insert("deprecated".to_owned(), true.into());
            }
        }
        if is_required {
            self.required.push(name.to_owned());
        }
        self.properties.insert(name.to_owned(), schema);
    }

    fn finish(self) -> Result<String, String> {
        let mut schema =
            json!({"type": "object", "properties": self.properties, "additionalProperties": false});
        if !self.required.is_empty() {
            schema["required"] = json!(self.required);
        }
        let definitions = self.schemas.definitions(&self.needs, MAX_TOOL)?;
        let schema = with_definitions(&schema, &definitions);
        match schema.len() > MAX_TOOL {
            true => Err(format!("its schemas have more than {MAX_TOOL} bytes")),
            false => Ok(schema),
        }
    }
}

/// Parameters that are nobody's arguments: the gateway sends them, or they say who is asking.
pub struct Credentials(Vec<(Place, String)>);

impl Credentials {
    /// Those of a document, and the headers that the gateway sends.
    pub fn of(document: &Document<'_>, headers: &[String]) -> Credentials {
        let own = headers.iter().map(|name| (Place::Header, name.clone()));
        let schemes = document.components("securitySchemes");
        let keys = schemes
            .filter(|scheme| scheme["type"] == "apiKey")
            .filter_map(|scheme| Some((Place::of(&scheme["in"])?, scheme["name"].as_str()?.to_owned())));
        Credentials(own.chain(keys).collect())
    }

    fn have(&self, parameter: &Parameter) -> bool {
        self.0.iter().any(|(place, name)| {
            *place == parameter.place
                && match place {
                    Place::Header => parameter.name.eq_ignore_ascii_case(name),
                    _ => parameter.name == *name,
                }
        })
    }
}

/// The parameters of path and operation; the operation's take the place of the path's.
fn merged<'d>(
    document: &'d Document<'_>,
    item: &'d Value,
    operation: &'d Value,
) -> Result<Vec<&'d Value>, String> {
    let mut all: Vec<&Value> = Vec::new();
    for list in [&item["parameters"], &operation["parameters"]] {
        for value in list.as_array().into_iter().flatten() {
            let value =
                follow(document, value).ok_or("the `$ref` of a parameter leads nowhere in this document")?;
            let same = |other: &&Value| other["name"] == value["name"] && other["in"] == value["in"];
            match all.iter().position(same) {
                Some(at) => all[at] = value,
                None => all.push(value),
            }
        }
    }
    Ok(all)
}

/// A name that no other argument has: two parameters may have one name in two places.
fn argument(parameter: &Parameter, taken: &Map<String, Value>) -> String {
    let mut name = parameter.name.clone();
    while taken.contains_key(&name) {
        name = match parameter.place {
            Place::Path => name + "_path",
            Place::Query => name + "_query",
            Place::Header => name + "_header",
            Place::Cookie => name + "_cookie",
        };
    }
    name
}

/// The schema of a parameter: its own, or that of its only content.
fn schema_of(parameter: &Value) -> &Value {
    let content = parameter["content"]
        .as_object()
        .and_then(|all| all.values().next());
    content.map_or(&parameter["schema"], |content| &content["schema"])
}

/// Every place in the path has its parameter, and each of those its place.
fn check_path(path: &str, parameters: &[Parameter]) -> Result<(), String> {
    let places: Vec<&str> = path
        .split('{')
        .skip(1)
        .map(|rest| rest.split_once('}').map_or("", |(name, _)| name))
        .collect();
    for place in &places {
        let known = |p: &Parameter| p.place == Place::Path && p.name == *place;
        if !parameters.iter().any(known) {
            return Err(format!("`{{{place}}}` in its path is no parameter"));
        }
    }
    match parameters
        .iter()
        .find(|p| p.place == Place::Path && !places.contains(&p.name.as_str()))
    {
        Some(parameter) => Err(format!(
            "its path has no place for parameter `{}`",
            parameter.name
        )),
        None => Ok(()),
    }
}
