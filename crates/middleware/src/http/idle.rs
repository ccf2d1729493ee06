//! The middleware that does nothing: what an option that switches everything off leaves.

use trilithon_flow::{Edit, Step};

struct Idle;

impl Edit for Idle {}

/// A step that changes nothing.
pub(crate) fn step() -> Step {
    Step::edit(Idle)
}
