//! Command-line flags: `--entryPoints.web.address=:80`, `-a`, `--ping`, `--` ends.

use std::sync::Arc;

use super::path::{self, Part, Tree};
use crate::node::{Node, Source, Span};
use crate::problem::{Problem, Problems, code};
use crate::shape::Shape;

/// One flag as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flag {
    /// The name without dashes.
    pub name: String,
    /// Its value; `true` when it stands alone.
    pub value: String,
    /// Which argument it is, from 0.
    pub index: usize,
}

/// The flags, and the source their places refer to.
pub struct Flags {
    /// In the order written.
    pub flags: Vec<Flag>,
    source: Arc<Source>,
}

/// Splits arguments into flags. Whether a flag takes the next argument depends on its type.
pub fn split(args: &[String], shape: &Shape, problems: &mut Problems) -> Flags {
    let source = Source::words("flags", args.iter().map(|a| word(a)).collect());
    let mut flags = Vec::new();
    let mut index = 0;
    while let Some(arg) = args.get(index).filter(|arg| *arg != "--") {
        let span = Span::word(&source, index);
        match one(arg, args.get(index + 1), shape) {
            Arg::Flag { name, value, taken } => {
                flags.push(Flag { name, value, index });
                index += taken;
            }
            Arg::Bad(message) => {
                problems.push(bad_flag(span, message));
                index += 1;
            }
            Arg::NoFlag => {
                let message = format!("`{arg}` is not a flag; it and what follows are ignored");
                problems.push(Problem::warning(code::BAD_FLAG, span, message));
                break;
            }
        }
    }
    Flags { flags, source }
}

enum Arg {
    Flag {
        name: String,
        value: String,
        taken: usize,
    },
    Bad(String),
    NoFlag,
}

/// Reads one argument, with the next at hand. A flag that may stand alone never takes the next one: `--ping false` is
/// `--ping`, and `false` ends the flags.
fn one(arg: &str, next: Option<&String>, shape: &Shape) -> Arg {
    let Some(name) = dashless(arg).filter(|_| arg != "-") else {
        return Arg::NoFlag;
    };
    if name.is_empty() || name.starts_with(['-', '=']) {
        return Arg::Bad(format!("`{arg}` is not a flag"));
    }
    let flag = |name: &str, value: &str, taken| Arg::Flag {
        name: name.to_owned(),
        value: value.to_owned(),
        taken,
    };
    if let Some((name, value)) = name.split_once('=') {
        return flag(name, value, 1);
    }
    match next {
        _ if stands_alone(name, shape) => flag(name, "true", 1),
        Some(next) => flag(name, next, 2),
        None => Arg::Bad(format!("`{arg}` needs a value")),
    }
}

fn bad_flag(span: Span, message: String) -> Problem {
    Problem::error(code::BAD_FLAG, span, message).voiding()
}

/// How a flag is named in messages: without its value.
fn word(arg: &str) -> String {
    arg.split('=').next().unwrap_or(arg).to_owned()
}

fn dashless(arg: &str) -> Option<&str> {
    let name = arg.strip_prefix('-')?;
    Some(name.strip_prefix('-').unwrap_or(name))
}

fn stands_alone(name: &str, shape: &Shape) -> bool {
    let Ok(parts) = path::split(name) else {
        return false;
    };
    path::lookup(shape, &parts).is_some_and(|t| matches!(t.shape, Shape::Bool) || t.allow_empty)
}

impl Flags {
    /// The value of a flag that is no option of the tree, in any case; the last one wins.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.flags
            .iter()
            .rev()
            .find(|f| f.name.eq_ignore_ascii_case(name))
            .map(|f| f.value.as_str())
    }

    /// Where a flag was written.
    pub fn span(&self, flag: &Flag) -> Span {
        Span::word(&self.source, flag.index)
    }

    /// The flags as a tree. Names that are no option are problems: they stop the start.
    pub fn tree(&self, shape: &Shape, skip: &[&str], problems: &mut Problems) -> Node {
        let mut tree = Tree::new(Span::start(&self.source));
        for flag in &self.flags {
            if skip.iter().any(|s| s.eq_ignore_ascii_case(&flag.name)) {
                continue;
            }
            let span = self.span(flag);
            match path::split(&flag.name) {
                Ok(parts) if known_root(shape, &parts) => {
                    tree.put_in(shape, &parts, &flag.value, &span);
                }
                Ok(_) => {
                    let message = format!("unknown flag `--{}`", flag.name);
                    problems.push(bad_flag(span, message).help("`--help` lists all flags"));
                }
                Err(why) => problems.push(bad_flag(span, format!("`--{}` is not a flag: {why}", flag.name))),
            }
        }
        tree.finish()
    }
}

fn known_root(shape: &Shape, parts: &[Part]) -> bool {
    let known = path::lookup(shape, &parts[..1.min(parts.len())]).is_some();
    known
        || matches!((shape, parts.first()), (Shape::Object(o), Some(Part::Name(name)))
        if o.removed.iter().any(|r| r.name.eq_ignore_ascii_case(name)))
}
