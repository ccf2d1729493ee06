//! Go templates with sprig's functions, bounded in time, steps, memory and output.
//!
//! One engine for every place where a configuration may hold a template: routing files, and whatever is rendered per request
//! later. A [`Template`] is parsed once and rendered any number of times; it holds no state. What it cannot do is outlive its
//! [`Limits`]: a hostile template ends in a [`TemplateError`] that says which limit and where.
//!
//! Not here: reading files, and what the rendered text means.
#![forbid(unsafe_code)]

mod ast;
mod budget;
mod builtins;
mod error;
mod exec;
mod format;
mod funcs;
mod function;
mod go;
mod lex;
mod limits;
mod object;
mod parse;
mod place;
mod template;
mod value;

#[cfg(test)]
mod tests;

pub use error::TemplateError;
pub use funcs::names;
pub use limits::Limits;
pub use template::{Origin, Rendered, Template};
pub use value::Value;
