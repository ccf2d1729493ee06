//! `trilithon rollback N` and `--release`: puts an earlier version in force, without any provider, and keeps it there.

use super::arguments::Arguments;
use crate::chronicle;
use crate::control::{self, Answer, Request};
use anyhow::Context;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::ExitCode;
use trilithon_ledger::history::Pin;
use trilithon_ledger::{Folder, History};

/// What `rollback` was asked.
pub struct Options {
    /// `None` lets the providers in again.
    version: Option<u64>,
    reason: String,
    store: PathBuf,
}

impl Options {
    /// # Errors
    /// Neither a version nor `--release`, or an option that is wrong.
    pub fn parse(args: Vec<String>) -> anyhow::Result<Options> {
        let mut args = Arguments::new(args);
        let word = args.word();
        let release = args.switch(&["--release"]);
        let version = match (word, release) {
            (Some(text), false) => Some(
                text.parse()
                    .ok()
                    .with_context(|| format!("`{text}` is no version; `trilithon history` lists them"))?,
            ),
            (None, true) => None,
            _ => anyhow::bail!("`rollback` needs a version, which `trilithon history` lists, or `--release`"),
        };
        Ok(Options {
            version,
            reason: args.option(&["-m", "--reason"])?.unwrap_or_default(),
            store: args.store()?,
        })
    }
}

/// Asks the running gateway; where there is none, the next start does it.
///
/// # Errors
/// The gateway refuses or does not answer, or there is no such version.
pub fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let history = History::in_store(&options.store, 0);
    match UnixStream::connect(history.socket()) {
        Ok(stream) => tell(stream, options),
        Err(error) if control::nobody_listens(&error) => wait_for_start(&history, options),
        Err(error) => Err(error).with_context(|| format!("cannot reach `{}`", history.socket().display())),
    }
}

fn tell(stream: UnixStream, options: &Options) -> anyhow::Result<ExitCode> {
    let reason = options.reason.clone();
    let request = match options.version {
        Some(version) => Request::Rollback { version, reason },
        None => Request::Release { reason },
    };
    match control::tell(stream, &request)? {
        Answer::Done {
            version,
            milliseconds,
        } => {
            match options.version {
                Some(of) => say!(
                    "version {of} is in force and pinned, as version {version}, after {milliseconds:.0} ms"
                ),
                None => say!("providers are heard again; version {version} is in force"),
            }
            Ok(ExitCode::SUCCESS)
        }
        Answer::Undo(_) | Answer::Approved { .. } => anyhow::bail!("the gateway does not know `rollback`"),
        Answer::Refused { why } => anyhow::bail!("the gateway refuses: {why}"),
    }
}

/// Leaves word for the next start.
fn wait_for_start(history: &History, options: &Options) -> anyhow::Result<ExitCode> {
    let _owned = Folder::open(&options.store).context("the gateway does not answer")?;
    let Some(version) = options.version else {
        anyhow::ensure!(history.pin()?.is_some(), "no version is pinned");
        history.set_pin(None)?;
        say!("no gateway runs here; providers are heard again from the next start on");
        return Ok(ExitCode::SUCCESS);
    };
    chronicle::words(history, version)?;
    history.set_pin(Some(&Pin {
        version,
        uid: rustix::process::getuid().as_raw(),
        reason: options.reason.clone(),
        entry: None,
    }))?;
    say!("no gateway runs here; version {version} is served, and pinned, from the next start on");
    Ok(ExitCode::SUCCESS)
}
