//! The texts of a body that a guard looks at, and the body with some of their characters hidden.
//!
//! Text is decoded, so that no escape hides anything. The arguments of a tool are JSON within a string: they are looked at as
//! they are and once more with their own escapes resolved. A number is looked at as it is written, and becomes a string
//! where something of it is hidden.

use bytes::Bytes;
use std::cell::OnceCell;
use std::ops::Range;
use trilithon_ai::dialect::Slot;
use trilithon_ai::guard::hidden::{Stretch, hide, is_number, quotes};
use trilithon_flow::Channel;
use trilithon_template::Value as Data;
use trilithon_wire::json::{self, Text};

/// One text.
pub struct One {
    pub channel: Channel,
    /// The query that found it, by its place among the guard's.
    pub query: Option<usize>,
    pub text: String,
    /// Where its string or number stands in the body.
    range: Range<usize>,
    /// It is this text with its escapes resolved once more.
    of: Option<usize>,
}

/// The texts of a body.
pub struct Texts {
    pub body: Bytes,
    pub list: Vec<One>,
    /// Bytes of content that is no text.
    pub opaque: u64,
    /// Bytes of earlier messages that are not judged again.
    pub earlier: u64,
    data: OnceCell<Data>,
}

/// What is hidden: in which text, where, with which character.
pub type Masks = Vec<(usize, Range<usize>, char)>;

impl Texts {
    pub fn new(body: Bytes) -> Texts {
        Texts {
            body,
            list: Vec::new(),
            opaque: 0,
            earlier: 0,
            data: OnceCell::new(),
        }
    }

    /// A text alone, of no body; templates see `data`.
    pub fn of_text(channel: Channel, text: String, data: Vec<u8>) -> Texts {
        let mut texts = Texts::new(data.into());
        texts.push(One {
            channel,
            query: None,
            text,
            range: 0..0,
            of: None,
        });
        texts
    }

    /// Adds the text of a slot.
    pub fn slot(&mut self, slot: &Slot) {
        self.add(slot.channel, None, slot.range.clone());
    }

    /// Adds the text of a string at its place in the body, which is JSON.
    pub fn add(&mut self, channel: Channel, query: Option<usize>, range: Range<usize>) {
        let Ok(doc) = std::str::from_utf8(&self.body) else {
            return;
        };
        let text = Text::at(doc, range.clone()).to_str().into_owned();
        self.push(One {
            channel,
            query,
            text,
            range,
            of: None,
        });
    }

    fn push(&mut self, one: One) {
        let outer = self.list.len();
        let nested = one.channel == Channel::ToolArguments && one.text.contains('\\');
        let inner = nested.then(|| One {
            channel: one.channel,
            query: one.query,
            text: Text::at(&one.text, 0..one.text.len()).to_str().into_owned(),
            range: one.range.clone(),
            of: Some(outer),
        });
        self.list.push(one);
        self.list.extend(inner);
    }

    /// Whether the body is no JSON.
    pub fn is_foreign(&self) -> bool {
        self.list.is_empty() && json::parse(&self.body).is_err()
    }

    /// Bytes of text, each counted once.
    pub fn bytes(&self) -> u64 {
        let outer = self.list.iter().filter(|one| one.of.is_none());
        outer.map(|one| one.text.len() as u64).sum()
    }

    /// The body as a template sees it.
    pub fn data(&self) -> &Data {
        self.data.get_or_init(|| {
            let value: serde_json::Value = serde_json::from_slice(&self.body).unwrap_or_default();
            Data::from(&value)
        })
    }

    /// All text, as it is asked about where there is no template.
    pub fn joined(&self) -> String {
        let outer = self.list.iter().filter(|one| one.of.is_none());
        let texts: Vec<&str> = outer.map(|one| &*one.text).collect();
        texts.join("\n\n")
    }

    /// Masks of a text as stretches of the text that it was made of.
    pub fn outer(&self, text: usize, range: Range<usize>) -> (usize, Range<usize>) {
        match self.list.get(text).and_then(|one| one.of) {
            None => (text, range),
            Some(of) => {
                let outer = &self.list[of].text;
                (of, Text::at(outer, 0..outer.len()).decode().raw(range))
            }
        }
    }

