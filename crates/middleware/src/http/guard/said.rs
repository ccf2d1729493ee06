//! What a guard said of some texts.

use super::texts::Masks;
use crate::http::model_call::OnDeny;
use std::borrow::Cow;
use std::sync::Arc;
use trilithon_flow::model_call::Verdict;

/// What a guard said.
#[derive(Clone)]
pub struct Said {
    pub verdict: Verdict,
    pub masks: Masks,
    /// The rule's or condition's, or what went wrong.
    pub reason: Cow<'static, str>,
    /// How a block is answered.
    pub deny: Option<Arc<OnDeny>>,
    /// The client is told the reason.
    pub tell_reason: bool,
}

impl Said {
    pub fn new(verdict: Verdict, reason: impl Into<Cow<'static, str>>) -> Said {
        Said {
            verdict,
            masks: Vec::new(),
            reason: reason.into(),
            deny: None,
            tell_reason: false,
        }
    }

    pub fn pass() -> Said {
        Said::new(Verdict::Pass, "")
    }

    /// It may not be seen, or nobody knows whether it may.
    pub fn is_severe(&self) -> bool {
        matches!(self.verdict, Verdict::Block | Verdict::Error)
    }

    pub fn error(why: impl Into<Cow<'static, str>>) -> Said {
        Said::new(Verdict::Error, why)
    }
}
