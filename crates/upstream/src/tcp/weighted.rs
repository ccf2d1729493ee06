//! `weighted` of TCP: other services in weighted turns, one turn per connection.

use super::{Backend, RoundRobin, Target};
use crate::Status;
use std::sync::Arc;
use trilithon_flow::BuildError;
use trilithon_model::dynamic::tcp::WeightedRoundRobin;

/// A service that another one leads to.
pub struct Child {
    /// As the parent's configuration writes it.
    pub name: String,
    /// Its share; 1 when absent, and it is never chosen at 0 or below.
    pub weight: Option<i64>,
    pub backend: Arc<dyn Backend>,
}

/// Services in turn.
pub struct Weighted {
    children: Vec<Kept>,
    turns: RoundRobin,
    status: Option<Arc<Status>>,
}

/// A child that is given turns, with what is asked for its health.
type Kept = (Arc<dyn Backend>, Option<Arc<Status>>);

impl Weighted {
    /// Builds the service called `name` over its children.
    ///
    /// # Errors
    /// It is to report its health, and a child cannot.
    pub fn build(
        name: &str,
        config: &WeightedRoundRobin,
        children: Vec<Child>,
    ) -> Result<Weighted, BuildError> {
        let reports = config.health_check.is_some();
        let mut kept: Vec<Kept> = Vec::new();
        let mut weights = Vec::new();
        for child in children {
            let status = child.backend.status().filter(|_| reports);
            if reports && status.is_none() {
                let child = child.name;
                return Err(BuildError::new(format!(
                    "cannot register {child} as updater for {name}: healthCheck not enabled in config for this weighted service"
                ))
                .help(format!("give `{child}` a `healthCheck`")));
            }
            let weight = child.weight.unwrap_or(1);
            if weight > 0 {
                kept.push((child.backend, status));
                weights.push(weight);
            }
        }
        let statuses = kept.iter().filter_map(|(_, status)| status.clone());
        Ok(Weighted {
            status: reports.then(|| Status::any(statuses)),
            children: kept,
            turns: RoundRobin::new(weights),
        })
    }
}

impl Backend for Weighted {
    fn pick(&self) -> Option<Target> {
        let up = |i: usize| self.children[i].1.as_ref().is_none_or(|status| status.is_up());
        let chosen = self.turns.pick(up)?;
        self.children.get(chosen)?.0.pick()
    }

    fn status(&self) -> Option<Arc<Status>> {
        self.status.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;
    use trilithon_model::dynamic::tcp::ChildHealth;

    struct Fake(&'static str, Option<Arc<Status>>, Arc<Mutex<String>>);

    impl Backend for Fake {
        fn pick(&self) -> Option<Target> {
            self.2.lock().unwrap().push_str(self.0);
            None
        }
        fn status(&self) -> Option<Arc<Status>> {
            self.1.clone()
        }
    }

    fn check(
        reports: bool,
        children: &[(&'static str, Option<i64>, Option<bool>)],
        want: Result<&str, &str>,
    ) {
        let config = WeightedRoundRobin {
            health_check: reports.then(ChildHealth::default),
            ..Default::default()
        };
        let seen = Arc::new(Mutex::new(String::new()));
        let child = |(name, weight, up): &(&'static str, Option<i64>, Option<bool>)| {
            let status = up.map(|up| {
                let status = Status::flag();
                status.set(up);
                status
            });
            Child {
                name: (*name).into(),
                weight: *weight,
                backend: Arc::new(Fake(name, status, seen.clone())),
            }
        };
        let built = Weighted::build("w", &config, children.iter().map(child).collect());
        let got = built.map(|weighted| {
            (0..4).for_each(|_| drop(weighted.pick()));
            seen.lock().unwrap().clone()
        });
        assert_eq!(got.as_deref().map_err(|e| e.message.as_str()), want);
    }

    #[test]
    fn children() {
        check(false, &[("a", Some(3), None), ("b", None, None)], Ok("aaab"));
        check(
            false,
            &[("a", Some(0), None), ("b", None, Some(false))],
            Ok("bbbb"),
        );
        check(
            true,
            &[("a", None, Some(true)), ("b", None, Some(false))],
            Ok("aaaa"),
        );
        check(true, &[("a", None, Some(false))], Ok(""));
        check(
            true,
            &[("a", None, None)],
            Err(
                "cannot register a as updater for w: healthCheck not enabled in config for this weighted service",
            ),
        );
    }
}
