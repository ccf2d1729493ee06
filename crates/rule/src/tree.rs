//! A compiled rule: matchers joined by all and any. Negation stands at the matchers only.

use std::hash::{Hash, Hasher};
use std::ops::Range;
use std::sync::Arc;

use crate::facts::Facts;
use crate::matcher::Matcher;

/// A predicate over [`Facts`]. Clones share their parts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Tree {
    Always,
    Never,
    All(Arc<[Tree]>),
    Any(Arc<[Tree]>),
    Test(Arc<Test>),
}

/// A matcher, perhaps negated, and where its call stands in the rule. The place is no part of its identity.
#[derive(Clone, Debug)]
pub(crate) struct Test {
    pub matcher: Matcher,
    pub not: bool,
    pub span: Range<usize>,
}

impl PartialEq for Test {
    fn eq(&self, other: &Self) -> bool {
        self.not == other.not && self.matcher == other.matcher
    }
}

impl Eq for Test {}

impl Hash for Test {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.not.hash(state);
        self.matcher.hash(state);
    }
}

/// One matcher that kept a rule from matching.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Miss {
    /// The matcher as it is written in the rule; `!` before it where it is negated.
    pub matcher: String,
    /// Byte offsets of its call in the rule.
    pub span: Range<usize>,
    /// What it wants, in words.
    pub expected: String,
    /// What the request has instead, in words.
    pub actual: String,
}

impl Tree {
    pub(crate) fn test(matcher: Matcher, span: Range<usize>) -> Self {
        Tree::Test(Arc::new(Test {
            matcher,
            not: false,
            span,
        }))
    }

    /// All of `list`; nested alls are merged, constants removed.
    pub(crate) fn all(list: impl IntoIterator<Item = Tree>) -> Self {
        let mut out = Vec::new();
        for tree in list {
            match tree {
                Tree::Always => {}
                Tree::Never => return Tree::Never,
                Tree::All(inner) => out.extend(inner.iter().cloned()),
                tree => out.push(tree),
            }
        }
        match out.len() {
            0 => Tree::Always,
            1 => out.remove(0),
            _ => Tree::All(out.into()),
        }
    }

    /// Any of `list`; nested anys are merged, constants removed.
    pub(crate) fn any(list: impl IntoIterator<Item = Tree>) -> Self {
        let mut out = Vec::new();
        for tree in list {
            match tree {
                Tree::Never => {}
                Tree::Always => return Tree::Always,
                Tree::Any(inner) => out.extend(inner.iter().cloned()),
                tree => out.push(tree),
            }
        }
        match out.len() {
            0 => Tree::Never,
            1 => out.remove(0),
            _ => Tree::Any(out.into()),
        }
    }

    /// The opposite, with the negation pushed down to the matchers (De Morgan).
    pub(crate) fn negated(&self) -> Self {
        match self {
            Tree::Always => Tree::Never,
            Tree::Never => Tree::Always,
            Tree::All(list) => Tree::any(list.iter().map(Tree::negated)),
            Tree::Any(list) => Tree::all(list.iter().map(Tree::negated)),
            Tree::Test(test) => Tree::Test(Arc::new(Test {
                not: !test.not,
                ..(**test).clone()
            })),
        }
    }

    pub(crate) fn matches<F: Facts + ?Sized>(&self, facts: &F) -> bool {
        match self {
            Tree::Always => true,
            Tree::Never => false,
            Tree::All(list) => list.iter().all(|t| t.matches(facts)),
            Tree::Any(list) => list.iter().any(|t| t.matches(facts)),
            Tree::Test(test) => test.matcher.test(facts) != test.not,
        }
    }

    /// Why it does not match: of an all its first failing part, of an any every part. Empty when it matches.
    pub(crate) fn misses<F: Facts + ?Sized>(&self, facts: &F, rule: &str) -> Vec<Miss> {
        match self {
            _ if self.matches(facts) => Vec::new(),
            Tree::All(list) => list
                .iter()
                .map(|t| t.misses(facts, rule))
                .find(|m| !m.is_empty())
                .unwrap_or_default(),
            Tree::Any(list) => list.iter().flat_map(|t| t.misses(facts, rule)).collect(),
            Tree::Test(test) => vec![test.miss(facts, rule)],
            Tree::Always | Tree::Never => Vec::new(),
        }
    }

    pub(crate) fn leaves(&self) -> usize {
        match self {
            Tree::All(list) | Tree::Any(list) => list.iter().map(Tree::leaves).sum(),
            _ => 1,
        }
    }

    /// Few enough parts to be compared with others while an index is built.
    pub(crate) fn is_small(&self) -> bool {
        match self {
            Tree::All(list) | Tree::Any(list) => {
                list.len() <= 8 && list.iter().all(|t| matches!(t, Tree::Test(_)))
            }
            _ => true,
        }
    }

    pub(crate) fn cost(&self) -> u32 {
        match self {
            Tree::All(list) | Tree::Any(list) => list.iter().fold(0, |sum, t| t.cost().saturating_add(sum)),
            Tree::Test(test) => test.matcher.cost().into(),
            Tree::Always | Tree::Never => 0,
        }
    }
}

impl Test {
    fn miss<F: Facts + ?Sized>(&self, facts: &F, rule: &str) -> Miss {
        let (sign, word) = if self.not { ("!", "not ") } else { ("", "") };
        Miss {
            matcher: format!("{sign}{}", rule.get(self.span.clone()).unwrap_or_default()),
            span: self.span.clone(),
            expected: format!("{word}{}", self.matcher.expected()),
            actual: self.matcher.actual(facts),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{Rule, Sample, Syntax};

    #[track_caller]
    fn check(rule: &str, facts: &Sample, expected: &[&str]) {
        let rule = Rule::http(rule, Syntax::V3).unwrap();
        let misses = rule.misses(facts);
        let seen: Vec<_> = misses
            .iter()
            .map(|m| format!("{}: {}, not {}", m.matcher, m.expected, m.actual))
            .collect();
        assert_eq!(seen, expected);
        assert_eq!(misses.is_empty(), rule.matches(facts));
    }

    #[test]
    fn misses_say_what_is_and_what_should_be() {
        let facts = Sample::get("a.test", "/x?k=1&k=2").header("X-A", "1");
        check("Host(`a.test`)", &facts, &[]);
        check(
            "Host(`b.test`) && Path(`/y`)",
            &facts,
            &["Host(`b.test`): host `b.test`, not host `a.test`"],
        );
        check(
            "!host(`a.test`)",
            &facts,
            &["!host(`a.test`): not host `a.test`, not host `a.test`"],
        );
        check(
            "Path(`/y`) || PathPrefix(`/z`)",
            &facts,
            &[
                "Path(`/y`): path `/y`, not path `/x`",
                "PathPrefix(`/z`): path that begins with `/z`, not path `/x`",
            ],
        );
        check(
            "!(Host(`a.test`) || Path(`/y`))",
            &facts,
            &["!Host(`a.test`): not host `a.test`, not host `a.test`"],
        );
        check(
            "Query(`k`, `3`)",
            &facts,
            &["Query(`k`, `3`): query `k` with `3`, not query `k` with `1`, `2`"],
        );
        check(
            "Header(`x-b`, `3`)",
            &facts,
            &["Header(`x-b`, `3`): header `X-B` with `3`, not no header `X-B`"],
        );
        check(
            "ClientIP(`::1`)",
            &facts,
            &["ClientIP(`::1`): client address `::1`, not client address `127.0.0.1`"],
        );
    }
}
