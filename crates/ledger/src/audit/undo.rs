//! Whether an entry of the log can be undone: it stands in the log as it was signed, has a compensating call, and nobody has undone it.

use serde_json::{Map, Value};
use std::fmt;
use std::io;
use std::ops::ControlFlow;

use super::entry::Other;
use super::read::Book;
use super::verify::verify;
use crate::note::PublicKey;

/// The kind of the entry that says that an undo begins.
pub const KIND: &str = "undo";

/// An entry that can be undone.
#[derive(Clone, Debug, PartialEq)]
pub struct Undoable {
    /// `LOG/INDEX`.
    pub id: String,
    /// What it says.
    pub entry: Value,
    /// The compensating call.
    pub call: Map<String, Value>,
}

/// Why an entry cannot be undone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoUndo {
    /// There is no such entry.
    NoEntry,
    /// The log is not what was signed.
    Changed(String),
    /// Nothing was done: it says what became of the call.
    Failed(String),
    /// No contract said how.
    NoContract,
    /// There was a contract, and no call came of it.
    NoCall(String),
    /// It was undone, by this entry.
    Undone(String),
    /// Somebody began to undo it, by this entry, and nothing says how that ended.
    Unknown(String),
}

impl fmt::Display for NoUndo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoUndo::NoEntry => f.write_str("there is no such entry; `trilithon audit show` prints their ids, such as `1/42`"),
            NoUndo::Changed(why) => write!(
                f,
                "the log is not what was signed: {why}; `trilithon audit verify` tells more"
            ),
            NoUndo::Failed(why) => write!(f, "the call did nothing that could be undone: {why}"),
            NoUndo::NoContract => f.write_str(
                "nothing says how to undo it: its route had no contract when it was made (middleware `undo`, or `undo` of `mcp`)",
            ),
            NoUndo::NoCall(why) => write!(f, "what would undo it is not known: {why}"),
            NoUndo::Undone(by) => write!(f, "entry {by} has undone it"),
            NoUndo::Unknown(by) => write!(
                f,
                "entry {by} began to undo it, and nothing says how that ended; look whether it is undone, and if not, add `--again`"
            ),
        }
    }
}

/// The entry `id` (`LOG/INDEX`, or an index in the last log) with its compensating call. `again`: what began and has no known end does
/// not count.
///
/// # Errors
/// The outer error: the log cannot be read. The inner one: why it cannot be undone.
pub fn find(book: &Book, public: &PublicKey, id: &str, again: bool) -> io::Result<Result<Undoable, NoUndo>> {
    let Some((log, index)) = book.entry_id(id)? else {
        return Ok(Err(NoUndo::NoEntry));
    };
    if !book.numbers()?.contains(&log) {
        return Ok(Err(NoUndo::NoEntry));
    }
    // Later entries say whether it was undone: all of them are to be believed, or none.
    for verdict in verify(book, public)?.iter().filter(|v| v.number >= log) {
        if let Some(fault) = verdict.faults.first() {
            return Ok(Err(NoUndo::Changed(format!("log {}: {fault}", verdict.number))));
        }
    }
    let reader = book.reader(log)?;
    if index >= reader.signed() {
        return Ok(Err(NoUndo::NoEntry));
    }
    let entry = reader.entry(index)?.unwrap_or_default();
    let entry: Value = serde_json::from_slice(&entry).unwrap_or_default();
    let id = format!("{log}/{index}");
    let call = match compensation(&entry) {
        Ok(call) => call,
        Err(why) => return Ok(Err(why)),
    };
    match since(book, log, index, &id)? {
        Some(NoUndo::Unknown(_)) if again => {}
        Some(why) => return Ok(Err(why)),
        None => {}
    }
    Ok(Ok(Undoable { id, entry, call }))
}

/// The entry that says that somebody begins to undo `id`.
pub fn begun(id: &str, uid: u32) -> Other {
    let what = serde_json::json!({"event": "begun", "undoes": id});
    Other::now(KIND, serde_json::json!({"user": format!("uid {uid}")}), what)
}

