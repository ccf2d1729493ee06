//! Events as text: for people, or one JSON object per line.

use jiff::{Timestamp, tz::TimeZone};
use serde_json::Value;
use std::fmt::{self, Write};
use std::time::SystemTime;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata};

/// How a line is written. `callers`: with the place in the source.
#[derive(Clone, Copy, Debug)]
pub enum Format {
    Console { colour: bool, callers: bool },
    Json { callers: bool },
}

impl Format {
    /// The event as a line with its end.
    pub fn line(&self, event: &Event<'_>, now: SystemTime) -> String {
        let said = Said::of(event);
        match *self {
            Format::Console { colour, callers } => console(said, event.metadata(), now, colour, callers),
            Format::Json { callers } => json(said, event.metadata(), now, callers),
        }
    }
}

/// What an event says.
#[derive(Default)]
pub struct Said {
    pub message: String,
    pub fields: Vec<(&'static str, Value)>,
}

impl Said {
    /// What this event says.
    pub fn of(event: &Event<'_>) -> Said {
        let mut said = Said::default();
        event.record(&mut said);
        said
    }

    fn add(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("message", Value::String(text)) => self.message = text,
            ("message", other) => self.message = other.to_string(),
            (name, value) => self.fields.push((name, value)),
        }
    }
}

impl Visit for Said {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, format!("{value:?}").into());
    }
    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value.into());
    }
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, value.into());
    }
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, value.into());
    }
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, value.into());
    }
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, value.into());
    }
    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.add(field, value.to_string().into());
    }
}

/// RFC 3339 in local time, whole seconds.
fn time(now: SystemTime) -> String {
    let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let stamp = i64::try_from(since.as_secs())
        .ok()
        .and_then(|s| Timestamp::from_second(s).ok())
        .unwrap_or_default();
    let text = stamp
        .to_zoned(TimeZone::system())
        .strftime("%Y-%m-%dT%H:%M:%S%:z")
        .to_string();
    match text.strip_suffix("+00:00") {
        Some(utc) => format!("{utc}Z"),
        None => text,
    }
}

fn caller(metadata: &Metadata<'_>) -> Option<String> {
    Some(format!("{}:{}", metadata.file()?, metadata.line()?))
}

fn console(mut said: Said, metadata: &Metadata<'_>, now: SystemTime, colour: bool, callers: bool) -> String {
    let (level, shade) = match *metadata.level() {
        Level::ERROR => ("ERR", "31"),
        Level::WARN => ("WRN", "33"),
        Level::INFO => ("INF", "32"),
        Level::DEBUG => ("DBG", "0"),
        Level::TRACE => ("TRC", "34"),
    };
    let paint = |text: &str, code: &str| {
        if colour {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    };
    let mut out = format!("{} {}", paint(&time(now), "90"), paint(level, shade));
    if let Some(caller) = caller(metadata).filter(|_| callers) {
        out += &format!(" {caller} >");
    }
    out.push(' ');
    out += &paint(&one_line(&said.message), "1");
    said.fields.sort_by_key(|(name, _)| (*name != "error", *name));
    for (name, value) in &said.fields {
        let value = match value {
            Value::String(text) => quoted(text),
            other => other.to_string(),
        };
        // Writing to a string does not fail.
        let _ = write!(
            out,
            " {}{}",
            paint(&format!("{name}="), "36"),
            paint_error(name, &value, colour)
        );
    }
    out.push('\n');
    out
}

fn paint_error(name: &str, value: &str, colour: bool) -> String {
    if colour && name == "error" {
        format!("\x1b[31m{value}\x1b[0m")
    } else {
        value.to_owned()
    }
}

/// Text that stays on its line.
fn one_line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() {
            out.extend(c.escape_default())
        } else {
            out.push(c)
        }
    }
    out
}

/// A value, in quotes where it would not be one word.
fn quoted(text: &str) -> String {
    let word = !text.is_empty()
        && text
            .chars()
            .all(|c| c.is_ascii_graphic() && !matches!(c, '"' | '\\'));
    if word {
        text.to_owned()
    } else {
        format!("{text:?}")
    }
}

fn json(said: Said, metadata: &Metadata<'_>, now: SystemTime, callers: bool) -> String {
    let mut line = serde_json::Map::new();
    line.insert(
        "level".into(),
        metadata.level().as_str().to_ascii_lowercase().into(),
    );
    line.extend(
        said.fields
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value)),
    );
    line.insert("time".into(), time(now).into());
    if let Some(caller) = caller(metadata).filter(|_| callers) {
        line.insert("caller".into(), caller.into());
    }
    line.insert("message".into(), said.message.into());
    Value::from(line).to_string() + "\n"
}
