//! What a client has had servers remember in its session (the level of their log, resources that it wants to hear of), so that it
//! is said again in the next one: to a server that has lost the session, and to one that is opened only now.

use super::Federation;
use super::ask;
use super::cross::is_modern;
use super::room::{Room, Taken};
use super::server::{Server, enter};
use super::table::{Entry, Slot};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use tokio::sync::futures::Notified;
use trilithon_flow::{Exchange, Request};
use trilithon_mcp::inward::Named;
use trilithon_mcp::{Leg, Message, Session};
use trilithon_wire::json::quote;

/// Resources that are remembered of one session with one server, and bytes of an address of one.
const MOST: usize = 256;
const LONGEST: usize = 4096;

/// The resources that a client wants to hear of from one server, as that server calls them.
#[derive(Default)]
pub struct Subscriptions {
    all: Mutex<BTreeMap<Box<str>, Taken>>,
    changed: Notify,
}

impl Subscriptions {
    /// Remembers one; false when there is no room.
    pub fn add(&self, uri: &str, room: &Arc<Room>) -> bool {
        let mut all = self.lock();
        if all.contains_key(uri) {
            return true;
        }
        if all.len() >= MOST || uri.len() > LONGEST {
            return false;
        }
        let Some(taken) = room.take(uri.len()) else {
            return false;
        };
        all.insert(uri.into(), taken);
        drop(all);
        self.changed.notify_waiters();
        true
    }

    pub fn remove(&self, uri: &str) {
        if self.lock().remove(uri).is_some() {
            self.changed.notify_waiters();
        }
    }

    pub fn all(&self) -> Vec<Box<str>> {
        self.lock().keys().cloned().collect()
    }

    /// Waits until they are others than now.
    pub fn changed(&self) -> Notified<'_> {
        self.changed.notified()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Box<str>, Taken>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Federation {
    /// Takes note of a message that a server has taken.
    pub fn remember(&self, session: &Session, server: &Server, message: &Message<'_>) {
        let begins = match message.method() {
            "resources/subscribe" => true,
            "resources/unsubscribe" => false,
            _ => return,
        };
        let Some(named) = Named::of(message) else { return };
        let outer = named.text();
        let Some(uri) = server.naming.uri_in(&outer) else {
            return;
        };
        let slot = self.table.entry(&session.number).slot(&server.name);
        if !begins {
            slot.subscriptions.remove(uri);
        } else if !slot.subscriptions.add(uri, self.table.room()) {
            tracing::warn!(
                server = &*server.name,
                "a subscription is not remembered: there are too many, or its address is too long; it ends with the server's session"
            );
        }
    }

    /// Says in a new session what the client has said in the one before. What the server does not take is told to the log alone: the
    /// client was answered long ago.
    pub async fn say_again(
        &self,
        server: &Server,
        leg: &Leg,
        entry: &Entry,
        slot: &Slot,
        head: &Request,
        cx: &mut Exchange,
    ) {
        // One of the second era is told with each message.
        if is_modern(leg) {
            return;
        }
        let saying = async {
            if let Some(level) = entry.level() {
                let params = format!(r#"{{"level":{level}}}"#);
                self.say_in(server, leg, "logging/setLevel", &params, head, cx)
                    .await;
            }
            for uri in slot.subscriptions.all() {
                let params = [&br#"{"uri":"#[..], &quote(&uri), b"}"].concat();
                let params = String::from_utf8(params).unwrap_or_default();
                let taken = self.say_in(server, leg, "resources/subscribe", &params, head, cx);
                if taken.await == Some(false) {
                    slot.subscriptions.remove(&uri);
                }
            }
        };
        if tokio::time::timeout(self.timeout, saying).await.is_err() {
            tracing::warn!(
                server = &*server.name,
                "a server of tools does not take in time what its lost session knew"
            );
        }
    }

    /// One message of these; false when the server says no.
    async fn say_in(
        &self,
        server: &Server,
        leg: &Leg,
        method: &str,
        params: &str,
        head: &Request,
        cx: &mut Exchange,
    ) -> Option<bool> {
        // Clients do not give such an `id`.
        let body =
            format!(r#"{{"jsonrpc":"2.0","id":"trilithon:again","method":"{method}","params":{params}}}"#);
        let mut req = server.own_request(head, body);
        enter(leg, &mut req);
        match ask::answer(&mut server.backend.call(req, cx).await).await {
            Ok(_) => Some(true),
            Err(failure) => {
                tracing::warn!(server = &*server.name, method, %failure, "a server of tools does not take in its new session what it took before");
                failure.is_a_no().then_some(false)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subscriptions_are_bounded() {
        let room = Arc::new(Room::new(MOST * 8));
        let all = Subscriptions::default();
        assert!(all.add("a:1", &room) && all.add("a:1", &room) && all.add("b:1", &room));
        all.remove("a:1");
        assert_eq!(all.all(), ["b:1".into()]);
        assert!(!all.add(&"x".repeat(LONGEST + 1), &room));
        for n in 1..MOST {
            assert!(all.add(&format!("c:{n}"), &room), "{n}");
        }
        assert!(!all.add("d:1", &room), "one session has so many");
        let other = Subscriptions::default();
        assert!(!other.add(&"x".repeat(MOST * 8), &room), "all have so much room");
        drop(all);
        assert!(other.add(&"x".repeat(MOST * 8), &room));
    }
}
