//! Places in a text that a template became, as places in the template.

use std::sync::Arc;

use crate::dialect::small;
use crate::node::Source;

/// From byte `output` of the text on, up to the next stretch, everything comes from byte `source` of the template: copied from
/// there, or written by the action that stands there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    pub output: usize,
    pub source: usize,
    pub copied: bool,
}

/// A text that was made, and what it was made of.
#[derive(Debug)]
pub struct Rendered {
    pub(crate) text: String,
    pub(crate) template: Arc<Source>,
    stretches: Vec<Stretch>,
    text_lines: Vec<usize>,
    template_lines: Vec<usize>,
}

impl Rendered {
    pub(crate) fn new(template: Arc<Source>, text: String, stretches: Vec<Stretch>) -> Self {
        Self {
            text_lines: line_starts(&text),
            template_lines: line_starts(template.content().unwrap_or_default()),
            text,
            template,
            stretches,
        }
    }

    /// The line and column in the template of a line and column in the text.
    pub(crate) fn place(&self, line: u32, column: u32) -> (u32, u32) {
        let offset = offset(&self.text, &self.text_lines, line, column);
        let index = self.stretches.partition_point(|s| s.output <= offset);
        let Some(stretch) = index.checked_sub(1).and_then(|i| self.stretches.get(i)) else {
            return (1, 1);
        };
        let inside = if stretch.copied {
            offset - stretch.output
        } else {
            0
        };
        place(
            self.template.content().unwrap_or_default(),
            &self.template_lines,
            stretch.source + inside,
        )
    }
}

fn line_starts(text: &str) -> Vec<usize> {
    let ends = text.bytes().enumerate().filter(|(_, b)| *b == b'\n');
    std::iter::once(0).chain(ends.map(|(at, _)| at + 1)).collect()
}

/// The byte of a line and column; the end of the line where the column is beyond it.
fn offset(text: &str, lines: &[usize], line: u32, column: u32) -> usize {
    let index = (line as usize).saturating_sub(1);
    let start = lines.get(index).copied().unwrap_or(text.len());
    let end = lines.get(index + 1).copied().unwrap_or(text.len());
    let skipped = (column as usize).saturating_sub(1);
    let at = text[start..end].char_indices().nth(skipped);
    at.map_or(end, |(at, _)| start + at)
}

fn place(text: &str, lines: &[usize], offset: usize) -> (u32, u32) {
    let line = lines.partition_point(|start| *start <= offset);
    let start = lines.get(line.saturating_sub(1)).copied().unwrap_or(0);
    let column = text
        .get(start..offset)
        .map_or(1, |before| before.chars().count() + 1);
    (small(line), small(column))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Span;

    /// `a: {{ x }}` and so on became `a: é\nb: 1\nb: 2\n`.
    fn made() -> Arc<Source> {
        let template = Source::text("t.yml", "a: {{ 'é' }}\n{{ range }}b: {{ . }}\n{{ end }}");
        let copied = |output, source| Stretch {
            output,
            source,
            copied: true,
        };
        let written = |output, source| Stretch {
            output,
            source,
            copied: false,
        };
        let stretches = vec![
            copied(0, 0),
            written(3, 3),
            copied(5, 13),
            copied(6, 25),
            written(9, 28),
            copied(10, 35),
            copied(11, 25),
            written(14, 28),
            copied(15, 35),
        ];
        Source::rendered(&template, "a: é\nb: 1\nb: 2\n", stretches)
    }

    #[test]
    fn places_are_those_of_the_template() {
        let made = made();
        for ((line, column), want) in [
            ((1, 1), "t.yml:1:1"),
            ((1, 2), "t.yml:1:2"),
            ((1, 4), "t.yml:1:4"),
            ((2, 1), "t.yml:2:12"),
            ((2, 2), "t.yml:2:13"),
            ((2, 4), "t.yml:2:15"),
            ((3, 1), "t.yml:2:12"),
            ((3, 4), "t.yml:2:15"),
            ((9, 9), "t.yml:3:1"),
        ] {
            let span = Span::new(&made, line, column, line, column + 1);
            assert_eq!(span.to_string(), want, "{line}:{column}");
        }
    }

    #[test]
    fn an_excerpt_is_of_the_template() {
        let span = Span::new(&made(), 3, 4, 3, 5);
        assert_eq!(span.excerpt(), Some("{{ range }}b: {{ . }}"));
        assert_eq!(span.file(), Some("t.yml"));
    }
}
