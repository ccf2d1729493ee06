//! What was said in a call, for traces that are to be told. It is taken as it passes, wherever guards stand; what any of them
//! hides is hidden in it when it is read.

use super::{Channel, Phase};
use crate::limits::MAX_TOLD_CONTENT;

/// Stretches that guards hide, at most; beyond that, nothing of what was said is shown.
const MAX_HIDDEN: usize = 1024;

/// What was said in a call.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Content {
    pub asked: Talk,
    pub answered: Talk,
    hidden: Vec<(Box<str>, char)>,
}

/// What one side said.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Talk {
    pieces: Vec<Piece>,
    bytes: usize,
    /// A guard refused it, or could not say.
    withheld: bool,
}

/// A text of it. Pieces with the same channel, choice and index are one.
#[derive(Clone, Debug, PartialEq)]
pub struct Piece {
    pub channel: Channel,
    pub choice: u32,
    /// The message, or the part of an answer.
    pub index: u32,
    pub text: String,
}

impl Talk {
    /// Adds to a text, as far as there is room.
    pub fn say(&mut self, channel: Channel, choice: u32, index: u32, text: &str) {
        let mut end = text.len().min(MAX_TOLD_CONTENT - self.bytes);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        if end < text.len() {
            self.bytes = MAX_TOLD_CONTENT;
        } else {
            self.bytes += end;
        }
        let text = &text[..end];
        if text.is_empty() {
            return;
        }
        let same = |p: &&mut Piece| (p.channel, p.choice, p.index) == (channel, choice, index);
        match self.pieces.iter_mut().rev().find(same) {
            Some(piece) => piece.text.push_str(text),
            None => self.pieces.push(Piece {
                channel,
                choice,
                index,
                text: text.to_owned(),
            }),
        }
    }

    fn size(&self) -> usize {
        self.bytes + self.pieces.len() * size_of::<Piece>()
    }

    /// Forgets all of it: it is told anew.
    pub fn clear(&mut self) {
        self.pieces.clear();
        self.bytes = 0;
    }
}

impl Content {
    /// About how many bytes it holds.
    pub fn size(&self) -> usize {
        let hidden = self.hidden.iter().map(|(text, _)| text.len());
        self.asked.size() + self.answered.size() + hidden.sum::<usize>()
    }

    /// A guard hides this.
    pub fn hide(&mut self, text: &str, with: char) {
        let is_known = |(hidden, _): &(Box<str>, char)| **hidden == *text;
        if !text.is_empty() && self.hidden.len() <= MAX_HIDDEN && !self.hidden.iter().any(is_known) {
            self.hidden.push((text.into(), with));
        }
    }

    /// A guard refuses what one side said.
    pub fn withhold(&mut self, phase: Phase) {
        match phase {
            Phase::Request => self.asked.withheld = true,
            Phase::Response | Phase::Tool => self.answered.withheld = true,
        }
    }

    /// What was said, with what guards hide hidden; nothing where they refused it.
    pub fn shown(&self, talk: &Talk) -> Vec<Piece> {
        if talk.withheld || self.hidden.len() > MAX_HIDDEN {
            return Vec::new();
        }
        let is_cut = talk.bytes >= MAX_TOLD_CONTENT;
        let last = talk.pieces.len().saturating_sub(1);
        let shown = talk.pieces.iter().enumerate();
        shown
            .map(|(at, piece)| Piece {
                text: self.redacted(&piece.text, is_cut && at == last),
                ..piece.clone()
            })
            .collect()
    }

    /// The longest first: one that is hidden may be a part of another.
    fn redacted(&self, text: &str, is_cut: bool) -> String {
        let mut hidden: Vec<&(Box<str>, char)> = self.hidden.iter().collect();
        hidden.sort_by_key(|(hidden, _)| std::cmp::Reverse(hidden.len()));
        let mut text = text.to_owned();
        for (hidden, with) in &hidden {
            if text.contains(&**hidden) {
                let stars: String = hidden.chars().map(|_| *with).collect();
                text = text.replace(&**hidden, &stars);
            }
        }
        if is_cut {
            // The beginning of something hidden may be its end.
            let longest = hidden.first().map_or(0, |(hidden, _)| hidden.len());
            let mut end = text.len().saturating_sub(longest);
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            text.truncate(end);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(said: &[(u32, &str)], hidden: &[&str]) -> Content {
        let mut content = Content::default();
        for (index, text) in said {
            content.answered.say(Channel::Assistant, 0, *index, text);
        }
        hidden.iter().for_each(|text| content.hide(text, '*'));
        content
    }

    fn shown(content: &Content) -> Vec<String> {
        let pieces = content.shown(&content.answered).into_iter();
        pieces.map(|piece| piece.text).collect()
    }

    #[test]
    fn what_guards_hide_is_hidden() {
        let check = |said: &[(u32, &str)], hidden: &[&str], want: &[&str]| {
            assert_eq!(shown(&content(said, hidden)), want);
        };
        check(&[(0, "my se"), (0, "cret"), (1, "b")], &[], &["my secret", "b"]);
        check(
            &[(0, "my se"), (1, "b"), (0, "cret")],
            &["secret"],
            &["my ******", "b"],
        );
        check(&[(0, "abc ab")], &["ab", "abc"], &["*** **"]);
    }

    #[test]
    fn what_guards_refuse_is_not_shown() {
        let mut content = content(&[(0, "a")], &[]);
        content.withhold(Phase::Request);
        assert_eq!(shown(&content), ["a"]);
        content.withhold(Phase::Response);
        assert!(shown(&content).is_empty());
        let many: Vec<String> = (0..2000).map(|n| format!("secret-{n}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(shown(&self::content(&[(0, "a secret-1999")], &many)).is_empty());
    }

    #[test]
    fn it_is_bounded_and_never_ends_within_what_is_hidden() {
        let long = format!("{}secret", "x".repeat(MAX_TOLD_CONTENT - 3));
        let text = shown(&content(&[(0, &long), (1, "more")], &["secret"])).concat();
        assert!(
            text.len() < MAX_TOLD_CONTENT && text.chars().all(|c| c == 'x'),
            "{}",
            text.len()
        );
    }
}
