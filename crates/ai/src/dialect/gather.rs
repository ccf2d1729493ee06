//! Where the text of a body is.

use std::ops::Range;
use trilithon_flow::Channel;
use trilithon_wire::json::{Kind, Value};

/// A text in a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    pub channel: Channel,
    /// Which message or item of the body it belongs to, from 0; `None` for what stands beside them (instructions, tools).
    pub message: Option<usize>,
    /// Which choice of an answer it belongs to; 0 in requests.
    pub choice: u32,
    /// Where the string stands in the body, without its quotes (see [`Text::at`](trilithon_wire::json::Text::at)), or the
    /// number.
    pub range: Range<usize>,
}

/// Content that is no text: nobody who judges text has seen it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opaque {
    /// As the body names its type: `image_url`, `input_audio`, `file`.
    pub kind: String,
    pub message: Option<usize>,
    /// Bytes that it takes in the body.
    pub bytes: usize,
}

/// Collects slots.
#[derive(Default)]
pub(super) struct Gather {
    pub slots: Vec<Slot>,
    pub opaque: Vec<Opaque>,
    /// Where the next ones belong.
    pub message: Option<usize>,
    pub choice: u32,
}

impl Gather {
    /// The text of a string, or a number as it is written; what is neither is passed over.
    pub fn text(&mut self, channel: Channel, value: &Value<'_>) {
        if value.kind() == Kind::Number {
            self.range(channel, value.range());
        } else if let Some(text) = value.text() {
            self.range(channel, text.range());
        }
    }

    fn range(&mut self, channel: Channel, range: Range<usize>) {
        if !range.is_empty() {
            self.slots.push(Slot {
                channel,
                message: self.message,
                choice: self.choice,
                range,
            });
        }
    }

    /// Every string and number in a value, names of members too: whatever a tool is given or says may hide in either.
    pub fn leaves(&mut self, channel: Channel, value: &Value<'_>) {
        match value.kind() {
            Kind::String | Kind::Number => self.text(channel, value),
            Kind::Array => value.items().for_each(|item| self.leaves(channel, &item)),
            Kind::Object => value.members().for_each(|(name, value)| {
                self.range(channel, name.range());
                self.leaves(channel, &value);
            }),
            Kind::Null | Kind::Bool => {}
        }
    }

    pub fn opaque(&mut self, kind: &str, value: &Value<'_>) {
        self.opaque.push(Opaque {
            kind: kind.to_owned(),
            message: self.message,
            bytes: value.range().len(),
        });
    }
}
