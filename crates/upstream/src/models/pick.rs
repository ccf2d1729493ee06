//! Who is asked next.

use super::breaker::Permit;
use super::class::Class;
use super::{Models, Target};
use crate::balancer::Wrr;
use crate::service::Child;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use tokio::time::Instant;
use trilithon_model::dynamic::http::Models as Config;

/// The turns of each priority, the highest first.
pub struct Turns(Vec<Group>);

struct Group {
    wrr: Wrr,
    /// Which target each candidate is.
    targets: Vec<usize>,
}

impl Turns {
    /// Of the targets with a share.
    pub fn of(config: &Config, children: &[Child]) -> Turns {
        let mut by_priority: BTreeMap<Reverse<i64>, Vec<(usize, f64)>> = BTreeMap::new();
        for (index, (target, child)) in config.targets.iter().zip(children).enumerate() {
            if let Some(share) = child.share() {
                let group = by_priority.entry(Reverse(target.priority)).or_default();
                group.push((index, share));
            }
        }
        let group = |members: Vec<(usize, f64)>| Group {
            wrr: Wrr::new(members.iter().map(|(_, share)| *share)),
            targets: members.into_iter().map(|(index, _)| index).collect(),
        };
        Turns(by_priority.into_values().map(group).collect())
    }
}

impl Models {
    /// The next target that was not asked yet, is not put aside, and is one for calls that failed so, or did not yet.
    pub(super) fn pick(&self, asked: &mut u64, after: Option<Class>) -> Option<(&Target, Permit<'_>)> {
        let now = Instant::now();
        for group in &self.turns.0 {
            let free = |at: usize| {
                let (bit, target) = (1 << group.targets[at], &self.targets[group.targets[at]]);
                *asked & bit == 0 && self.is_for(target, after) && target.breaker.may(now)
            };
            if let Some(at) = group.wrr.pick(free) {
                let target = &self.targets[group.targets[at]];
                *asked |= 1 << group.targets[at];
                return match target.breaker.admit(now) {
                    Some(permit) => Some((target, permit)),
                    // Another worker was quicker.
                    None => self.pick(asked, after),
                };
            }
        }
        None
    }

    fn is_for(&self, target: &Target, after: Option<Class>) -> bool {
        match (&target.after, after) {
            // Where some have room for more, the others need not be asked.
            (None, Some(Class::ContextLength)) => !self.has_larger(),
            (None, _) => true,
            (Some(classes), Some(class)) => classes.has(class),
            (Some(_), None) => false,
        }
    }

    /// Whether some target is for calls that were too long for another.
    fn has_larger(&self) -> bool {
        let mut after = self.targets.iter().filter_map(|target| target.after);
        after.any(|classes| classes.has(Class::ContextLength))
    }

    /// Whether another target is to be asked after such a failure.
    pub(super) fn is_failover(&self, class: Class) -> bool {
        self.on.has(class) || (class == Class::ContextLength && self.has_larger())
    }
}
