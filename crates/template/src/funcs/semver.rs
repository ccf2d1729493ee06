//! Versions: sprig's chapter "Semantic Version Functions".

mod constraint;

use std::cmp::Ordering;
use std::fmt;

use crate::error::{Fault, Result};
use crate::function::Kind::Str;
use crate::function::{Function, fixed, text};
use crate::object::version_value;
use constraint::Constraints;

pub(super) const FUNCTIONS: &[Function] = &[
    fixed("semver", &[Str], |_, a| {
        Version::parse(text(&a[0])).map(version_value)
    }),
    fixed("semverCompare", &[Str, Str], |_, a| {
        let constraints = Constraints::parse(text(&a[0]))?;
        Ok(constraints.allow(&Version::parse(text(&a[1]))?).into())
    }),
];

/// A semantic version (semver.org 2.0.0); what is missing of three numbers is zero, and a `v` may lead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    pub major: u64,
    pub minor: u64,
    pub patch: u64,
    pub pre: String,
    pub metadata: String,
    pub original: String,
}

fn invalid() -> Fault {
    Fault::new("invalid semantic version")
}

/// Dotted words of letters, digits and hyphens.
pub(super) fn is_dotted(text: &str) -> bool {
    let word = |w: &str| !w.is_empty() && w.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    text.split('.').all(word)
}

impl Version {
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let rest = text.strip_prefix('v').unwrap_or(text);
        let (rest, metadata) = rest.split_once('+').map_or((rest, None), |(r, m)| (r, Some(m)));
        let (numbers, pre) = rest.split_once('-').map_or((rest, None), |(n, p)| (n, Some(p)));
        if metadata.is_some_and(|m| !is_dotted(m)) || pre.is_some_and(|p| !is_dotted(p)) {
            return Err(invalid());
        }
        let numeric = |word: &str| word.bytes().all(|b| b.is_ascii_digit());
        if pre.is_some_and(|p| {
            p.split('.')
                .any(|w| numeric(w) && w.len() > 1 && w.starts_with('0'))
        }) {
            return Err(Fault::new("version segment starts with 0"));
        }
        let mut found = [0; 3];
        for (index, number) in numbers.split('.').enumerate() {
            let slot = found.get_mut(index).ok_or_else(invalid)?;
            if number.is_empty() || !numeric(number) {
                return Err(invalid());
            }
            *slot = number.parse().map_err(|_| invalid())?;
        }
        Ok(Self {
            major: found[0],
            minor: found[1],
            patch: found[2],
            pre: pre.unwrap_or_default().into(),
            metadata: metadata.unwrap_or_default().into(),
            original: text.into(),
        })
    }

    /// Precedence (semver.org, item 11); metadata does not count.
    pub(crate) fn compare(&self, other: &Self) -> Ordering {
        let numbers = |v: &Self| (v.major, v.minor, v.patch);
        numbers(self)
            .cmp(&numbers(other))
            .then_with(|| match (self.pre.as_str(), other.pre.as_str()) {
                ("", "") => Ordering::Equal,
                ("", _) => Ordering::Greater,
                (_, "") => Ordering::Less,
                (a, b) => compare_pre(a, b),
            })
    }

    fn with(&self, major: u64, minor: u64, patch: u64) -> Self {
        let mut next = Self {
            major,
            minor,
            patch,
            pre: String::new(),
            metadata: String::new(),
            original: String::new(),
        };
        let prefix = if self.original.starts_with('v') { "v" } else { "" };
        next.original = format!("{prefix}{next}");
        next
    }

    pub(crate) fn next_major(&self) -> Self {
        self.with(self.major.saturating_add(1), 0, 0)
    }

    pub(crate) fn next_minor(&self) -> Self {
        self.with(self.major, self.minor.saturating_add(1), 0)
    }

    /// Of a pre-release the release itself is next.
    pub(crate) fn next_patch(&self) -> Self {
        let step = u64::from(self.pre.is_empty());
        self.with(self.major, self.minor, self.patch.saturating_add(step))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)?;
        if !self.pre.is_empty() {
            write!(f, "-{}", self.pre)?;
        }
        if !self.metadata.is_empty() {
            write!(f, "+{}", self.metadata)?;
        }
        Ok(())
    }
}

/// Words of pre-releases one by one: numbers by value and below words, a longer list above its beginning.
fn compare_pre(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.split('.'), b.split('.'));
    loop {
        let order = match (a.next(), b.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            (Some(a), Some(b)) => match (a.parse::<u64>(), b.parse::<u64>()) {
                (Ok(a), Ok(b)) => a.cmp(&b),
                (Ok(_), Err(_)) => Ordering::Less,
                (Err(_), Ok(_)) => Ordering::Greater,
                (Err(_), Err(_)) => a.cmp(b),
            },
        };
        if order.is_ne() {
            return order;
        }
    }
}
