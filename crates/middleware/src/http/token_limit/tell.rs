//! What clients and records are told of limits.

use super::TokenLimits;
use super::ask::Asked;
use crate::http::limit_headers;
use trilithon_flow::{Decision, Headers, Mode, Response};
use trilithon_limit::{Charges, Nanos, Outcome, Outcomes, Refused};

impl TokenLimits {
    pub(super) fn decision(
        &self,
        answer: &Result<(Charges, Outcomes<'_>), Refused<'_>>,
        asked: &Asked,
        mode: Mode,
    ) -> Decision {
        let (allowed, at) = match answer {
            Ok(_) => (true, 0),
            Err(refused) => (false, refused.at),
        };
        let expected = &asked.expected;
        Decision {
            policy: self.name.clone(),
            rule: self.limits[at].policy().rule.clone(),
            allowed,
            mode,
            facts: vec![
                ("ai.input_tokens".into(), expected.input.to_string()),
                ("ai.input_tokens.basis".into(), expected.basis.as_str().into()),
                ("ai.output_tokens.expected".into(), expected.output.to_string()),
            ],
        }
    }

    /// The decision of refusing a model that has no price.
    pub(super) fn unpriced_decision(&self, asked: &Asked, mode: Mode) -> Decision {
        Decision {
            policy: self.name.clone(),
            rule: "unpriced".into(),
            allowed: false,
            mode,
            facts: vec![("ai.model".into(), asked.model().into_string())],
        }
    }

    /// What is left, by each limit of the middleware itself.
    pub(super) fn tell(&self, outcomes: &[Outcome<'_>], headers: &mut Headers) {
        for (rule, outcome) in self.rules.iter().zip(outcomes).filter(|(rule, _)| rule.told) {
            rule.quantity.remaining(outcome.remaining, headers);
        }
    }

    /// The answer of a limit that has nothing left, and when to come back if that would help.
    pub(super) fn refusal(&self, asked: &Asked, refused: &Refused<'_>) -> Response {
        let mut call = asked.call.borrow_mut();
        call.denied_by = Some(self.name.clone());
        let mut res = self.deny.answer(asked.dialect, Some(&call));
        let outcome = &refused.outcome;
        if outcome.retry_after < Nanos::MAX {
            let seconds = limit_headers::seconds(outcome.retry_after);
            res.headers
                .append("Retry-After", itoa::Buffer::new().format(seconds));
        }
        let quantity = self.rules[refused.at].quantity;
        quantity.remaining(outcome.remaining, &mut res.headers);
        res
    }

    /// The answer for a model that has no price.
    pub(super) fn unpriced_refusal(&self, asked: &Asked) -> Response {
        let why = format!(
            "the model `{}` has no price, and this budget is in dollars",
            asked.model()
        );
        let mut call = asked.call.borrow_mut();
        call.denied_by = Some(self.name.clone());
        self.deny.saying(&why).answer(asked.dialect, Some(&call))
    }
}
