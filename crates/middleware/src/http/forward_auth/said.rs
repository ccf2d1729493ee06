//! What the authorization server says about the client, in the request that it lets pass.

use super::identity;
use regex::Regex;
use trilithon_flow::{Headers, Known};

/// Which headers of the answer go into the request. The client's own of these names never pass.
pub struct Said {
    pub names: Vec<String>,
    /// Matched against canonical names.
    pub pattern: Option<Regex>,
}

impl Said {
    /// Puts them into the request.
    pub fn put(&self, into: &mut Headers, said: &Headers) {
        for name in &self.names {
            identity::strip(into, name);
            copy(into, said, |n| n.eq_ignore_ascii_case(name.as_bytes()));
        }
        let Some(pattern) = &self.pattern else { return };
        let matches = |name: &[u8]| std::str::from_utf8(name).is_ok_and(|n| pattern.is_match(n));
        into.retain(|known, name, _| is_framing(known) || !(matches(name) || matches(&folded(name))));
        copy(into, said, matches);
    }
}

/// Headers that say how a message is sent are not the authorization server's to set.
fn is_framing(known: Known) -> bool {
    known.is_hop_by_hop() || matches!(known, Known::Host | Known::ContentLength)
}

fn copy(to: &mut Headers, from: &Headers, chosen: impl Fn(&[u8]) -> bool) {
    for (known, name, value) in from.iter_known() {
        if !is_framing(known) && chosen(name) {
            to.append(name, value);
        }
    }
}

/// The name in canonical spelling as a server sees it that folds `_` and `.` into `-`.
fn folded(name: &[u8]) -> Vec<u8> {
    let mut name: Vec<u8> = name.iter().map(|b| identity::fold(*b)).collect();
    trilithon_wire::headers::canonicalize(&mut name);
    name
}
