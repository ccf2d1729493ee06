//! A stream that is looked at before anybody else sees it: frames wait until all guards have judged the text in them.
//!
//! For every channel `emitted ≤ judged ≤ received`. A frame goes on as it came, byte for byte, unless something in it is
//! hidden; then only the characters in question change. What is held is bounded by whoever fills it, by [`Hold::held`].

use bytes::Bytes;
use std::collections::VecDeque;
use std::ops::Range;
use trilithon_flow::Channel as Kind;
use trilithon_wire::json::{Splice, Text};
use trilithon_wire::sse::Frames;

/// Text of a channel that stays for what comes behind it, in bytes: assertions, and the overlap of windows.
pub const LOOK_BEHIND: usize = 256;

/// Pieces with the same key are one text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    pub kind: Kind,
    pub choice: u32,
    pub index: u32,
}

/// A piece of text in a frame: where its string stands in the data, without quotes.
pub struct Piece {
    pub key: Key,
    /// It is a whole text once more, not a further piece.
    pub restates: bool,
    pub range: Range<usize>,
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
    masks: Vec<(Range<usize>, char)>,
    restates: bool,
}

impl Channel {
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

    fn settled(&self) -> usize {
        self.judged.iter().copied().min().unwrap_or(usize::MAX)
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
        let base = self.base;
        self.masks.retain(|(range, _)| range.end > base);
    }
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
    frames: VecDeque<Frame>,
    channels: Vec<Channel>,
    held: usize,
}

