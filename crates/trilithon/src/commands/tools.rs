//! `trilithon tools list` and `approve`: what servers of tools said that their tools are, and trusting what they say now.

use super::arguments::Arguments;
use crate::control::{self, Answer, Request};
use anyhow::Context;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::ExitCode;
use trilithon_ledger::definitions::{self, Definitions};
use trilithon_ledger::{Folder, History};
use trilithon_mcp::List;
use trilithon_mcp::pins::{Lock, Pin, Pins};

/// What `tools` was asked.
pub struct Options {
    action: Action,
    /// The middleware in front of the server; all when absent.
    server: Option<String>,
    store: PathBuf,
}

enum Action {
    List,
    /// As `definitions.lock` takes it.
    Lock,
    /// One name, or all.
    Approve(Option<String>),
}

impl Options {
    /// # Errors
    /// Another word than `list` and `approve`; nothing to approve; an option that is wrong.
    pub fn parse(args: Vec<String>) -> anyhow::Result<Options> {
        let mut args = Arguments::new(args);
        let action = match args.word().as_deref() {
            Some("list") if args.switch(&["--lock"]) => Action::Lock,
            Some("list") => Action::List,
            Some("approve") => match (args.word(), args.switch(&["--all"])) {
                (Some(name), false) => Action::Approve(Some(name)),
                (None, true) => Action::Approve(None),
                _ => anyhow::bail!("`tools approve` needs a name, which `tools list` shows, or `--all`"),
            },
            _ => anyhow::bail!("`tools` is followed by `list` or `approve`"),
        };
        Ok(Options {
            action,
            server: args.option(&["--server"])?,
            store: args.store()?,
        })
    }
}

/// Lists or approves.
///
/// # Errors
/// The store cannot be read, the gateway does not answer, or there is no such thing.
pub fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let server = options.server.as_deref();
    match &options.action {
        Action::List => list(options, print),
        Action::Lock => lock(options),
        Action::Approve(name) => approve(options, server, name.as_deref()),
    }
}

fn list(options: &Options, print: fn(&str, &Pins)) -> anyhow::Result<ExitCode> {
    let servers = definitions::read(&options.store)?;
    let chosen = servers.iter();
    for (server, pins) in chosen.filter(|(server, _)| options.server.as_ref().is_none_or(|s| s == *server)) {
        print(server, pins);
    }
    Ok(ExitCode::SUCCESS)
}

fn print(server: &str, pins: &Pins) {
    for list in List::ALL {
        let kind = list.method().trim_end_matches("/list");
        for (name, pin) in pins.of(list) {
            // What servers call things is theirs: it is shown so that no terminal takes it for more.
            say!("{server} {kind} {} {}", name.escape_debug(), state(pin));
        }
    }
}

fn state(pin: &Pin) -> String {
    match (&pin.trusted, &pin.seen) {
        (Some(trusted), None) => format!("trusted {trusted}"),
        (Some(trusted), Some(seen)) => format!("changed {seen}, trusted {trusted}"),
        (None, seen) => format!("new {}", seen.as_deref().unwrap_or_default()),
    }
}

/// A lock is one server's.
fn lock(options: &Options) -> anyhow::Result<ExitCode> {
    let mut servers = definitions::read(&options.store)?;
    let chosen = match &options.server {
        Some(server) => servers.remove(server),
        None if servers.len() > 1 => {
            let names: Vec<String> = servers.into_keys().collect();
            anyhow::bail!(
                "a lock is of one server; choose one with `--server`: {}",
                names.join(", ")
            );
        }
        None => servers.into_values().next(),
    };
    let lock: Lock = chosen.context("no definitions of such a server are kept")?.lock();
    say!("{}", serde_json::to_string_pretty(&lock)?);
    Ok(ExitCode::SUCCESS)
}

/// Tells the running gateway; where there is none, changes what the next one finds.
fn approve(options: &Options, server: Option<&str>, name: Option<&str>) -> anyhow::Result<ExitCode> {
    let request = Request::Approve {
        server: server.map(str::to_owned),
        name: name.map(str::to_owned),
    };
    let socket = History::in_store(&options.store, 0).socket();
    let count = match UnixStream::connect(&socket) {
        Ok(stream) => match control::tell(stream, &request)? {
            Answer::Approved { count } => count,
            Answer::Refused { why } => anyhow::bail!("the gateway refuses: {why}"),
            Answer::Done { .. } | Answer::Undo(_) => {
                anyhow::bail!("the gateway does not know `tools approve`")
            }
        },
        Err(error) if control::nobody_listens(&error) => {
            let _owned = Folder::open(&options.store).context("the gateway does not answer")?;
            Definitions::open(&options.store)?.approve(server, name)
        }
        Err(error) => return Err(error).with_context(|| format!("cannot reach `{}`", socket.display())),
    };
    anyhow::ensure!(
        count > 0,
        "there is nothing of that name to approve; `trilithon tools list` shows what there is"
    );
    say!("approved: {count}");
    Ok(ExitCode::SUCCESS)
}
