//! Reading the document: from its file, within its limit, with the line of what is wrong in it.

use super::size;
use serde_json::Value;
use std::io::Read;
use std::path::{Path, PathBuf};
use trilithon_flow::BuildError;
use trilithon_mcp::openapi::{Api, Mistake, Selection};
use trilithon_model::dialect::{self, Dialect};
use trilithon_model::dynamic::http::OpenApi as Config;
use trilithon_model::{Node, Problems, Source};

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
pub fn compile(
    config: &Config,
    text: &str,
    base: Option<&str>,
    selection: &Selection,
) -> Result<Api, BuildError> {
    let name = match is_text(&config.document) {
        true => "document",
        false => &config.document,
    };
    let document = match text.trim_start().starts_with('{') {
        true => serde_json::from_str(text).map_err(|e| {
            let why = e.to_string();
            let why = why.split(" at line ").next().unwrap_or_default();
            BuildError::new(format!("{name}:{}:{}: {why}", e.line(), e.column()))
        })?,
        false => tree(name, text)?.to_json(),
    };
    Api::of(&document, base, selection).map_err(|mistake| placed(name, text, &document, &mistake))
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

/// A mistake with its place. Only now is the place of each value looked for.
fn placed(name: &str, text: &str, document: &Value, mistake: &Mistake) -> BuildError {
    // What is missing has no place: the nearest that is there has.
    let mut names: Vec<&str> = mistake.at.iter().map(String::as_str).collect();
    while !names.is_empty()
        && names
            .iter()
            .try_fold(document, |value, name| value.get(*name))
            .is_none()
    {
        names.pop();
    }
    let place = tree(name, text).ok().and_then(|tree| tree.place(&names));
    let place = place.map_or_else(|| name.to_owned(), |span| span.to_string());
    BuildError::new(format!("{place}: {}", mistake.message))
}