/// The request that undid `id`, or tried to, in entries behind it: the last one, with its id.
///
/// # Errors
/// The log cannot be read.
pub fn last_try(book: &Book, id: &str) -> io::Result<Option<(String, Value)>> {
    let Some((log, index)) = book.entry_id(id)? else {
        return Ok(None);
    };
    let mut last = None;
    each(book, log, index, id, &mut |by, entry| {
        if entry["kind"] == "request" {
            last = Some((by, entry));
        }
    })?;
    Ok(last)
}

/// The call that undoes an entry.
fn compensation(entry: &Value) -> Result<Map<String, Value>, NoUndo> {
    if entry["kind"] != "request" {
        return Err(NoUndo::Failed("it is no request".to_owned()));
    }
    let undo = &entry["undo"];
    if undo.is_null() {
        return Err(match failure(entry) {
            Some(why) => NoUndo::Failed(why),
            None => NoUndo::NoContract,
        });
    }
    match (undo["call"].as_object(), undo["unavailable"].as_str()) {
        (Some(call), None) => Ok(call.clone()),
        (_, why) => Err(NoUndo::NoCall(why.unwrap_or("the entry does not say").to_owned())),
    }
}

/// Why a request did nothing.
fn failure(entry: &Value) -> Option<String> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let outcome = &entry["outcome"];
    let status = outcome["status"].as_u64().unwrap_or_default();
    if let Some(by) = text(&entry["mcp"]["deniedBy"]) {
        return Some(format!("`{by}` refused it"));
    }
    if let Some(fault) = text(&outcome["fault"]) {
        return Some(format!("it failed with status {status} ({fault})"));
    }
    if status >= 400 {
        return Some(format!("it was answered with status {status}"));
    }
    let error = text(&entry["mcp"]["error"])?;
    Some(format!("the server answered with an error (`{error}`)"))
}

/// What entries behind it say of undoing it.
fn since(book: &Book, log: u64, index: u64, id: &str) -> io::Result<Option<NoUndo>> {
    let mut state = None;
    each(book, log, index, id, &mut |by, entry| {
        if matches!(state, Some(NoUndo::Undone(_))) {
            return;
        }
        state = match entry["kind"].as_str() {
            Some("request") if is_unknown(&entry) => Some(NoUndo::Unknown(by)),
            Some("request") if failure(&entry).is_some() => None,
            Some("request") => Some(NoUndo::Undone(by)),
            _ => Some(NoUndo::Unknown(by)),
        };
    })?;
    Ok(state)
}

/// Whether a request may have done something although it did not go well.
fn is_unknown(entry: &Value) -> bool {
    let outcome = &entry["outcome"];
    outcome["status"].as_u64().is_some_and(|status| status >= 499) || outcome["fault"].is_string()
}

