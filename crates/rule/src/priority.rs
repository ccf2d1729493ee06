//! Priorities: which of two rules is tried first when both match.

use crate::name::{Name, Protocol, Syntax};
use crate::{Expr, parse};

/// Highest priority a user may give; those above are for internal routers.
pub const MAX_USER_PRIORITY: i64 = i64::MAX - 1000;

/// The priority of an HTTP rule without one: its length in bytes.
pub fn default_priority(rule: &str) -> i64 {
    i64::try_from(rule.len()).unwrap_or(MAX_USER_PRIORITY)
}

/// The priority of a TCP rule without one: its length in bytes, but -1 for the catch-all ``HostSNI(`*`)`` alone.
pub fn tcp_default_priority(rule: &str) -> i64 {
    let catch_all =
        rule.contains('*') && parse(rule, Protocol::Tcp, Syntax::V3).is_ok_and(|e| is_catch_all(&e));
    if catch_all { -1 } else { default_priority(rule) }
}

pub(crate) fn is_catch_all(expr: &Expr) -> bool {
    match expr {
        Expr::Call(call) => call.name == Name::HostSni && call.args.len() == 1 && call.args[0].value == b"*",
        Expr::Not(inner) => is_catch_all(inner),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults() {
        assert_eq!(default_priority("Host(`len.test`)"), 16);
        assert_eq!(default_priority("Path(`/\u{e9}\u{e9}`)"), 13);
        assert_eq!(tcp_default_priority("HostSNI(`*`)"), -1);
        assert_eq!(tcp_default_priority(" hostsni(\"*\") "), -1);
        assert_eq!(tcp_default_priority("HostSNI(`*`) && ClientIP(`127.0.0.9`)"), 37);
        assert_eq!(tcp_default_priority("HostSNI(`a.test`)"), 17);
        assert_eq!(MAX_USER_PRIORITY, 9_223_372_036_854_774_807);
    }
}
