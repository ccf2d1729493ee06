//! `trilithon audit show` and `tail`: entries, one a line.

use crate::commands::arguments::Arguments;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};
use trilithon_ledger::audit::entry::{stamp, time_of};
use trilithon_ledger::audit::read::Book;

/// Wait between two looks for new entries.
const PAUSE: Duration = Duration::from_millis(200);
/// Entries that `tail` begins with.
const TAIL: u64 = 10;

/// Which entries are wanted.
pub struct Wanted {
    /// The last so many; all when absent.
    last: Option<u64>,
    /// Written at this time or later; as entries write it, so that text compares as time.
    since: Option<String>,
    kind: Option<String>,
    /// All that belongs to this tool call: the model's answer that asked for it, and what was done for it.
    call: Option<String>,
    trace: Option<String>,
    /// Go on with what comes.
    follow: bool,
}

impl Wanted {
    /// # Errors
    /// An option without or with a wrong value.
    pub fn show(args: &mut Arguments) -> anyhow::Result<Wanted> {
        let since = args.option(&["--since"])?.map(|text| since(&text)).transpose()?;
        Ok(Wanted {
            last: args.number(&["-n", "--last"])?,
            since,
            kind: args.option(&["--kind"])?,
            call: args.option(&["--call"])?,
            trace: args.option(&["--trace"])?,
            follow: false,
        })
    }

    /// # Errors
    /// An option without or with a wrong value.
    pub fn tail(args: &mut Arguments) -> anyhow::Result<Wanted> {
        let shown = Wanted::show(args)?;
        Ok(Wanted {
            last: shown.last.or(Some(TAIL)),
            follow: args.switch(&["-f", "--follow"]),
            ..shown
        })
    }

    fn wants(&self, entry: &Value) -> bool {
        let text = |name: &str| entry[name].as_str().unwrap_or_default();
        self.kind.as_deref().is_none_or(|kind| text("kind") == kind)
            && self.since.as_deref().is_none_or(|since| text("time") >= since)
            && self.call.as_deref().is_none_or(|id| belongs(entry, id))
            && self
                .trace
                .as_deref()
                .is_none_or(|id| entry["trace"]["traceId"] == id)
    }
}

/// Whether an entry is about a tool call: made for it, or by a model that asked for it.
fn belongs(entry: &Value, id: &str) -> bool {
    let asked_for = entry["model"]["toolCallIds"].as_array();
    entry["toolCallId"] == id || asked_for.is_some_and(|ids| ids.iter().any(|asked| asked == id))
}

/// A time: that long ago, or the time itself.
fn since(text: &str) -> anyhow::Result<String> {
    if let Ok(ago) = trilithon_model::Duration::parse(text) {
        let then = SystemTime::now().checked_sub(ago.to_std());
        return Ok(format!("{:.6}", stamp(then.unwrap_or(SystemTime::UNIX_EPOCH))));
    }
    match time_of(text) {
        Some(time) => Ok(format!("{:.6}", stamp(time))),
        None => anyhow::bail!(
            "`--since` expects a duration such as `1h`, or a time such as `2026-01-31T12:00:00Z`, found `{text}`"
        ),
    }
}

/// Prints what is wanted.
///
/// # Errors
/// A log cannot be read.
pub fn run(book: &Book, wanted: &Wanted, json: bool) -> anyhow::Result<ExitCode> {
    let mut shown = VecDeque::new();
    let mut at = (0, 0);
    read(book, &mut at, &mut |log, index, entry| {
        if wanted.wants(&entry) {
            shown.push_back((log, index, entry));
            if wanted.last.is_some_and(|n| shown.len() as u64 > n) {
                shown.pop_front();
            }
        }
    })?;
    let print = |log, index, entry: &Value| {
        if json {
            say!("{}", json!({"id": format!("{log}/{index}"), "entry": entry}));
        } else {
            // What a client wrote may be meant for the terminal.
            say!(
                "{log}/{index} {}",
                line(entry).replace(char::is_control, "\u{fffd}")
            );
        }
    };
    shown
        .iter()
        .for_each(|(log, index, entry)| print(*log, *index, entry));
    if !wanted.follow {
        return Ok(ExitCode::SUCCESS);
    }
    loop {
        std::thread::park_timeout(PAUSE);
        read(book, &mut at, &mut |log, index, entry| {
            if wanted.wants(&entry) {
                print(log, index, &entry);
            }
        })?;
    }
}

