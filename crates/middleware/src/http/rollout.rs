//! `mode` and `percent` of a policy or limit, as the request path uses them.

use trilithon_flow::{Mode, Rollout};
use trilithon_model::rollout;

/// The two options as one.
pub fn rollout(mode: rollout::Mode, percent: rollout::Percent) -> Rollout {
    Rollout {
        mode: match mode {
            rollout::Mode::Off => Mode::Off,
            rollout::Mode::Shadow => Mode::Shadow,
            rollout::Mode::Enforce => Mode::Enforce,
        },
        share: percent.hundredths(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use trilithon_model::rollout::Percent;

    #[test]
    fn words_and_shares() {
        let check = |mode: rollout::Mode, percent: &str, want: Rollout| {
            assert_eq!(rollout(mode, Percent::parse(percent).unwrap()), want);
            assert_eq!(want.mode.as_str(), mode.as_str(), "one word in both places");
        };
        let want = |mode, share| Rollout { mode, share };
        check(rollout::Mode::Off, "100", want(Mode::Off, Rollout::WHOLE));
        check(rollout::Mode::Shadow, "12.5", want(Mode::Shadow, 1_250));
        check(rollout::Mode::Enforce, "0.01", want(Mode::Enforce, 1));
        assert_eq!(
            rollout(Default::default(), Default::default()),
            Rollout::default()
        );
    }
}
