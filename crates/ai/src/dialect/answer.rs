//! What an answer says.

use super::{Opaque, Slot};
use trilithon_flow::Usage;
use trilithon_flow::model_call::Basis;
use trilithon_wire::json::{Text, Value};

/// What a whole answer says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    pub id: Option<String>,
    /// The model that answered.
    pub model: Option<String>,
    pub reported: Reported,
    /// Why each choice ended, in the dialect's words.
    pub finish_reasons: Vec<String>,
    /// Ids of the tool calls that it asks for.
    pub tool_calls: Vec<String>,
    pub slots: Vec<Slot>,
    pub opaque: Vec<Opaque>,
}

/// Tokens as an upstream reports them, perhaps a part now and a part later.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reported {
    pub input: Option<u64>,
    pub output: Option<u64>,
    pub cache_read: Option<u64>,
    pub cache_write: Option<u64>,
    /// Of `cache_write`: for an hour.
    pub cache_write_hour: Option<u64>,
    pub reasoning: Option<u64>,
}

impl Reported {
    /// Takes what is said later for what counts.
    pub fn merge(&mut self, later: Reported) {
        self.input = later.input.or(self.input);
        self.output = later.output.or(self.output);
        self.cache_read = later.cache_read.or(self.cache_read);
        self.cache_write = later.cache_write.or(self.cache_write);
        self.cache_write_hour = later.cache_write_hour.or(self.cache_write_hour);
        self.reasoning = later.reasoning.or(self.reasoning);
    }

    /// The tokens in one way of counting; `None` when nothing was reported. `apart`: the upstream counts what went
    /// through its cache beside the input, not in it.
    pub(super) fn usage(self, apart: bool) -> Option<Usage> {
        if self.input.is_none() && self.output.is_none() {
            return None;
        }
        let of = |n: Option<u64>| n.unwrap_or(0);
        let (cache_read, cache_write) = (of(self.cache_read), of(self.cache_write));
        let cached = if apart {
            cache_read.saturating_add(cache_write)
        } else {
            0
        };
        Some(Usage {
            input: of(self.input).saturating_add(cached),
            output: of(self.output),
            cache_read,
            cache_write,
            cache_write_hour: of(self.cache_write_hour),
            reasoning: of(self.reasoning),
            basis: Basis::Reported,
        })
    }
}

/// Texts, owned.
pub(super) fn owned<'d>(texts: impl Iterator<Item = Text<'d>>) -> Vec<String> {
    texts.map(|text| text.to_str().into_owned()).collect()
}

/// A string member, owned.
pub(super) fn string(value: &Value<'_>, name: &str) -> Option<String> {
    Some(value.get(name)?.text()?.to_str().into_owned())
}

/// A whole number at a path of names.
pub(super) fn number(value: &Value<'_>, path: &[&str]) -> Option<u64> {
    let mut at = value.clone();
    for name in path {
        at = at.get(name)?;
    }
    at.as_u64()
}
