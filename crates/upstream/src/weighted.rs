//! `weighted`: spreads requests over other services by weight, in turns.

use crate::balancer::Wrr;
use crate::service::{Backend, Child, Status, call_with_cookie, no_server};
use crate::sticky::Sticky;
use std::sync::Arc;
use trilithon_flow::{BuildError, Exchange, Keep, Reply, Request, Service};
use trilithon_model::dynamic::http::WeightedRoundRobin;

/// A weighted service.
pub struct Weighted {
    /// Those that can be chosen, as the configuration orders them.
    children: Vec<Arc<dyn Backend>>,
    turns: Arc<Turns>,
    sticky: Option<Sticky>,
    /// With `healthCheck`: the children's, and their sum.
    health: Option<(Vec<Arc<Status>>, Arc<Status>)>,
}

/// The turns, and which child each of them stands for: the start is drawn once and outlives reloads.
struct Turns {
    wrr: Wrr,
    order: Vec<usize>,
}

impl Weighted {
    /// The service with the qualified name `name`. `children` are those of `config.services`, in order.
    ///
    /// # Errors
    /// When the health of a child is asked for that does not report it.
    pub fn build(
        name: &str,
        config: &WeightedRoundRobin,
        children: Vec<Child>,
        keep: &Keep,
    ) -> Result<Weighted, BuildError> {
        let children = config
            .services
            .iter()
            .zip(children)
            .map(|(as_written, child)| child.called(&as_written.name));
        let (children, health) = reporting(name, config.health_check.is_some(), children)?;
        let turns = keep.get(name, config, || {
            let mut order: Vec<usize> = (0..children.len()).collect();
            fastrand::shuffle(&mut order);
            let weights = order.iter().map(|&at| children[at].share().unwrap_or(1.0));
            Turns {
                wrr: Wrr::new(weights),
                order,
            }
        });
        let cookie = config.sticky.as_ref().and_then(|sticky| sticky.cookie.as_ref());
        let names = || children.iter().map(|child| child.name.as_str());
        let sticky = cookie.map(|cookie| Sticky::new(cookie, name, names()));
        Ok(Weighted {
            children: children.into_iter().map(|child| child.backend).collect(),
            turns,
            sticky,
            health,
        })
    }

    fn is_up(&self, child: usize) -> bool {
        self.health.as_ref().is_none_or(|(each, _)| each[child].is_up())
    }

    fn pick(&self) -> Option<usize> {
        let order = &self.turns.order;
        Some(order[self.turns.wrr.pick(|turn| self.is_up(order[turn]))?])
    }

    fn choose(&self, req: &Request) -> Option<(usize, Option<String>)> {
        let Some(sticky) = &self.sticky else {
            return Some((self.pick()?, None));
        };
        if let Some(wish) = sticky.wish(&req.headers)
            && self.is_up(wish.index)
        {
            return Some((wish.index, wish.outdated.then(|| sticky.set_cookie(wish.index))));
        }
        let index = self.pick()?;
        Some((index, Some(sticky.set_cookie(index))))
    }
}

/// The children with a share, with their status if `wanted` and their common one.
#[allow(clippy::type_complexity)]
pub(crate) fn reporting(
    parent: &str,
    wanted: bool,
    children: impl Iterator<Item = Child>,
) -> Result<(Vec<Child>, Option<(Vec<Arc<Status>>, Arc<Status>)>), BuildError> {
    let mut each = Vec::new();
    let mut chosen = Vec::new();
    for child in children {
        let status = if wanted {
            Some(child.report_to(parent)?)
        } else {
            None
        };
        if child.share().is_some() {
            each.extend(status);
            chosen.push(child);
        }
    }
    let all = Status::any(each.iter().cloned());
    Ok((chosen, wanted.then_some((each, all))))
}

impl Service for Weighted {
    fn call<'a>(&'a self, req: Request, cx: &'a mut Exchange) -> Reply<'a> {
        let Some((index, cookie)) = self.choose(&req) else {
            return no_server();
        };
        let child: &dyn Service = &*self.children[index];
        match cookie {
            None => child.call(req, cx),
            Some(cookie) => Box::pin(call_with_cookie(child, cookie, req, cx)),
        }
    }
}

