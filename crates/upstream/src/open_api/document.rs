//! Reading the document: from its file, within its limit, with the line of what is wrong in it.

use super::size;
use std::borrow::Cow;
use std::io::Read;
use std::path::{Path, PathBuf};
use trilithon_flow::BuildError;
use trilithon_mcp::openapi::{Api, Criteria, Document, Options, Selection};
use trilithon_model::dialect::{self, Dialect};
use trilithon_model::dynamic::http::{OpenApi as Config, OpenApiCriteria};
use trilithon_model::{Node, Problems, Source};
use trilithon_wire::json;

/// Whether the option holds the document itself and names no file.
pub fn is_text(document: &str) -> bool {
    document.trim_start().starts_with('{') || document.trim_end().contains('\n')
}

/// The file that a service reads its document from.
pub fn file(config: &Config) -> Option<PathBuf> {
    let named = !config.document.is_empty() && !is_text(&config.document);
    named.then(|| PathBuf::from(&config.document))
}

/// The document's text.
///
/// # Errors
/// There is none, it cannot be read, or it is larger than `maxDocumentSize`.
pub fn read(config: &Config) -> Result<String, BuildError> {
    let limit = size("maxDocumentSize", config.max_document_size)?;
    if config.document.is_empty() {
        return Err(BuildError::new("`openApi` has no `document`")
            .help("name its file, or write the document itself"));
    }
    let text = match file(config) {
        None => config.document.clone(),
        Some(path) => from_file(&path, limit).map_err(|error| error.at(&config.document, 0))?,
    };
    match text.len() as u64 > limit {
        true => Err(too_large("the document", limit)),
        false => Ok(text),
    }
}

fn from_file(path: &Path, limit: u64) -> Result<String, BuildError> {
    let cannot =
        |why: &dyn std::fmt::Display| BuildError::new(format!("cannot read `{}`: {why}", path.display()));
    let file = std::fs::File::open(path).map_err(|error| cannot(&error))?;
    let length = file.metadata().map_err(|error| cannot(&error))?.len();
    if length > limit {
        return Err(too_large(
            &format!("`{}`, with {length} bytes,", path.display()),
            limit,
        ));
    }
    let mut text = String::new();
    let read = file.take(limit + 1).read_to_string(&mut text);
    read.map_err(|error| cannot(&error))?;
    Ok(text)
}

fn too_large(what: &str, limit: u64) -> BuildError {
    BuildError::new(format!("{what} is larger than `maxDocumentSize`, {limit} bytes"))
        .help("take out of it what becomes no tool, or raise the limit: a document takes several times its size while it is read")
}

/// The tools of a document.
///
/// # Errors
/// It cannot be read, or is none: with file, line and column.
pub fn compile(config: &Config, text: &str) -> Result<Api, BuildError> {
    let name = match is_text(&config.document) {
        true => "document",
        false => &config.document,
    };
    let is_json = text.trim_start().starts_with('{');
    let json = match is_json {
        true => Cow::Borrowed(text),
        false => Cow::Owned(tree(name, text)?.to_json().to_string()),
    };
    let document = Document::read(&json)
        .map_err(|error| BuildError::new(format!("{name}:{}: {}", place_in(text, error.at), error.what)))?;
    let options = Options {
        base: config.base_path.clone(),
        selection: selection(config),
        headers: config.headers.keys().cloned().collect(),
    };
    Api::of(&document, &options).map_err(|mistake| {
        let place = match is_json {
            true => place_of_name(text, &mistake.at).map(|place| format!("{name}:{place}")),
            false => place_in_tree(name, text, &mistake.at),
        };
        let place = place.unwrap_or_else(|| name.to_owned());
        BuildError::new(format!("{place}: {}", mistake.message))
    })
}

fn selection(config: &Config) -> Selection {
    let criteria = |all: &[OpenApiCriteria]| {
        let one = |one: &OpenApiCriteria| Criteria {
            operation_ids: one.operation_ids.clone(),
            tags: one.tags.clone(),
            paths: one.paths.clone(),
            methods: one.methods.clone(),
        };
        all.iter().map(one).collect()
    };
    let operations = config.operations.clone().unwrap_or_default();
    Selection {
        include: criteria(&operations.include),
        exclude: criteria(&operations.exclude),
    }
}

/// The document with the place of each value.
fn tree(name: &str, text: &str) -> Result<Node, BuildError> {
    let mut problems = Problems::new();
    let node = dialect::parse_as(Dialect::Yaml, &Source::text(name, text), &mut problems);
    match problems.iter().find(|p| p.is_error()) {
        Some(problem) => Err(BuildError::new(format!("{}: {}", problem.span, problem.message))),
        None => node.ok_or_else(|| BuildError::new(format!("{name} cannot be read"))),
    }
}

/// Where these names lead to, or the nearest that is there: what is missing has no place.
fn place_in_tree(name: &str, text: &str, at: &[String]) -> Option<String> {
    let tree = tree(name, text).ok()?;
    let names: Vec<&str> = at.iter().map(String::as_str).collect();
    let nearest = (1..=names.len())
        .rev()
        .find_map(|count| tree.place(&names[..count]));
    nearest.map(|span| span.to_string())
}

/// The same in JSON: line and column.
fn place_of_name(text: &str, at: &[String]) -> Option<String> {
    let mut value = json::parse(text.as_bytes()).ok()?;
    let mut place = None;
    for name in at {
        let Some(below) = value.get(name) else { break };
        place = Some(below.range().start);
        value = below;
    }
    place.map(|at| place_in(text, at))
}

/// Line and column of a byte.
fn place_in(text: &str, at: usize) -> String {
    let before = &text.as_bytes()[..at.min(text.len())];
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let column = before.iter().rev().take_while(|byte| **byte != b'\n').count() + 1;
    format!("{line}:{column}")
}