    /// Leaves out what stands before the last answer of a model: it was judged when it was new.
    pub fn forget(&mut self, slots: &[Slot]) {
        let of_model = |c: Channel| {
            matches!(
                c,
                Channel::Assistant | Channel::Reasoning | Channel::ToolArguments
            )
        };
        let last = slots
            .iter()
            .filter(|slot| of_model(slot.channel))
            .filter_map(|slot| slot.message)
            .max();
        let Some(last) = last else { return };
        let old: Vec<Range<usize>> = slots
            .iter()
            .filter(|slot| slot.message.is_some_and(|message| message <= last))
            .map(|slot| slot.range.clone())
            .collect();
        let list = std::mem::take(&mut self.list);
        let (old, new): (Vec<One>, Vec<One>) = list.into_iter().partition(|one| old.contains(&one.range));
        self.earlier = old
            .iter()
            .filter(|one| one.of.is_none())
            .map(|one| one.text.len() as u64)
            .sum();
        // Inner texts name their outer ones by place.
        for one in new.into_iter().filter(|one| one.of.is_none()) {
            self.push(one);
        }
    }

    /// Shows each text that is hidden.
    pub fn hidden(&self, masks: &Masks, mut show: impl FnMut(&str, char)) {
        for (text, range, with) in masks {
            let (text, range) = self.outer(*text, range.clone());
            if let Some(hidden) = self.list.get(text).and_then(|one| one.text.get(range)) {
                show(hidden, *with);
            }
        }
    }

    /// What changes in the body where something is hidden.
    pub fn changes(&self, masks: &Masks) -> Vec<Change> {
        let mut hidden: Vec<Vec<Stretch>> = vec![Vec::new(); self.list.len()];
        for (text, range, with) in masks {
            let (text, range) = self.outer(*text, range.clone());
            hide(&mut hidden[text], range, *with);
        }
        let Ok(doc) = std::str::from_utf8(&self.body) else {
            return Vec::new();
        };
        let mut changes = Vec::new();
        let touched = self.list.iter().zip(&hidden);
        for (one, hidden) in touched.filter(|(_, hidden)| !hidden.is_empty()) {
            one.change(doc, hidden, &mut changes);
        }
        changes
    }
}

impl One {
    fn change(&self, doc: &str, hidden: &[Stretch], changes: &mut Vec<Change>) {
        let decoded = Text::at(doc, self.range.clone()).decode();
        for (range, with) in hidden {
            // Character by character: another guard may hide a part of the same stretch.
            for (at, c) in self.text[range.clone()].char_indices() {
                let at = range.start + at;
                changes.push((decoded.raw(at..at + c.len_utf8()), Put::Mask(*with)));
            }
        }
        if is_number(doc, &self.range) {
            let ends = [self.range.start, self.range.end];
            changes.extend(ends.map(|at| (at..at, Put::Text("\""))));
        } else if self.channel == Channel::ToolArguments {
            let places = quotes(&self.text, hidden).into_iter();
            changes.extend(places.map(|at| (decoded.raw(at..at), Put::Text("\\\""))));
        }
    }
}

/// Part of a body, and what stands there instead.
pub type Change = (Range<usize>, Put);

/// What is put in the place of a part.
#[derive(Clone, Copy)]
pub enum Put {
    Mask(char),
    Text(&'static str),
}

/// The body with everything changed; a place that is named twice is changed as it was named first, and what lies in another
/// goes with that.
pub fn changed(body: &Bytes, mut changes: Vec<Change>) -> Bytes {
    changes.sort_by_key(|(range, _)| (range.start, range.end));
    changes.dedup_by(|later, first| later.0 == first.0);
    let (mut out, mut done) = (Vec::with_capacity(body.len()), 0);
    let mut utf8 = [0; 4];
    for (range, put) in changes {
        if range.start < done {
            continue;
        }
        out.extend_from_slice(&body[done..range.start]);
        let text = match put {
            Put::Mask(with) => with.encode_utf8(&mut utf8),
            Put::Text(text) => text,
        };
        out.extend_from_slice(text.as_bytes());
        done = range.end;
    }
    out.extend_from_slice(&body[done..]);
    out.into()
}
