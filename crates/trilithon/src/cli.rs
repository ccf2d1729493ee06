//! The command line: a command, then Traefik's flags. No command means run.

use crate::commands;
use std::process::ExitCode;

/// What was asked for.
pub enum Command {
    Run(Vec<String>),
    Check(commands::check::Options),
    Explain(Box<commands::explain::Options>),
    Audit(commands::audit::Options),
    History(commands::history::Options),
    Diff(commands::history::DiffOptions),
    Rollback(commands::rollback::Options),
    Undo(commands::undo::Options),
    Tools(commands::tools::Options),
    Version,
    Healthcheck(Vec<String>),
    Quickstart(commands::quickstart::Options),
    Sample(commands::sample::command::Options),
    Completion(String),
    Schema(String),
    Help,
}

/// Reads the arguments.
///
/// # Errors
/// A command that does not exist, or whose own options are wrong.
pub fn parse(mut args: Vec<String>) -> anyhow::Result<Command> {
    let named = args.first().is_some_and(|a| !a.starts_with('-'));
    let command = if named { args.remove(0) } else { String::new() };
    Ok(match command.as_str() {
        "" if args.iter().any(|a| is_help(a)) => Command::Help,
        "" => Command::Run(args),
        "run" => Command::Run(args),
        "check" => Command::Check(commands::check::Options::parse(args)?),
        "explain" => Command::Explain(commands::explain::Options::parse(args)?.into()),
        "audit" => Command::Audit(commands::audit::Options::parse(args)?),
        "history" => Command::History(commands::history::Options::parse(args)?),
        "diff" => Command::Diff(commands::history::DiffOptions::parse(args)?),
        "rollback" => Command::Rollback(commands::rollback::Options::parse(args)?),
        "undo" => Command::Undo(commands::undo::Options::parse(args)?),
        "tools" => Command::Tools(commands::tools::Options::parse(args)?),
        "version" => Command::Version,
        "healthcheck" => Command::Healthcheck(args),
        "quickstart" => Command::Quickstart(commands::quickstart::Options::parse(args)?),
        "sample" => Command::Sample(commands::sample::command::Options::parse(args)?),
        "completion" => Command::Completion(args.into_iter().next().unwrap_or_default()),
        "schema" => Command::Schema(args.into_iter().next().unwrap_or_default()),
        "help" => Command::Help,
        other => anyhow::bail!(
            "there is no command `{other}`; the commands are {}",
            COMMANDS.join(", ")
        ),
    })
}

fn is_help(arg: &str) -> bool {
    matches!(arg, "--help" | "-h" | "-help")
}

/// All commands.
pub const COMMANDS: &[&str] = &[
    "run",
    "check",
    "explain",
    "audit",
    "history",
    "diff",
    "rollback",
    "undo",
    "tools",
    "version",
    "healthcheck",
    "quickstart",
    "sample",
    "completion",
    "schema",
    "help",
];

impl Command {
    pub fn run(self) -> ExitCode {
        let result = match self {
            Command::Run(args) => commands::run::run(&args),
            Command::Check(options) => commands::check::run(&options),
            Command::Explain(options) => commands::explain::run(&options),
            Command::Audit(options) => commands::audit::run(&options),
            Command::History(options) => commands::history::run(&options),
            Command::Diff(options) => commands::history::diff(&options),
            Command::Rollback(options) => commands::rollback::run(&options),
            Command::Undo(options) => commands::undo::run(&options),
            Command::Tools(options) => commands::tools::run(&options),
            Command::Version => commands::version::run(),
            Command::Healthcheck(args) => commands::healthcheck::run(&args),
            Command::Quickstart(options) => commands::quickstart::run(&options),
            Command::Sample(options) => commands::sample::command::run(options),
            Command::Completion(shell) => commands::completion::run(&shell),
            Command::Schema(which) => commands::schema::run(&which),
            Command::Help => commands::help::run(),
        };
        result.unwrap_or_else(|error| {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        })
    }
}
