//! An API that an OpenAPI document (3.0, 3.1) describes, as tools: one for each operation. Pure: the document is a tree that somebody
//! has read, a call becomes a request that somebody sends, and the answer to that a tool's result.
//!
//! Only what an operation leads to is looked at, each of its schemas once; references lead inside the document and nowhere else.

mod arguments;
mod body;
mod circle;
mod dialect;
mod document;
mod keyword;
mod multipart;
mod name;
mod operation;
mod output;
mod page;
mod parameter;
mod reference;
mod request;
mod result;
mod schema;
mod select;
mod serve;
mod server;
#[cfg(test)]
mod tests;
mod tool;

pub use document::Document;
pub use request::Asked;
pub use result::{Answer, result};
pub use select::{Criteria, Selection};
pub use serve::{Call, Reply, reply};
pub use tool::Tool;

use operation::Operations;
use page::Pages;
use serde_json::{Value, json};
use std::collections::HashMap;

/// Tools of one document.
pub const MAX_TOOLS: usize = 10_000;
/// Bytes of one tool as it is listed.
pub const MAX_TOOL: usize = 128 << 10;
/// Bytes of all tools as they are listed.
pub const MAX_LIST: usize = 64 << 20;
/// Bytes of what a tool says of its results.
const MAX_OUTPUT: usize = 16 << 10;
/// Bytes of a description that is passed on.
const MAX_TEXT: usize = 4_096;

/// What is made of a document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Takes the place of the paths of its servers.
    pub base: Option<String>,
    pub selection: Selection,
    /// Headers that are not a caller's to say, because the gateway sends them.
    pub headers: Vec<String>,
}

/// An API as tools.
pub struct Api {
    title: String,
    version: String,
    instructions: String,
    tools: Vec<Tool>,
    by_name: HashMap<String, usize>,
    pages: Pages,
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
    /// Reads a document.
    ///
    /// # Errors
    /// It is no OpenAPI 3 document, has no operation that is wanted, or too many.
    pub fn of(document: &Document<'_>, options: &Options) -> Result<Api, Mistake> {
        let version = document.member("openapi").as_str().unwrap_or_default();
        if !version.starts_with("3.0") && !version.starts_with("3.1") {
            let found = match (version, document.member("swagger").as_str()) {
                ("", Some(swagger)) => format!("this is Swagger {swagger}: convert it to OpenAPI 3"),
                ("", None) => "`openapi` is missing: this is no OpenAPI document".to_owned(),
                (version, _) => format!("OpenAPI `{version}` is not known; 3.0 and 3.1 are"),
            };
            return Err(Mistake::new(&["openapi"], found));
        }
        let Operations { tools, left_out } = Operations::of(document, options)?;
        if tools.is_empty() {
            let why = left_out.first().map(|why| format!("; {why}")).unwrap_or_default();
            return Err(Mistake::new(
                &["paths"],
                format!("no operation becomes a tool{why}"),
            ));
        }
        let length: usize = tools.iter().map(|tool| tool.listed().len()).sum();
        if length > MAX_LIST {
            let message = format!(
                "the list of its {} tools would have {length} bytes, and {MAX_LIST} are the most; choose some by `operations`",
                tools.len()
            );
            return Err(Mistake::new(&["paths"], message));
        }
        let info = document.member("info");
        let info = |name: &str| short(info[name].as_str().unwrap_or_default()).to_owned();
        Ok(Api {
            title: info("title"),
            version: info("version"),
            instructions: info("description"),
            by_name: tools
                .iter()
                .enumerate()
                .map(|(i, tool)| (tool.name().to_owned(), i))
                .collect(),
            pages: Pages::of(&tools),
            tools,
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
