//! The TCP routers of one entry point, and who gets a connection: the order among TCP, TLS and HTTPS is by kind, not by
//! priority.

use super::https::{Claim, Https};
use super::route::Route;
use std::sync::Arc;
use trilithon_rule::{Conn, RouteIndex, Rule};

/// Rule, priority, rank among equals, and the route behind them.
pub type Candidate = (Rule, i64, u32, Arc<Route>);

/// The TCP routers of one entry point.
pub struct Table {
    clear: RouteIndex<Arc<Route>>,
    secure: RouteIndex<Arc<Route>>,
    https: Https,
}

impl Table {
    /// Routers without and with `tls`; `None` when there are none of either.
    pub fn new(clear: Vec<Candidate>, secure: Vec<Candidate>, https: Https) -> Option<Table> {
        let empty = clear.is_empty() && secure.is_empty();
        (!empty).then(|| Table {
            clear: RouteIndex::new(clear),
            secure: RouteIndex::new(secure),
            https,
        })
    }

    /// Whether a connection is decided before it has sent anything, so that servers may speak first.
    pub fn decides_at_once(&self) -> bool {
        !self.clear.is_empty() && self.secure.is_empty() && !self.https.is_used()
    }

    /// The router of a clear connection; without one it is HTTP.
    pub fn clear(&self, facts: &Conn<'_>) -> Option<&Arc<Route>> {
        self.clear.find(facts)
    }

    /// The router of a TLS connection; without one it is HTTPS. An HTTPS host beats everything, a TCP catch-all nothing.
    pub fn secure(&self, facts: &Conn<'_>) -> Option<&Arc<Route>> {
        let name = String::from_utf8_lossy(facts.server_name);
        let claim = self.https.claim(&name);
        if claim == Claim::Named {
            return None;
        }
        let found = self.secure.find_route(facts)?;
        (claim == Claim::None || !found.rule.is_catch_all()).then_some(&found.value)
    }

    /// The routers without `tls`, in match order.
    pub fn clear_routes(&self) -> &RouteIndex<Arc<Route>> {
        &self.clear
    }

    /// The routers with `tls`, in match order; [`Self::secure`] asks HTTPS first.
    pub fn secure_routes(&self) -> &RouteIndex<Arc<Route>> {
        &self.secure
    }

    /// The router of TLS that a Postgres client has asked for: HTTPS is not spoken there.
    pub fn postgres(&self, facts: &Conn<'_>) -> Option<&Arc<Route>> {
        self.secure.find(facts)
    }
}

#[cfg(test)]
mod tests {
    use super::super::route::testing;
    use super::*;
    use trilithon_rule::Syntax;

    fn candidate(rule: &str) -> Candidate {
        let parsed = Rule::tcp(rule, Syntax::V3).unwrap();
        let priority = parsed.default_priority();
        (parsed, priority, 0, testing::route(rule))
    }

    fn table(clear: &[&str], secure: &[&str], https: &[&[&str]]) -> Option<Table> {
        let mut names = Https::default();
        for domains in https {
            let domains: Vec<String> = domains.iter().map(|d| (*d).to_owned()).collect();
            names.add(&domains);
        }
        let all = |rules: &[&str]| rules.iter().map(|r| candidate(r)).collect();
        Table::new(all(clear), all(secure), names)
    }

    fn facts(name: &str) -> Conn<'_> {
        Conn {
            server_name: name.as_bytes(),
            protocols: &[],
            client_ip: [127, 0, 0, 1].into(),
        }
    }

    #[test]
    fn a_tls_name() {
        let any = "HostSNI(`*`)";
        let a = "HostSNI(`a.test`)";
        let regexp = "HostSNIRegexp(`^a`)";
        let check = |secure: &[&str], https: &[&[&str]], name: &str, want: Option<&str>| {
            let table = table(&[], secure, https).unwrap();
            let got = table.secure(&facts(name)).map(|r| r.name().to_owned());
            assert_eq!(got.as_deref(), want, "{secure:?} {https:?} {name}");
        };
        check(&[a], &[], "a.test", Some(a));
        check(&[a], &[], "b.test", None);
        check(&[a, any], &[], "b.test", Some(any));
        check(&[a], &[&["a.test"]], "a.test", None);
        check(&[a], &[&["*.test"]], "a.test", None);
        check(&[a], &[&["a.test."]], "a.test", None);
        check(&[a], &[&[]], "a.test", Some(a));
        check(&[a, any], &[&[]], "b.test", None);
        check(&[a, any], &[&["*"]], "b.test", None);
        check(&[any], &[&["c.test"]], "b.test", Some(any));
        check(&[regexp], &[&[]], "ab.test", Some(regexp));
        check(
            &["ClientIP(`127.0.0.1`)"],
            &[&[]],
            "",
            Some("ClientIP(`127.0.0.1`)"),
        );
    }

    #[test]
    fn who_waits_for_bytes() {
        let any: &[&str] = &["HostSNI(`*`)"];
        let check = |clear: &[&str], secure: &[&str], https: &[&[&str]], want: Option<bool>| {
            assert_eq!(table(clear, secure, https).map(|t| t.decides_at_once()), want);
        };
        check(&[], &[], &[&["a.test"]], None);
        check(any, &[], &[], Some(true));
        check(any, any, &[], Some(false));
        check(any, &[], &[&["a.test"]], Some(false));
        check(&[], any, &[], Some(false));
    }

    #[test]
    fn clear_and_postgres() {
        let table = table(&["ClientIP(`127.0.0.1`)"], &["HostSNI(`a.test`)"], &[&["a.test"]]).unwrap();
        assert!(table.clear(&facts("")).is_some());
        assert!(
            table.postgres(&facts("a.test")).is_some(),
            "HTTPS hosts do not count"
        );
        assert!(table.postgres(&facts("b.test")).is_none());
    }
}
