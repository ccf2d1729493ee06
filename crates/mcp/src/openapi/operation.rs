//! Operations as tools.

use super::body::{self, Form};
use super::document::Document;
use super::name::Names;
use super::output::{self, with_definitions};
use super::parameter::{Parameter, Place};
use super::reference::follow;
use super::schema::{Schemas, Side};
use super::server::Servers;
use super::tool::{Body, Tool};
use super::{MAX_OUTPUT, MAX_TOOL, MAX_TOOLS, Mistake, Options, short};
use serde_json::{Map, Value, json};
use std::sync::OnceLock;

/// The methods that operations have, in the order in which they become tools.
const METHODS: [&str; 8] = [
    "get", "head", "options", "post", "put", "patch", "delete", "trace",
];

/// All that a document has.
pub struct Operations {
    pub tools: Vec<Tool>,
    pub left_out: Vec<String>,
}

impl Operations {
    /// The operations that are wanted, as tools.
    ///
    /// # Errors
    /// There are no paths, or too many operations.
    pub fn of(document: &Document<'_>, options: &Options) -> Result<Operations, Mistake> {
        let paths = document.paths();
        let paths = paths.ok_or_else(|| Mistake::new(&["paths"], "`paths` is missing"))?;
        let mut reader = Reader::new(document, options)?;
        let mut names = Names::default();
        let (mut tools, mut left_out) = (Vec::new(), Vec::new());
        for path in paths.iter().filter(|path| path.starts_with('/')) {
            let item = document.path(path);
            let item = follow(document, &item)
                .ok_or_else(|| Mistake::new(&["paths", path], "its `$ref` leads nowhere in this document"))?;
            for method in METHODS {
                let Some(operation) = item.get(method) else {
                    continue;
                };
                if !options.selection.wants(path, method, operation) {
                    continue;
                }
                if !operation.is_object() {
                    return Err(Mistake::new(
                        &["paths", path, method],
                        "an operation is an object",
                    ));
                }
                if tools.len() + left_out.len() >= MAX_TOOLS {
                    let message =
                        format!("more than {MAX_TOOLS} operations become tools; choose some by `operations`");
                    return Err(Mistake::new(&["paths", path, method], message));
                }
                let at = At {
                    // It has its name whether it becomes a tool or not: names stay when a document grows.
                    name: &names.of(operation["operationId"].as_str(), method, path),
                    path,
                    method,
                    item,
                    operation,
                };
                match reader.tool(&at) {
                    Ok(tool) => tools.push(tool),
                    Err(why) => {
                        let method = method.to_ascii_uppercase();
                        left_out.push(format!("{method} {path} becomes no tool: {why}"));
                    }
                }
            }
        }
        Ok(Operations { tools, left_out })
    }
}

/// One operation, and where it stands.
struct At<'a> {
    name: &'a str,
    path: &'a str,
    method: &'a str,
    /// What stands at the path.
    item: &'a Value,
    operation: &'a Value,
}

