//! From providers' messages to snapshots: the latest word of each provider, not more often than allowed, unchanged words
//! left out. The first start and every reload take this one path.

use crate::assemble::{Settings, assemble};
use crate::live::{Live, Snapshot};
use crate::merge::{Message, merge};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::Notify;
use tokio::sync::mpsc::Receiver;
use tokio::time::Instant;
use trilithon_flow::{Keep, metrics};
use trilithon_model::dynamic::Configuration;

/// Applies configurations.
pub struct Reloader {
    settings: Arc<Settings>,
    keep: Arc<Keep>,
    /// Least time between two applications of one provider's configuration.
    throttle: Duration,
    /// What each provider said last.
    current: BTreeMap<String, Configuration>,
    applied: BTreeMap<String, Instant>,
}

/// Told of each new snapshot, after the swap.
pub type Applied = Box<dyn Fn(&Snapshot) + Send>;

impl Reloader {
    pub fn new(settings: Arc<Settings>, keep: Arc<Keep>, throttle: Duration) -> Reloader {
        Reloader {
            settings,
            keep,
            throttle,
            current: BTreeMap::new(),
            applied: BTreeMap::new(),
        }
    }

    /// Takes what is known at the start, and makes the first snapshot of it.
    pub fn first(&mut self, messages: impl IntoIterator<Item = Message>) -> Snapshot {
        for message in messages {
            self.take(message);
        }
        self.snapshot()
    }

    /// Follows the providers until none is left. `refresh` asks for the same configuration once more, because a file that
    /// it names has changed.
    pub async fn run(
        mut self,
        live: Arc<Live>,
        mut messages: Receiver<Message>,
        refresh: Arc<Notify>,
        applied: Applied,
    ) {
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
                message = messages.recv() => match message {
                    Some(message) => {
                        pending.insert(message.provider.clone(), message);
                    }
                    None => return,
                },
                () = refresh.notified() => self.swap(&live, &applied),
                () = wait => {
                    let now = Instant::now();
                    let ready: Vec<String> = pending
                        .keys()
                        .filter(|p| self.due(p).is_none_or(|due| due <= now))
                        .cloned()
                        .collect();
                    let mut changed = false;
                    for provider in ready {
                        changed |= pending.remove(&provider).is_some_and(|m| self.take(m));
                    }
                    if changed {
                        self.swap(&live, &applied);
                    }
                }
            }
        }
    }

    /// When the provider may be heard again; `None` for one that was never heard.
    fn due(&self, provider: &str) -> Option<Instant> {
        self.applied.get(provider).map(|last| *last + self.throttle)
    }

    /// Makes a message the provider's word; false when it is what is in force already.
    fn take(&mut self, message: Message) -> bool {
        if self.current.get(&message.provider) == Some(&message.configuration) {
            return false;
        }
        self.applied.insert(message.provider.clone(), Instant::now());
        self.current.insert(message.provider, message.configuration);
        true
    }

    fn snapshot(&self) -> Snapshot {
        assemble(&self.settings, &merge(&self.current), &self.keep)
    }

    fn swap(&self, live: &Live, applied: &Applied) {
        live.swap(self.snapshot());
        count();
        applied(&live.get());
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
