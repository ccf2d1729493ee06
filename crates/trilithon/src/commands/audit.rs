//! `trilithon audit show|tail|verify|prove|key`: reads the audit log, running gateway or not.

mod show;

use super::arguments::Arguments;
use anyhow::Context;
use serde_json::{Value, json};
use std::ops::ControlFlow;
use std::path::Path;
use std::process::ExitCode;
use trilithon_ledger::audit::proof::{Proof, prove};
use trilithon_ledger::audit::read::Book;
use trilithon_ledger::audit::verify::{self, Verdict};
use trilithon_ledger::note::{self, Checkpoint, PublicKey};

/// Bytes of a file with a checkpoint or key.
const MAX_FILE: u64 = 64 << 10;

/// What `audit` was asked.
pub struct Options {
    what: What,
    json: bool,
    book: Book,
}

enum What {
    Show(show::Wanted),
    Verify {
        key: Option<String>,
        checkpoint: Option<String>,
    },
    Prove(String),
    Key,
}

impl Options {
    /// # Errors
    /// A command or option that does not exist.
    pub fn parse(args: Vec<String>) -> anyhow::Result<Options> {
        let mut args = Arguments::new(args);
        let command = args.word().unwrap_or_default();
        let json = args.json()?;
        let what = match command.as_str() {
            "show" => What::Show(show::Wanted::show(&mut args)?),
            "tail" => What::Show(show::Wanted::tail(&mut args)?),
            "verify" => What::Verify {
                key: args.option(&["--key"])?,
                checkpoint: args.option(&["--checkpoint"])?,
            },
            "prove" => What::Prove(args.word().context(
                "`audit prove` needs the entry: its id, such as `1/42`, as `audit show` prints it",
            )?),
            "key" => What::Key,
            other => {
                anyhow::bail!("`{other}` is no command of audit; choose show, tail, verify, prove or key")
            }
        };
        Ok(Options {
            what,
            json,
            book: Book::in_store(&args.store()?),
        })
    }
}

/// Does what was asked. Exit 1 when something is not as it was signed.
///
/// # Errors
/// There is no log, or it cannot be read.
pub fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let Options { what, json, book } = options;
    let numbers = book.numbers()?;
    anyhow::ensure!(
        !numbers.is_empty(),
        "there is no audit log in `{}`",
        book.path().display()
    );
    match what {
        What::Show(wanted) => show::run(book, wanted, *json),
        What::Verify { key, checkpoint } => {
            verified(book, &key_of(book, key.as_deref())?, checkpoint.as_deref(), *json)
        }
        What::Prove(id) => {
            say!("{:#}", serde_json::to_value(proof(book, id)?)?);
            Ok(ExitCode::SUCCESS)
        }
        What::Key => {
            let public = key_of(book, None)?;
            for number in numbers {
                if let Some(origin) = checkpoint_of(book, number).map(|c| c.origin) {
                    say!("{}", note::verifier(&origin, &public));
                }
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn checkpoint_of(book: &Book, number: u64) -> Option<Checkpoint> {
    Checkpoint::parse(book.reader(number).ok()?.note()?).ok()
}

/// The key that is believed: the one given, or the one in the store.
fn key_of(book: &Book, given: Option<&str>) -> anyhow::Result<PublicKey> {
    if let Some(text) = given {
        return note::public_key(text)
            .with_context(|| format!("`--key`: `{text}` is no Ed25519 key in base64"));
    }
    let path = book.public_key();
    note::public_key(&read(&path)?).with_context(|| format!("`{}` holds no key", path.display()))
}

fn read(path: &Path) -> anyhow::Result<String> {
    let length = std::fs::metadata(path)
        .with_context(|| format!("cannot read `{}`", path.display()))?
        .len();
    anyhow::ensure!(length <= MAX_FILE, "`{}` is too long", path.display());
    std::fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))
}

fn verified(book: &Book, public: &PublicKey, kept: Option<&str>, json: bool) -> anyhow::Result<ExitCode> {
    let verdicts = verify::verify(book, public)?;
    let mut good = verdicts.iter().all(|v| v.faults.is_empty());
    if json {
        say!("{:#}", verdicts.iter().map(as_json).collect::<Value>());
    } else {
        verdicts.iter().for_each(tell);
    }
    if let Some(path) = kept {
        let old = Checkpoint::verify(&read(Path::new(path))?, public)
            .with_context(|| format!("`{path}` holds no checkpoint of this key"))?;
        let number = verdicts
            .iter()
            .find(|v| checkpoint_of(book, v.number).is_some_and(|c| c.origin == old.origin));
        let holds = number.is_some_and(|v| verify::begins_with(&book.log(v.number), &old).unwrap_or(false));
        good &= holds;
        let says = if holds {
            "still holds"
        } else {
            "does not hold any more"
        };
        if !json {
            say!(
                "the checkpoint in `{path}` ({}, {} entries) {says}",
                old.origin,
                old.size
            );
        }
    }
    Ok(if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn tell(verdict: &Verdict) {
    let number = verdict.number;
    for fault in &verdict.faults {
        say!("log {number}: BAD: {fault}");
    }
    if let (Some(checkpoint), true) = (&verdict.checkpoint, verdict.faults.is_empty()) {
        let unsigned = match verdict.unsigned {
            0 => String::new(),
            n => format!(", and {n} that are not signed yet"),
        };
        say!(
            "log {number} ({}): {} entries are as they were signed{unsigned}",
            checkpoint.origin,
            checkpoint.size
        );
    }
}

fn as_json(verdict: &Verdict) -> Value {
    json!({
        "log": verdict.number,
        "origin": verdict.checkpoint.as_ref().map(|c| &c.origin),
        "size": verdict.checkpoint.as_ref().map(|c| c.size),
        "unsigned": verdict.unsigned,
        "faults": verdict.faults.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}

/// Hexadecimal digits of a trace id.
const TRACE_ID: usize = 32;

/// The first request with this trace id, from the last log to the first.
fn traced(book: &Book, trace: &str) -> anyhow::Result<(u64, u64)> {
    for log in book.numbers()?.into_iter().rev() {
        let mut found = None;
        book.reader(log)?.each(0, |index, entry| {
            let entry: Value = serde_json::from_slice(entry).unwrap_or_default();
            if entry["trace"]["traceId"] != trace {
                return ControlFlow::Continue(());
            }
            found = Some(index);
            ControlFlow::Break(())
        })?;
        if let Some(index) = found {
            return Ok((log, index));
        }
    }
    anyhow::bail!("no request with the trace id `{trace}` was recorded")
}

/// The proof of the entry `LOG/INDEX`, of entry `INDEX` of the last log, or of the request with a trace id.
fn proof(book: &Book, id: &str) -> anyhow::Result<Proof> {
    let found = match id.len() == TRACE_ID && !id.contains('/') {
        true => Some(traced(book, id)?),
        false => book.entry_id(id)?,
    };
    let Some((log, index)) = found else {
        anyhow::bail!("`{id}` is no entry; `audit show` prints their ids, such as `1/42`");
    };
    let public = key_of(book, None)?;
    let proof = prove(&book.reader(log)?, index, &public)?;
    let proof = proof.with_context(|| {
        format!("no signed checkpoint covers entry {index} of log {log}: it is not there, or was written this moment")
    })?;
    proof
        .check()
        .context("the log was changed; `audit verify` tells more")?;
    Ok(proof)
}
