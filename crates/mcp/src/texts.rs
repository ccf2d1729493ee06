//! Where the text of messages is that somebody reads: a model, a person, a server. What guards judge.
//!
//! Everything is judged but what is known to be machinery of the protocol, so that what a later revision adds is judged too.

use std::ops::Range;
use trilithon_wire::json::{self, Kind, Value, alike};

/// A part of what the two sides say to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// What clients send: arguments, URIs, answers to questions.
    Arguments,
    /// What calls give back, and notifications.
    Results,
    /// What errors say.
    Errors,
    /// What a server says of itself, its tools, prompts and resources.
    Descriptions,
    /// What servers ask of clients, but for the two that follow.
    Questions,
    /// What they ask of the client's model.
    Sampling,
    /// What they ask of the person.
    Elicitation,
}

impl Part {
    pub const ALL: [Part; 7] = [
        Part::Arguments,
        Part::Results,
        Part::Errors,
        Part::Descriptions,
        Part::Questions,
        Part::Sampling,
        Part::Elicitation,
    ];
}

/// Who sent a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    Client,
    Server,
}

/// The texts of a document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Texts {
    /// Where each stands: a string without its quotes, or a number.
    pub list: Vec<(Part, Range<usize>)>,
    /// Bytes that nobody can judge as text: images, sound, files.
    pub opaque: u64,
}

/// Members that only programs read: marks to continue by, and what is said beside the message.
const MARKS: [&str; 9] = [
    "_meta",
    "cursor",
    "nextCursor",
    "requestState",
    "progressToken",
    "requestId",
    "taskId",
    "capabilities",
    "clientInfo",
];

/// Members that hold a word of the protocol.
const WORDS: [&str; 14] = [
    "action",
    "cacheScope",
    "elicitationId",
    "lastModified",
    "level",
    "logger",
    "method",
    "mimeType",
    "mode",
    "protocolVersion",
    "resultType",
    "role",
    "type",
    "version",
];

/// Members that hold a number of the protocol.
const NUMBERS: [&str; 9] = [
    "code",
    "maxTokens",
    "pollInterval",
    "priority",
    "progress",
    "size",
    "temperature",
    "total",
    "ttlMs",
];

/// Members that hold several of the protocol's things, each under a name that somebody made up.
const MAPS: [&str; 2] = ["inputRequests", "inputResponses"];

/// Members whose own members are the protocol's; those of all others are whatever somebody made up.
const STRUCTURE: [&str; 25] = [
    "annotations",
    "completion",
    "contents",
    "elicitations",
    "error",
    "execution",
    "icons",
    "messages",
    "modelPreferences",
    "params",
    "prompts",
    "references",
    "resource",
    "resourceTemplates",
    "resources",
    "result",
    "roots",
    "serverInfo",
    "task",
    "tasks",
    "toolChoice",
    "tools",
    "arguments",
    "content",
    "ref",
];

/// Finds the texts of a message, or of several in an array.
///
/// # Errors
/// It is no JSON.
pub fn texts(doc: &[u8], sender: Sender) -> Result<Texts, json::Error> {
    let root = json::parse(doc)?;
    let mut gather = Gather::default();
    match root.kind() {
        Kind::Array => root.items().for_each(|one| gather.message(&one, sender)),
        _ => gather.message(&root, sender),
    }
    Ok(gather.0)
}

#[derive(Default)]
struct Gather(Texts);

impl Gather {
    fn message(&mut self, message: &Value<'_>, sender: Sender) {
        if message.kind() != Kind::Object {
            return self.free(message, part_of_params(message, sender));
        }
        for (name, value) in message.members() {
            let name = name.to_str();
            if matches!(&*name, "jsonrpc" | "id" | "method") {
                continue;
            }
            // Readers that take any case take these too.
            let part = match sender {
                Sender::Client => Part::Arguments,
                Sender::Server if alike(&name, "error") => Part::Errors,
                Sender::Server if alike(&name, "params") => part_of_params(message, sender),
                Sender::Server => Part::Results,
            };
            match alike(&name, "result") && sender == Sender::Server {
                true => self.result(&value),
                false => self.member(&name, &value, part),
            }
        }
    }

