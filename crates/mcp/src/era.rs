//! Which half of the protocol's history a message belongs to.

/// What a client and a server expect of each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Era {
    /// Up to revision 2025-11-25: `initialize`, sessions, streams to listen to.
    #[default]
    Legacy,
    /// From revision 2026-07-28 on: no sessions, each request says who asks and how.
    Modern,
}

impl Era {
    /// The first revision of the second era.
    pub const FIRST_MODERN: &'static str = "2026-07-28";

    /// The revisions of the first era, oldest first.
    pub const LEGACY: [&'static str; 4] = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"];
    /// Those of the second.
    pub const MODERN: [&'static str; 1] = [Era::FIRST_MODERN];

    /// The era of a revision. Revisions are dates, so that their order is that of their texts; what is none is legacy.
    pub fn of(version: &str) -> Era {
        let is_date = version.len() == 10
            && version.bytes().enumerate().all(|(i, b)| {
                if i == 4 || i == 7 {
                    b == b'-'
                } else {
                    b.is_ascii_digit()
                }
            });
        match is_date && version >= Era::FIRST_MODERN {
            true => Era::Modern,
            false => Era::Legacy,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eras() {
        let check = |version: &str, want: Era| assert_eq!(Era::of(version), want, "{version}");
        check("2024-11-05", Era::Legacy);
        check("2025-11-25", Era::Legacy);
        check("2026-07-28", Era::Modern);
        check("2027-01-01", Era::Modern);
        check("", Era::Legacy);
        check("DRAFT-2026-v1", Era::Legacy);
        check("9", Era::Legacy);
    }
}
