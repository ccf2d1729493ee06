//! One text of a stream, as it grows.

use crate::guard::hidden::{self, Stretch, hide};
use std::ops::Range;
use trilithon_flow::Channel as Kind;

/// Text of a channel that stays for what comes behind it, in bytes: assertions, and the overlap of windows.
pub const LOOK_BEHIND: usize = 256;

/// Pieces with the same key are one text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    pub kind: Kind,
    pub choice: u32,
    pub index: u32,
}

/// A text that grows.
pub struct Channel {
    pub key: Key,
    /// What is held of it.
    text: String,
    /// How much of it came before what is held.
    base: usize,
    /// Nothing will be added.
    pub complete: bool,
    /// How far each guard has judged it.
    judged: Box<[usize]>,
    /// What is hidden, apart and in order; only what has not been emitted.
    pub(super) masks: Vec<Stretch>,
    /// Where quotes are to stand: of arguments of a tool, in order.
    quotes: Vec<usize>,
    pub(super) restates: bool,
    /// The first half of a character (a surrogate) that it ends with, and is not among the text yet.
    pub(super) half: Option<u16>,
}

impl Channel {
    pub(super) fn new(key: Key, guards: usize, restates: bool) -> Channel {
        Channel {
            key,
            text: String::new(),
            base: 0,
            complete: false,
            judged: vec![0; guards].into(),
            masks: Vec::new(),
            quotes: Vec::new(),
            restates,
            half: None,
        }
    }

    /// What is held, and at which byte of the channel it begins.
    pub fn text(&self) -> (&str, usize) {
        (&self.text, self.base)
    }

    /// Bytes so far.
    pub fn received(&self) -> usize {
        self.base + self.text.len()
    }

    /// How far a guard has judged it.
    pub fn judged(&self, guard: usize) -> usize {
        self.judged.get(guard).copied().unwrap_or(usize::MAX)
    }

    /// Whether a guard has judged all that will come.
    pub fn is_done(&self, guard: usize) -> bool {
        self.complete && self.judged(guard) >= self.received()
    }

    pub(super) fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// How far all guards have judged it.
    pub(super) fn settled(&self) -> usize {
        self.judged.iter().copied().min().unwrap_or(usize::MAX)
    }

    /// A guard has judged it so far, and these stretches are hidden.
    pub(super) fn judge(&mut self, guard: usize, upto: usize, masks: &[Stretch]) {
        for (range, with) in masks {
            hide(&mut self.masks, range.clone(), *with);
        }
        // Arguments are judged when they are whole, so all of them is here still.
        if !masks.is_empty() && self.key.kind == Kind::ToolArguments && self.base == 0 {
            self.quotes = hidden::quotes(&self.text, &self.masks);
        }
        if let Some(judged) = self.judged.get_mut(guard) {
            *judged = upto.max(*judged);
        }
        self.trim();
    }

    /// Whether something of this part of it is hidden.
    pub(super) fn hides(&self, part: &Range<usize>) -> bool {
        let next = self.masks.partition_point(|(range, _)| range.end <= part.start);
        let is_masked = self
            .masks
            .get(next)
            .is_some_and(|(range, _)| range.start < part.end);
        is_masked || self.quotes_in(part).next().is_some()
    }

    /// Where quotes are to stand in a part of it. One that opens goes before a character, one that closes behind one.
    pub(super) fn quotes_in(&self, part: &Range<usize>) -> impl Iterator<Item = usize> {
        let pairs = self
            .quotes
            .chunks_exact(2)
            .flat_map(|pair| [(pair[0], 0), (pair[1], 1)]);
        pairs
            .filter(move |(at, closes)| (part.start..part.end).contains(&(at - closes)))
            .map(|(at, _)| at)
    }

    /// A part of it has gone to the client, up to here.
    pub(super) fn emitted(&mut self, upto: usize) {
        let gone = self.masks.partition_point(|(range, _)| range.end <= upto);
        self.masks.drain(..gone);
    }

    /// Forgets text that nobody needs any more.
    fn trim(&mut self) {
        let keep = self.settled().min(self.received()).saturating_sub(LOOK_BEHIND);
        // Now and then, so that moving what stays costs little.
        if keep < self.base + 4 * LOOK_BEHIND {
            return;
        }
        let mut cut = keep - self.base;
        while !self.text.is_char_boundary(cut) {
            cut -= 1;
        }
        self.text.drain(..cut);
        self.base += cut;
    }
}
