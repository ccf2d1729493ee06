//! Whether two names of members are one to somebody: Go's reader, for one, takes any case, and two characters outside ASCII.

use super::Text;
use std::borrow::Cow;

/// Whether a lenient reader takes one name for the other.
pub fn alike(one: &str, other: &str) -> bool {
    one == other || one.chars().map(fold).eq(other.chars().map(fold))
}

/// Whether a lenient reader takes `name` for `wanted`, which is ASCII.
pub(super) fn reads_as(name: &Text<'_>, wanted: &str) -> bool {
    let raw = name.raw();
    if is_plain(raw) {
        return raw.eq_ignore_ascii_case(wanted);
    }
    raw.len() >= wanted.len() && alike(&name.to_str(), wanted)
}

/// Whether a name is written as nearly all are: what it says is what stands there, and only letters have another case.
fn is_plain(raw: &str) -> bool {
    raw.bytes().all(|b| b.is_ascii() && b != b'\\')
}

/// The one spelling of all that are alike.
pub(super) fn folded<'j>(name: &Text<'j>) -> Cow<'j, str> {
    let raw = name.raw();
    if is_plain(raw) && !raw.bytes().any(|b| b.is_ascii_uppercase()) {
        return Cow::Borrowed(raw);
    }
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
            assert_eq!(reads_as(&name, wanted), want, "{written} as {wanted}");
            assert_eq!(folded(&name) == wanted, want, "{written} folded");
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
