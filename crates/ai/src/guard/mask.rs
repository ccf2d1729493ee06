//! Hiding what was found: Hub's `mask` with `char`, `unmaskFromLeft` and `unmaskFromRight`.

use super::Finding;
use std::ops::Range;

/// How a finding is hidden: a character for each of its characters, but for some at either end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mask {
    pub with: char,
    /// Characters at the beginning that stay.
    pub left: usize,
    /// Characters at the end that stay.
    pub right: usize,
}

impl Default for Mask {
    fn default() -> Mask {
        Mask {
            with: '*',
            left: 0,
            right: 0,
        }
    }
}

/// A stretch of a text, and what stands there instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    pub range: Range<usize>,
    pub with: String,
}

impl Mask {
    /// The part of `range` that is hidden. Where the ends that stay would leave nothing to hide, all is hidden.
    pub fn hidden(&self, text: &str, range: Range<usize>) -> Range<usize> {
        let found = &text[range.clone()];
        let from = found.char_indices().nth(self.left).map(|(at, _)| at);
        let to = match self.right {
            0 => Some(found.len()),
            right => found.char_indices().rev().nth(right - 1).map(|(at, _)| at),
        };
        match (from, to) {
            (Some(from), Some(to)) if from < to => range.start + from..range.start + to,
            _ => range,
        }
    }
}

/// The edits that hide `findings`, in order and apart from each other, however findings overlap: a character is hidden if any
/// rule hides it, with the character of the finding that begins first. `mask` says how a rule hides; findings of rules that
/// hide nothing are passed over.
pub fn edits(text: &str, findings: &[Finding], mask: impl Fn(usize) -> Option<Mask>) -> Vec<Edit> {
    let hide = |finding: &Finding| {
        let mask = mask(finding.rule)?;
        Some((mask.hidden(text, finding.range.clone()), finding.rule, mask.with))
    };
    let mut hidden: Vec<(Range<usize>, usize, char)> = findings.iter().filter_map(hide).collect();
    hidden.sort_by_key(|(range, rule, _)| (range.start, *rule, range.end));
    let (mut done, mut edits) = (0, Vec::new());
    for (range, _, with) in hidden {
        let range = range.start.max(done)..range.end;
        if range.is_empty() {
            continue;
        }
        done = range.end;
        let with = text[range.clone()].chars().map(|_| with).collect();
        edits.push(Edit { range, with });
    }
    edits
}

/// The text with its edits made.
pub fn apply(text: &str, edits: &[Edit]) -> String {
    let (mut out, mut done) = (String::with_capacity(text.len()), 0);
    for edit in edits {
        out.push_str(&text[done..edit.range.start]);
        out.push_str(&edit.with);
        done = edit.range.end;
    }
    out.push_str(&text[done..]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_finding() {
        let check = |(with, left, right): (char, usize, usize), text: &str, want: &str| {
            let mask = Mask { with, left, right };
            let all = Finding {
                range: 0..text.len(),
                rule: 0,
            };
            let edits = edits(text, &[all], |_| Some(mask));
            assert_eq!(apply(text, &edits), want, "{mask:?} {text}");
        };
        check(('*', 0, 0), "ann@x.test", "**********");
        check(('X', 0, 4), "4111111111111111", "XXXXXXXXXXXX1111");
        check(('#', 2, 3), "äöüßéè", "äö#ßéè");
        check(('*', 2, 0), "abc", "ab*");
        check(('*', 3, 3), "abcdef", "******");
        check(('*', 9, 0), "abc", "***");
        check(('•', 0, 0), "日本", "••");
    }

    #[test]
    fn several_findings() {
        let check = |found: &[(Range<usize>, usize)], want: &str| {
            let findings: Vec<Finding> = found
                .iter()
                .map(|(range, rule)| Finding {
                    range: range.clone(),
                    rule: *rule,
                })
                .collect();
            let mask = |rule| {
                let with = *['a', 'b', 'c'].get(rule)?;
                Some(Mask {
                    with,
                    ..Mask::default()
                })
            };
            assert_eq!(apply("0123456789", &edits("0123456789", &findings, mask)), want);
        };
        check(&[], "0123456789");
        check(&[(6..8, 0), (1..3, 1)], "0bb345aa89");
        check(&[(1..5, 1), (3..7, 0)], "0bbbbaa789");
        check(&[(1..8, 2), (3..5, 0)], "0ccccccc89");
        check(&[(2..4, 1), (2..6, 0)], "01aaaa6789");
        check(&[(2..4, 7)], "0123456789");
    }
}
