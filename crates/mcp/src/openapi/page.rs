//! The pages of a list of tools. A cursor is good as long as the list is the same, for every gateway that has it.

use super::tool::Tool;
use aws_lc_rs::digest::{Context, SHA256};
use serde_json::Value;
use std::ops::Range;

/// Bytes of the tools of one page: more than most APIs have, and less than any client refuses.
const MAX_PAGE: usize = 1 << 20;

/// Where pages begin.
pub struct Pages {
    starts: Vec<usize>,
    count: usize,
    /// Stands for the list in its cursors.
    mark: String,
}

/// One page.
pub struct Page {
    pub tools: Range<usize>,
    /// The cursor of the next one.
    pub next: Option<String>,
}

impl Pages {
    /// Every page has a tool at least.
    pub fn of(tools: &[Tool]) -> Pages {
        Pages::of_texts(tools.iter().map(Tool::listed), MAX_PAGE)
    }

    fn of_texts<'t>(texts: impl Iterator<Item = &'t str>, most: usize) -> Pages {
        let (mut starts, mut count, mut length) = (vec![0], 0, 0);
        let mut digest = Context::new(&SHA256);
        for text in texts {
            digest.update(text.as_bytes());
            if length > 0 && length + text.len() > most {
                starts.push(count);
                length = 0;
            }
            length += text.len();
            count += 1;
        }
        let digest = digest.finish();
        Pages {
            starts,
            count,
            mark: digest.as_ref()[..8]
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect(),
        }
    }

    /// The page that a cursor leads to; the first without one. `None` for what is no cursor of this list.
    pub fn page(&self, cursor: Option<&Value>) -> Option<Page> {
        let number = match cursor {
            None => 0,
            Some(cursor) => {
                let (mark, number) = cursor.as_str()?.split_once('-')?;
                let number = number.parse().ok()?;
                (mark == self.mark && number > 0).then_some(number)?
            }
        };
        let start = *self.starts.get(number)?;
        let next = self.starts.get(number + 1);
        Some(Page {
            tools: start..next.copied().unwrap_or(self.count),
            next: next.map(|_| format!("{}-{}", self.mark, number + 1)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn pages() {
        let check = |texts: &[&str], want: &[(usize, usize)]| {
            let pages = Pages::of_texts(texts.iter().copied(), 10);
            let (mut got, mut cursor) = (Vec::new(), None);
            loop {
                let page = pages.page(cursor.as_ref()).expect("a page");
                got.push((page.tools.start, page.tools.end));
                match page.next {
                    Some(next) => cursor = Some(json!(next)),
                    None => break,
                }
            }
            assert_eq!(got, want);
        };
        check(
            &["12345", "12345", "1", "12345678901", "1"],
            &[(0, 2), (2, 3), (3, 4), (4, 5)],
        );
        check(&["1"], &[(0, 1)]);
        check(&[], &[(0, 0)]);
    }

    #[test]
    fn cursors() {
        let pages = Pages::of_texts(["12345678", "2345678"].into_iter(), 10);
        let other = Pages::of_texts(["12345678", "2345679"].into_iter(), 10);
        let next = |pages: &Pages| json!(pages.page(None).and_then(|page| page.next));
        assert!(
            pages
                .page(Some(&next(&pages)))
                .is_some_and(|page| page.next.is_none())
        );
        assert!(
            pages.page(Some(&next(&other))).is_none(),
            "a cursor of another list"
        );
        let wrong = [
            json!(7),
            json!(null),
            json!(""),
            json!("-1"),
            json!(format!("{}-0", pages.mark)),
            json!(format!("{}-9", pages.mark)),
        ];
        for cursor in wrong {
            assert!(pages.page(Some(&cursor)).is_none(), "{cursor}");
        }
    }
}
