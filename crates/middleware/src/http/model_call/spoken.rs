//! What an answer says, counted by us: for upstreams that do not tell, and for clients that leave before they do.

use trilithon_ai::dialect::{Answer, Event};
use trilithon_ai::tokens::{Family, estimate};
use trilithon_flow::model_call::Basis;
use trilithon_flow::{ModelCall, Usage};

/// Tokens of output so far, guessed from the text that went by.
#[derive(Debug, Default)]
pub(super) struct Spoken(u64);

impl Spoken {
    /// Adds what one event says.
    pub fn event(&mut self, call: &ModelCall, event: &Event<'_>, data: &[u8]) {
        let family = family(call);
        for delta in event.deltas.iter().filter(|delta| !delta.restates) {
            self.add(family, data.get(delta.range.clone()));
        }
    }

    /// Adds all that a whole answer says.
    pub fn whole(&mut self, call: &ModelCall, answer: &Answer, body: &[u8]) {
        let family = family(call);
        for slot in &answer.slots {
            self.add(family, body.get(slot.range.clone()));
        }
    }

    /// As it is written: an escape weighs a little more than what it stands for.
    fn add(&mut self, family: Family, text: Option<&[u8]>) {
        self.0 = self.0.saturating_add(estimate(family, text.unwrap_or_default()));
    }

    /// The tokens of the call as far as they are known: as reported, once the answer has ended. Before that a report may tell
    /// only how the answer began, and ours counts where it is more. Without a report, ours goes with the prompt that was
    /// counted before the call; `None` where none was.
    pub fn usage(&self, call: &ModelCall, reported: Option<Usage>, ended: bool) -> Option<Usage> {
        match reported {
            Some(usage) if ended => Some(usage),
            Some(usage) => Some(Usage {
                output: usage.output.max(self.0),
                basis: Basis::Estimated,
                ..usage
            }),
            None => call.prompt.map(|(input, _)| Usage {
                input,
                output: self.0,
                basis: Basis::Estimated,
                ..Usage::default()
            }),
        }
    }
}

fn family(call: &ModelCall) -> Family {
    let model = call.served.as_ref().or(call.sent.as_ref());
    Family::of(model.map_or("", |name| name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use trilithon_ai::dialect::Dialect;
    use trilithon_flow::Format;

    fn call(prompt: Option<u64>) -> ModelCall {
        ModelCall {
            prompt: prompt.map(|tokens| (tokens, Basis::Estimated)),
            ..ModelCall::new(Format::Ccr)
        }
    }

    #[test]
    fn what_is_not_reported_is_counted() {
        let check = |prompt, reported: Option<(u64, u64)>, ended, want: Option<(u64, u64, Basis)>| {
            let (call, mut spoken) = (call(prompt), Spoken::default());
            let data = br#"{"choices":[{"delta":{"content":"abcdefgh"}}]}"#;
            spoken.event(&call, &Dialect::Chat.event(data).unwrap(), data);
            let reported = reported.map(|(input, output)| Usage {
                input,
                output,
                basis: Basis::Reported,
                ..Usage::default()
            });
            let usage = spoken.usage(&call, reported, ended);
            assert_eq!(
                usage.map(|u| (u.input, u.output, u.basis)),
                want,
                "{prompt:?} {reported:?} {ended}"
            );
        };
        check(None, None, false, None);
        check(Some(7), None, false, Some((7, 3, Basis::Estimated)));
        check(Some(7), Some((9, 1)), false, Some((9, 3, Basis::Estimated)));
        check(Some(7), Some((9, 1)), true, Some((9, 1, Basis::Reported)));
        check(None, Some((9, 5)), false, Some((9, 5, Basis::Estimated)));
    }

    #[test]
    fn whole_answers_are_counted_too() {
        let (call, mut spoken) = (call(Some(1)), Spoken::default());
        let body = br#"{"choices":[{"message":{"content":"abcdefgh"}},{"message":{"content":"abcd"}}]}"#;
        spoken.whole(&call, &Dialect::Chat.answer(body).unwrap(), body);
        assert_eq!(spoken.usage(&call, None, true).unwrap().output, 3 + 2);
    }
}