impl Hold {
    /// For so many guards that are waited for.
    pub fn new(guards: usize) -> Hold {
        Hold {
            guards,
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
        let channel = self.channel(piece);
        let decoded = Text::at(data, piece.range.clone()).to_str();
        let channel_text = &mut self.channels[channel];
        let start = channel_text.received();
        channel_text.text.push_str(&decoded);
        channel_text.complete |= piece.restates;
        Held {
            channel,
            text: start..channel_text.received(),
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
        self.channels.push(Channel {
            key,
            text: String::new(),
            base: 0,
            complete: false,
            judged: vec![0; self.guards].into(),
            masks: Vec::new(),
            restates: piece.restates,
        });
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
    pub fn judge(&mut self, channel: usize, guard: usize, upto: usize, masks: &[(Range<usize>, char)]) {
        let Some(channel) = self.channels.get_mut(channel) else {
            return;
        };
        for (range, with) in masks {
            hide(&mut channel.masks, range.clone(), *with);
        }
        if let Some(judged) = channel.judged.get_mut(guard) {
            *judged = upto.max(*judged);
        }
        channel.trim();
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
        let has_text = frame.pieces.iter().any(|held| !held.text.is_empty());
        Some((bytes.unwrap_or(frame.bytes), has_text))
    }

    /// The frame with what is hidden in it, if anything is.
    fn masked(&self, frame: &Frame) -> Option<Bytes> {
        let touched = |held: &&Held| {
            let masks = &self.channels[held.channel].masks;
            masks
                .iter()
                .any(|(range, _)| range.start < held.text.end && held.text.start < range.end)
        };
        let mut touched = frame.pieces.iter().filter(touched).peekable();
        touched.peek()?;
        // The frame was cut before; it is cut the same way again.
        let mut frames = Frames::new(usize::MAX);
        let cut = match frames.next(&frame.bytes) {
            Ok(Some(cut)) => cut,
            _ => Frames::new(usize::MAX).rest(&frame.bytes).ok()??,
        };
        let data = cut.data(&frame.bytes);
        let data = std::str::from_utf8(&data).ok()?;
        let mut splice = Splice::new();
        for held in touched {
            let decoded = Text::at(data, held.range.clone()).decode();
            for (range, with) in &self.channels[held.channel].masks {
                let part = range.start.max(held.text.start)..range.end.min(held.text.end);
                if part.is_empty() {
                    continue;
                }
                let part = part.start - held.text.start..part.end - held.text.start;
                let hidden: String = decoded.text[part.clone()].chars().map(|_| *with).collect();
                let place = cut.place(decoded.raw(part))?;
                // Masks are apart, and so are strings.
                let _ = splice.replace(place, hidden);
            }
        }
        Some(splice.apply(&frame.bytes).into())
    }
}

/// Adds a stretch to those that are hidden; what is hidden already stays as it is.
pub fn hide(masks: &mut Vec<(Range<usize>, char)>, range: Range<usize>, with: char) {
    let mut from = range.start;
    let mut place = masks.partition_point(|(m, _)| m.end <= from);
    while from < range.end {
        match masks.get(place).map(|(m, _)| m.clone()) {
            Some(next) if next.start <= from => {
                from = next.end.max(from);
                place += 1;
            }
            next => {
                let end = next.map_or(range.end, |n| n.start.min(range.end));
                masks.insert(place, (from..end, with));
                from = end;
                place += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::{Detector, Rule};
    use proptest::prelude::*;

    const KEY: Key = Key {
        kind: Kind::Assistant,
        choice: 0,
        index: 0,
    };

    fn frame(hold: &mut Hold, key: Key, escaped: &str) {
        let data = format!(r#"{{"t":"{escaped}"}}"#);
        let piece = Piece {
            key,
            restates: false,
            range: 6..data.len() - 2,
        };
        hold.push(format!("data: {data}\n\n").into(), &data, &[piece]);
    }

    fn drain(hold: &mut Hold) -> String {
        let mut out = Vec::new();
        while let Some((bytes, _)) = hold.pop() {
            out.extend_from_slice(&bytes);
        }
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn nothing_goes_before_it_is_judged_by_all() {
        let mut hold = Hold::new(2);
        frame(&mut hold, KEY, "ab");
        frame(&mut hold, KEY, "cd");
        assert_eq!(drain(&mut hold), "");
        hold.judge(0, 0, 4, &[]);
        assert_eq!(drain(&mut hold), "");
        hold.judge(0, 1, 3, &[]);
        assert_eq!(drain(&mut hold), "data: {\"t\":\"ab\"}\n\n");
        hold.judge(0, 1, 4, &[(2..3, '*')]);
        assert_eq!(drain(&mut hold), "data: {\"t\":\"*d\"}\n\n");
        assert_eq!(hold.held(), 0);
    }

    #[test]
    fn frames_keep_their_order_across_channels() {
        let mut hold = Hold::new(1);
        let tool = Key {
            kind: Kind::ToolArguments,
            ..KEY
        };
        frame(&mut hold, tool, "{");
        frame(&mut hold, tool, "}");
        frame(&mut hold, KEY, "x");
        assert!(
            hold.channels()[0].complete,
            "the text behind it ends the tool call"
        );
        hold.judge(1, 0, 1, &[]);
        assert_eq!(drain(&mut hold), "");
        hold.judge(0, 0, 2, &[]);
        assert_eq!(drain(&mut hold).matches("data").count(), 3);
    }

    #[test]
    fn escapes_are_hidden_whole() {
        let mut hold = Hold::new(1);
        frame(&mut hold, KEY, r"a\u0062\n\ud83d\ude00z");
        hold.judge(0, 0, 8, &[(1..2, '*'), (3..7, '#')]);
        assert_eq!(drain(&mut hold), "data: {\"t\":\"a*\\n#z\"}\n\n");
    }

    #[test]
    fn stretches_are_joined() {
        let check = |added: &[(Range<usize>, char)], want: &[(Range<usize>, char)]| {
            let mut masks = Vec::new();
            added
                .iter()
                .for_each(|(range, with)| hide(&mut masks, range.clone(), *with));
            assert_eq!(masks, want);
        };
        check(&[(4..6, 'b'), (1..2, 'a')], &[(1..2, 'a'), (4..6, 'b')]);
        check(
            &[(2..4, 'a'), (1..6, 'b')],
            &[(1..2, 'b'), (2..4, 'a'), (4..6, 'b')],
        );
        check(&[(2..6, 'a'), (3..4, 'b')], &[(2..6, 'a')]);
        check(
            &[(2..4, 'a'), (6..8, 'b'), (0..9, 'c')],
            &[(0..2, 'c'), (2..4, 'a'), (4..6, 'c'), (6..8, 'b'), (8..9, 'c')],
        );
    }

    /// `text` with each character written plainly or as an escape.
    fn escaped(text: &str, plain: bool) -> String {
        let escape = |c: char| {
            let mut units = [0; 2];
            c.encode_utf16(&mut units)
                .iter()
                .map(|u| format!("\\u{u:04x}"))
                .collect::<String>()
        };
        text.chars()
            .map(|c| if plain { c.to_string() } else { escape(c) })
            .collect()
    }

    proptest! {
        #[test]
        fn masking_in_pieces_is_masking_the_whole(text in "[ab1 é😀]{0,40}", pieces in proptest::collection::vec((0usize..6, any::<bool>()), 1..20)) {
            let detector = Detector::new(vec![Rule::go("a[b1]+").unwrap(), Rule::go(r"\b1 ?é").unwrap()]).unwrap();
            let mut whole = Vec::new();
            detector.find(&text).into_iter().for_each(|f| hide(&mut whole, f.range, '*'));
            let want: String = text.char_indices().map(|(at, c)| {
                if whole.iter().any(|(range, _)| range.contains(&at)) { '*' } else { c }
            }).collect();

            let (mut hold, mut scan, mut out) = (Hold::new(1), detector.start(), String::new());
            let mut rest = text.chars();
            let mut ends = pieces.iter().chain(std::iter::repeat(&(3, true)));
            loop {
                let (length, plain) = ends.next().unwrap();
                let piece: String = rest.by_ref().take(*length).collect();
                let last = rest.as_str().is_empty();
                frame(&mut hold, KEY, &escaped(&piece, *plain));
                let mut found = Vec::new();
                let (held, base) = hold.channels()[0].text();
                if last {
                    detector.finish(&mut scan, held, base, &mut found);
                } else {
                    detector.advance(&mut scan, held, base, &mut found);
                }
                let masks: Vec<_> = found.into_iter().map(|f| (f.range, '*')).collect();
                hold.judge(0, 0, scan.settled, &masks);
                out += &drain(&mut hold);
                if last {
                    break;
                }
            }
            let mut shown = String::new();
            for line in out.lines().filter_map(|l| l.strip_prefix("data: ")) {
                let value: serde_json::Value = serde_json::from_str(line).unwrap();
                shown += value["t"].as_str().unwrap();
            }
            prop_assert_eq!(shown, want);
        }
    }
}
