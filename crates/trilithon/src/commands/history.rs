//! `trilithon history` and `trilithon diff`: versions of the configuration, and what is different between two. They read the
//! store; no gateway need run.

use super::arguments::Arguments;
use crate::chronicle;
use anyhow::Context;
use serde_json::{Value, json};
use std::process::ExitCode;
use trilithon_ledger::History;
use trilithon_ledger::history::diff::{self, Change};
use trilithon_ledger::history::{Pin, Version};

/// Versions that are listed unless more are asked for.
const LISTED: u64 = 20;
/// Exit code where something is different.
const DIFFERENT: u8 = 2;

/// What `history` was asked.
pub struct Options {
    last: u64,
    json: bool,
    history: History,
}

impl Options {
    /// # Errors
    /// An option without or with a wrong value.
    pub fn parse(args: Vec<String>) -> anyhow::Result<Options> {
        let mut args = Arguments::new(args);
        Ok(Options {
            last: args.number(&["-n", "--last"])?.unwrap_or(LISTED),
            json: args.json()?,
            history: History::in_store(&args.store()?, 0),
        })
    }
}

/// Lists versions, the latest last.
///
/// # Errors
/// The history cannot be read.
pub fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let versions = options.history.versions()?;
    let pin = options.history.pin()?;
    let in_force = versions.iter().rfind(|v| v.was_in_force()).map(|v| v.number);
    let skipped = versions.len().saturating_sub(options.last as usize);
    let shown = &versions[skipped..];
    if options.json {
        say!(
            "{:#}",
            json!({"inForce": in_force, "pin": pin, "versions": shown})
        );
        return Ok(ExitCode::SUCCESS);
    }
    if shown.is_empty() {
        say!("there is no version yet");
    }
    for version in shown {
        let mark = if Some(version.number) == in_force {
            '*'
        } else {
            ' '
        };
        say!("{mark} {}", line(version));
    }
    if let Some(pin) = pin {
        say!("{}", pinned(&pin));
    }
    Ok(ExitCode::SUCCESS)
}

fn line(version: &Version) -> String {
    let action = match version.of {
        Some(of) => format!("{} to {of}", version.action.as_str()),
        None => version.action.as_str().to_owned(),
    };
    let changes = match version.changes.len() {
        1 => version.changes[0].clone(),
        n => format!("{n} changes"),
    };
    let reason = if version.reason.is_empty() {
        String::new()
    } else {
        format!(", {}", version.reason)
    };
    let line = format!(
        "{:>4}  {}  {action} by {}: {changes}{reason}",
        version.number, version.time, version.by
    );
    line.replace(char::is_control, "\u{fffd}")
}

fn pinned(pin: &Pin) -> String {
    let when = if pin.entry.is_some() {
        "is pinned"
    } else {
        "will be pinned at the next start"
    };
    format!(
        "version {} {when} by uid {}: what providers say is held back until `trilithon rollback --release`",
        pin.version, pin.uid
    )
}

/// What `diff` was asked.
pub struct DiffOptions {
    old: u64,
    new: Option<u64>,
    json: bool,
    history: History,
}

impl DiffOptions {
    /// # Errors
    /// No version is named, or an option is wrong.
    pub fn parse(args: Vec<String>) -> anyhow::Result<DiffOptions> {
        let mut args = Arguments::new(args);
        let number = |text: String| match text.parse() {
            Ok(number) => Ok(number),
            Err(_) => anyhow::bail!("`{text}` is no version; `trilithon history` lists them"),
        };
        let old = args
            .word()
            .context("`diff` needs a version, or two; `trilithon history` lists them")?;
        Ok(DiffOptions {
            old: number(old)?,
            new: args.word().map(number).transpose()?,
            json: args.json()?,
            history: History::in_store(&args.store()?, 0),
        })
    }
}

/// Prints what the new version has different from the old; the one in force is the new one where none is named. Exit 0 without
/// differences, 2 with.
///
/// # Errors
/// A version is not there or cannot be read.
pub fn diff(options: &DiffOptions) -> anyhow::Result<ExitCode> {
    let history = &options.history;
    let new = match options.new {
        Some(number) => number,
        None => history.in_force()?.context("there is no version yet")?.number,
    };
    let of = |number| {
        let configurations = chronicle::words(history, number)?.configurations;
        let version = history.version(number)?.context("it was there")?;
        Ok::<_, anyhow::Error>((configurations, history.install(&version)?))
    };
    let ((old, old_install), (new, new_install)) = (of(options.old)?, of(new)?);
    let mut changes = diff::installs(&old_install, &new_install);
    changes.extend(diff::configurations(&old, &new));
    if options.json {
        say!("{:#}", changes.iter().map(as_json).collect::<Value>());
    } else {
        changes
            .iter()
            .for_each(|change| say!("{}", change.to_string().replace(char::is_control, "\u{fffd}")));
    }
    Ok(ExitCode::from(if changes.is_empty() { 0 } else { DIFFERENT }))
}

fn as_json(change: &Change) -> Value {
    json!({"path": change.path, "old": change.old, "new": change.new, "place": change.place})
}
