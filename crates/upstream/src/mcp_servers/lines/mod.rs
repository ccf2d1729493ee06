//! What servers of the first era say by themselves, for clients of the second that listen (`subscriptions/listen`). In the first era it
//! comes in the one stream of a session (`GET`), which belongs to a task of the worker where the first client began to listen; all
//! clients that share the session hear what they asked for ([`subscriber`]). A resource is subscribed to while somebody wants it.

mod line;
mod subscriber;
mod wants;

pub use subscriber::Subscriber;
pub use wants::Wants;

use super::table::Number;
use bytes::Bytes;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, mpsc, watch};
use wants::News;

/// What was told to one client and was not heard; they say that something changed, and more of them say no more.
const UNHEARD: usize = 64;

/// The session with a server: its number, and the server's name.
pub type Of = (Number, Box<str>);

/// The sessions that are listened to; outlives reloads.
#[derive(Default)]
pub struct Lines(Mutex<HashMap<Of, Line>>);

#[derive(Default)]
struct Line {
    clients: HashMap<u64, Client>,
    /// Resources -> how many clients want to hear of them.
    uris: HashMap<Box<str>, usize>,
    /// Those of them that the server does not tell of.
    refused: HashSet<Box<str>>,
    /// How often they have changed, and which of these changes the server was told.
    turn: u64,
    told: watch::Sender<u64>,
    changed: Arc<Notify>,
}

struct Client {
    wants: Wants,
    news: mpsc::Sender<Bytes>,
}

/// A client that joined.
pub struct Joined {
    /// The change that it made, by which it is known.
    pub number: u64,
    pub news: mpsc::Receiver<Bytes>,
    /// The first one has to see that the server is listened to, while this is told of changes.
    pub first: Option<Arc<Notify>>,
    /// The changes that the server was told.
    pub told: watch::Receiver<u64>,
}

impl Lines {
    fn lock(&self) -> MutexGuard<'_, HashMap<Of, Line>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody listens from now on.
    pub fn join(&self, of: &Of, wants: Wants) -> Joined {
        let (send, news) = mpsc::channel(UNHEARD);
        let mut lines = self.lock();
        let is_first = !lines.contains_key(of);
        let line = lines.entry(of.clone()).or_default();
        for uri in &wants.uris {
            *line.uris.entry(uri.clone()).or_default() += 1;
        }
        let number = line.change();
        line.clients.insert(number, Client { wants, news: send });
        Joined {
            number,
            news,
            first: is_first.then(|| line.changed.clone()),
            told: line.told.subscribe(),
        }
    }

    /// Somebody listens no more.
    pub fn leave(&self, of: &Of, number: u64) {
        let mut lines = self.lock();
        let Some(line) = lines.get_mut(of) else { return };
        let client = line.clients.remove(&number);
        for uri in client.into_iter().flat_map(|client| client.wants.uris) {
            let count = line.uris.get_mut(&uri);
            if count.is_some_and(|count| {
                *count -= 1;
                *count == 0
            }) {
                line.uris.remove(&uri);
                line.refused.remove(&uri);
            }
        }
        line.change();
        if line.clients.is_empty() {
            lines.remove(of);
        }
    }

    /// What the server is to tell of, and which change that is; `None` when nobody listens any more to the line whose changes are told
    /// to `changed`. There may be another one already.
    pub fn wanted(&self, of: &Of, changed: &Arc<Notify>) -> Option<(u64, HashSet<Box<str>>)> {
        let lines = self.lock();
        let line = lines.get(of).filter(|line| Arc::ptr_eq(&line.changed, changed))?;
        let uris = line.uris.keys().filter(|uri| !line.refused.contains(*uri));
        Some((line.turn, uris.cloned().collect()))
    }

    /// The server was told of changes up to this one; it does not tell of these resources.
    pub fn settle(&self, of: &Of, turn: u64, refused: Vec<Box<str>>) {
        let mut lines = self.lock();
        if let Some(line) = lines.get_mut(of) {
            line.refused.extend(refused);
            line.told.send_replace(turn);
        }
    }

    /// The resources that the server does not tell of.
    pub fn refused(&self, of: &Of) -> HashSet<Box<str>> {
        let lines = self.lock();
        lines.get(of).map(|line| line.refused.clone()).unwrap_or_default()
    }

    /// The server says that something changed; those hear it who asked for that.
    pub fn tell(&self, of: &Of, doc: &[u8]) {
        let lines = self.lock();
        let Some(line) = lines.get(of) else { return };
        let Some(news) = News::read(doc) else { return };
        let doc = Bytes::copy_from_slice(doc);
        for client in line.clients.values().filter(|client| client.wants.hear(&news)) {
            // Who has not heard so many hears of it all the same.
            drop(client.news.try_send(doc.clone()));
        }
    }
}

impl Line {
    /// There is something to tell the server, or nobody left; -> the number of the change.
    fn change(&mut self) -> u64 {
        self.turn += 1;
        self.changed.notify_one();
        self.turn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wants(tools: bool, uris: &[&str]) -> Wants {
        Wants {
            tools,
            uris: uris.iter().map(|uri| (*uri).into()).collect(),
            ..Wants::default()
        }
    }

    const TOOLS: &[u8] = br#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#;
    const UPDATED: &[u8] =
        br#"{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"a:1"}}"#;

    #[test]
    fn each_hears_what_it_wants() {
        let (lines, of) = (Lines::default(), ([1; 16], Box::<str>::from("s")));
        let mut one = lines.join(&of, wants(true, &["a:1"]));
        let mut two = lines.join(&of, wants(false, &["a:1", "a:2"]));
        let other = ([2; 16], Box::<str>::from("s"));
        let mut three = lines.join(&other, wants(true, &[]));
        assert_eq!((one.first.is_some(), two.first.is_some()), (true, false));
        lines.tell(&of, TOOLS);
        lines.tell(&of, UPDATED);
        lines.tell(&of, br#"{"method":"notifications/progress"}"#);
        let heard =
            |joined: &mut mpsc::Receiver<Bytes>| std::iter::from_fn(|| joined.try_recv().ok()).count();
        assert_eq!(
            (heard(&mut one.news), heard(&mut two.news), heard(&mut three.news)),
            (2, 1, 0)
        );
    }

    #[test]
    fn a_resource_is_wanted_while_somebody_wants_it() {
        let (lines, of) = (Lines::default(), ([1; 16], Box::<str>::from("s")));
        let one = lines.join(&of, wants(false, &["a:1", "a:2"]));
        let changed = one.first.clone().unwrap();
        let wanted = || {
            let mut all: Vec<Box<str>> = lines.wanted(&of, &changed)?.1.into_iter().collect();
            all.sort();
            Some(all.join(" "))
        };
        let two = lines.join(&of, wants(false, &["a:1", "a:3"]));
        assert_eq!(wanted().as_deref(), Some("a:1 a:2 a:3"));
        lines.settle(&of, two.number, vec!["a:3".into()]);
        assert_eq!(*one.told.borrow(), two.number);
        assert_eq!(wanted().as_deref(), Some("a:1 a:2"));
        assert!(lines.refused(&of).contains("a:3"));
        lines.leave(&of, one.number);
        assert_eq!(wanted().as_deref(), Some("a:1"));
        lines.leave(&of, one.number);
        lines.leave(&of, two.number);
        assert_eq!(wanted(), None);
        assert!(lines.join(&of, wants(true, &[])).first.is_some(), "a line anew");
        assert_eq!(wanted(), None, "which is another one");
    }
}
