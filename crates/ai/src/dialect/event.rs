//! What one event of a stream says.

use super::Reported;
use std::ops::Range;
use trilithon_flow::Channel;
use trilithon_wire::json::Text;

/// What one event of a stream says.
#[derive(Clone, Debug, Default)]
pub struct Event<'d> {
    pub kind: EventKind,
    pub deltas: Vec<Delta>,
    pub id: Option<Text<'d>>,
    /// The model that answers.
    pub model: Option<Text<'d>>,
    pub reported: Reported,
    /// Choices that end, and why, in the dialect's words.
    pub finish: Vec<(u32, Text<'d>)>,
    /// Ids of tool calls that it asks for; what is told once more names them once more.
    pub tool_calls: Vec<Text<'d>>,
}

/// Whether the data of an event is `[DONE]`, which is no JSON. It ends a stream of Chat Completions. Servers that speak several
/// formats send it behind the last event of others too, where it says nothing.
pub fn is_done(data: &[u8]) -> bool {
    data.trim_ascii() == b"[DONE]"
}

/// What an event is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EventKind {
    /// Beginnings, ends and whatever carries no text; also what is not known.
    #[default]
    Other,
    /// It carries text, or a part of a tool call.
    Content,
    /// It tells the usage and nothing else (Chat Completions, when that was asked for).
    Usage,
    /// The end of the stream, beyond doubt.
    Done,
    /// The upstream tells of an error.
    Error,
}

/// A piece of text in an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delta {
    pub channel: Channel,
    /// Which choice it belongs to.
    pub choice: u32,
    /// Which tool call, content block or output item of the choice it belongs to. Pieces with the same channel, choice and
    /// index are one text.
    pub index: u32,
    /// It is a whole text, not a further piece of one: most often what was told in pieces before.
    pub restates: bool,
    /// Where the string stands in the data, without its quotes, or the number.
    pub range: Range<usize>,
}
