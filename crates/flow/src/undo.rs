//! Calls that can be undone: what the record says of how, and the tickets that mark the call that undoes another.

use crate::Request;
use crate::record::Name;
use serde_json::{Map, Value};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The header that a ticket comes in. It never reaches a server while tickets are out.
pub const TICKET: &str = "Trilithon-Undo";
/// How long a ticket can be used.
const LIFETIME: Duration = Duration::from_secs(60);
/// Tickets that are out at the same time.
const MAX_TICKETS: usize = 64;

/// How an exchange can be undone, by the contract of the middleware that it went through.
#[derive(Clone, Debug, PartialEq)]
pub struct Undo {
    /// The middleware that has the contract.
    pub contract: Name,
    /// The compensating call, as the audit log has it, or why there is none.
    pub call: Result<Map<String, Value>, String>,
}

/// What is known of it so far; shared with the answer that is still under way. `None`: there is nothing to undo.
pub type SharedUndo = Rc<RefCell<Option<Undo>>>;

/// The tickets that are out: each marks one request as the one that undoes an entry of the audit log. Given out by the process itself,
/// so that no client can say such a thing of its own request.
#[derive(Default)]
pub struct Tickets {
    out: Mutex<HashMap<Box<[u8]>, Ticket>>,
    /// How many there are: nearly always none, and then no request is looked at.
    count: AtomicUsize,
}

struct Ticket {
    /// The entry that is undone.
    entry: Name,
    until: Instant,
}

impl Tickets {
    /// Gives out the ticket `secret` for undoing `entry`. `again`: in place of one that is out for it, which is good no more.
    ///
    /// # Errors
    /// There is one for this entry, or there are too many.
    pub fn give_out(&self, secret: &str, entry: &str, again: bool) -> Result<(), &'static str> {
        let mut out = self.lock();
        let now = Instant::now();
        out.retain(|_, ticket| ticket.until > now && !(again && &*ticket.entry == entry));
        if out.values().any(|ticket| &*ticket.entry == entry) {
            return Err("it is being undone at this moment");
        }
        if out.len() >= MAX_TICKETS {
            return Err("too many calls are being undone at this moment");
        }
        let ticket = Ticket {
            entry: entry.into(),
            until: now + LIFETIME,
        };
        out.insert(secret.as_bytes().into(), ticket);
        self.count.store(out.len(), Ordering::Release);
        Ok(())
    }

    /// The entry that a request undoes, by the ticket that it brings; the ticket is used up.
    #[inline]
    pub fn redeem(&self, req: &mut Request) -> Option<Name> {
        if self.count.load(Ordering::Acquire) == 0 {
            return None;
        }
        let secret = req.headers.get(TICKET)?.to_vec();
        req.headers.remove(TICKET);
        let mut out = self.lock();
        let ticket = out.remove(&*secret)?;
        self.count.store(out.len(), Ordering::Release);
        (ticket.until > Instant::now()).then_some(ticket.entry)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Box<[u8]>, Ticket>> {
        self.out.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(ticket: &str) -> Request {
        let mut req = Request::default();
        req.headers.append(TICKET, ticket);
        req
    }

    #[test]
    fn a_ticket_is_good_once() {
        let tickets = Tickets::default();
        let mut strange = request("s1");
        assert_eq!(tickets.redeem(&mut strange), None);
        tickets.give_out("s1", "1/7", false).expect("a ticket");
        assert!(tickets.give_out("s2", "1/7", false).is_err());
        assert_eq!(tickets.redeem(&mut request("s3")), None);
        let mut req = request("s1");
        assert_eq!(tickets.redeem(&mut req).as_deref(), Some("1/7"));
        assert!(!req.headers.contains(TICKET), "no server sees it");
        assert_eq!(tickets.redeem(&mut request("s1")), None);
        tickets
            .give_out("s2", "1/7", false)
            .expect("the last one is used up");
        tickets.give_out("s4", "1/7", true).expect("in place of that one");
        assert_eq!(tickets.redeem(&mut request("s2")), None);
    }

    #[test]
    fn their_number_is_bounded() {
        let tickets = Tickets::default();
        for n in 0..MAX_TICKETS {
            tickets
                .give_out(&n.to_string(), &format!("1/{n}"), false)
                .expect("a ticket");
        }
        assert!(tickets.give_out("x", "2/1", false).is_err());
    }
}
