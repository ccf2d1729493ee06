//! Which source of the install configuration wins: a file, else flags, else the environment. They are never merged.

use crate::decode::Decode;
use crate::dialect::{self, env, flags};
use crate::install::Static;
use crate::load::decode_static;
use crate::node::{Node, Source, Span};
use crate::problem::{Problem, Problems, code};
use crate::shape::Shape;
use crate::support;

/// What the process was started with.
pub struct Inputs<'a> {
    /// Arguments after the program's name and a subcommand.
    pub args: &'a [String],
    /// Environment variables.
    pub env: &'a [(String, String)],
    /// Reads a file: nothing when there is none, an error when it cannot be read.
    pub read: &'a dyn Fn(&str) -> Option<Result<String, String>>,
}

/// Which source won.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A file, by its path.
    File(String),
    /// Command-line flags.
    Flags,
    /// Environment variables.
    Environment,
    /// None: everything is default.
    Defaults,
}

/// The install configuration as read, and what is wrong with it.
pub struct Loaded {
    /// The configuration, finished: implicit entry points added, rules checked.
    pub config: Static,
    /// Everything found wrong. With an error among them the gateway must not start.
    pub problems: Problems,
    /// Which source won.
    pub origin: Origin,
}

const EXTENSIONS: [&str; 3] = ["toml", "yaml", "yml"];

/// The flag that names the file.
pub const CONFIG_FILE: &str = "configFile";

/// Reads the install configuration from whichever source wins.
pub fn load(inputs: &Inputs<'_>) -> Loaded {
    let shape = Static::shape();
    let mut problems = Problems::new();
    let mut flag_problems = Problems::new();
    let flags = flags::split(inputs.args, &shape, &mut flag_problems);
    let (node, origin) = match file(inputs, &flags, &mut problems) {
        Some(found) => {
            shadowed(inputs, &flags, &shape, &found.path, &mut problems);
            (from_file(&found, &mut problems), Origin::File(found.path))
        }
        None if !inputs.args.is_empty() => {
            problems.extend(flag_problems);
            (
                Some(flags.tree(&shape, &[CONFIG_FILE], &mut problems)),
                Origin::Flags,
            )
        }
        None if inputs.env.iter().any(|(name, _)| env::concerns(name, &shape)) => (
            Some(env::parse(inputs.env, &shape, &mut problems)),
            Origin::Environment,
        ),
        None => (Some(Node::default()), Origin::Defaults),
    };
    let node = node.unwrap_or_default();
    let (mut config, more) = decode_static(&node);
    problems.extend(more);
    if !problems.has_errors() {
        problems.extend(config.finish(&node));
        problems.extend(support::install(&node));
    }
    Loaded {
        config,
        problems,
        origin,
    }
}

/// Where files are looked for, in order, without extension.
pub fn base_names(env: &[(String, String)]) -> Vec<String> {
    let var = |name: &str| {
        env.iter()
            .find(|(n, v)| n == name && !v.is_empty())
            .map(|(_, v)| v.as_str())
    };
    let mut out = Vec::new();
    for product in ["traefik", "trilithon"] {
        out.push(format!("/etc/{product}/{product}"));
        out.extend(var("XDG_CONFIG_HOME").map(|folder| format!("{folder}/{product}")));
        out.extend(var("HOME").map(|folder| format!("{folder}/.config/{product}")));
        out.push(format!("./{product}"));
    }
    out
}

struct Found {
    path: String,
    content: Result<String, String>,
}

fn file(inputs: &Inputs<'_>, flags: &flags::Flags, problems: &mut Problems) -> Option<Found> {
    if let Some(path) = flags
        .value(CONFIG_FILE)
        .map(str::trim)
        .filter(|path| !path.is_empty())
    {
        if let Some(content) = (inputs.read)(path) {
            return Some(Found {
                path: path.to_owned(),
                content,
            });
        }
        let span = flags
            .flags
            .iter()
            .find(|f| f.name.eq_ignore_ascii_case(CONFIG_FILE))
            .map(|f| flags.span(f));
        let message = format!("there is no file `{path}`; other sources are used instead");
        problems.push(Problem::warning(
            code::NOT_FOUND,
            span.unwrap_or_default(),
            message,
        ));
    }
    let bases = base_names(inputs.env);
    let paths = bases
        .iter()
        .flat_map(|base| EXTENSIONS.map(|extension| format!("{base}.{extension}")));
    paths
        .into_iter()
        .find_map(|path| (inputs.read)(&path).map(|content| Found { path, content }))
}

fn from_file(found: &Found, problems: &mut Problems) -> Option<Node> {
    let text = match &found.content {
        Ok(text) => text.as_str(),
        Err(why) => {
            let message = format!("cannot read `{}`: {why}", found.path);
            problems.push(Problem::error(code::NOT_FOUND, Span::none(), message).voiding());
            return None;
        }
    };
    let source = Source::text(&found.path, text);
    let node = dialect::parse(&source, problems)?;
    if says_nothing(&node) {
        let message = format!("`{}` has no configuration in it", found.path);
        let problem = Problem::error(code::EMPTY, Span::start(&source), message);
        problems.push(
            problem
                .help("write at least one section, such as `entryPoints`")
                .voiding(),
        );
    }
    Some(node)
}

/// True when no root of the file is a section of the install configuration.
fn says_nothing(node: &Node) -> bool {
    let Shape::Object(shape) = Static::shape() else {
        return false;
    };
    let known = |key: &str| {
        shape
            .fields
            .iter()
            .any(|f| f.field.name.eq_ignore_ascii_case(key))
            || shape.removed.iter().any(|r| r.name.eq_ignore_ascii_case(key))
    };
    !node
        .entries()
        .is_some_and(|entries| entries.iter().any(|e| known(&e.key)))
}

/// Warns about flags and variables that are not read because a file is.
fn shadowed(inputs: &Inputs<'_>, flags: &flags::Flags, shape: &Shape, path: &str, problems: &mut Problems) {
    let help = "sources are not merged: a file beats flags, flags beat the environment";
    for flag in flags
        .flags
        .iter()
        .filter(|f| !f.name.eq_ignore_ascii_case(CONFIG_FILE))
    {
        let message = format!(
            "`--{}` is not read, because the configuration is in `{path}`",
            flag.name
        );
        problems.push(Problem::warning(code::SHADOWED, flags.span(flag), message).help(help));
    }
    for (name, _) in inputs.env.iter().filter(|(name, _)| env::concerns(name, shape)) {
        let message = format!("`{name}` is not read, because the configuration is in `{path}`");
        problems.push(Problem::warning(code::SHADOWED, Span::none(), message).help(help));
    }
}
