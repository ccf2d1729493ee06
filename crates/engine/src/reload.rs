//! From providers' messages to snapshots: the latest word of each provider, not more often than allowed, unchanged words
//! left out. The first start and every reload take this one path. An operator may pin other words; what providers say then
//! waits.

use crate::assemble::{Settings, assemble};
use crate::live::{Live, Snapshot};
use crate::merge::{Message, merge};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::mpsc::Receiver;
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;
use trilithon_flow::{Keep, metrics};
use trilithon_model::dynamic::Configuration;
use trilithon_model::node::Source;

/// What providers say, each by its name.
#[derive(Clone, Debug, Default)]
pub struct Words {
    pub configurations: BTreeMap<String, Configuration>,
    /// The texts that they were read from. What has none follows from the install configuration.
    pub sources: BTreeMap<String, Vec<Arc<Source>>>,
}

impl Words {
    /// Makes a message its provider's word; false when it is that already.
    pub fn take(&mut self, message: Message) -> bool {
        if self.configurations.get(&message.provider) == Some(&message.configuration) {
            return false;
        }
        if !message.sources.is_empty() {
            self.sources.insert(message.provider.clone(), message.sources);
        }
        self.configurations
            .insert(message.provider, message.configuration);
        true
    }

    /// These words, with what follows from the install configuration as it is in `said`.
    fn with_own(mut self, said: &Words) -> Words {
        let own = said
            .configurations
            .iter()
            .filter(|(p, _)| !said.sources.contains_key(*p));
        self.configurations
            .extend(own.map(|(p, c)| (p.clone(), c.clone())));
        self
    }
}

impl FromIterator<Message> for Words {
    fn from_iter<I: IntoIterator<Item = Message>>(messages: I) -> Words {
        let mut words = Words::default();
        for message in messages {
            words.take(message);
        }
        words
    }
}

/// What an operator asks for.
pub enum Order {
    /// Serve these words, whatever providers say.
    Pin(Words),
    /// Serve what providers say.
    Release,
}

/// An order, and who waits until it is obeyed and recorded.
pub type Ordered = (Order, Cause, oneshot::Sender<()>);

/// Why another snapshot is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The process starts.
    Start,
    /// These providers said something else.
    Providers(Vec<String>),
    /// A file that the configuration names has changed.
    Refresh,
    /// Somebody took up an earlier version.
    Rollback { version: u64, uid: u32, reason: String },
    /// Somebody let the providers in again.
    Release { uid: u32, reason: String },
}

/// Who is told what becomes of the configuration.
pub trait Journal: Send {
    /// The snapshot made of `words` is in force.
    fn applied(&mut self, words: &Words, cause: &Cause, snapshot: &Snapshot);
    /// A provider said something else, but other words are pinned.
    fn held(&mut self, said: &Words, providers: &[String]);
}

/// What moves a reloader: messages of providers, orders of operators, and requests for the same configuration once more,
/// because a file that it names has changed.
pub struct Inlets {
    pub messages: Receiver<Message>,
    pub orders: Receiver<Ordered>,
    pub refresh: Arc<Notify>,
}

/// Applies configurations.
pub struct Reloader {
    settings: Arc<Settings>,
    keep: Arc<Keep>,
    /// Least time between two applications of one provider's configuration.
    throttle: Duration,
    /// What each provider said last.
    said: Words,
    /// What is served in its place.
    pinned: Option<Words>,
    heard: BTreeMap<String, Instant>,
}

impl Reloader {
    pub fn new(settings: Arc<Settings>, keep: Arc<Keep>, throttle: Duration) -> Reloader {
        Reloader {
            settings,
            keep,
            throttle,
            said: Words::default(),
            pinned: None,
            heard: BTreeMap::new(),
        }
    }

    /// Takes what is known at the start, and makes the first snapshot of it, or of what is pinned.
    pub fn first(&mut self, messages: impl IntoIterator<Item = Message>, pinned: Option<Words>) -> Snapshot {
        for message in messages {
            self.take(message);
        }
        self.pinned = pinned.map(|words| words.with_own(&self.said));
        self.snapshot()
    }

    /// What is served.
    pub fn words(&self) -> &Words {
        self.pinned.as_ref().unwrap_or(&self.said)
    }

    /// What providers say.
    pub fn said(&self) -> &Words {
        &self.said
    }

    /// Follows the providers until none is left.
    pub async fn run(mut self, live: Arc<Live>, mut inlets: Inlets, mut journal: impl Journal) {
        let mut pending: BTreeMap<String, Message> = BTreeMap::new();
        loop {
            let due = pending.keys().map(|p| self.due(p)).min();
            let wait = async {
                match due {
                    Some(Some(due)) => tokio::time::sleep_until(due).await,
                    Some(None) => {}
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                message = inlets.messages.recv() => match message {
                    Some(message) => {
                        pending.insert(message.provider.clone(), message);
                    }
                    None => return,
                },
                Some((order, cause, done)) = inlets.orders.recv() => {
                    self.obey(order);
                    self.swap(&live, &cause, &mut journal);
                    // Whoever asked may have gone.
                    let _ = done.send(());
                }
                () = inlets.refresh.notified() => self.swap(&live, &Cause::Refresh, &mut journal),
                () = wait => {
                    let changed = self.take_due(&mut pending);
                    if changed.is_empty() {
                        continue;
                    }
                    if self.pinned.is_some() {
                        journal.held(&self.said, &changed);
                    } else {
                        self.swap(&live, &Cause::Providers(changed), &mut journal);
                    }
                }
            }
        }
    }

    fn obey(&mut self, order: Order) {
        self.pinned = match order {
            Order::Pin(words) => Some(words.with_own(&self.said)),
            Order::Release => None,
        };
    }

    /// Takes the messages whose time has come; gives the providers that said something else.
    fn take_due(&mut self, pending: &mut BTreeMap<String, Message>) -> Vec<String> {
        let now = Instant::now();
        let is_due = |p: &String| self.due(p).is_none_or(|due| due <= now);
        let mut ready: Vec<String> = pending.keys().filter(|p| is_due(p)).cloned().collect();
        ready.retain(|provider| pending.remove(provider).is_some_and(|m| self.take(m)));
        ready
    }

    /// When the provider may be heard again; `None` for one that was never heard.
    fn due(&self, provider: &str) -> Option<Instant> {
        self.heard.get(provider).map(|last| *last + self.throttle)
    }

    /// Makes a message the provider's word; false when it is that already.
    fn take(&mut self, message: Message) -> bool {
        let provider = message.provider.clone();
        let changed = self.said.take(message);
        if changed {
            self.heard.insert(provider, Instant::now());
        }
        changed
    }

    fn snapshot(&self) -> Snapshot {
        assemble(&self.settings, &merge(&self.words().configurations), &self.keep)
    }

    fn swap(&self, live: &Live, cause: &Cause, journal: &mut impl Journal) {
        live.swap(self.snapshot());
        count();
        journal.applied(self.words(), cause, &live.get());
    }
}

/// Counts an applied configuration.
pub fn count() {
    let registry = metrics::registry();
    registry
        .counter("traefik_config_reloads_total", "Config reloads", &[])
        .inc();
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map(|d| d.as_secs())
        .unwrap_or_default();
    registry
        .gauge(
            "traefik_config_last_reload_success",
            "Last config reload success",
            &[],
        )
        .set(now as i64);
}
