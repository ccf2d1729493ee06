//! The place of a fault inside the object that it belongs to.
//!
//! An object of the configuration knows where it is written, its parts do not. What is at fault is a text that the user
//! wrote there: it is looked for in the object's lines.

use trilithon_engine::report::Complaint;
use trilithon_model::node::Span;

/// Lines of one object that are looked at.
const MAX_LINES: usize = 500;

/// Where a complaint's fault stands; the object's own place when that cannot be told.
pub fn place(complaint: &Complaint<'_>) -> Span {
    if let Some((text, offset)) = complaint.at {
        let first = text.lines().next().unwrap_or_default();
        if let Some(found) = find(complaint.span, first) {
            let skipped = text.get(..*offset).map_or(0, |t| t.chars().count() as u32);
            return shifted(found, skipped);
        }
    }
    let own = complaint.name.split('@').next().unwrap_or_default();
    refine(complaint.span, complaint.text, own)
}

/// The last text that a message quotes and that stands below `span`, for messages go from the option to its value; `span`
/// itself where there is none.
pub fn refine(span: &Span, message: &str, own: &str) -> Span {
    let fragments = quoted(message).filter(|f| *f != own);
    let found = fragments.filter_map(|f| find(span, f));
    found.last().unwrap_or_else(|| span.clone())
}

fn shifted(mut span: Span, by: u32) -> Span {
    if by > 0 {
        span.column += by;
        span.end_column = span.column + 1;
    }
    span
}

/// What a message puts between quotes or backticks or behind its last colon, without a provider.
fn quoted(message: &str) -> impl Iterator<Item = &str> {
    let inside = |mark: char| message.split(mark).skip(1).step_by(2);
    let last = message.rsplit(": ").next();
    let bare = |f: &str| f.rsplit_once('@').map_or(f.len(), |(name, _)| name.len());
    inside('`')
        .chain(inside('"'))
        .chain(last)
        .map(move |f| &f[..bare(f)])
        .filter(|f| !f.is_empty())
}

/// The first place of `needle`, as a word of its own, in the lines of the object that starts at `span`.
fn find(span: &Span, needle: &str) -> Option<Span> {
    let text = span.source.as_deref()?.content()?;
    let start = span.line.checked_sub(1)? as usize;
    let indent = span.column.saturating_sub(1) as usize;
    for (i, line) in text.lines().enumerate().skip(start).take(MAX_LINES) {
        let first = i == start;
        if !first && ends_object(line, indent) {
            return None;
        }
        // The object's own name is not looked at; an object without one (of a list) starts with its first part.
        let skipped = if span.end_line == span.line {
            span.end_column
        } else {
            span.column
        };
        let from = if first {
            byte_at(line, skipped.saturating_sub(1) as usize)
        } else {
            0
        };
        if let Some(at) = word(&line[from..], needle) {
            let column = line[..from + at].chars().count() as u32 + 1;
            let width = needle.chars().count() as u32;
            let line = i as u32 + 1;
            return Some(Span {
                line,
                column,
                end_line: line,
                end_column: column + width,
                ..span.clone()
            });
        }
    }
    None
}

/// A line that belongs to what comes after: not deeper than the object's name, or another table of TOML.
fn ends_object(line: &str, indent: usize) -> bool {
    let depth = line.len() - line.trim_start().len();
    let content = line.trim_start();
    if content.is_empty() || content.starts_with('#') {
        return false;
    }
    content.starts_with('[') && content.contains(']') && !content.contains(',') && indent > depth
        || depth <= indent && !content.starts_with(['}', ']', '-']) && indent > 0 && !content.contains('=')
}

fn byte_at(line: &str, chars: usize) -> usize {
    line.char_indices().nth(chars).map_or(line.len(), |(i, _)| i)
}

fn word(line: &str, needle: &str) -> Option<usize> {
    let joins = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '-' || c == '_');
    let starts_word = needle.chars().next().is_some_and(char::is_alphanumeric);
    let ends_word = needle.chars().last().is_some_and(char::is_alphanumeric);
    line.match_indices(needle).map(|(at, _)| at).find(|&at| {
        let before = line[..at].chars().next_back();
        let after = line[at + needle.len()..].chars().next();
        let inside = starts_word && joins(before) || ends_word && joins(after);
        !inside
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use trilithon_model::node::Source;

    const TEXT: &str = "http:\n  routers:\n    app:\n      rule: Host(`app.test`)\n      service: ap\n    other: {service: ap}\n";

    fn check(line: u32, column: u32, end: u32, needle: &str, want: Option<(u32, u32)>) {
        let span = Span::new(&Source::text("f.yml", TEXT), line, column, line, end);
        assert_eq!(find(&span, needle).map(|s| (s.line, s.column)), want, "{needle}");
    }

    #[test]
    fn a_word_of_the_object_is_found() {
        check(3, 5, 8, "ap", Some((5, 16)));
        check(3, 5, 8, "app.test", Some((4, 19)));
        check(3, 5, 8, "missing", None);
        check(6, 5, 10, "ap", Some((6, 22)));
        check(3, 5, 8, "other", None);
    }

    #[test]
    fn a_value_beside_its_key_is_found() {
        let text = "tls:\n  certificates:\n    - certFile: /tmp/no.crt\n      keyFile: /tmp/no.key\n";
        let span = Span::new(&Source::text("f.yml", text), 3, 7, 3, 15);
        let found = refine(&span, "`certFile` `/tmp/no.crt` is no file", "");
        assert_eq!((found.line, found.column), (3, 17));
    }

    #[test]
    fn fragments_of_messages() {
        let check = |message: &str, want: &[&str]| assert_eq!(quoted(message).collect::<Vec<_>>(), want);
        check(
            "the service \"ap@file\" does not exist",
            &["ap", "the service \"ap"],
        );
        check("bad `x` in CIDR address: 10.0.0.300", &["x", "10.0.0.300"]);
    }
}
