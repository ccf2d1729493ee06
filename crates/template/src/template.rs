//! A parsed template and what it renders.

use crate::budget::Budget;
use crate::error::TemplateError;
use crate::exec::Executor;
use crate::limits::{Limits, MAX_TEXT};
use crate::parse::{Bad, Tree, parse};
use crate::place::place;
use crate::value::Value;

/// A template, parsed once; it is rendered any number of times, by any thread.
pub struct Template {
    name: String,
    text: String,
    tree: Tree,
}

/// What became of a template.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rendered {
    pub text: String,
    /// Where each stretch of it comes from, in the order of the text.
    pub origins: Vec<Origin>,
}

/// From `output` on, up to the next origin, the text comes from byte `source` of the template: copied from there, or written by
/// the action that stands there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    pub output: usize,
    pub source: usize,
    pub copied: bool,
}

impl Template {
    /// Parses a text. `name` stands in messages.
    ///
    /// # Errors
    /// What Go's `text/template` refuses, functions that neither Go nor sprig has, and text nested beyond the limits.
    pub fn parse(name: impl Into<String>, text: impl Into<String>) -> Result<Self, TemplateError> {
        let (name, text) = (name.into(), text.into());
        if text.len() > MAX_TEXT {
            let message = format!("the text has {} bytes, more than {MAX_TEXT}", text.len());
            return Err(TemplateError {
                name,
                line: 1,
                column: 1,
                message,
                help: None,
            });
        }
        match parse(&text) {
            Ok(tree) => Ok(Self { name, text, tree }),
            Err(bad) => Err(error(&name, &text, bad)),
        }
    }

    /// Renders with the data, which is `.` and `$`.
    ///
    /// # Errors
    /// What a function refuses, what Go's `text/template` refuses while it runs, and a limit that was met.
    pub fn render(&self, data: &Value, limits: &Limits) -> Result<String, TemplateError> {
        self.render_traced(data, limits).map(|rendered| rendered.text)
    }

    /// Renders, and tells where everything comes from.
    ///
    /// # Errors
    /// As [`Template::render`].
    pub fn render_traced(&self, data: &Value, limits: &Limits) -> Result<Rendered, TemplateError> {
        let budget = Budget::new(limits);
        let mut executor = Executor::new(&self.text, &self.tree.named, &budget, limits.output);
        executor.run(&self.tree.body, data).map_err(|(at, fault)| {
            let bad = Bad {
                at,
                message: fault.message,
                help: None,
            };
            error(&self.name, &self.text, bad)
        })?;
        Ok(executor.finish())
    }
}

impl std::fmt::Debug for Template {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Template({:?})", self.name)
    }
}

fn error(name: &str, text: &str, bad: Bad) -> TemplateError {
    let (line, column) = place(text, bad.at);
    TemplateError {
        name: name.to_owned(),
        line,
        column,
        message: bad.message,
        help: bad.help,
    }
}
