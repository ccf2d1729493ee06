//! Many patterns over one text in one pass, whole or as it comes.
//!
//! A text is first asked which patterns occur in it at all, which for clean text is the end. Where text comes piece by
//! piece, the same patterns run as one automaton from each place at which a match could begin; what lies before the
//! first place where one is still alive is settled, and can go on its way. So the look-back is as long as the match
//! that may be coming, no longer.

mod compile;
mod rule;

pub use rule::{BadPattern, Rule};

use super::Finding;
use regex_automata::hybrid::LazyStateID;
use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::meta::Regex;
use regex_automata::util::pool::Pool;
use regex_automata::{Anchored, Input, PatternID, PatternSet};
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;

/// Steps that one piece of text may cost beside its length, so that no text makes it quadratic: what is not settled
/// within them is held a little longer.
const STEPS: usize = 4096;

type Caches = Pool<Cache, Box<dyn Fn() -> Cache + Send + Sync + UnwindSafe + RefUnwindSafe>>;

/// A set of rules, compiled.
pub struct Detector {
    rules: Box<[One]>,
    /// Which rules occur at all.
    which: Regex,
    /// All rules from one place on.
    from: Arc<DFA>,
    caches: Caches,
    /// Bytes at which no rule begins, wherever they stand.
    idle: Box<[bool; 256]>,
}

struct One {
    regex: Regex,
    accept: Option<fn(&str) -> Option<usize>>,
}

/// How far the text of one channel is settled.
#[derive(Clone, Debug)]
pub struct Scan {
    /// Nothing can begin before this byte of the text any more.
    pub settled: usize,
    /// Where each rule looks on.
    next: Box<[usize]>,
}

/// What becomes of a match that began somewhere.
enum Fate {
    /// None can be coming.
    Over,
    /// More text could make one.
    Alive,
}

impl Detector {
    /// How many rules there are.
    pub fn rules(&self) -> usize {
        self.rules.len()
    }

    /// All that is in `text`, by rule and place.
    pub fn find(&self, text: &str) -> Vec<Finding> {
        let mut found = Vec::new();
        let mut scan = self.start();
        self.finish(&mut scan, text, 0, &mut found);
        found
    }

    /// The beginning of a text that comes piece by piece.
    pub fn start(&self) -> Scan {
        Scan {
            settled: 0,
            next: vec![0; self.rules.len()].into(),
        }
    }

    /// Settles what can be settled. `text` is what is held of the channel's text, from its byte `base` on; a few bytes before
    /// `scan.settled` are among it, unless that is the beginning. Findings are in bytes of the channel's text.
    pub fn advance(&self, scan: &mut Scan, text: &str, base: usize, found: &mut Vec<Finding>) {
        let mut cache = self.caches.get();
        let mut steps = STEPS + 64 * (text.len() - (scan.settled - base).min(text.len()));
        let mut at = scan.settled - base;
        let mut hits = PatternSet::new(self.rules.len());
        while at < text.len() {
            if self.idle[usize::from(text.as_bytes()[at])] {
                at += width(text, at);
                continue;
            }
            hits.clear();
            if let Fate::Alive = self.run(&mut cache, text, at, &mut hits, &mut steps) {
                break;
            }
            for rule in hits.iter() {
                self.take(rule.as_usize(), scan, text, base, at, found);
            }
            at += width(text, at);
        }
        scan.settled = base + at;
    }

    /// Settles all: the text has ended.
    pub fn finish(&self, scan: &mut Scan, text: &str, base: usize, found: &mut Vec<Finding>) {
        let from = scan.settled - base;
        let mut hits = PatternSet::new(self.rules.len());
        let input = Input::new(text).range(from.min(text.len())..);
        self.which.which_overlapping_matches(&input, &mut hits);
        for rule in hits.iter().map(|rule: PatternID| rule.as_usize()) {
            let mut at = scan.next[rule].max(scan.settled) - base;
            while at <= text.len() {
                let Some(one) = self.rules[rule].regex.search(&Input::new(text).range(at..)) else {
                    break;
                };
                self.take(rule, scan, text, base, one.start(), found);
                at = scan.next[rule] - base;
            }
        }
        scan.settled = base + text.len();
    }

    /// Takes the match of a rule that begins at `at`, if it is one.
    fn take(
        &self,
        rule: usize,
        scan: &mut Scan,
        text: &str,
        base: usize,
        at: usize,
        found: &mut Vec<Finding>,
    ) {
        if base + at < scan.next[rule] {
            return;
        }
        let input = Input::new(text).range(at..).anchored(Anchored::Yes);
        let Some(one) = self.rules[rule].regex.search(&input) else {
            return;
        };
        let meant = match self.rules[rule].accept {
            None => Some(one.len()),
            Some(accept) => accept(&text[one.range()]),
        };
        match meant.filter(|length| *length > 0) {
            Some(length) => {
                let range = base + at..base + at + length;
                scan.next[rule] = range.end;
                found.push(Finding { range, rule });
            }
            // Not meant; a true one may begin within it.
            None => scan.next[rule] = base + at + width(text, at),
        }
    }

    /// Runs all rules from `at` on: which match, and whether more text could change that.
    fn run(
        &self,
        cache: &mut Cache,
        text: &str,
        at: usize,
        hits: &mut PatternSet,
        steps: &mut usize,
    ) -> Fate {
        let input = Input::new(text).range(at..).anchored(Anchored::Yes);
        // An automaton that cannot go on settles nothing: the text is held until its end, and then looked at whole.
        let Ok(mut state) = self.from.start_state_forward(cache, &input) else {
            return Fate::Alive;
        };
        for byte in &text.as_bytes()[at..] {
            if *steps == 0 {
                return Fate::Alive;
            }
            *steps -= 1;
            state = match self.from.next_state(cache, state, *byte) {
                Ok(state) => state,
                Err(_) => return Fate::Alive,
            };
            if state.is_tagged() {
                if state.is_dead() {
                    return Fate::Over;
                }
                if state.is_quit() {
                    return Fate::Alive;
                }
                self.note(cache, state, hits);
            }
        }
        Fate::Alive
    }

    fn note(&self, cache: &Cache, state: LazyStateID, hits: &mut PatternSet) {
        if state.is_match() {
            for place in 0..self.from.match_len(cache, state) {
                hits.insert(self.from.match_pattern(cache, state, place));
            }
        }
    }
}

/// Bytes of the character at `at`.
fn width(text: &str, at: usize) -> usize {
    text[at..].chars().next().map_or(1, char::len_utf8)
}

impl std::fmt::Debug for Detector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Detector({} rules)", self.rules.len())
    }
}

#[cfg(test)]
mod tests;
