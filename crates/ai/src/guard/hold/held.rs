//! A piece of a text in a frame that waits.

use super::{Channel, Piece};
use crate::guard::hidden::is_number;
use std::ops::Range;
use trilithon_wire::json::Text;

/// Bytes of a character that two pieces have halves of: all that are written as surrogate pairs are so long.
const SHARED: usize = 4;
/// Bytes of what half a pair is read as.
const HALF: usize = '\u{fffd}'.len_utf8();

/// What a frame holds of one text.
pub(super) struct Held {
    pub channel: usize,
    /// Of the channel's text, with a character of which it has half.
    pub text: Range<usize>,
    /// In the data.
    range: Range<usize>,
    /// It begins with the second half of a character.
    head: bool,
    /// It ends with the first half of a character.
    tail: bool,
    /// What the first half at its end belongs to has not come yet.
    pub open: bool,
}

impl Held {
    /// Adds a piece to its channel. Half a surrogate pair at its end waits for the other: who puts the pieces together sees one
    /// character.
    pub fn take(place: usize, channel: &mut Channel, data: &str, piece: &Piece) -> Held {
        let text = Text::at(data, piece.range.clone());
        let nothing = channel.half.filter(|_| piece.range.is_empty());
        let head = channel.half.take().zip(text.low_half());
        let start = channel.received();
        let decoded = text.to_str();
        let mut own = &*decoded;
        if let Some((high, low)) = head {
            channel.push(&String::from_utf16_lossy(&[high, low]));
            own = own.get(HALF..).unwrap_or_default();
        }
        let high = text.high_half().filter(|_| !piece.restates);
        let tail = high.is_some();
        channel.half = high.or(nothing);
        if tail {
            own = own.get(..own.len() - HALF).unwrap_or_default();
        }
        channel.push(own);
        Held {
            channel: place,
            text: start..channel.received(),
            range: piece.range.clone(),
            head: head.is_some(),
            tail,
            open: tail,
        }
    }

    /// The next piece of its text begins so, or none will come (`None`).
    pub fn close(&mut self, channel: &mut Channel, next: Option<&Text<'_>>) {
        self.open = false;
        if next.and_then(Text::low_half).is_some() {
            self.text.end += SHARED;
            return;
        }
        // It stays half a character, which everybody reads as U+FFFD.
        channel.half = None;
        channel.push(char::REPLACEMENT_CHARACTER.encode_utf8(&mut [0; HALF]));
        (self.tail, self.text.end) = (false, channel.received());
    }

    /// Up to where its text is gone once it is: not with a character of which the rest waits.
    pub fn gone(&self) -> usize {
        self.text.end - usize::from(self.tail) * SHARED
    }

    /// What changes in it, by places in the data.
    pub fn changes(&self, channel: &Channel, doc: &str) -> Vec<(Range<usize>, String)> {
        let decoded = Text::at(doc, self.range.clone()).decode();
        let mut changes = Vec::new();
        for (range, with) in &channel.masks {
            let part = range.start.max(self.text.start)..range.end.min(self.text.end);
            if part.is_empty() {
                continue;
            }
            let is_shared = self.tail && part.end == self.text.end;
            let part = self.place(part.start)..self.place(part.end);
            let hidden = decoded.text[part.clone()].chars().count();
            // A character that two pieces have halves of is hidden once: where it ends.
            let hidden = hidden - usize::from(is_shared);
            changes.push((decoded.raw(part), with.to_string().repeat(hidden)));
        }
        if is_number(doc, &self.range) {
            let (start, end) = (self.range.start, self.range.end);
            changes.extend([start..start, end..end].map(|at| (at, "\"".to_owned())));
        } else {
            let places = channel.quotes_in(&self.text).map(|at| self.place(at));
            changes.extend(places.map(|at| (decoded.raw(at..at), "\\\"".to_owned())));
        }
        changes
    }

    /// Where a byte of the channel's text is in the piece's own, in which half a character stands for all of it.
    fn place(&self, at: usize) -> usize {
        let own = at - self.text.start;
        let head = if self.head { (SHARED - HALF).min(own) } else { 0 };
        let is_behind = self.tail && at > self.text.end - SHARED;
        let tail = if is_behind { SHARED - HALF } else { 0 };
        own - head - tail
    }
}
