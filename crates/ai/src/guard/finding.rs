//! Something that a guard found in a text.

use std::ops::Range;

/// A place in a text that a rule is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Bytes of the text; never empty, always whole characters.
    pub range: Range<usize>,
    /// The rule, by its place in the detector or list of rules.
    pub rule: usize,
}
