//! Operations as tools.

use super::arguments::{Arguments, Credentials};
use super::document::Document;
use super::name::Names;
use super::output;
use super::reference::follow;
use super::schema::{Schemas, Side};
use super::server::Servers;
use super::tool::Tool;
use super::{MAX_OUTPUT, MAX_TOOL, MAX_TOOLS, Mistake, Options, short};
use serde_json::{Value, json};
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
pub struct At<'a> {
    name: &'a str,
    pub path: &'a str,
    method: &'a str,
    /// What stands at the path.
    pub item: &'a Value,
    pub operation: &'a Value,
}

/// Schemas with what explains them, and without.
type Twice<'d> = [Schemas<'d>; 2];

/// What makes tools of operations.
struct Reader<'d> {
    document: &'d Document<'d>,
    servers: Servers,
    credentials: Credentials,
    requests: Twice<'d>,
    answers: Twice<'d>,
}

impl<'d> Reader<'d> {
    fn new(document: &'d Document<'d>, options: &Options) -> Result<Reader<'d>, Mistake> {
        let servers = Servers::of(document, options.base.as_deref());
        let schemas = |side| [false, true].map(|is_brief| Schemas::new(document, side, is_brief));
        Ok(Reader {
            document,
            servers: servers.map_err(|why| Mistake::new(&["servers"], why))?,
            credentials: Credentials::of(document, &options.headers),
            requests: schemas(Side::Request),
            answers: schemas(Side::Answer),
        })
    }

    fn tool(&mut self, at: &At<'_>) -> Result<Tool, String> {
        let base = self.servers.base(at.item, at.operation)?;
        let [whole, brief] = &mut self.requests;
        let arguments = Arguments::read(self.document, at, &self.credentials, whole)
            .or_else(|_| Arguments::read(self.document, at, &self.credentials, brief))?;
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
