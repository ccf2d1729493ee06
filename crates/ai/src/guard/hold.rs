//! A stream that is looked at before anybody else sees it: frames wait until all guards have judged the text in them.
//!
//! For every channel `emitted ≤ judged ≤ received`. A frame goes on as it came, byte for byte, unless something in it is
//! hidden; then only the characters in question change. What is held is bounded by whoever fills it, by [`Hold::held`].

mod channel;
mod held;

pub use channel::{Channel, Key, LOOK_BEHIND};

use self::held::Held;
use super::hidden::Stretch;
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
        self.held += bytes.len();
        self.frames.push_back(Frame {
            bytes,
            pieces: Vec::with_capacity(pieces.len()),
        });
        for piece in pieces {
            let held = self.take(data, piece);
            if let Some(frame) = self.frames.back_mut() {
                frame.pieces.push(held);
            }
        }
    }

    fn take(&mut self, data: &str, piece: &Piece) -> Held {
        let place = self.channel(piece);
        if !piece.range.is_empty() {
            self.join(place, Some(&Text::at(data, piece.range.clone())));
        }
        let channel = &mut self.channels[place];
        let held = Held::take(place, channel, data, piece);
        channel.complete |= piece.restates;
        held
    }

    /// Says what follows half a character at the end of a channel.
    fn join(&mut self, place: usize, next: Option<&Text<'_>>) {
        let channel = &mut self.channels[place];
        if channel.half.is_none() {
            return;
        }
        let mut pieces = self.frames.iter_mut().flat_map(|frame| &mut frame.pieces).rev();
        if let Some(last) = pieces.find(|held| held.channel == place && held.open) {
            last.close(channel, next);
        }
    }

    /// Halves of characters wait no longer for the other.
    pub fn part(&mut self) {
        (0..self.channels.len()).for_each(|place| self.join(place, None));
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
        for place in 0..self.channels.len() {
            if which(&self.channels[place]) {
                self.join(place, None);
                self.channels[place].complete = true;
            }
        }
    }

    /// A guard has judged a channel so far, and these stretches are hidden.
    pub fn judge(&mut self, channel: usize, guard: usize, upto: usize, masks: &[Stretch]) {
        if let Some(channel) = self.channels.get_mut(channel) {
            channel.judge(guard, upto, masks);
        }
    }

    /// The next frame that may go on, if it may, and whether it has text.
    pub fn pop(&mut self) -> Option<(Bytes, bool)> {
        let is_settled = |held: &Held| held.text.end <= self.channels[held.channel].settled();
        let ready = |held: &Held| !held.open && (held.text.is_empty() || is_settled(held));
        let frame = self
            .frames
            .front()
            .filter(|frame| frame.pieces.iter().all(ready))?;
        let bytes = self.masked(frame);
        let frame = self.frames.pop_front()?;
        self.held -= frame.bytes.len();
        for held in &frame.pieces {
            self.channels[held.channel].emitted(held.gone());
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
        let cut = Frames::new(usize::MAX).next_or_rest(&frame.bytes, true).ok()??;
        let data = cut.data(&frame.bytes);
        let doc = std::str::from_utf8(&data).ok()?;
        let mut splice = Splice::new();
        // Strings are apart, and so are the stretches in each: nothing is replaced twice.
        for (echo, blank) in self.dialect.iter().flat_map(|dialect| dialect.echoes(&data)) {
            let _ = splice.replace(lines(&cut, echo)?, blank);
        }
        for held in touched {
            for (part, with) in held.changes(&self.channels[held.channel], doc) {
                let _ = splice.replace(cut.place(part)?, with);
            }
        }
        Some(splice.apply(&frame.bytes).into())
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
