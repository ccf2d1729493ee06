//! A way into a JSON value: `.results[0].score`, `.["User Safety"]`; the first point, or `$`, may be there or not.

use serde_json::Value;

/// A path, parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    steps: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Member(Box<str>),
    Item(usize),
}

impl Path {
    /// # Errors
    /// What is wrong, and at which byte.
    pub fn parse(text: &str) -> Result<Path, (usize, &'static str)> {
        let mut steps = Vec::new();
        let mut at = usize::from(text.starts_with('$'));
        while at < text.len() {
            let rest = &text[at..];
            if let Some(inner) = rest.strip_prefix('[') {
                let end = closing(inner).ok_or((at, "a bracket is not closed"))?;
                steps.push(
                    bracket(&inner[..end]).ok_or((at, "expected a number or a quoted name in brackets"))?,
                );
                at += end + 2;
                continue;
            }
            let point = usize::from(rest.starts_with('.'));
            if point == 0 && !steps.is_empty() {
                return Err((at, "expected `.` or `[`"));
            }
            let name = &rest[point..];
            let length = name.find(['.', '[']).unwrap_or(name.len());
            if length == 0 && !name.starts_with('[') {
                return Err((at, "a name is missing"));
            }
            if length > 0 {
                steps.push(Step::Member(name[..length].into()));
            }
            at += point + length;
        }
        if steps.is_empty() {
            return Err((0, "the path is empty"));
        }
        Ok(Path { steps })
    }

    /// The value at its end.
    pub fn find<'v>(&self, value: &'v Value) -> Option<&'v Value> {
        self.steps.iter().try_fold(value, |value, step| match step {
            Step::Member(name) => value.get(&**name),
            Step::Item(place) => value.get(*place),
        })
    }
}

/// Where the bracket is closed; one within quotes does not count.
fn closing(inner: &str) -> Option<usize> {
    match inner.strip_prefix('"') {
        Some(quoted) => {
            let end = quoted.find('"')? + 2;
            inner[end..].starts_with(']').then_some(end)
        }
        None => inner.find(']'),
    }
}

fn bracket(inner: &str) -> Option<Step> {
    let quoted = inner.strip_prefix('"').and_then(|i| i.strip_suffix('"'));
    match quoted {
        Some(name) => Some(Step::Member(name.into())),
        None => inner.parse().ok().map(Step::Item),
    }
}
