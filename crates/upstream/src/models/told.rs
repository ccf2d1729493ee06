//! What is told of attempts: to the metrics, and to the record of the call.

use super::class::Class;
use std::sync::{Arc, OnceLock};
use trilithon_flow::Exchange;
use trilithon_flow::metrics::{Value, registry};
use trilithon_flow::model_call::{Leg, LegOutcome};

/// The counters of one target; one is made when it is first needed.
pub struct Told {
    service: Box<str>,
    target: Box<str>,
    answered: OnceLock<Arc<Value>>,
    failed: [OnceLock<Arc<Value>>; Class::ALL.len()],
}

impl Told {
    pub fn of(service: &str, target: &str) -> Told {
        Told {
            service: service.into(),
            target: target.into(),
            answered: OnceLock::new(),
            failed: Default::default(),
        }
    }

    /// Counts an attempt by what came of it.
    pub fn count(&self, class: Option<Class>) {
        let (counter, outcome) = match class {
            None => (&self.answered, "answered"),
            Some(class) => (&self.failed[class as usize], class.as_str()),
        };
        let make = || {
            registry().counter(
                "trilithon_model_attempts_total",
                "Attempts at calls of models, by target and by what came of them.",
                &[
                    ("service", &self.service),
                    ("target", &self.target),
                    ("outcome", outcome),
                ],
            )
        };
        counter.get_or_init(make).inc();
    }
}

/// Attempts that the call knows of.
pub fn legs(cx: &Exchange) -> usize {
    cx.model_call.as_ref().map_or(0, |call| call.borrow().legs.len())
}

/// Tells the call of a failure that the target's own middlewares did not see, or saw as a good answer.
pub fn note(cx: &Exchange, before: usize, class: Class) {
    let Some(call) = &cx.model_call else { return };
    let mut call = call.borrow_mut();
    let outcome = LegOutcome::Error(class.as_str());
    if call.legs.len() == before {
        let leg = Leg {
            provider: call.provider.clone(),
            model: call.sent.clone().unwrap_or_default(),
            outcome,
        };
        call.legs.push(leg);
    } else if let Some(leg) = call.legs.last_mut()
        && matches!(leg.outcome, LegOutcome::Status(200..300))
    {
        leg.outcome = outcome;
    }
}

/// What the target's own middlewares found broken in an answer that came as a good one.
pub fn broke(cx: &Exchange) -> Option<Class> {
    let call = cx.model_call.as_ref()?.borrow();
    let fault = call.fault.as_ref()?;
    Some(Class::of_fault(fault).unwrap_or(Class::Broken))
}
