//! An API that an OpenAPI document (3.0, 3.1) describes, as tools: one for each operation. Pure: the document is a tree that somebody
//! has read, a call becomes a request that somebody sends, and the answer to that a tool's result.
//!
//! Only what an operation leads to is looked at, each of its schemas once; references lead inside the document and nowhere else.

mod name;
mod operation;
mod parameter;
mod reference;
mod request;
mod result;
mod schema;
mod select;
mod serve;
#[cfg(test)]
mod tests;
mod validate;

pub use operation::Tool;
pub use request::Asked;
pub use result::{Answer, result};
pub use select::{Criteria, Selection};
pub use serve::{Call, Reply, reply};

use operation::Operations;
use serde_json::{Value, json};
use std::collections::HashMap;

/// Tools of one document.
pub const MAX_TOOLS: usize = 1_000;
/// Bytes of one tool as it is listed.
pub const MAX_TOOL: usize = 128 << 10;
/// Bytes of all tools as they are listed.
pub const MAX_LIST: usize = 4 << 20;
/// Bytes of a description that is passed on.
const MAX_TEXT: usize = 4_096;

/// An API as tools.
pub struct Api {
    title: String,
    version: String,
    instructions: String,
    /// What stands before every path: `/v1`, or nothing.
    base: String,
    tools: Vec<Tool>,
    by_name: HashMap<String, usize>,
    /// The tools as they are listed: a JSON list.
    list: String,
    left_out: Vec<String>,
}

/// Why a document, or one of its operations, makes no tools.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Where: names from the root, such as `paths`, `/orders`, `post`.
    pub at: Vec<String>,
    pub message: String,
}

impl Mistake {
    fn new(at: &[&str], message: impl Into<String>) -> Mistake {
        Mistake {
            at: at.iter().map(|name| (*name).to_owned()).collect(),
            message: message.into(),
        }
    }
}

impl Api {
    /// Reads a document. `base` takes the place of the path of its first server.
    ///
    /// # Errors
    /// It is no OpenAPI 3 document, has no operation that is wanted, or too many.
    pub fn of(document: &Value, base: Option<&str>, selection: &Selection) -> Result<Api, Mistake> {
        let version = document["openapi"].as_str().unwrap_or_default();
        if !version.starts_with("3.0") && !version.starts_with("3.1") {
            let found = match (version, document["swagger"].as_str()) {
                ("", Some(swagger)) => format!("this is Swagger {swagger}: convert it to OpenAPI 3"),
                ("", None) => "`openapi` is missing: this is no OpenAPI document".to_owned(),
                (version, _) => format!("OpenAPI `{version}` is not known; 3.0 and 3.1 are"),
            };
            return Err(Mistake::new(&["openapi"], found));
        }
        let Operations { tools, left_out } = Operations::of(document, selection)?;
        if tools.is_empty() {
            let why = left_out.first().map(|why| format!("; {why}")).unwrap_or_default();
            return Err(Mistake::new(
                &["paths"],
                format!("no operation becomes a tool{why}"),
            ));
        }
        let listed: Vec<&str> = tools.iter().map(Tool::listed).collect();
        let list = format!("[{}]", listed.join(","));
        if list.len() > MAX_LIST {
            let message = format!(
                "the list of its {} tools would have {} bytes, and {MAX_LIST} are the most; choose some by `operations`",
                tools.len(),
                list.len()
            );
            return Err(Mistake::new(&["paths"], message));
        }
        let info = |name: &str| document["info"][name].as_str().unwrap_or_default();
        Ok(Api {
            title: short(info("title")).to_owned(),
            version: short(info("version")).to_owned(),
            instructions: short(info("description")).to_owned(),
            base: base.map_or_else(
                || first_server(document),
                |base| base.trim_end_matches('/').to_owned(),
            ),
            by_name: tools
                .iter()
                .enumerate()
                .map(|(i, tool)| (tool.name().to_owned(), i))
                .collect(),
            tools,
            list,
            left_out,
        })
    }

    /// The tools, in the order of the document.
    pub fn tools(&self) -> &[Tool] {
        &self.tools
    }

    /// The tool of that name.
    pub fn tool(&self, name: &str) -> Option<&Tool> {
        self.by_name.get(name).map(|at| &self.tools[*at])
    }

    /// Operations that are wanted and become no tools, each with the reason.
    pub fn left_out(&self) -> &[String] {
        &self.left_out
    }

    /// What stands before every path.
    pub fn base(&self) -> &str {
        &self.base
    }

    fn server_info(&self) -> Value {
        let or = |text: &str, other: &str| {
            if text.is_empty() {
                other.to_owned()
            } else {
                text.to_owned()
            }
        };
        json!({"name": or(&self.title, "api"), "version": or(&self.version, "0")})
    }
}

/// A text that is not too long.
fn short(text: &str) -> &str {
    text[..text.floor_char_boundary(MAX_TEXT)].trim()
}

/// The path of the first server, its variables with their defaults; without a slash at its end.
fn first_server(document: &Value) -> String {
    let server = &document["servers"][0];
    let mut url = server["url"].as_str().unwrap_or_default().to_owned();
    for (name, variable) in server["variables"].as_object().into_iter().flatten() {
        let default = variable["default"].as_str().unwrap_or_default();
        url = url.replace(&format!("{{{name}}}"), default);
    }
    let path = match url.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("", |at| &rest[at..]),
        None => &url,
    };
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let plain = path.bytes().all(|b| b.is_ascii_graphic()) && !path.contains("..") && !path.contains("//");
    match path.starts_with('/') && plain {
        true => path.trim_end_matches('/').to_owned(),
        false => String::new(),
    }
}
