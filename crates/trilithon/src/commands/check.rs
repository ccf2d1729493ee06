//! `trilithon check [flags]`: finds every fault of a configuration and starts nothing.

use super::state;
use serde_json::{Value, json};
use std::process::ExitCode;
use trilithon_model::problem::{Problem, Problems};

/// How the faults are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    Text,
    Json,
    Sarif,
}

/// What `check` was asked.
pub struct Options {
    output: Output,
    /// The flags that running would take.
    args: Vec<String>,
}

impl Options {
    /// Takes `-o`/`--output` out of the flags.
    ///
    /// # Errors
    /// An output that does not exist.
    pub fn parse(args: Vec<String>) -> anyhow::Result<Options> {
        let mut options = Options {
            output: Output::Text,
            args: Vec::new(),
        };
        let mut args = args.into_iter();
        while let Some(arg) = args.next() {
            let (name, value) = match arg.split_once('=') {
                Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
                None => (arg.clone(), None),
            };
            if !matches!(name.as_str(), "-o" | "--output") {
                options.args.push(arg);
                continue;
            }
            options.output = match value.or_else(|| args.next()).unwrap_or_default().as_str() {
                "text" => Output::Text,
                "json" => Output::Json,
                "sarif" => Output::Sarif,
                other => anyhow::bail!("`{other}` is no output; choose text, json or sarif"),
            };
        }
        Ok(options)
    }
}

/// Prints what is wrong. Exit 0 without errors, 1 with.
///
/// # Errors
/// Standard output is closed.
pub fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let mut state = state::load(&options.args);
    state.problems.sort();
    match options.output {
        Output::Text => text(&state),
        Output::Json => say!("{:#}", state.problems.iter().map(as_json).collect::<Value>()),
        Output::Sarif => say!("{:#}", sarif(&state.problems)),
    }
    Ok(if state.problems.has_errors() {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

fn text(state: &state::State) {
    for problem in &state.problems {
        say!("{}", render(problem));
    }
    let errors = state.problems.iter().filter(|p| p.is_error()).count();
    let warnings = state.problems.len() - errors;
    let (routers, services) = state
        .snapshot
        .as_ref()
        .map_or((0, 0), |s| (s.report.router_count(), s.report.service_count()));
    let count = |n: usize, noun: &str| format!("{n} {noun}{}", if n == 1 { "" } else { "s" });
    say!(
        "{}, {}: {}, {}",
        count(routers, "router"),
        count(services, "service"),
        count(errors, "error"),
        count(warnings, "warning")
    );
}

/// A problem with the line it is about.
fn render(problem: &Problem) -> String {
    let shown = problem.to_string();
    let Some(line) = problem.span.excerpt() else {
        return shown;
    };
    let (first, rest) = shown
        .split_once('\n')
        .map_or((shown.as_str(), ""), |(f, r)| (f, r));
    let span = &problem.span;
    let width = if span.end_line == span.line {
        span.end_column.saturating_sub(span.column).max(1)
    } else {
        1
    };
    let number = span.line.to_string();
    let gutter = " ".repeat(number.len());
    let before: String = line
        .chars()
        .take(span.column.saturating_sub(1) as usize)
        .map(|c| if c == '\t' { '\t' } else { ' ' })
        .collect();
    let caret = "^".repeat(width as usize);
    let mut out = format!("{first}\n  {number} | {line}\n  {gutter} | {before}{caret}");
    if !rest.is_empty() {
        out.push('\n');
        out.push_str(rest);
    }
    out
}

fn as_json(problem: &Problem) -> Value {
    let span = &problem.span;
    json!({
        "severity": problem.severity.to_string(),
        "code": problem.code,
        "message": problem.message,
        "place": (!span.is_none()).then(|| span.to_string()),
        "file": span.file(),
        "line": span.file().map(|_| span.line),
        "column": span.file().map(|_| span.column),
        "endLine": span.file().map(|_| span.end_line),
        "endColumn": span.file().map(|_| span.end_column),
        "object": problem.object.as_ref().map(ToString::to_string),
        "help": problem.help,
    })
}

/// SARIF 2.1.0, as code hosts read it.
fn sarif(problems: &Problems) -> Value {
    let result = |p: &Problem| {
        let location = p.span.file().map(|file| {
            json!([{"physicalLocation": {
                "artifactLocation": {"uri": file},
                "region": {"startLine": p.span.line, "startColumn": p.span.column, "endLine": p.span.end_line, "endColumn": p.span.end_column.max(p.span.column)},
            }}])
        });
        let text = p
            .help
            .as_ref()
            .map_or(p.message.clone(), |h| format!("{}; {h}", p.message));
        json!({"ruleId": p.code, "level": p.severity.to_string(), "message": {"text": text}, "locations": location.unwrap_or(json!([]))})
    };
    let mut rules: Vec<&str> = problems.iter().map(|p| p.code).collect();
    rules.sort_unstable();
    rules.dedup();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "trilithon",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules.iter().map(|id| json!({"id": id})).collect::<Vec<_>>(),
            }},
            "results": problems.iter().map(result).collect::<Vec<_>>(),
        }],
    })
}
