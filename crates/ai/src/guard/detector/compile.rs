//! Rules into automatons.

use super::{BadPattern, Detector, One, Rule};
use regex_automata::hybrid::dfa::DFA;
use regex_automata::meta::{BuildError, Config, Regex};
use regex_automata::util::pool::Pool;
use regex_automata::util::syntax;
use regex_automata::{Anchored, Input, MatchKind};
use std::sync::Arc;

/// Memory that the automatons of one detector may take, in bytes, each.
const SIZE_LIMIT: usize = 8 << 20;
/// Memory of the lazily built automaton, per thread, in bytes.
const CACHE_BYTES: usize = 2 << 20;

impl Detector {
    /// # Errors
    /// A pattern that does not compile, fits the empty text, or is too large.
    pub fn new(rules: Vec<Rule>) -> Result<Detector, BadPattern> {
        let one = |(place, rule): (usize, &Rule)| one(rule).map_err(|reason| bad(place, reason));
        let compiled: Vec<One> = rules.iter().enumerate().map(one).collect::<Result<_, _>>()?;
        let patterns: Vec<&str> = rules.iter().map(|rule| &*rule.pattern).collect();
        let from = Arc::new(from(&patterns).map_err(|error| bad(0, error))?);
        let make = from.clone();
        let mut detector = Detector {
            rules: compiled.into(),
            which: which(&patterns).map_err(|error| bad(0, error))?,
            caches: Pool::new(Box::new(move || make.create_cache())),
            from,
            idle: Box::new([false; 256]),
        };
        detector.idle = detector.idle_bytes();
        Ok(detector)
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

fn bad(rule: usize, reason: String) -> BadPattern {
    BadPattern { rule, at: 0, reason }
}

/// The automaton of one rule.
fn one(rule: &Rule) -> Result<One, String> {
    let regex = Regex::builder()
        .configure(limited())
        .syntax(syntax::Config::new())
        .build(&rule.pattern)
        .map_err(|error| reason(&error))?;
    if regex.is_match("") {
        return Err("it fits the empty text, and so every text".to_owned());
    }
    Ok(One {
        regex,
        accept: rule.accept,
    })
}

/// The automaton that says which rules occur at all.
fn which(patterns: &[&str]) -> Result<Regex, String> {
    let config = limited()
        .match_kind(MatchKind::All)
        .hybrid_cache_capacity(CACHE_BYTES);
    let built = Regex::builder()
        .configure(config)
        .syntax(syntax::Config::new())
        .build_many(patterns);
    built.map_err(|error| reason(&error))
}

/// The automaton of all rules from one place on.
fn from(patterns: &[&str]) -> Result<DFA, String> {
    let config = DFA::config()
        .match_kind(MatchKind::All)
        .cache_capacity(CACHE_BYTES)
        .skip_cache_capacity_check(true);
    let built = DFA::builder()
        .configure(config)
        .syntax(syntax::Config::new())
        .build_many(patterns);
    built.map_err(|error| error.to_string())
}

fn limited() -> Config {
    Regex::config().nfa_size_limit(Some(SIZE_LIMIT))
}

fn reason(error: &BuildError) -> String {
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
