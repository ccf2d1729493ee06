//! Whether two names of members are one to somebody: Go's reader, for one, takes any case, and two characters outside ASCII.

use super::Text;
use super::check::is_plain;
use std::borrow::Cow;

/// Whether a lenient reader takes one name for the other.
pub fn alike(one: &str, other: &str) -> bool {
    one == other || one.chars().map(fold).eq(other.chars().map(fold))
}

/// Which of `wanted`, which are ASCII, a lenient reader takes `name` for.
pub(super) fn position<'w>(
    name: &Text<'_>,
    mut wanted: impl Iterator<Item = &'w str> + Clone,
) -> Option<usize> {
    let raw = name.raw();
    let same = wanted
        .clone()
        .position(|w| raw.len() == w.len() && raw.eq_ignore_ascii_case(w));
    if same.is_some() || is_plain(raw.as_bytes()) {
        return same;
    }
    let text = name.to_str();
    wanted.position(|w| alike(&text, w))
}

/// The one spelling of all that are alike.
pub(super) fn folded<'j>(name: &Text<'j>, has_escapes: bool) -> Cow<'j, str> {
    let raw = name.raw();
    if !has_escapes && raw.bytes().all(|b| IS_FOLDED[usize::from(b)]) {
        return Cow::Borrowed(raw);
    }
    let text = name.to_str();
    match text.chars().all(|c| fold(c) == c) {
        true => text,
        false => text.chars().map(fold).collect(),
    }
}

/// ASCII without capitals.
static IS_FOLDED: [bool; 256] = {
    let mut table = [true; 256];
    let mut byte = 0;
    while byte < table.len() {
        table[byte] = byte < 128 && !(b'A' as usize <= byte && byte <= b'Z' as usize);
        byte += 1;
    }
    table
};

fn fold(c: char) -> char {
    match c {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        c => c.to_ascii_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    #[test]
    fn every_spelling_that_some_reader_takes_for_a_name_is_found() {
        let check = |written: &str, wanted: &str, want: bool| {
            let doc = format!("\"{written}\"");
            let value = parse(doc.as_bytes()).expect("JSON");
            let name = value.text().expect("text");
            let found = position(&name, ["other", wanted].into_iter());
            assert_eq!(found, want.then_some(1), "{written} as {wanted}");
            let folded = folded(&name, written.contains('\\'));
            assert_eq!(folded == wanted, want, "{written} folded");
        };
        check("id", "id", true);
        check("ID", "id", true);
        check("idx", "id", false);
        check("i", "id", false);
        check("", "id", false);
        check(r"\u0069d", "id", true);
        check(r"\u0049D", "id", true);
        check("param\u{17f}", "params", true);
        check("to\u{212a}en", "token", true);
        check("paramß", "params", false);
    }
}
