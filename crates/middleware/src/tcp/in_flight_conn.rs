//! `inFlightConn`: limits simultaneous connections of one client address; further ones are closed.

use super::{Admit, Pass};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use trilithon_flow::Keep;
use trilithon_model::dynamic::tcp::InFlightConn as Config;

/// Builds the middleware. `state_name` is what its connections are counted under, across reloads.
pub fn build(config: &Config, state_name: &str, keep: &Keep) -> Box<dyn Admit> {
    Box::new(InFlightConn {
        amount: config.amount,
        open: keep.get(state_name, config, Open::default),
    })
}

struct InFlightConn {
    amount: i64,
    open: Arc<Open>,
}

/// Open connections by address.
#[derive(Default)]
struct Open(Mutex<HashMap<IpAddr, i64>>);

impl Admit for InFlightConn {
    fn admit(&self, client: IpAddr) -> Option<Pass> {
        let client = client.to_canonical();
        let mut open = self.open.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = open.get(&client).copied().unwrap_or_default();
        if now >= self.amount {
            return None;
        }
        open.insert(client, now + 1);
        Some(Pass::holding(Place {
            client,
            open: self.open.clone(),
        }))
    }
}

/// One open connection.
struct Place {
    client: IpAddr,
    open: Arc<Open>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.open.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.client) {
            *count -= 1;
            if *count <= 0 {
                open.remove(&self.client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Connections that come (`+`) and go (`-`, the oldest) -> who was let in.
    fn check(amount: i64, moves: &[(&str, char)], want: &str) {
        let keep = Keep::default();
        let limit = build(&Config { amount }, "r@test m@test", &keep);
        let mut held = Vec::new();
        let mut got = String::new();
        for (client, direction) in moves {
            let client: IpAddr = client.parse().unwrap();
            if *direction == '-' {
                held.remove(0);
                continue;
            }
            // A reload in between changes nothing.
            let again = build(&Config { amount }, "r@test m@test", &keep);
            let pass = again.admit(client);
            got.push(if pass.is_some() { 'y' } else { 'n' });
            held.extend(pass);
        }
        drop(held);
        assert_eq!(got, want, "{moves:?}");
        assert_eq!(
            limit.admit("9.9.9.9".parse().unwrap()).is_some(),
            amount > 0,
            "all are gone"
        );
    }

    #[test]
    fn connections() {
        check(0, &[("1.1.1.1", '+')], "n");
        check(
            2,
            &[
                ("1.1.1.1", '+'),
                ("1.1.1.1", '+'),
                ("1.1.1.1", '+'),
                ("2.2.2.2", '+'),
            ],
            "yyny",
        );
        check(1, &[("1.1.1.1", '+'), ("1.1.1.1", '-'), ("1.1.1.1", '+')], "yy");
        check(1, &[("1.1.1.1", '+'), ("::ffff:1.1.1.1", '+')], "yn");
    }
}