/// What makes tools of operations.
struct Reader<'d> {
    document: &'d Document<'d>,
    servers: Servers,
    /// Parameters that are nobody's arguments: the gateway sends them, or they say who is asking.
    credentials: Vec<(Option<Place>, String)>,
    /// With what explains, and without.
    requests: [Schemas<'d>; 2],
    answers: [Schemas<'d>; 2],
}

/// What goes into a tool.
struct Arguments {
    parameters: Vec<Parameter>,
    body: Option<Body>,
    /// The schema of all arguments, as JSON.
    schema: String,
}

impl<'d> Reader<'d> {
    fn new(document: &'d Document<'d>, options: &Options) -> Result<Reader<'d>, Mistake> {
        let servers = Servers::of(document, options.base.as_deref());
        let own = options
            .headers
            .iter()
            .map(|name| (Some(Place::Header), name.clone()));
        let keys = document
            .components("securitySchemes")
            .filter(|scheme| scheme["type"] == "apiKey");
        let keys =
            keys.filter_map(|scheme| Some((Place::of(&scheme["in"]), scheme["name"].as_str()?.to_owned())));
        let schemas = |side| [false, true].map(|is_brief| Schemas::new(document, side, is_brief));
        Ok(Reader {
            document,
            servers: servers.map_err(|why| Mistake::new(&["servers"], why))?,
            credentials: own.chain(keys).collect(),
            requests: schemas(Side::Request),
            answers: schemas(Side::Answer),
        })
    }

    fn tool(&mut self, at: &At<'_>) -> Result<Tool, String> {
        let base = self.servers.base(at.item, at.operation)?;
        let first = self.arguments(at, 0);
        let arguments = first.or_else(|_| self.arguments(at, 1))?;
        let mut results = self.answers.iter_mut();
        let result =
            results.find_map(|schemas| output::schema(schemas, self.document, at.operation, MAX_OUTPUT));
        let mut listed = listed(at, &arguments.schema, result.as_deref());
        if listed.len() > MAX_TOOL && result.is_some() {
            listed = self::listed(at, &arguments.schema, None);
        }
        if listed.len() > MAX_TOOL {
            return Err(format!(
                "its tool would have {} bytes, and {MAX_TOOL} are the most",
                listed.len()
            ));
        }
        Ok(Tool {
            name: at.name.to_owned(),
            method: at.method.to_ascii_uppercase(),
            path: format!("{base}{}", at.path),
            parameters: arguments.parameters,
            body: arguments.body,
            listed,
            tree: OnceLock::new(),
        })
    }

    /// The arguments, with one of the two kinds of schemas.
    fn arguments(&mut self, at: &At<'_>, kind: usize) -> Result<Arguments, String> {
        let document = self.document;
        let mut properties = Map::new();
        let mut required = Vec::new();
        let mut parameters = Vec::new();
        let mut needs = Vec::new();
        for value in merged(document, at.item, at.operation)? {
            let Some(mut parameter) = Parameter::read(value)? else {
                continue;
            };
            if self.is_credential(&parameter) {
                continue;
            }
            parameter.argument = argument(&parameter, &properties);
            let converted = self.requests[kind].convert(schema_of(value))?;
            if value["required"] == true || parameter.place == Place::Path {
                required.push(parameter.argument.clone());
            }
            properties.insert(
                parameter.argument.clone(),
                described(converted.schema, value, kind),
            );
            needs.extend(converted.needs);
            parameters.push(parameter);
        }
        check_path(at.path, &parameters)?;
        let mut body = None;
        if let Some(value) = at.operation.get("requestBody") {
            let value =
                follow(document, value).ok_or("the `$ref` of its body leads nowhere in this document")?;
            let (form, schema) = Form::read(document, value)?;
            let argument = match properties.contains_key("body") {
                true => "request_body",
                false => "body",
            };
            let schema = match schema {
                body::Schema::Own(schema) => schema,
                body::Schema::Written(schema) => {
                    let converted = self.requests[kind].convert(schema)?;
                    needs.extend(converted.needs);
                    converted.schema
                }
            };
            if value["required"] == true {
                required.push(argument.to_owned());
            }
            properties.insert(argument.to_owned(), described(schema, value, kind));
            body = Some(Body {
                argument: argument.to_owned(),
                form,
            });
        }
        let mut schema = json!({"type": "object", "properties": properties, "additionalProperties": false});
        if !required.is_empty() {
            schema["required"] = json!(required);
        }
        let definitions = self.requests[kind].definitions(&needs, MAX_TOOL)?;
        let schema = with_definitions(&schema, &definitions);
        match schema.len() > MAX_TOOL {
            true => Err(format!("its schemas have more than {MAX_TOOL} bytes")),
            false => Ok(Arguments {
                parameters,
                body,
                schema,
            }),
        }
    }

    fn is_credential(&self, parameter: &Parameter) -> bool {
        self.credentials.iter().any(|(place, name)| {
            *place == Some(parameter.place)
                && match parameter.place {
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

/// A schema with what is said of what it is for. `kind` is that of [`Reader::arguments`].
fn described(mut schema: Value, of: &Value, kind: usize) -> Value {
    let Some(members) = schema.as_object_mut() else {
        return schema;
    };
    if let Some(text) = of["description"].as_str().filter(|_| kind == 0) {
        members.entry("description").or_insert_with(|| short(text).into());
    }
    if of["deprecated"] == true {
        members.insert("deprecated".to_owned(), true.into());
    }
    schema
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

/// A tool as it is listed, with its schemas as JSON.
fn listed(at: &At<'_>, arguments: &str, result: Option<&str>) -> String {
    let text = |member: &str| {
        at.operation[member]
            .as_str()
            .map(short)
            .filter(|text| !text.is_empty())
    };
    let (summary, description) = (text("summary"), text("description"));
    let place = format!("{} {}", at.method.to_ascii_uppercase(), at.path);
    let mut said = description.or(summary).map_or(place, str::to_owned);
    if at.operation["deprecated"] == true {
        said = format!("Deprecated. {said}");
    }
    let mut tool = json!({"name": at.name, "description": said, "annotations": hints(at.method)});
    if let Some(summary) = summary {
        tool["title"] = summary.into();
    }
    let head = tool.to_string();
    let head = head.strip_suffix('}').unwrap_or(&head);
    let result = result.map_or_else(String::new, |schema| format!(",\"outputSchema\":{schema}"));
    format!("{head},\"inputSchema\":{arguments}{result}}}")
}

/// What a method says of what it does (RFC 9110, section 9.2). What POST does nobody knows; clients then think the worst.
fn hints(method: &str) -> Value {
    match method {
        "get" | "head" | "options" | "trace" => {
            json!({"readOnlyHint": true, "destructiveHint": false, "idempotentHint": true})
        }
        "post" => json!({"readOnlyHint": false}),
        method => {
            json!({"readOnlyHint": false, "destructiveHint": true, "idempotentHint": method != "patch"})
        }
    }
}
