//! Templates in routing files: what a file's text becomes before it is read.

use std::path::Path;
use std::sync::Arc;

use trilithon_model::node::{Source, Span};
use trilithon_model::problem::{Problem, Problems, code};
use trilithon_model::rendered::Stretch;
use trilithon_template::{Limits, Origin, Rendered, Template, TemplateError, Value};

/// What starts an action; a text without it is no template.
const ACTION: &str = "{{";

/// The source to read: the text itself, or what its template makes of it. With `logs` the latter is told at level `debug`.
///
/// # Errors
/// The template's fault, which voids the file.
pub(crate) fn source(path: &Path, text: String, logs: bool) -> Result<Arc<Source>, Problem> {
    let is_template = text.contains(ACTION);
    let source = Source::text(path.display().to_string(), text);
    if !is_template {
        return Ok(source);
    }
    let rendered = render(&source).map_err(|error| problem(&source, error))?;
    if logs {
        let template = source.content().unwrap_or_default();
        tracing::debug!(file = %source.name, template, result = rendered.text, "template rendered");
    }
    let stretches = rendered.origins.into_iter().map(stretch).collect();
    Ok(Source::rendered(&source, rendered.text, stretches))
}

/// As Traefik renders it: the data is `false`.
fn render(source: &Arc<Source>) -> Result<Rendered, TemplateError> {
    let text = source.content().unwrap_or_default();
    Template::parse(&source.name, text)?.render_traced(&Value::from(false), &Limits::default())
}

fn stretch(origin: Origin) -> Stretch {
    Stretch {
        output: origin.output,
        source: origin.source,
        copied: origin.copied,
    }
}

fn problem(source: &Arc<Source>, error: TemplateError) -> Problem {
    let (line, column) = (error.line, error.column);
    let span = Span::new(source, line, column, line, column + 1);
    let problem = Problem::error(code::TEMPLATE, span, format!("template: {}", error.message));
    let help = error
        .help
        .unwrap_or_else(|| "`{{` starts a template; to have it in the text write `{{ \"{{\" }}`".into());
    problem.help(help).voiding()
}

/// Adds to what makes the file void where to see what it became.
pub(crate) fn hint(source: &Source, problems: Problems) -> Problems {
    if !matches!(source.places, trilithon_model::node::Places::Rendered(_)) {
        return problems;
    }
    let hinted = problems.into_iter().map(|problem| {
        if problem.help.is_some() || !problem.voids_file {
            return problem;
        }
        problem
            .help("the file is a template: `providers.file.debugLogGeneratedTemplate` logs what it becomes")
    });
    hinted.collect::<Vec<_>>().into()
}
