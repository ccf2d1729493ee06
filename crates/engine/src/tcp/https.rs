//! The host names of an entry point's HTTPS routers: TCP routers give way to them.

use std::collections::HashSet;

/// Names that HTTPS routers ask for.
#[derive(Debug, Default)]
pub struct Https {
    exact: HashSet<String>,
    /// What follows `*.`.
    wildcard: HashSet<String>,
    /// A router names no host.
    any: bool,
    used: bool,
}

/// How much an HTTPS router wants a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// It names it.
    Named,
    /// It would take any.
    Any,
    None,
}

impl Https {
    /// Adds a router with the domains of its rule.
    pub fn add(&mut self, domains: &[String]) {
        self.used = true;
        self.any |= domains.is_empty();
        for domain in domains {
            match domain.strip_prefix("*.") {
                _ if domain == "*" => self.any = true,
                Some(parent) => drop(self.wildcard.insert(undotted(parent).to_owned())),
                None => drop(self.exact.insert(undotted(domain).to_owned())),
            }
        }
    }

    /// Whether there is any HTTPS router.
    pub fn is_used(&self) -> bool {
        self.used
    }

    /// Who wants a server name (lower case).
    pub fn claim(&self, name: &str) -> Claim {
        let name = undotted(name);
        let parent = name.split_once('.').map(|(_, parent)| parent);
        if self.exact.contains(name) || parent.is_some_and(|p| self.wildcard.contains(p)) {
            Claim::Named
        } else if self.any {
            Claim::Any
        } else {
            Claim::None
        }
    }
}

fn undotted(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}
