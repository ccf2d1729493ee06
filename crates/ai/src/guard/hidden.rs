//! Which stretches of a text are hidden, and what has to stand around them for JSON to stay JSON.
//!
//! A number cannot have hidden digits. It is judged as it is written, and where a part of it is hidden it becomes a string.

use std::ops::Range;
use trilithon_wire::json::{self, Kind, Value};

/// A stretch of a text, and the character that stands there for each of its own.
pub type Stretch = (Range<usize>, char);

/// Adds a stretch to those that are hidden; what is hidden already stays as it is.
pub fn hide(hidden: &mut Vec<Stretch>, range: Range<usize>, with: char) {
    let mut from = range.start;
    let mut place = hidden.partition_point(|(m, _)| m.end <= from);
    while from < range.end {
        match hidden.get(place).map(|(m, _)| m.clone()) {
            Some(next) if next.start <= from => {
                from = next.end.max(from);
                place += 1;
            }
            next => {
                let end = next.map_or(range.end, |n| n.start.min(range.end));
                hidden.insert(place, (from..end, with));
                from = end;
                place += 1;
            }
        }
    }
}

/// Whether what was found at this place of a document is a number: strings are found between quotes.
pub fn is_number(doc: &str, range: &Range<usize>) -> bool {
    let before = range.start.checked_sub(1).and_then(|at| doc.as_bytes().get(at));
    before != Some(&b'"')
}

/// Where quotes are needed in a text that is JSON itself, such as the arguments of a tool: around each number of which
/// something is hidden. `hidden` is in order.
pub fn quotes(text: &str, hidden: &[Stretch]) -> Vec<usize> {
    let mut places = Vec::new();
    if let Ok(root) = json::parse(text.as_bytes())
        && matches!(root.kind(), Kind::Array | Kind::Object)
    {
        around(&root, hidden, &mut places);
    }
    places
}

fn around(value: &Value<'_>, hidden: &[Stretch], places: &mut Vec<usize>) {
    match value.kind() {
        Kind::Number => {
            let number = value.range();
            let next = hidden.partition_point(|(range, _)| range.end <= number.start);
            if hidden
                .get(next)
                .is_some_and(|(range, _)| range.start < number.end)
            {
                places.extend([number.start, number.end]);
            }
        }
        Kind::Array => value.items().for_each(|item| around(&item, hidden, places)),
        Kind::Object => value
            .members()
            .for_each(|(_, value)| around(&value, hidden, places)),
        Kind::Null | Kind::Bool | Kind::String => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_are_joined() {
        let check = |added: &[Stretch], want: &[Stretch]| {
            let mut hidden = Vec::new();
            added
                .iter()
                .for_each(|(range, with)| hide(&mut hidden, range.clone(), *with));
            assert_eq!(hidden, want);
        };
        check(&[(4..6, 'b'), (1..2, 'a')], &[(1..2, 'a'), (4..6, 'b')]);
        check(
            &[(2..4, 'a'), (1..6, 'b')],
            &[(1..2, 'b'), (2..4, 'a'), (4..6, 'b')],
        );
        check(&[(2..6, 'a'), (3..4, 'b')], &[(2..6, 'a')]);
        check(
            &[(2..4, 'a'), (6..8, 'b'), (0..9, 'c')],
            &[(0..2, 'c'), (2..4, 'a'), (4..6, 'c'), (6..8, 'b'), (8..9, 'c')],
        );
    }

    #[test]
    fn numbers_that_are_hidden_become_strings() {
        let check = |text: &str, hidden: &[&str], want: &str| {
            let mut stretches = Vec::new();
            for part in hidden {
                let at = text.find(part).unwrap();
                hide(&mut stretches, at..at + part.len(), '*');
            }
            let mut out = text.to_owned();
            for (range, _) in stretches.iter() {
                out.replace_range(range.clone(), &"*".repeat(range.len()));
            }
            for at in quotes(text, &stretches).into_iter().rev() {
                out.insert(at, '"');
            }
            assert_eq!(out, want);
        };
        check(
            r#"{"a":[1234, 5],"b":-6}"#,
            &["234"],
            r#"{"a":["1***", 5],"b":-6}"#,
        );
        check(
            r#"{"a":[1234, 5],"b":-6}"#,
            &["5", "-6"],
            r#"{"a":[1234, "*"],"b":"**"}"#,
        );
        check(r#"{"a":"1234"}"#, &["1234"], r#"{"a":"****"}"#);
        check("1234", &["23"], "1**4");
        check("call 1234", &["1234"], "call ****");
    }

    #[test]
    fn numbers_stand_without_quotes() {
        let check = |doc: &str, part: &str, want: bool| {
            let at = doc.find(part).unwrap();
            assert_eq!(is_number(doc, &(at..at + part.len())), want, "{doc}");
        };
        check(r#"{"a": 12}"#, "12", true);
        check(r#"{"a":"12"}"#, "12", false);
        check("12", "12", true);
    }
}