/// Hands over the entries behind `index` that name `id` as what they undo.
fn each(book: &Book, log: u64, index: u64, id: &str, take: &mut dyn FnMut(String, Value)) -> io::Result<()> {
    // No other entry needs to be read.
    let named = format!("\"undoes\":\"{id}\"");
    let names = |entry: &[u8]| entry.windows(named.len()).any(|w| w == named.as_bytes());
    for number in book.numbers()?.into_iter().filter(|number| *number >= log) {
        let from = if number == log { index + 1 } else { 0 };
        book.reader(number)?.each(from, |at, entry| {
            if names(entry) {
                let entry: Value = serde_json::from_slice(entry).unwrap_or_default();
                if entry["undoes"] == *id || entry["kind"] == KIND && entry["what"]["undoes"] == *id {
                    take(format!("{number}/{at}"), entry);
                }
            }
            ControlFlow::Continue(())
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::log::Log;
    use super::*;
    use crate::folder::private;
    use crate::note::Key;
    use serde_json::json;
    use trilithon_testkit::Folder;

    /// What becomes of undoing the first of these entries.
    fn state(entries: &[Value], again: bool) -> Result<Undoable, NoUndo> {
        let folder = Folder::new("undo");
        let book = Book::in_store(folder.path());
        private(book.path()).expect("a folder");
        let key = Key::open(&book.key()).expect("a key");
        let mut log = Log::create(&book.log(1), "test/audit/1").expect("a log");
        for entry in entries {
            log.append(entry.to_string().as_bytes()).expect("written");
        }
        log.checkpoint(&key).expect("signed");
        find(&book, &key.public(), "1/0", again).expect("a log")
    }

    fn call() -> Value {
        json!({"kind": "request", "outcome": {"status": 201},
            "undo": {"contract": "u@file", "call": {"method": "DELETE", "path": "/orders/7"}}})
    }

    fn tried(status: u16) -> Value {
        json!({"kind": "request", "outcome": {"status": status}, "undoes": "1/0"})
    }

    fn begins() -> Value {
        json!({"kind": "undo", "what": {"event": "begun", "undoes": "1/0"}})
    }

    #[test]
    fn an_entry_is_undone_once() {
        let check = |entries: &[Value], want: Option<NoUndo>| {
            assert_eq!(state(entries, false).err(), want, "{entries:?}");
        };
        check(&[call()], None);
        check(
            &[call(), begins(), tried(204)],
            Some(NoUndo::Undone("1/2".into())),
        );
        check(&[call(), begins(), tried(403)], None);
        check(&[call(), begins()], Some(NoUndo::Unknown("1/1".into())));
        check(
            &[call(), begins(), tried(502)],
            Some(NoUndo::Unknown("1/2".into())),
        );
        check(
            &[call(), begins(), tried(403), begins(), tried(200), begins()],
            Some(NoUndo::Undone("1/4".into())),
        );
        let other = json!({"kind": "request", "outcome": {"status": 200}, "undoes": "1/9"});
        check(&[call(), other], None);
        // What a client wrote is no word of the log's.
        let said = json!({"kind": "request", "outcome": {"status": 200}, "request": {"undoes": "1/0"}});
        check(&[call(), said], None);
    }

    #[test]
    fn what_has_no_known_end_can_be_tried_again() {
        assert!(state(&[call(), begins()], true).is_ok());
        assert!(state(&[call(), begins(), tried(200)], true).is_err());
    }

    #[test]
    fn what_cannot_be_undone() {
        let check = |entry: Value, want: &str| {
            let error = state(&[entry], false).expect_err("it cannot").to_string();
            assert!(error.contains(want), "{error}");
        };
        check(json!({"kind": "process"}), "it is no request");
        check(
            json!({"kind": "request", "outcome": {"status": 200}}),
            "had no contract",
        );
        check(
            json!({"kind": "request", "outcome": {"status": 403}}),
            "status 403",
        );
        check(
            json!({"kind": "request", "outcome": {"status": 200}, "mcp": {"deniedBy": "m@file"}}),
            "`m@file` refused it",
        );
        check(
            json!({"kind": "request", "outcome": {"status": 200}, "mcp": {"error": "tool_error"}}),
            "`tool_error`",
        );
        check(
            json!({"kind": "request", "outcome": {"status": 200}, "undo": {"contract": "u", "unavailable": "why"}}),
            "is not known: why",
        );
    }

    #[test]
    fn an_entry_that_was_changed_is_not_believed() {
        let folder = Folder::new("undo");
        let book = Book::in_store(folder.path());
        private(book.path()).expect("a folder");
        let key = Key::open(&book.key()).expect("a key");
        let mut log = Log::create(&book.log(1), "test/audit/1").expect("a log");
        log.append(call().to_string().as_bytes()).expect("written");
        log.checkpoint(&key).expect("signed");
        let tile = book.log(1).join("tile/entries/000.p/1");
        let mut bytes = std::fs::read(&tile).expect("entries");
        let at = bytes
            .windows(8)
            .position(|w| w == b"orders/7")
            .expect("it is there");
        bytes[at + 7] = b'8';
        std::fs::write(&tile, bytes).expect("written");
        let found = find(&book, &key.public(), "0", false).expect("a log");
        assert!(matches!(found, Err(NoUndo::Changed(_))), "{found:?}");
        let none = find(&book, &key.public(), "5/1", false).expect("a log");
        assert_eq!(none, Err(NoUndo::NoEntry));
    }
}
