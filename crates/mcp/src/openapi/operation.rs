//! Operations as tools.

use super::name::Names;
use super::parameter::{Parameter, Place};
use super::reference::follow;
use super::schema::Schemas;
use super::select::Selection;
use super::{MAX_TOOL, MAX_TOOLS, Mistake, short};
use serde_json::{Map, Value, json};

/// The methods that operations have, in the order in which they become tools.
const METHODS: [&str; 8] = [
    "get", "head", "options", "post", "put", "patch", "delete", "trace",
];

/// How a body is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Form {
    /// As JSON, under this type.
    Json(String),
    /// `application/x-www-form-urlencoded`.
    Pairs,
    /// As it is, under this type.
    Text(String),
}

/// The body of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    /// The argument that it is made of.
    pub argument: String,
    pub form: Form,
}

/// One operation.
#[derive(Clone, Debug, PartialEq)]
pub struct Tool {
    name: String,
    pub(super) method: String,
    /// The path as the document writes it: `/orders/{id}`.
    pub(super) path: String,
    pub(super) parameters: Vec<Parameter>,
    pub(super) body: Option<Body>,
    pub(super) schema: Value,
    listed: String,
}

impl Tool {
    pub fn name(&self) -> &str {
        &self.name
    }

    /// As it is listed: a JSON object.
    pub fn listed(&self) -> &str {
        &self.listed
    }
}

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
    pub fn of(document: &Value, selection: &Selection) -> Result<Operations, Mistake> {
        let paths = document["paths"].as_object();
        let paths = paths.ok_or_else(|| Mistake::new(&["paths"], "`paths` is missing"))?;
        let mut found = Operations {
            tools: Vec::new(),
            left_out: Vec::new(),
        };
        let mut names = Names::default();
        for (path, item) in paths.iter().filter(|(path, _)| path.starts_with('/')) {
            let item = follow(document, item)
                .ok_or_else(|| Mistake::new(&["paths", path], "its `$ref` leads nowhere in this document"))?;
            for method in METHODS {
                let Some(operation) = item.get(method) else {
                    continue;
                };
                if !selection.wants(path, method, operation) {
                    continue;
                }
                if !operation.is_object() {
                    return Err(Mistake::new(
                        &["paths", path, method],
                        "an operation is an object",
                    ));
                }
                if found.tools.len() + found.left_out.len() >= MAX_TOOLS {
                    let message =
                        format!("more than {MAX_TOOLS} operations become tools; choose some by `operations`");
                    return Err(Mistake::new(&["paths", path, method], message));
                }
                // It has its name whether it becomes a tool or not: names stay when a document grows.
                let name = names.of(operation["operationId"].as_str(), method, path);
                let source = Source {
                    document,
                    path,
                    method,
                    item,
                    operation,
                };
                match source.tool(&name, false).or_else(|_| source.tool(&name, true)) {
                    Ok(tool) => found.tools.push(tool),
                    Err(why) => {
                        let method = method.to_ascii_uppercase();
                        found
                            .left_out
                            .push(format!("{method} {path} becomes no tool: {why}"));
                    }
                }
            }
        }
        Ok(found)
    }
}

/// Where an operation stands.
struct Source<'d> {
    document: &'d Value,
    path: &'d str,
    method: &'d str,
    /// What stands at the path.
    item: &'d Value,
    operation: &'d Value,
}

