//! What a policy or a limit decided about one exchange, and how much of the traffic its word counts for.

use std::borrow::Cow;
use std::sync::Arc;

/// How seriously a policy or limit is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mode {
    /// It is not asked.
    Off,
    /// It decides and is recorded; no byte of any answer changes.
    Shadow,
    /// Its word counts.
    #[default]
    Enforce,
}

impl Mode {
    /// As the configuration writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Mode::Off => "off",
            Mode::Shadow => "shadow",
            Mode::Enforce => "enforce",
        }
    }
}

/// A mode for a share of the traffic. Who is in the share is a function of the key alone (identity or address), so that
/// one caller meets one behaviour, and a larger share holds all callers of a smaller one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rollout {
    pub mode: Mode,
    /// Of 10,000: the share of callers that `mode` is for. Enforcement falls back to shadow outside it, shadow to off.
    pub share: u16,
}

impl Default for Rollout {
    fn default() -> Rollout {
        Rollout {
            mode: Mode::Enforce,
            share: Rollout::WHOLE,
        }
    }
}

impl Rollout {
    /// The share that is everybody.
    pub const WHOLE: u16 = 10_000;

    /// The mode for the caller with this key.
    pub fn of(self, key: &[u8]) -> Mode {
        if self.share >= Rollout::WHOLE || place(key) < self.share {
            return self.mode;
        }
        match self.mode {
            Mode::Enforce => Mode::Shadow,
            Mode::Shadow | Mode::Off => Mode::Off,
        }
    }
}

/// A caller's place among 10,000: FNV-1a with a final mix, the same in every process and version.
fn place(key: &[u8]) -> u16 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in key {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
    }
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^= hash >> 33;
    (hash % u64::from(Rollout::WHOLE)) as u16
}

/// One decision. It tells what was decided, by which rule, on which facts; whether it was obeyed follows from `mode`.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// The policy or limit, by its qualified name.
    pub policy: Arc<str>,
    /// What of it decided: a rule's name or text, a bucket's name.
    pub rule: Arc<str>,
    pub allowed: bool,
    /// The mode it was taken in for this caller; [`Mode::Off`] takes none.
    pub mode: Mode,
    /// The facts that were looked at, with their values; empty where nobody asked for them. Never a secret.
    pub facts: Vec<(Cow<'static, str>, String)>,
}

impl Decision {
    /// Whether the answer is a refusal because of it.
    pub fn refuses(&self) -> bool {
        !self.allowed && self.mode == Mode::Enforce
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_stable_and_grows() {
        let key = |i: u32| format!("caller-{i}");
        let within = |mode, share| {
            let rollout = Rollout { mode, share };
            (0..10_000u32)
                .filter(move |i| rollout.of(key(*i).as_bytes()) == mode)
                .collect::<Vec<_>>()
        };
        let (tenth, half) = (within(Mode::Enforce, 1_000), within(Mode::Enforce, 5_000));
        assert!((800..1_200).contains(&tenth.len()), "a tenth is {}", tenth.len());
        assert!((4_700..5_300).contains(&half.len()), "a half is {}", half.len());
        assert!(tenth.iter().all(|i| half.contains(i)), "who was in stays in");
        assert_eq!(within(Mode::Shadow, 0).len(), 0);
        assert_eq!(within(Mode::Shadow, Rollout::WHOLE).len(), 10_000);
    }

    #[test]
    fn outside_the_share_a_mode_is_the_next_weaker_one() {
        let of = |mode| Rollout { mode, share: 0 }.of(b"x");
        assert_eq!(of(Mode::Enforce), Mode::Shadow);
        assert_eq!(of(Mode::Shadow), Mode::Off);
        assert_eq!(of(Mode::Off), Mode::Off);
    }
}
