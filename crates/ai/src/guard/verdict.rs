//! What guards say, and how the words of several become one.

/// What is done with a text, from mild to severe: the severest word of several guards counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// Nothing was found.
    #[default]
    Pass,
    /// Something was found that is only told.
    Flag,
    /// Something was found that is hidden.
    Mask,
    /// The text may not go on.
    Block,
}

impl Verdict {
    /// As logs and metrics write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Pass => "pass",
            Verdict::Flag => "flag",
            Verdict::Mask => "mask",
            Verdict::Block => "block",
        }
    }
}

/// What one guard said of a text. Masks are places in the text as it was, never in what another guard made of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome<M> {
    pub verdict: Verdict,
    pub masks: Vec<M>,
}

/// The words of guards that were asked side by side, each at its own place in the list; `None` is one that did not come to an
/// end. A block wins and hides nothing; otherwise all masks count, in the order of the guards. The second value is
/// the guard that the verdict is due to: the first of the severest. When guards finish does not matter.
pub fn merge<M>(outcomes: impl IntoIterator<Item = Option<Outcome<M>>>) -> (Outcome<M>, Option<usize>) {
    let mut whole = Outcome {
        verdict: Verdict::Pass,
        masks: Vec::new(),
    };
    let mut due = None;
    for (guard, outcome) in outcomes.into_iter().enumerate() {
        let Some(outcome) = outcome else { continue };
        if due.is_none() || outcome.verdict > whole.verdict {
            whole.verdict = outcome.verdict;
            due = Some(guard);
        }
        whole.masks.extend(outcome.masks);
    }
    if whole.verdict == Verdict::Block {
        whole.masks.clear();
    }
    (whole, due)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn said(verdict: Verdict, masks: &[u8]) -> Option<Outcome<u8>> {
        let masks = masks.to_vec();
        Some(Outcome { verdict, masks })
    }

    #[test]
    fn the_severest_counts() {
        let check = |said: Vec<Option<Outcome<u8>>>, want: (Verdict, &[u8], Option<usize>)| {
            let (whole, due) = merge(said);
            assert_eq!((whole.verdict, &whole.masks[..], due), want);
        };
        use Verdict::{Block, Flag, Mask, Pass};
        check(vec![], (Pass, &[], None));
        check(vec![None, said(Pass, &[])], (Pass, &[], Some(1)));
        check(
            vec![said(Pass, &[]), said(Flag, &[]), said(Flag, &[])],
            (Flag, &[], Some(1)),
        );
        check(
            vec![said(Mask, &[1]), said(Flag, &[]), said(Mask, &[2])],
            (Mask, &[1, 2], Some(0)),
        );
        check(
            vec![said(Mask, &[1]), None, said(Block, &[])],
            (Block, &[], Some(2)),
        );
    }

    fn any_outcome() -> impl Strategy<Value = Option<Outcome<u8>>> {
        let verdict = prop_oneof![
            Just(Verdict::Pass),
            Just(Verdict::Flag),
            Just(Verdict::Mask),
            Just(Verdict::Block)
        ];
        let outcome = (verdict, proptest::collection::vec(any::<u8>(), 0..3))
            .prop_map(|(verdict, masks)| Outcome { verdict, masks });
        proptest::option::of(outcome)
    }

    proptest! {
        #[test]
        fn no_guard_makes_another_milder(mut list in proptest::collection::vec(any_outcome(), 0..6), more in any_outcome()) {
            let (before, _) = merge(list.clone());
            list.push(more);
            let (after, _) = merge(list);
            prop_assert!(after.verdict >= before.verdict);
            if after.verdict < Verdict::Block {
                prop_assert!(after.masks.starts_with(&before.masks));
            }
        }
    }
}
