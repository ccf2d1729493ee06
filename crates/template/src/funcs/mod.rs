//! Every function there is, one file for each of sprig's chapters.

mod certificates;
mod convert;
mod crypto;
mod dates;
mod defaults;
mod dicts;
mod encoding;
mod floats;
mod integers;
mod lists;
mod misc;
mod paths;
mod random;
mod reflection;
mod regexps;
pub(crate) mod semver;
mod string_lists;
mod strings;
mod urls;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use crate::builtins;
use crate::function::Function;

/// Later ones replace earlier ones of the same name, as sprig's `slice` replaces Go's.
const CHAPTERS: &[&[Function]] = &[
    builtins::FUNCTIONS,
    strings::FUNCTIONS,
    string_lists::FUNCTIONS,
    integers::FUNCTIONS,
    floats::FUNCTIONS,
    dates::FUNCTIONS,
    defaults::FUNCTIONS,
    encoding::FUNCTIONS,
    lists::FUNCTIONS,
    dicts::FUNCTIONS,
    convert::FUNCTIONS,
    paths::FUNCTIONS,
    misc::FUNCTIONS,
    random::FUNCTIONS,
    semver::FUNCTIONS,
    reflection::FUNCTIONS,
    crypto::FUNCTIONS,
    certificates::FUNCTIONS,
    urls::FUNCTIONS,
    regexps::FUNCTIONS,
];

static BY_NAME: LazyLock<BTreeMap<&'static str, &'static Function>> = LazyLock::new(|| {
    let all = CHAPTERS.iter().copied().flatten();
    all.map(|function| (function.name, function)).collect()
});

/// The names of all functions, sorted.
pub fn names() -> impl Iterator<Item = &'static str> {
    BY_NAME.keys().copied()
}

pub(crate) fn find(name: &str) -> Option<&'static Function> {
    BY_NAME.get(name).copied()
}

/// The function whose name is most like a wrong one, when it is like it at all.
pub(crate) fn nearest(name: &str) -> Option<&'static str> {
    // A name that long is no slip of the fingers.
    if name.len() > 64 {
        return None;
    }
    let allowed = 1 + name.chars().count() / 4;
    names()
        .map(|candidate| (distance(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Insertions, deletions and replacements between two names, in any case.
fn distance(a: &str, b: &str) -> usize {
    let (a, b) = (a.to_lowercase(), b.to_lowercase());
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}
