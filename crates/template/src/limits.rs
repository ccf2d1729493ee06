//! What one rendering may take.

use std::time::Duration;

/// The bounds of one rendering. The default is meant for configuration files; what is rendered per request takes less.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Time by the clock. 10 seconds by default: making RSA keys takes a while.
    pub time: Duration,
    /// Nodes, loop rounds and elements looked at. 10 million by default.
    pub steps: u64,
    /// Bytes of text, lists and objects that functions make, in all. 256 MiB by default.
    pub memory: usize,
    /// Bytes written. 16 MiB by default.
    pub output: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            time: Duration::from_secs(10),
            steps: 10_000_000,
            memory: 256 << 20,
            output: 16 << 20,
        }
    }
}

/// Deepest nesting of blocks and parentheses in a template's text.
pub(crate) const MAX_NESTING: usize = 60;
/// Deepest stack of blocks, parentheses and called templates while rendering.
pub(crate) const MAX_DEPTH: usize = 240;
/// Deepest value that is printed, compared or encoded, and deepest list of lists.
pub(crate) const MAX_VALUE_DEPTH: usize = 100;
/// Bytes of one template's text.
pub(crate) const MAX_TEXT: usize = 64 << 20;
