//! A stream that is looked at before anybody else sees it: frames wait until all guards have judged the text in them.
//!
//! For every channel `emitted ≤ judged ≤ received`. A frame goes on as it came, byte for byte, unless something in it is
//! hidden; then only the characters in question change. What is held is bounded by whoever fills it, by [`Hold::held`].

mod channel;

pub use channel::{Channel, Key, LOOK_BEHIND};

use super::hidden::{Stretch, is_number};
use crate::dialect::Dialect;
use bytes::Bytes;
use std::collections::VecDeque;
use std::ops::Range;
use trilithon_flow::Channel as Kind;
use trilithon_wire::json::{Splice, Text};
use trilithon_wire::sse::{self, Frames};

/// A piece of text in a frame: where its string stands in the data, without quotes, or its number.
pub struct Piece {
    pub key: Key,
    /// It is a whole text, not a further piece of one.
    pub restates: bool,
    pub range: Range<usize>,
}

struct Frame {
    bytes: Bytes,
    pieces: Vec<Held>,
}

struct Held {
    channel: usize,
    /// Of the channel's text.
    text: Range<usize>,
    /// In the data.
    range: Range<usize>,
}

/// Frames that wait, and the texts in them.
pub struct Hold {
    guards: usize,
    dialect: Option<Dialect>,
    frames: VecDeque<Frame>,
    channels: Vec<Channel>,
    held: usize,
}

impl Hold {
    /// For so many guards that are waited for, and a stream of this dialect.
    pub fn new(guards: usize, dialect: Option<Dialect>) -> Hold {
        Hold {
            guards,
            dialect,
            frames: VecDeque::new(),
            channels: Vec::new(),
            held: 0,
        }
    }

    /// Bytes of frames that wait.
    pub fn held(&self) -> usize {
        self.held
    }

    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    pub fn channels(&self) -> &[Channel] {
        &self.channels
    }

    /// Takes a frame. `data` is its data, `pieces` what of that is text. A channel that is only judged whole ends where
    /// another of its choice begins.
    pub fn push(&mut self, bytes: Bytes, data: &str, pieces: &[Piece]) {
        let held = pieces.iter().map(|piece| self.take(data, piece)).collect();
        self.held += bytes.len();
        self.frames.push_back(Frame { bytes, pieces: held });
    }

    fn take(&mut self, data: &str, piece: &Piece) -> Held {
        let place = self.channel(piece);
        let decoded = Text::at(data, piece.range.clone()).to_str();
        let channel = &mut self.channels[place];
        let start = channel.received();
        channel.push(&decoded);
        channel.complete |= piece.restates;
        Held {
            channel: place,
            text: start..channel.received(),
            range: piece.range.clone(),
        }
    }

    fn channel(&mut self, piece: &Piece) -> usize {
        let key = piece.key;
        let same = |c: &Channel| c.key == key && !c.complete && !c.restates;
        if !piece.restates
            && let Some(found) = self.channels.iter().rposition(same)
        {
            return found;
        }
        self.close(|c| c.key.choice == key.choice && (c.key == key || c.key.kind == Kind::ToolArguments));
        self.channels.push(Channel::new(key, self.guards, piece.restates));
        self.channels.len() - 1
    }

    /// Says that nothing will be added to channels.
    pub fn close(&mut self, which: impl Fn(&Channel) -> bool) {
        self.channels
            .iter_mut()
            .filter(|c| which(c))
            .for_each(|c| c.complete = true);
    }

    /// A guard has judged a channel so far, and these stretches are hidden.
    pub fn judge(&mut self, channel: usize, guard: usize, upto: usize, masks: &[Stretch]) {
        if let Some(channel) = self.channels.get_mut(channel) {
            channel.judge(guard, upto, masks);
        }
    }

    /// The next frame that may go on, if it may, and whether it has text.
    pub fn pop(&mut self) -> Option<(Bytes, bool)> {
        let ready =
            |held: &Held| held.text.is_empty() || held.text.end <= self.channels[held.channel].settled();
        let frame = self
            .frames
            .front()
            .filter(|frame| frame.pieces.iter().all(ready))?;
        let bytes = self.masked(frame);
        let frame = self.frames.pop_front()?;
        self.held -= frame.bytes.len();
        for held in &frame.pieces {
            self.channels[held.channel].emitted(held.text.end);
        }
        let has_text = frame.pieces.iter().any(|held| !held.text.is_empty());
        Some((bytes.unwrap_or(frame.bytes), has_text))
    }

    /// The frame with what is hidden in it, if anything is.
    fn masked(&self, frame: &Frame) -> Option<Bytes> {
        let is_touched = |held: &&Held| self.channels[held.channel].hides(&held.text);
        let mut touched = frame.pieces.iter().filter(is_touched).peekable();
        touched.peek()?;
        // The frame was cut before; it is cut the same way again.
        let mut frames = Frames::new(usize::MAX);
        let cut = match frames.next(&frame.bytes) {
            Ok(Some(cut)) => cut,
            _ => Frames::new(usize::MAX).rest(&frame.bytes).ok()??,
        };
        let data = cut.data(&frame.bytes);
        let doc = std::str::from_utf8(&data).ok()?;
        let mut splice = Splice::new();
        // Strings are apart, and so are the stretches in each: nothing is replaced twice.
        for (echo, blank) in self.dialect.iter().flat_map(|dialect| dialect.echoes(&data)) {
            let _ = splice.replace(lines(&cut, echo)?, blank);
        }
        for held in touched {
            for (part, with) in self.changes(held, doc) {
                let _ = splice.replace(cut.place(part)?, with);
            }
        }
        Some(splice.apply(&frame.bytes).into())
    }

    /// What changes in a piece, by places in the data.
    fn changes(&self, held: &Held, doc: &str) -> Vec<(Range<usize>, String)> {
        let channel = &self.channels[held.channel];
        let decoded = Text::at(doc, held.range.clone()).decode();
        let mut changes = Vec::new();
        for (range, with) in &channel.masks {
            let part = range.start.max(held.text.start)..range.end.min(held.text.end);
            if part.is_empty() {
                continue;
            }
            let part = part.start - held.text.start..part.end - held.text.start;
            let hidden = decoded.text[part.clone()].chars().map(|_| *with).collect();
            changes.push((decoded.raw(part), hidden));
        }
        if is_number(doc, &held.range) {
            let (start, end) = (held.range.start, held.range.end);
            changes.extend([start..start, end..end].map(|at| (at, "\"".to_owned())));
        } else {
            let places = channel.quotes_in(&held.text).map(|at| at - held.text.start);
            changes.extend(places.map(|at| (decoded.raw(at..at), "\\\"".to_owned())));
        }
        changes
    }
}

/// Where a part of the data stands in the frame, with the ends of lines that it goes over.
fn lines(cut: &sse::Frame, part: Range<usize>) -> Option<Range<usize>> {
    let first = cut.place(part.start..part.start + 1)?;
    let last = cut.place(part.end - 1..part.end)?;
    Some(first.start..last.end)
}

#[cfg(test)]
mod tests;