impl Source<'_> {
    /// The tool; without what explains its schemas where it `is_brief`.
    fn tool(&self, name: &str, is_brief: bool) -> Result<Tool, String> {
        let Source {
            document,
            path,
            method,
            item,
            operation,
        } = *self;
        let mut schemas = Schemas::new(document, is_brief);
        let mut properties = Map::new();
        let mut required = Vec::new();
        let mut parameters = Vec::new();
        for value in merged(document, item, operation)? {
            let Some(mut parameter) = Parameter::read(value)? else {
                continue;
            };
            parameter.argument = argument(&parameter, &properties);
            let mut schema = schemas.convert(schema_of(value))?;
            describe(&mut schema, value);
            if value["required"] == true || parameter.place == Place::Path {
                required.push(parameter.argument.clone());
            }
            properties.insert(parameter.argument.clone(), schema);
            parameters.push(parameter);
        }
        check_path(path, &parameters)?;
        let body = match operation.get("requestBody") {
            None => None,
            Some(body) => {
                let body =
                    follow(document, body).ok_or("the `$ref` of its body leads nowhere in this document")?;
                let (form, schema) = form(body)?;
                let argument = if properties.contains_key("body") {
                    "request_body"
                } else {
                    "body"
                };
                let mut schema = schemas.convert(schema)?;
                describe(&mut schema, body);
                if body["required"] == true {
                    required.push(argument.to_owned());
                }
                properties.insert(argument.to_owned(), schema);
                Some(Body {
                    argument: argument.to_owned(),
                    form,
                })
            }
        };
        let mut schema = json!({"type": "object", "properties": properties, "additionalProperties": false});
        if !required.is_empty() {
            schema["required"] = json!(required);
        }
        let defs = schemas.into_defs();
        if !defs.is_empty() {
            schema["$defs"] = Value::Object(defs);
        }
        let listed = listed(name, method, path, operation, &schema);
        if listed.len() > MAX_TOOL {
            return Err(format!(
                "its tool would have {} bytes, and {MAX_TOOL} are the most",
                listed.len()
            ));
        }
        Ok(Tool {
            name: name.to_owned(),
            method: method.to_ascii_uppercase(),
            path: path.to_owned(),
            parameters,
            body,
            schema,
            listed,
        })
    }
}

/// The parameters of path and operation; the operation's take the place of the path's.
fn merged<'d>(document: &'d Value, item: &'d Value, operation: &'d Value) -> Result<Vec<&'d Value>, String> {
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

/// Says of a schema what is said of what it is for.
fn describe(schema: &mut Value, of: &Value) {
    let (Some(schema), Some(text)) = (schema.as_object_mut(), of["description"].as_str()) else {
        return;
    };
    schema.entry("description").or_insert_with(|| short(text).into());
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

/// How a body is written, and its schema: JSON before a form before text.
fn form(body: &Value) -> Result<(Form, &Value), String> {
    let content = body["content"].as_object().ok_or("its body has no `content`")?;
    let kind = |name: &String| {
        name.split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase()
    };
    let find = |is: &dyn Fn(&str) -> bool| content.iter().find(|(name, _)| is(&kind(name)));
    let is_json = |kind: &str| kind == "application/json" || kind.ends_with("+json") || kind == "*/*";
    if let Some((name, media)) = find(&is_json) {
        let name = if name == "*/*" { "application/json" } else { name };
        return Ok((Form::Json(name.to_owned()), &media["schema"]));
    }
    if let Some((_, media)) = find(&|kind| kind == "application/x-www-form-urlencoded") {
        return Ok((Form::Pairs, &media["schema"]));
    }
    if let Some((name, media)) = find(&|kind| kind.starts_with("text/")) {
        return Ok((Form::Text(name.clone()), &media["schema"]));
    }
    let names: Vec<&str> = content.keys().map(String::as_str).collect();
    Err(format!("a body of type `{}` is not built", names.join("`, `")))
}

/// A tool as it is listed.
fn listed(name: &str, method: &str, path: &str, operation: &Value, schema: &Value) -> String {
    let text = |member: &str| {
        operation[member]
            .as_str()
            .map(short)
            .filter(|text| !text.is_empty())
    };
    let (summary, description) = (text("summary"), text("description"));
    let place = format!("{} {path}", method.to_ascii_uppercase());
    let mut tool = json!({"name": name});
    if let Some(summary) = summary {
        tool["title"] = summary.into();
    }
    tool["description"] = description.or(summary).map_or(place, str::to_owned).into();
    tool["inputSchema"] = schema.clone();
    let reads = matches!(method, "get" | "head" | "options");
    tool["annotations"] = json!({
        "readOnlyHint": reads,
        "destructiveHint": method == "delete",
        "idempotentHint": reads || matches!(method, "put" | "delete"),
    });
    tool.to_string()
}
