//! Environment variables: `TRAEFIK_ENTRYPOINTS_WEB_ADDRESS=:80`.
//!
//! The path is the name cut at underscores, so free names cannot hold one; they are lower-case. Variables whose first
//! word is no section are somebody else's.

use super::path::{self, Part, Tree};
use crate::node::{Node, Source, Span};
use crate::problem::{Problem, Problems, code};
use crate::shape::Shape;

/// What the names of variables start with.
pub const PREFIX: &str = "TRAEFIK_";

/// True when a variable belongs to the configuration.
pub fn concerns(name: &str, shape: &Shape) -> bool {
    words(name).is_some_and(|words| path::lookup(shape, &[Part::Name(words[0].clone())]).is_some())
}

/// The variables as a tree, in order of name.
pub fn parse(vars: &[(String, String)], shape: &Shape, problems: &mut Problems) -> Node {
    let mut vars: Vec<&(String, String)> = vars.iter().filter(|(name, _)| concerns(name, shape)).collect();
    vars.sort();
    let source = Source::words("environment", vars.iter().map(|(name, _)| name.clone()).collect());
    let mut tree = Tree::new(Span::start(&source));
    for (index, (name, value)) in vars.iter().enumerate() {
        let span = Span::word(&source, index);
        match parts(name, shape) {
            Ok(parts) => tree.put_in(shape, &parts, value, &span),
            Err(why) => {
                let message = format!("`{name}` names no option: {why}");
                problems.push(Problem::error(code::UNKNOWN_OPTION, span, message).voiding());
            }
        }
    }
    tree.finish()
}

fn words(name: &str) -> Option<Vec<String>> {
    let rest = name
        .get(..PREFIX.len())
        .filter(|p| p.eq_ignore_ascii_case(PREFIX))
        .and(name.get(PREFIX.len()..))?;
    Some(rest.split('_').map(str::to_ascii_lowercase).collect())
}

/// The path of a variable. A number where a list is expected is a place in it.
fn parts(name: &str, shape: &Shape) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    for word in words(name).unwrap_or_default() {
        let in_list = path::lookup(shape, &parts).is_some_and(|t| matches!(t.shape, Shape::List(_)));
        if in_list && word.bytes().all(|b| b.is_ascii_digit()) {
            parts.extend(path::split(&format!("x[{word}]"))?.into_iter().skip(1));
        } else {
            parts.extend(path::split(&word)?);
        }
    }
    Ok(parts)
}
