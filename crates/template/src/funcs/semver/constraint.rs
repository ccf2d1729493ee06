//! Which versions a text such as `^1.2 || >= 2.0, < 3` allows.

use super::{Version, is_dotted};
use crate::error::{Fault, Result};

/// Groups of which one must hold; of a group everything.
pub(super) struct Constraints(Vec<Group>);

struct Group {
    all: Vec<Constraint>,
    /// Pre-releases count only where a constraint names one.
    takes_pre: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Equal,
    Not,
    Above,
    Below,
    AtLeast,
    AtMost,
    Tilde,
    Caret,
}

const OPERATORS: &[(&str, Operator)] = &[
    // The longer ones first.
    ("!=", Operator::Not),
    (">=", Operator::AtLeast),
    ("=>", Operator::AtLeast),
    ("<=", Operator::AtMost),
    ("=<", Operator::AtMost),
    ("~>", Operator::Tilde),
    ("=", Operator::Equal),
    (">", Operator::Above),
    ("<", Operator::Below),
    ("~", Operator::Tilde),
    ("^", Operator::Caret),
];

struct Constraint {
    operator: Operator,
    version: Version,
    /// How many numbers are given; the others are open.
    given: usize,
}

impl Constraints {
    /// # Errors
    /// A text that is no constraint.
    pub fn parse(text: &str) -> Result<Self> {
        let groups = text.split("||").map(Group::parse);
        groups.collect::<Result<_>>().map(Self)
    }

    pub fn allow(&self, version: &Version) -> bool {
        self.0.iter().any(|group| group.allows(version))
    }
}

impl Group {
    fn parse(text: &str) -> Result<Self> {
        let improper = || Fault::new(format!("improper constraint: {text}"));
        let mut all = Vec::new();
        let mut rest = text.trim();
        if rest.is_empty() {
            return Err(improper());
        }
        while !rest.is_empty() {
            let (constraint, after) = one(rest).ok_or_else(improper)?;
            rest = after.trim_start();
            // `1.2 - 1.4`: from the one to the other, both counted.
            let upper = rest
                .strip_prefix('-')
                .filter(|r| r.starts_with(char::is_whitespace));
            if let Some(upper) = upper.filter(|_| after.starts_with(char::is_whitespace)) {
                let (to, after) = one(upper.trim_start()).ok_or_else(improper)?;
                if constraint.operator != Operator::Equal || to.operator != Operator::Equal {
                    return Err(improper());
                }
                all.push(constraint.with(Operator::AtLeast));
                all.push(to.with(Operator::AtMost));
                rest = after.trim_start();
            } else {
                all.push(constraint);
            }
            rest = match rest.strip_prefix(',') {
                Some(after) if !after.trim().is_empty() => after.trim_start(),
                Some(_) => return Err(improper()),
                None => rest,
            };
        }
        let takes_pre = all.iter().any(|c| !c.version.pre.is_empty());
        Ok(Self { all, takes_pre })
    }

    fn allows(&self, version: &Version) -> bool {
        (version.pre.is_empty() || self.takes_pre) && self.all.iter().all(|c| c.allows(version))
    }
}

/// One constraint at the start of a text, and what follows it.
fn one(text: &str) -> Option<(Constraint, &str)> {
    let operator = OPERATORS.iter().find(|(spelling, _)| text.starts_with(spelling));
    let (operator, rest) = match operator {
        Some((spelling, operator)) => (*operator, text[spelling.len()..].trim_start()),
        None => (Operator::Equal, text),
    };
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '*' | '-' | '+');
    let end = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
    let (version, after) = rest.split_at(end);
    Some((Constraint::parse(operator, version)?, after))
}

impl Constraint {
    fn parse(operator: Operator, text: &str) -> Option<Self> {
        let text = text.strip_prefix('v').unwrap_or(text);
        let (text, metadata) = text.split_once('+').map_or((text, ""), |(t, m)| (t, m));
        let (numbers, pre) = text.split_once('-').map_or((text, ""), |(n, p)| (n, p));
        if numbers.is_empty() || [metadata, pre].iter().any(|p| !p.is_empty() && !is_dotted(p)) {
            return None;
        }
        let parts: Vec<&str> = numbers.split('.').collect();
        if parts.len() > 3 {
            return None;
        }
        let open = |part: &&str| matches!(*part, "x" | "X" | "*");
        let given = parts.iter().position(open).unwrap_or(parts.len());
        let mut found = [0; 3];
        for (slot, part) in found.iter_mut().zip(&parts[..given]) {
            *slot = part.parse().ok()?;
        }
        if !parts[given..]
            .iter()
            .all(|part| open(part) || part.bytes().all(|b| b.is_ascii_digit()))
        {
            return None;
        }
        let version = Version {
            major: found[0],
            minor: found[1],
            patch: found[2],
            pre: pre.into(),
            metadata: metadata.into(),
            original: text.into(),
        };
        Some(Self {
            operator,
            version,
            given,
        })
    }

    fn with(self, operator: Operator) -> Self {
        Self { operator, ..self }
    }

    fn allows(&self, version: &Version) -> bool {
        let order = version.compare(&self.version);
        let same = |count: usize| {
            let numbers = |v: &Version| [v.major, v.minor, v.patch];
            numbers(version)[..count] == numbers(&self.version)[..count]
        };
        match self.operator {
            Operator::Equal if self.given < 3 => self.allows_tilde(version),
            Operator::Equal => order.is_eq(),
            Operator::Not if self.given == 2 && !version.pre.is_empty() => {
                !same(2) || version.pre != self.version.pre
            }
            Operator::Not if matches!(self.given, 1 | 2) => !same(self.given),
            Operator::Not => order.is_ne(),
            // Above 1.2 is what is not of 1.2.
            Operator::Above if matches!(self.given, 1 | 2) => order.is_gt() && !same(self.given),
            Operator::Above => order.is_gt(),
            Operator::Below => order.is_lt(),
            Operator::AtLeast => order.is_ge(),
            Operator::AtMost if self.given < 3 => {
                let (version, limit) = (&version, &self.version);
                version.major < limit.major
                    || version.major == limit.major && (version.minor <= limit.minor || self.given == 1)
            }
            Operator::AtMost => order.is_le(),
            Operator::Tilde => self.allows_tilde(version),
            Operator::Caret => order.is_ge() && self.allows_caret(version),
        }
    }

    /// Of the same major and minor version, as far as they are given.
    fn allows_tilde(&self, version: &Version) -> bool {
        let limit = &self.version;
        if version.compare(limit).is_lt() {
            return false;
        }
        let zero = (limit.major, limit.minor, limit.patch) == (0, 0, 0);
        if zero && matches!(self.given, 0 | 3) {
            return true;
        }
        version.major == limit.major && (self.given == 1 || version.minor == limit.minor)
    }

    /// Of the same first number that is not zero.
    fn allows_caret(&self, version: &Version) -> bool {
        let limit = &self.version;
        if limit.major > 0 || self.given == 1 {
            return version.major == limit.major;
        }
        if version.major > 0 {
            return false;
        }
        if limit.minor > 0 || self.given == 2 {
            return version.minor == limit.minor;
        }
        version.minor == 0 && version.patch == limit.patch
    }
}
