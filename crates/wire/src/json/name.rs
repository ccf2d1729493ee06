//! When two names of members are one to somebody: Go's reader, for one, takes any case, and two characters outside ASCII.

use super::Text;

/// Whether a lenient reader takes `name` for `wanted`, which is ASCII.
pub(super) fn alike(name: &Text<'_>, wanted: &str) -> bool {
    if name.raw().len() < wanted.len() {
        return false;
    }
    if name.raw() == wanted {
        return true;
    }
    let name = name.to_str();
    let mut folded = name.chars().map(fold);
    wanted.chars().all(|c| folded.next() == Some(fold(c))) && folded.next().is_none()
}

fn fold(c: char) -> char {
    match c {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        c => c.to_ascii_lowercase(),
    }
}
