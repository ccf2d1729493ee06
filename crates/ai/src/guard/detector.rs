//! Many patterns over one text in one pass, whole or as it comes.
//!
//! A text is first asked which patterns occur in it at all, which for clean text is the end. Where text comes piece by
//! piece, the same patterns run as one automaton from each place at which a match could begin; what lies before the
//! first place where one is still alive is settled, and can go on its way. So the look-back is as long as the match
//! that may be coming, no longer.

use super::Finding;
use regex_automata::hybrid::LazyStateID;
use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::meta::Regex;
use regex_automata::util::pool::Pool;
use regex_automata::util::syntax;
use regex_automata::{Anchored, Input, MatchKind, PatternID, PatternSet};
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;

/// Memory that the automatons of one detector may take, in bytes, each.
const SIZE_LIMIT: usize = 8 << 20;
/// Memory of the lazily built automaton, per thread, in bytes.
const CACHE_BYTES: usize = 2 << 20;
/// Steps that one piece of text may cost beside its length, so that no text makes it quadratic: what is not settled
/// within them is held a little longer.
const STEPS: usize = 4096;

/// What one rule looks for.
pub struct Rule {
    /// In the syntax of crate `regex`.
    pub pattern: String,
    /// Says how much of a match, from its beginning, is really meant: a checksum fits, a number is in range.
    pub accept: Option<fn(&str) -> Option<usize>>,
}

impl Rule {
    /// A rule of a Go (RE2) pattern.
    ///
    /// # Errors
    /// What Go's `regexp.Compile` refuses.
    pub fn go(pattern: &str) -> Result<Rule, BadPattern> {
        let bad = |reason: String, at: usize| BadPattern { rule: 0, at, reason };
        match trilithon_rule::translate(pattern) {
            Ok(pattern) => Ok(Rule {
                pattern,
                accept: None,
            }),
            Err(error) => Err(bad(error.reason, error.at)),
        }
    }
}

/// A pattern that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadPattern {
    /// The rule, by its place.
    pub rule: usize,
    /// The byte where it is wrong, if known.
    pub at: usize,
    pub reason: String,
}

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
    /// # Errors
    /// A pattern that does not compile, fits the empty text, or is too large.
    pub fn new(rules: Vec<Rule>) -> Result<Detector, BadPattern> {
        let syntax = syntax::Config::new();
        let mut compiled = Vec::new();
        for (place, rule) in rules.iter().enumerate() {
            let bad = |reason: String| BadPattern {
                rule: place,
                at: 0,
                reason,
            };
            let regex = Regex::builder()
                .configure(Regex::config().nfa_size_limit(Some(SIZE_LIMIT)))
                .syntax(syntax)
                .build(&rule.pattern)
                .map_err(|error| bad(reason(&error)))?;
            if regex.is_match("") {
                return Err(bad("it fits the empty text, and so every text".to_owned()));
            }
            compiled.push(One {
                regex,
                accept: rule.accept,
            });
        }
        let patterns: Vec<&str> = rules.iter().map(|rule| &*rule.pattern).collect();
        let bad = |reason: String| BadPattern {
            rule: 0,
            at: 0,
            reason,
        };
        let which = Regex::builder()
            .configure(
                Regex::config()
                    .match_kind(MatchKind::All)
                    .nfa_size_limit(Some(SIZE_LIMIT))
                    .hybrid_cache_capacity(CACHE_BYTES),
            )
            .syntax(syntax)
            .build_many(&patterns)
            .map_err(|error| bad(reason(&error)))?;
        let from = DFA::builder()
            .configure(
                DFA::config()
                    .match_kind(MatchKind::All)
                    .cache_capacity(CACHE_BYTES)
                    .skip_cache_capacity_check(true),
            )
            .syntax(syntax)
            .build_many(&patterns)
            .map_err(|error| bad(error.to_string()))?;
        let from = Arc::new(from);
        let make = from.clone();
        let mut detector = Detector {
            rules: compiled.into(),
            which,
            caches: Pool::new(Box::new(move || make.create_cache())),
            from,
            idle: Box::new([false; 256]),
        };
        detector.idle = detector.idle_bytes();
        Ok(detector)
    }

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

    /// Bytes after which no rule is alive, at the beginning of a text and behind bytes of every kind that assertions tell apart.
    fn idle_bytes(&self) -> Box<[bool; 256]> {
        let mut cache = self.caches.get();
        let mut idle = Box::new([true; 256]);
        for before in [
            None,
            Some(b'a'),
            Some(b'_'),
            Some(b'0'),
            Some(b' '),
            Some(b'-'),
            Some(b'\n'),
            Some(b'\r'),
        ] {
            for byte in 0..=255u8 {
                let haystack = [before.unwrap_or_default(), byte];
                let from = usize::from(before.is_some());
                let haystack = if before.is_some() {
                    &haystack[..]
                } else {
                    &haystack[1..]
                };
                let input = Input::new(haystack).range(from..).anchored(Anchored::Yes);
                let alive = match self.from.start_state_forward(&mut cache, &input) {
                    Ok(state) => match self.from.next_state(&mut cache, state, byte) {
                        Ok(state) => !state.is_dead(),
                        Err(_) => true,
                    },
                    Err(_) => true,
                };
                idle[usize::from(byte)] &= !alive;
            }
        }
        idle
    }
}

/// Bytes of the character at `at`.
fn width(text: &str, at: usize) -> usize {
    text[at..].chars().next().map_or(1, char::len_utf8)
}