impl Backend for Weighted {
    fn status(&self) -> Option<Arc<Status>> {
        self.health.as_ref().map(|(_, all)| all.clone())
    }
    fn status_refusal(&self) -> String {
        "healthCheck not enabled in config for this WRR service".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::fake::{Fake, ask, child, run};
    use std::collections::BTreeMap;
    use trilithon_model::dynamic::http::{ChildHealth, Cookie, Sticky as StickyConfig, WrrService};

    fn try_build(
        config: &WeightedRoundRobin,
        children: Vec<Child>,
        keep: &Keep,
    ) -> Result<Weighted, BuildError> {
        let service = |child: &Child| WrrService {
            name: child.name.clone(),
            weight: child.weight,
        };
        let config = WeightedRoundRobin {
            services: children.iter().map(service).collect(),
            ..config.clone()
        };
        // The names in the children are the qualified ones; those in the configuration count.
        let children = children
            .into_iter()
            .map(|child| child.called("qualified@file"))
            .collect();
        Weighted::build("w@file", &config, children, keep)
    }

    fn build(config: &WeightedRoundRobin, children: Vec<Child>) -> Weighted {
        try_build(config, children, &Keep::default()).unwrap()
    }

    fn check(weights: &[(&str, i64)], requests: usize, want: &[(&str, usize)]) {
        let children = weights
            .iter()
            .map(|(name, weight)| child(&Fake::new(name, 200, None), *weight));
        let service = build(&WeightedRoundRobin::default(), children.collect());
        let mut counts = BTreeMap::new();
        (0..requests).for_each(|_| *counts.entry(run(ask(&service, None)).1).or_insert(0) += 1);
        let want: BTreeMap<String, usize> = want.iter().map(|(name, n)| ((*name).to_owned(), *n)).collect();
        assert_eq!(counts, want, "{weights:?}");
    }

    #[test]
    fn shares() {
        check(&[("a", 2), ("b", 1)], 9, &[("a", 6), ("b", 3)]);
        check(&[("a", 0), ("b", 1)], 4, &[("b", 4)]);
        check(&[("a", 0)], 1, &[("no available server\n", 1)]);
        check(&[], 1, &[("no available server\n", 1)]);
    }

    #[test]
    fn the_cookie_names_the_child_as_it_is_written() {
        let cookie = Cookie {
            name: "wt".into(),
            ..Cookie::default()
        };
        let config = WeightedRoundRobin {
            sticky: Some(StickyConfig { cookie: Some(cookie) }),
            ..Default::default()
        };
        let children = ["s1", "s2@file"].map(|name| child(&Fake::new(name, 200, None), 1));
        let service = build(&config, children.into());
        let mut set = BTreeMap::new();
        for _ in 0..4 {
            let (_, name, cookies) = run(ask(&service, None));
            set.insert(name, cookies);
        }
        assert_eq!(set["s1"], ["wt=e8bc163c82eee187; Path=/"]);
        assert_eq!(set["s2@file"], ["wt=82872f2982e6d28d; Path=/"]);
        for _ in 0..3 {
            assert_eq!(
                run(ask(&service, Some("wt=e8bc163c82eee187"))),
                (200, "s1".into(), vec![])
            );
        }
    }

    #[test]
    fn children_that_are_down_are_left_out_if_health_is_asked_for() {
        let (a, b) = (Status::flag(), Status::flag());
        let children = || {
            vec![
                child(&Fake::new("a", 200, Some(a.clone())), 1),
                child(&Fake::new("b", 200, Some(b.clone())), 1),
            ]
        };
        let asks = WeightedRoundRobin {
            health_check: Some(ChildHealth::default()),
            ..Default::default()
        };
        let with = build(&asks, children());
        let without = build(&WeightedRoundRobin::default(), children());
        assert!(without.status().is_none());
        a.set(false);
        let names = |service: &Weighted| (0..6).map(|_| run(ask(service, None)).1).collect::<String>();
        assert_eq!(names(&with), "bbbbbb");
        assert_eq!(names(&without).matches('a').count(), 3);
        assert!(with.status().unwrap().is_up());
        b.set(false);
        assert!(!with.status().unwrap().is_up());
        assert_eq!(run(ask(&with, None)).0, 503);
        a.set(true);
        assert_eq!(names(&with), "aaaaaa");
        let mute = vec![child(&Fake::new("m", 200, None), 1)];
        let error = try_build(&asks, mute, &Keep::default()).err().unwrap().message;
        assert!(
            error.starts_with("cannot register m as updater for w@file: healthCheck not"),
            "{error}"
        );
    }

    #[test]
    fn turns_outlive_a_reload() {
        let keep = Keep::default();
        let children = || {
            vec![
                child(&Fake::new("a", 200, None), 1),
                child(&Fake::new("b", 200, None), 1),
            ]
        };
        let make = || try_build(&WeightedRoundRobin::default(), children(), &keep).unwrap();
        let old = make();
        let first = run(ask(&old, None)).1;
        assert_ne!(run(ask(&make(), None)).1, first, "the other one's turn");
    }
}
