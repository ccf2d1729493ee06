//! What Traefik adds to the install configuration before it starts.

use super::address::{Address, Protocol};
use super::{EntryPoint, Static, check};
use crate::node::Node;
use crate::problem::Problems;
use crate::spanned::Spanned;

/// The entry point of the gateway's own pages.
pub const INTERNAL_ENTRY_POINT: &str = "traefik";

impl Static {
    /// Adds implicit entry points and checks the rules. With an error among the problems the gateway must not start.
    ///
    /// `node` is the tree the configuration was read from, for the places of problems; `Node::default()` will do.
    pub fn finish(&mut self, node: &Node) -> Problems {
        self.add_entry_points();
        check::check(self, node)
    }

    fn add_entry_points(&mut self) {
        if self.entry_points.is_empty() {
            self.entry_points.insert("http".to_owned(), implicit(":80"));
        }
        if self.needs_internal_entry_point() {
            let name = INTERNAL_ENTRY_POINT.to_owned();
            self.entry_points.entry(name).or_insert_with(|| implicit(":8080"));
        }
    }

    fn needs_internal_entry_point(&self) -> bool {
        let here = |entry_point: &str, manual: bool| !manual && entry_point == INTERNAL_ENTRY_POINT;
        let prometheus = self.metrics.as_ref().and_then(|m| m.prometheus.as_ref());
        let rest = self.providers.as_ref().and_then(|p| p.rest.as_ref());
        self.api.as_ref().is_some_and(|api| api.insecure)
            || self
                .ping
                .as_ref()
                .is_some_and(|p| here(&p.entry_point, p.manual_routing))
            || prometheus.is_some_and(|p| here(&p.entry_point, p.manual_routing))
            || rest.is_some_and(|rest| rest.insecure)
    }

    /// The entry points of routers that name none, in order of name: all but UDP ones and `traefik`, or only those
    /// marked `asDefault` when there are any.
    pub fn default_entry_points(&self) -> Vec<String> {
        let marked = self.entry_points.values().any(|e| e.as_default);
        let eligible = self.entry_points.iter().filter(|(name, e)| {
            *name != INTERNAL_ENTRY_POINT && e.protocol() == Protocol::Tcp && (!marked || e.as_default)
        });
        eligible.map(|(name, _)| name.clone()).collect()
    }
}

impl EntryPoint {
    /// The parsed address.
    ///
    /// # Errors
    /// A phrase saying what is wrong with it.
    pub fn parsed_address(&self) -> Result<Address, String> {
        Address::parse(&self.address)
    }

    /// TCP unless the address ends in `/udp`.
    pub fn protocol(&self) -> Protocol {
        self.parsed_address().map_or(Protocol::Tcp, |a| a.protocol)
    }
}

fn implicit(address: &str) -> Spanned<EntryPoint> {
    Spanned::unplaced(EntryPoint {
        address: address.to_owned(),
        ..EntryPoint::default()
    })
}