    /// A result says what it is by its members.
    fn result(&mut self, result: &Value<'_>) {
        if result.kind() != Kind::Object {
            return self.free(result, Part::Results);
        }
        for (name, value) in result.members() {
            let name = name.to_str();
            let part = match &*name {
                "tools" | "prompts" | "resources" | "resourceTemplates" | "instructions" | "serverInfo" => {
                    Part::Descriptions
                }
                "inputRequests" => Part::Questions,
                _ => Part::Results,
            };
            self.member(&name, &value, part);
        }
    }

    /// A member of something whose members are the protocol's.
    fn member(&mut self, name: &str, value: &Value<'_>, part: Part) {
        let is_machinery = WORDS.contains(&name) && is_word(value)
            || NUMBERS.contains(&name) && value.kind() == Kind::Number;
        if is_machinery || MARKS.contains(&name) {
            return;
        }
        if name == "blob" {
            self.0.opaque += value.range().len() as u64;
        } else if MAPS.contains(&name) && value.kind() == Kind::Object {
            for (name, value) in value.members() {
                let part = if part == Part::Questions {
                    question(&value)
                } else {
                    part
                };
                self.push(part, name.range());
                self.known(&value, part);
            }
        } else if STRUCTURE.contains(&name) && !is_made_up(name, value) {
            self.known(value, part);
        } else {
            self.free(value, part);
        }
    }

    /// A value whose members are the protocol's.
    fn known(&mut self, value: &Value<'_>, part: Part) {
        match value.kind() {
            Kind::Array => value.items().for_each(|item| self.known(&item, part)),
            Kind::Object => {
                let kind = value.get("type").and_then(|kind| kind.text());
                let is_media = kind.is_some_and(|kind| kind.is("image") || kind.is("audio"));
                for (name, value) in value.members() {
                    let name = name.to_str();
                    match is_media && name == "data" || name == "src" && is_data(&value) {
                        true => self.0.opaque += value.range().len() as u64,
                        false => self.member(&name, &value, part),
                    }
                }
            }
            _ => self.free(value, part),
        }
    }

    /// A value of which nobody knows what is in it: every string and number, names of members too.
    fn free(&mut self, value: &Value<'_>, part: Part) {
        match value.kind() {
            Kind::Number => self.push(part, value.range()),
            Kind::String => {
                if let Some(text) = value.text() {
                    self.push(part, text.range());
                }
            }
            Kind::Array => value.items().for_each(|item| self.free(&item, part)),
            Kind::Object => value.members().for_each(|(name, value)| {
                self.push(part, name.range());
                self.free(&value, part);
            }),
            Kind::Null | Kind::Bool => {}
        }
    }

    fn push(&mut self, part: Part, range: Range<usize>) {
        if !range.is_empty() {
            self.0.list.push((part, range));
        }
    }
}

/// What a server asks has an `id`; what it only tells has none.
fn part_of_params(message: &Value<'_>, sender: Sender) -> Part {
    match sender {
        Sender::Client => Part::Arguments,
        Sender::Server if message.get("id").is_some() => question(message),
        Sender::Server => Part::Results,
    }
}

/// What a question is, by its method; by any of them, for readers differ in which of two they take.
fn question(message: &Value<'_>) -> Part {
    let is = |wanted: &str| {
        let mut members = message.members();
        let says = |value: &Value<'_>| value.text().is_some_and(|text| text.is(wanted));
        members.any(|(name, value)| alike(&name.to_str(), "method") && says(&value))
    };
    match () {
        () if is("sampling/createMessage") => Part::Sampling,
        () if is("elicitation/create") => Part::Elicitation,
        () => Part::Questions,
    }
}

/// Whether a name of the protocol holds something made up here: values of arguments and of forms are objects, lists of arguments
/// and of content are arrays. A block of content alone has a type.
fn is_made_up(name: &str, value: &Value<'_>) -> bool {
    match name {
        "arguments" => value.kind() == Kind::Object,
        "content" => value.kind() == Kind::Object && value.get("type").is_none(),
        _ => false,
    }
}

/// A word of the protocol, or at least nothing that reads as more.
fn is_word(value: &Value<'_>) -> bool {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-_./+:;=\"".contains(&b);
    value.kind() == Kind::String && value.raw().len() <= 66 && value.raw().bytes().all(is_plain)
}

/// A picture that is written where its address could stand.
fn is_data(value: &Value<'_>) -> bool {
    value.text().is_some_and(|text| text.raw().starts_with("data:"))
}

#[cfg(test)]
mod tests;
