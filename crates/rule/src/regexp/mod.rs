//! Go's regular expressions on the `regex` crate.
//!
//! Both are RE2 descendants without look-around and back-references; they differ in spelling. [`translate`] reads Go's
//! syntax and writes ours, so that what Go refuses is refused and what Go takes literally stays literal.

mod translate;

#[cfg(test)]
mod tests;

pub use translate::translate;

use std::fmt;
use std::hash::{Hash, Hasher};

use regex::bytes::{Regex, RegexBuilder};
use regex_syntax::hir::literal::{ExtractKind, Extractor};
use regex_syntax::hir::{Hir, Look};

/// Memory one compiled expression may take, in bytes.
const SIZE_LIMIT: usize = 4 << 20;
/// Memory of one expression's lazily built automaton, per thread, in bytes.
const DFA_LIMIT: usize = 1 << 20;
/// Deepest nesting of groups.
const NEST_LIMIT: u32 = 200;
/// Most literals worth indexing.
const MAX_LITERALS: usize = 16;

/// Why an expression does not stand.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid regular expression: {reason}")]
pub struct BadRegexp {
    /// Byte offset into the expression, where it is known.
    pub at: usize,
    pub reason: String,
}

/// A compiled Go expression, unanchored as `MatchString` is.
#[derive(Clone)]
pub struct Regexp {
    source: Box<str>,
    regex: Regex,
}

impl Regexp {
    /// # Errors
    /// What Go's `regexp.Compile` refuses, and expressions that would take too much memory.
    pub fn new(source: &str) -> Result<Self, BadRegexp> {
        let translated = translate(source)?;
        let regex = RegexBuilder::new(&translated)
            .size_limit(SIZE_LIMIT)
            .dfa_size_limit(DFA_LIMIT)
            .nest_limit(NEST_LIMIT)
            .build()
            .map_err(|e| BadRegexp {
                at: 0,
                reason: last_line(&e.to_string()),
            })?;
        Ok(Self {
            source: source.into(),
            regex,
        })
    }

    /// Whether it matches anywhere in `text`. A byte that is no UTF-8 counts as one U+FFFD, as in Go; only such text is
    /// copied.
    pub fn is_match(&self, text: &[u8]) -> bool {
        if std::str::from_utf8(text).is_ok() {
            self.regex.is_match(text)
        } else {
            self.regex.is_match(&lossy(text))
        }
    }

    /// The expression as it was written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The compiled expression, with Go's groups.
    pub fn regex(&self) -> &Regex {
        &self.regex
    }

    /// ASCII literals of which every matching text begins with one; empty where nothing is known.
    pub(crate) fn prefixes(&self) -> Vec<Vec<u8>> {
        let anchored = |hir: &Hir| hir.properties().look_set_prefix().contains(Look::Start);
        self.hir()
            .filter(anchored)
            .map_or(Vec::new(), |hir| literals(&hir, ExtractKind::Prefix))
    }

    /// ASCII literals of which every matching text ends with one; empty where nothing is known.
    pub(crate) fn suffixes(&self) -> Vec<Vec<u8>> {
        let anchored = |hir: &Hir| hir.properties().look_set_suffix().contains(Look::End);
        self.hir()
            .filter(anchored)
            .map_or(Vec::new(), |hir| literals(&hir, ExtractKind::Suffix))
    }

    fn hir(&self) -> Option<Hir> {
        let translated = translate(&self.source).ok()?;
        regex_syntax::ParserBuilder::new()
            .utf8(false)
            .nest_limit(NEST_LIMIT)
            .build()
            .parse(&translated)
            .ok()
    }
}

fn literals(hir: &Hir, kind: ExtractKind) -> Vec<Vec<u8>> {
    let seq = Extractor::new().kind(kind).extract(hir);
    let literals = seq.literals().unwrap_or_default();
    let useful = literals.len() <= MAX_LITERALS
        && literals
            .iter()
            .all(|l| !l.as_bytes().is_empty() && l.as_bytes().is_ascii());
    if useful {
        literals.iter().map(|l| l.as_bytes().to_vec()).collect()
    } else {
        Vec::new()
    }
}

impl fmt::Debug for Regexp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Regexp({:?})", self.source)
    }
}

impl PartialEq for Regexp {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for Regexp {}

impl Hash for Regexp {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.source.hash(state);
    }
}

fn lossy(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 8);
    for chunk in text.utf8_chunks() {
        out.extend_from_slice(chunk.valid().as_bytes());
        chunk
            .invalid()
            .iter()
            .for_each(|_| out.extend_from_slice("\u{fffd}".as_bytes()));
    }
    out
}

/// The crate's message is a picture of several lines; the last one is the sentence.
fn last_line(message: &str) -> String {
    let line = message.trim_end().lines().last().unwrap_or_default();
    line.trim_start_matches("error: ")
        .trim_end_matches('.')
        .to_owned()
}