/// Hands over all entries after `at` (log and index), and moves it behind the last.
fn read(book: &Book, at: &mut (u64, u64), each: &mut dyn FnMut(u64, u64, Value)) -> anyhow::Result<()> {
    let mut numbers = book.numbers()?;
    numbers.retain(|number| *number >= at.0);
    for number in numbers {
        let from = if number == at.0 { at.1 } else { 0 };
        let next = book.reader(number)?.each(from, |index, entry| {
            each(number, index, serde_json::from_slice(entry).unwrap_or_default());
            ControlFlow::Continue(())
        })?;
        *at = (number, next);
    }
    Ok(())
}

/// An entry in one line for people.
fn line(entry: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let head = format!("{} {}", text(&entry["time"]), text(&entry["kind"]));
    if entry["kind"] != "request" {
        return format!(
            "{head} {}",
            [pairs(&entry["what"]), pairs(&entry["actor"])]
                .join(" ")
                .trim_end()
        );
    }
    let (request, actor) = (&entry["request"], &entry["actor"]);
    let query = match request["query"].as_str() {
        Some(query) => format!("?{query}"),
        None => String::new(),
    };
    let who = actor["subject"]
        .as_str()
        .or(actor["address"].as_str())
        .unwrap_or("-");
    let refused = entry["outcome"]["decisions"].as_array().into_iter().flatten();
    let refused = refused
        .filter(|d| d["allowed"] == false)
        .map(|d| format!(" refused-by={} ({})", text(&d["policy"]), text(&d["mode"])));
    let subject = [
        ("model", entry["model"]["modelSent"].as_str()),
        ("tool", entry["mcp"]["tool"].as_str()),
    ];
    let subject = subject
        .iter()
        .filter_map(|(noun, name)| Some(format!(" {noun}={}", (*name)?)));
    format!(
        "{head} {} {} {}://{}{}{query} by {who} router={}{}{}",
        entry["outcome"]["status"],
        text(&request["method"]),
        text(&request["scheme"]),
        text(&request["host"]),
        text(&request["path"]),
        request["router"].as_str().unwrap_or("-"),
        subject.collect::<String>(),
        refused.collect::<String>(),
    )
}

fn pairs(object: &Value) -> String {
    let members = object.as_object().into_iter().flatten();
    let pairs = members.map(|(name, value)| match value {
        Value::String(text) => format!("{name}={text}"),
        other => format!("{name}={other}"),
    });
    pairs.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let check = |entry: Value, want: &str| assert_eq!(line(&entry), want);
        check(
            json!({"time": "T", "kind": "process", "what": {"event": "started", "pid": 3}}),
            "T process event=started pid=3",
        );
        check(
            json!({"time": "T", "kind": "request", "actor": {"address": "10.0.0.1", "subject": "ann"},
                "request": {"method": "GET", "scheme": "http", "host": "a.test", "path": "/x", "query": "q=xxxx", "router": "r@file"},
                "outcome": {"status": 403, "decisions": [{"policy": "p@file", "allowed": false, "mode": "enforce"}]}}),
            "T request 403 GET http://a.test/x?q=xxxx by ann router=r@file refused-by=p@file (enforce)",
        );
    }

    #[test]
    fn times() {
        let text = since("2026-01-31T12:00:00Z").expect("a time");
        assert_eq!(text, "2026-01-31T12:00:00.000000Z");
        assert!(since("1h").expect("a duration") < since("1s").expect("a duration"));
        assert!(since("yesterday").is_err());
    }
}
