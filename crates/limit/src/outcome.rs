//! What a limit says: one value that headers, log, metrics and shadow mode read, so that they cannot disagree.

use crate::{Nanos, Partition};
use std::sync::Arc;

/// Which limit: everything of its key but the partition.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Policy {
    /// Whose configuration it is; empty while there is one.
    pub tenant: Arc<str>,
    /// The policy's qualified name (`spending@file`).
    pub policy: Arc<str>,
    /// The rule's name in it.
    pub rule: Arc<str>,
}

/// The answer to one question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome<'a> {
    pub allowed: bool,
    /// Units that the limit allows.
    pub limit: u64,
    /// Units that are left after this answer.
    pub remaining: u64,
    /// Until everything is there again.
    pub reset: Nanos,
    /// Until what was asked for would be there; 0 where it is, [`Nanos::MAX`] where it never will be.
    pub retry_after: Nanos,
    pub policy: &'a Policy,
    pub partition: Partition,
}

/// What an algorithm says; [`Outcome`] without the names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Taken {
    pub allowed: bool,
    pub remaining: u64,
    pub reset: Nanos,
    pub retry_after: Nanos,
}
