//! `trilithon undo ENTRY`: sends the call that undoes an entry of the audit log, through the running gateway and as whoever undoes.

mod http;
mod tool;

use super::arguments::Arguments;
use super::ask::{self, Trust};
use crate::control::{self, Answer, Request};
use crate::undo::{Order, Plan};
use anyhow::Context;
use http::Client;
use serde_json::Value;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use trilithon_ledger::History;
use trilithon_ledger::audit::read::Book;
use trilithon_ledger::audit::undo::last_try;

/// Bytes of a file with a token.
const MAX_TOKEN: u64 = 64 << 10;
/// How long the new entry is waited for.
const PATIENCE: Duration = Duration::from_secs(5);
/// Wait between two looks for it.
const PAUSE: Duration = Duration::from_millis(20);

/// What `undo` was asked.
pub struct Options {
    order: Order,
    /// Of whoever undoes.
    headers: Vec<(String, String)>,
    trust: Trust,
    store: PathBuf,
}

impl Options {
    /// # Errors
    /// No entry, or an option that is wrong.
    pub fn parse(args: Vec<String>) -> anyhow::Result<Options> {
        let mut args = Arguments::new(args);
        let entry = args
            .word()
            .context("`undo` needs the entry: its id, such as `1/42`, as `trilithon audit show` prints it")?;
        let mut headers = Vec::new();
        for line in args.options(&["-H", "--header"])? {
            let (name, value) = line
                .split_once(':')
                .with_context(|| format!("`--header` expects `Name: value`, found `{line}`"))?;
            headers.push((name.trim().to_owned(), value.trim().to_owned()));
        }
        if let Some(path) = args.option(&["--token-file"])? {
            let token = token(&path)?;
            headers.push(("Authorization".to_owned(), format!("Bearer {token}")));
        }
        Ok(Options {
            order: Order {
                entry,
                dry_run: args.switch(&["--dry-run"]),
                again: args.switch(&["--again"]),
            },
            headers,
            trust: Trust {
                authority: args.option(&["--cacert"])?,
                insecure: args.switch(&["--insecure"]),
            },
            store: args.store()?,
        })
    }
}

fn token(path: &str) -> anyhow::Result<String> {
    let cannot = || format!("`--token-file`: cannot read `{path}`");
    let length = std::fs::metadata(path).with_context(cannot)?.len();
    anyhow::ensure!(length <= MAX_TOKEN, "`--token-file`: `{path}` is too long");
    let text = std::fs::read_to_string(path).with_context(cannot)?;
    Ok(text.trim().to_owned())
}

/// Asks the gateway what undoes the entry, shows it, and sends it.
///
/// # Errors
/// No gateway runs, the entry cannot be undone, or the call cannot be sent.
pub fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let history = History::in_store(&options.store, 0);
    let plan = match control::ask(&history.socket(), &Request::Undo(options.order.clone()))? {
        Answer::Undo(plan) => *plan,
        Answer::Refused { why } => anyhow::bail!("{why}"),
        Answer::Done { .. } | Answer::Approved { .. } => anyhow::bail!("the gateway does not know `undo`"),
    };
    show(&plan);
    let Some(ticket) = &plan.ticket else {
        say!("nothing is sent: this was a dry run");
        return Ok(ExitCode::SUCCESS);
    };
    let book = Book::in_store(&options.store);
    let before = last_try(&book, &plan.id)?.map(|(by, _)| by);
    let client = Client::new(&plan, &options.headers, &options.trust)?;
    let outcome = ask::run(async {
        match plan.call.contains_key("tool") {
            true => tool::call(&client, &plan, ticket).await,
            false => client.compensate(&plan, ticket).await,
        }
    });
    let outcome = outcome.context("the call that undoes it failed; look whether it had an effect")?;
    let by = entry_of(&book, &plan.id, before.as_deref())?;
    let by = by.map(|by| format!(", says entry {by}")).unwrap_or_default();
    match outcome {
        Ok(said) => {
            say!("undone: {said}{by}");
            Ok(ExitCode::SUCCESS)
        }
        Err(said) => {
            say!("not undone: {said}{by}");
            Ok(ExitCode::FAILURE)
        }
    }
}

/// The entry about the call that undoes another one, once it is written: another one than that of the try `before`.
fn entry_of(book: &Book, id: &str, before: Option<&str>) -> anyhow::Result<Option<String>> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let last = last_try(book, id)?.map(|(by, _)| by);
        if last.as_deref() != before {
            return Ok(last);
        }
        if Instant::now() > deadline {
            return Ok(None);
        }
        std::thread::park_timeout(PAUSE);
    }
}

/// What is undone, and by what.
fn show(plan: &Plan) {
    let text = |value: &Value| {
        value
            .as_str()
            .unwrap_or("-")
            .replace(char::is_control, "\u{fffd}")
    };
    let (entry, call) = (&plan.entry, &plan.call);
    let who = match &entry["actor"]["subject"] {
        Value::String(subject) => subject.clone(),
        _ => text(&entry["actor"]["address"]),
    };
    let what = match entry["mcp"]["tool"].as_str() {
        Some(tool) => format!("call of tool `{tool}`"),
        None => format!(
            "{} {}{}",
            text(&entry["request"]["method"]),
            text(&entry["request"]["host"]),
            text(&entry["request"]["path"])
        ),
    };
    say!(
        "entry {}: {} {what} by {who}, as it was signed",
        plan.id,
        text(&entry["time"])
    );
    let contract = text(&entry["undo"]["contract"]);
    let with = |value: Option<&Value>| value.map(|v| format!(" with {v}")).unwrap_or_default();
    match call.get("tool").and_then(Value::as_str) {
        Some(tool) => say!(
            "`{contract}` undoes it by calling tool `{tool}`{}",
            with(call.get("arguments"))
        ),
        None => say!(
            "`{contract}` undoes it by {} {}{}",
            call.get("method").map(&text).unwrap_or_default(),
            call.get("path").map(&text).unwrap_or_default(),
            with(call.get("body"))
        ),
    }
}
