//! Whether two names of members are one to somebody: Go's reader, for one, takes any case, and two characters outside ASCII.

use super::Text;
use std::borrow::Cow;

/// Whether a lenient reader takes one name for the other.
pub fn alike(one: &str, other: &str) -> bool {
    one == other || one.chars().map(fold).eq(other.chars().map(fold))
}

/// Whether a lenient reader takes `name` for `wanted`, which is ASCII.
pub(super) fn reads_as(name: &Text<'_>, wanted: &str) -> bool {
    if name.raw().len() < wanted.len() {
        return false;
    }
    name.raw() == wanted || alike(&name.to_str(), wanted)
}

/// The one spelling of all that are alike.
pub(super) fn folded<'j>(name: &Text<'j>) -> Cow<'j, str> {
    let text = name.to_str();
    match text.chars().all(|c| fold(c) == c) {
        true => text,
        false => text.chars().map(fold).collect(),
    }
}

fn fold(c: char) -> char {
    match c {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        c => c.to_ascii_lowercase(),
    }
}
