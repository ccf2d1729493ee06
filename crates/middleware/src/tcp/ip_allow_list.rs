//! `ipAllowList` of TCP, and `ipWhiteList`, its former name: lets only some client addresses in.

use super::{Admit, Pass};
use crate::ip_set::IpSet;
use std::net::IpAddr;
use trilithon_flow::BuildError;

/// Builds the middleware of these addresses and networks. `kind` is its name in messages (`IPAllowLister`).
///
/// # Errors
/// No address at all, or an entry that is none.
pub fn build(range: &[String], kind: &str) -> Result<Box<dyn Admit>, BuildError> {
    if range.is_empty() {
        return Err(BuildError::new(format!(
            "sourceRange is empty, {kind} not created"
        )));
    }
    let allowed = IpSet::parse(range)
        .map_err(|e| BuildError::new(format!("cannot parse CIDRs [{}]: {e}", range.join(" "))))?;
    Ok(Box::new(IpAllowList(allowed)))
}

struct IpAllowList(IpSet);

impl Admit for IpAllowList {
    fn admit(&self, client: IpAddr) -> Option<Pass> {
        self.0.contains(client).then(Pass::free)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(range: &[&str], client: &str, want: Result<bool, &str>) {
        let range: Vec<String> = range.iter().map(|r| (*r).to_owned()).collect();
        let got = build(&range, "IPAllowLister").map(|m| m.admit(client.parse().unwrap()).is_some());
        assert_eq!(
            got.as_ref().map_err(|e| e.message.as_str()),
            want.as_ref().map_err(|e| *e)
        );
    }

    #[test]
    fn ranges() {
        check(&["10.0.0.0/8", "::1"], "10.1.2.3", Ok(true));
        check(&["10.0.0.0/8", "::1"], "::1", Ok(true));
        check(&["10.0.0.0/8"], "::ffff:10.1.2.3", Ok(true));
        check(&["10.0.0.0/8"], "11.1.2.3", Ok(false));
        check(
            &[],
            "11.1.2.3",
            Err("sourceRange is empty, IPAllowLister not created"),
        );
        check(
            &["x", "y"],
            "11.1.2.3",
            Err("cannot parse CIDRs [x y]: parsing CIDR trusted IPs x: invalid CIDR address: x"),
        );
    }
}