fn reason(error: &regex_automata::meta::BuildError) -> String {
    let text = match error.syntax_error() {
        Some(syntax) => syntax.to_string(),
        None if error.size_limit().is_some() => return "it is too large".to_owned(),
        None => error.to_string(),
    };
    let line = text.trim_end().lines().last().unwrap_or_default();
    line.trim_start_matches("error: ")
        .trim_end_matches('.')
        .to_owned()
}

impl std::fmt::Debug for Detector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Detector({} rules)", self.rules.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn detector(patterns: &[&str]) -> Detector {
        let rules = patterns.iter().map(|p| Rule::go(p).unwrap()).collect();
        Detector::new(rules).unwrap()
    }

    fn told(text: &str, found: &[Finding]) -> Vec<String> {
        let mut told: Vec<String> = found
            .iter()
            .map(|f| format!("{}:{}", f.rule, &text[f.range.clone()]))
            .collect();
        told.sort();
        told
    }

    /// The findings when the text comes in pieces that end at these bytes; also how much was held at most.
    fn pieces(detector: &Detector, text: &str, ends: &[usize]) -> Vec<Finding> {
        let (mut found, mut scan) = (Vec::new(), detector.start());
        for end in ends.iter().filter(|e| text.is_char_boundary(**e)) {
            if *end < scan.settled {
                continue;
            }
            // What a holder keeps: a character before what is settled.
            let base = text[..scan.settled]
                .char_indices()
                .next_back()
                .map_or(0, |(at, _)| at);
            detector.advance(&mut scan, &text[base..*end], base, &mut found);
        }
        detector.finish(&mut scan, text, 0, &mut found);
        found
    }

    #[test]
    fn finds() {
        let check = |patterns: &[&str], text: &str, want: &[&str]| {
            assert_eq!(
                told(text, &detector(patterns).find(text)),
                want,
                "{patterns:?} {text}"
            );
        };
        check(&[r"\d{3}"], "12 345 6789", &["0:345", "0:678"]);
        check(&["a+", "aab"], "aaab", &["0:aaa", "1:aab"]);
        check(&["a|ab"], "ab", &["0:a"]);
        check(&["ab|a"], "ab", &["0:ab"]);
        check(
            &[r"\bsecret\b", "(?i)SECRET"],
            "asecret secret.",
            &["0:secret", "1:secret", "1:secret"],
        );
        check(&["^a", "a$"], "aba", &["0:a", "1:a"]);
        check(&["ü+"], "xüüy", &["0:üü"]);
        check(&["x"], "", &[]);
    }

    #[test]
    fn mistakes() {
        let check = |pattern: &str, want: &str| {
            let rule = Rule::go(pattern).and_then(|rule| Detector::new(vec![rule]));
            assert_eq!(rule.unwrap_err().reason, want, "{pattern}");
        };
        check("a(", "missing closing `)`");
        check("a*", "it fits the empty text, and so every text");
        check(r"(a{1000}){1000}", "it is too large");
    }

    #[test]
    fn what_is_not_alive_is_settled_at_once() {
        let check = |patterns: &[&str], text: &str, want: usize| {
            let detector = detector(patterns);
            let mut scan = detector.start();
            detector.advance(&mut scan, text, 0, &mut Vec::new());
            assert_eq!(scan.settled, want, "{patterns:?} {text}");
        };
        check(&[r"\d{4}"], "call 123", 5);
        // An automaton tells a match one byte late, and that nothing more can come another byte later.
        check(&[r"\d{4}"], "call 1234", 5);
        check(&[r"\d{4}"], "call 1234. ", 11);
        check(&[r"\d{4}"], "call me", 7);
        check(&[r"\b\d{4}\b"], "call 1234", 5);
        check(&["secret", "x.*y"], "a secre", 2);
        check(&["x.*y"], "ax12", 1);
        check(&["x.*y"], "ax12\n", 5);
        check(&["a$"], "ba", 1);
    }

    #[test]
    fn hostile_text_costs_no_more_than_its_budget() {
        let detector = detector(&[r"[a-z]+@"]);
        let text = "a".repeat(256 * 1024);
        let mut scan = detector.start();
        let start = std::time::Instant::now();
        let dotted = format!("{text} ");
        detector.advance(&mut scan, &dotted, 0, &mut Vec::new());
        assert!(start.elapsed() < std::time::Duration::from_secs(5));
        assert!(scan.settled < dotted.len(), "what was not looked at is held");
    }

    const SETS: &[&[&str]] = &[
        &["a", "ab", "abc"],
        &[r"\ba+b?\b", "c{2,3}"],
        &["a.c", "(?s)b.*d"],
        &["^a", "d$", "a|b|cd"],
        &[r"[a-c]+d", "é", "(?m)^b"],
    ];

    proptest! {
        #[test]
        fn pieces_find_what_the_whole_finds(set in 0..SETS.len(), text in "[abcd é\n]{0,24}", mut ends in proptest::collection::vec(0usize..30, 0..8)) {
            let detector = detector(SETS[set]);
            ends.retain(|e| *e <= text.len());
            ends.sort_unstable();
            let whole = detector.find(&text);
            let found = pieces(&detector, &text, &ends);
            prop_assert_eq!(told(&text, &found), told(&text, &whole));
            let mut expected = Vec::new();
            for (rule, pattern) in SETS[set].iter().enumerate() {
                let regex = trilithon_rule::Regexp::new(pattern).unwrap();
                expected.extend(regex.regex().find_iter(text.as_bytes()).map(|m| Finding { range: m.range(), rule }));
            }
            prop_assert_eq!(told(&text, &whole), told(&text, &expected));
        }
    }
}
