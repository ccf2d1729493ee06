//! A stream of events in the words of the client's dialect: one event in, none or more out, nothing held but what names the
//! open parts.

mod chat;
mod messages;

use super::answer::Malformed;
use crate::dialect::{Dialect, is_done};
use serde_json::Value;
use trilithon_wire::json::tree;

/// Translates one stream.
pub struct Stream(To);

enum To {
    Chat(chat::Encoder),
    Messages(messages::Encoder),
}

impl Stream {
    /// A stream for clients of `to`, from the other dialect; `None` where nothing is translated. `created` is now, in seconds
    /// since 1970; `tells_usage` is whether a client of Chat Completions asked for the usage.
    pub fn new(to: Dialect, created: u64, tells_usage: bool) -> Option<Stream> {
        match to {
            Dialect::Chat => Some(Stream(To::Chat(chat::Encoder::new(created, tells_usage)))),
            Dialect::Messages => Some(Stream(To::Messages(messages::Encoder::default()))),
            Dialect::Responses => None,
        }
    }

    /// Takes the data of one event and writes what it means. Once the stream [`is_over`](Stream::is_over), nothing does.
    ///
    /// # Errors
    /// It is no event of the upstream's dialect; [`Stream::fail`] tells the client.
    pub fn event(&mut self, data: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
        if self.is_over() || data.is_empty() {
            return Ok(());
        }
        match &mut self.0 {
            To::Messages(messages) if is_done(data) => messages.finish(out),
            To::Chat(_) if is_done(data) => Ok(()),
            To::Chat(chat) => chat.event(&parsed(data)?, out),
            To::Messages(messages) => messages.event(&parsed(data)?, out),
        }
    }

    /// Says that the upstream's stream has ended.
    ///
    /// # Errors
    /// It ended before its last event: the client must not take what it has for an answer.
    pub fn end(&mut self, out: &mut Vec<u8>) -> Result<(), Malformed> {
        if self.is_over() {
            return Ok(());
        }
        match &mut self.0 {
            // Not every server says `[DONE]`; that the answer is complete was said before.
            To::Messages(messages) => messages.finish(out),
            To::Chat(_) => Err(Malformed("the stream ended early")),
        }
    }

    /// Ends the stream with an error event.
    pub fn fail(&mut self, message: &str, out: &mut Vec<u8>) {
        if self.is_over() {
            return;
        }
        match &mut self.0 {
            To::Chat(chat) => chat.fail(message, out),
            To::Messages(messages) => messages.fail(message, out),
        }
    }

    /// Whether the last event was written.
    pub fn is_over(&self) -> bool {
        match &self.0 {
            To::Chat(chat) => chat.is_over,
            To::Messages(messages) => messages.is_over,
        }
    }
}

fn parsed(data: &[u8]) -> Result<Value, Malformed> {
    tree(data).map_err(|_| Malformed("an event is no JSON"))
}

/// Writes one event.
fn write(name: Option<&str>, data: &str, out: &mut Vec<u8>) {
    if let Some(name) = name {
        for part in ["event: ", name, "\n"] {
            out.extend_from_slice(part.as_bytes());
        }
    }
    for part in ["data: ", data, "\n\n"] {
        out.extend_from_slice(part.as_bytes());
    }
}

/// What an error event says.
fn error_message(event: &Value) -> &str {
    event["error"]["message"]
        .as_str()
        .unwrap_or("the model's server ended the stream with an error")
}

#[cfg(test)]
mod tests;
