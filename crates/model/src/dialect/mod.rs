//! The spellings of configuration, each read into a [`crate::node::Node`].
//!
//! Labels and key-value stores join through [`path`]: a list of paths with values is all they need to provide.

pub mod env;
pub mod flags;
pub mod path;
pub mod toml;
pub mod yaml;

use std::sync::Arc;

use crate::node::{Node, Source, Span};
use crate::problem::{Problem, Problems, code};

/// Deepest nesting read. Traefik's deepest option is below 12.
pub const MAX_DEPTH: usize = 100;

/// Most values that YAML aliases may expand to in one file.
pub const MAX_ALIASED: usize = 100_000;

/// A text dialect, by file extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// YAML 1.2, and JSON as a part of it.
    Yaml,
    /// TOML 1.0.
    Toml,
}

impl Dialect {
    /// By the extension of a file name: `.yaml`, `.yml`, `.json`, `.toml`, in any case.
    pub fn of(file_name: &str) -> Option<Self> {
        let (_, extension) = file_name.rsplit_once('.')?;
        match extension.to_ascii_lowercase().as_str() {
            "yaml" | "yml" | "json" => Some(Self::Yaml),
            "toml" => Some(Self::Toml),
            _ => None,
        }
    }
}

/// Reads a file's text; nothing when it is broken. An empty file is an empty map.
pub fn parse(source: &Arc<Source>, problems: &mut Problems) -> Option<Node> {
    match Dialect::of(&source.name) {
        Some(dialect) => parse_as(dialect, source, problems),
        None => {
            let message = format!("`{}` is neither YAML nor TOML", source.name);
            let problem = Problem::error(code::UNKNOWN_FORMAT, Span::none(), message);
            problems.push(problem.help("name it `.yaml`, `.yml` or `.toml`").voiding());
            None
        }
    }
}

/// Reads a text of a known dialect; nothing when it is broken.
pub fn parse_as(dialect: Dialect, source: &Arc<Source>, problems: &mut Problems) -> Option<Node> {
    match dialect {
        Dialect::Yaml => yaml::parse(source, problems),
        Dialect::Toml => toml::parse(source, problems),
    }
}

/// Lines and columns as spans keep them.
pub(crate) fn small(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
