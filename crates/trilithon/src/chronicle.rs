//! What becomes of the configuration, told to all who keep it: history, audit log, metrics.

use anyhow::Context;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use trilithon_engine::merge::Message;
use trilithon_engine::reload::{Cause, Words};
use trilithon_flow::metrics::registry;
use trilithon_ledger::audit::entry::Other;
use trilithon_ledger::history::diff::{self, Configurations};
use trilithon_ledger::history::{self, Action, Pin, Version};
use trilithon_ledger::{AuditLog, History};
use trilithon_model::install::Static;
use trilithon_model::{Encode, Source};
use trilithon_provider::file;

/// Differences that a version names; a later `diff` names all.
const MAX_CHANGES: usize = 100;

/// The chronicle of the process.
pub struct Chronicle {
    /// `None` without a store, or where no version is to be kept.
    history: Option<History>,
    audit: Option<Arc<AuditLog>>,
    /// The install configuration without secrets.
    install: Value,
    state: Mutex<State>,
    /// The version in force, for those who tell it with each request.
    told_version: Arc<AtomicU64>,
}

/// What is in force.
#[derive(Default)]
struct State {
    /// Of all providers but the gateway's own.
    configurations: Configurations,
    version: u64,
    pin: Option<Pin>,
}

impl Chronicle {
    pub fn new(history: Option<History>, audit: Option<Arc<AuditLog>>, install: &Static) -> Chronicle {
        Chronicle {
            history,
            audit,
            install: install.to_json(),
            state: Mutex::default(),
            told_version: Arc::default(),
        }
    }

    pub fn history(&self) -> Option<&History> {
        self.history.as_ref()
    }

    /// The version in force; 0 before the first.
    pub fn version(&self) -> u64 {
        self.state().version
    }

    /// The version in force, as it changes; `None` where no versions are kept, because numbers that begin anew with each process
    /// name nothing.
    pub fn told_version(&self) -> Option<Arc<AtomicU64>> {
        self.history.as_ref().map(|_| self.told_version.clone())
    }

    /// The version that is pinned.
    pub fn pinned(&self) -> Option<u64> {
        self.state().pin.as_ref().map(|p| p.version)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was pinned before the process started. A version that cannot be read any more pins nothing, which is said.
    pub fn take_up(&self) -> Option<Words> {
        let history = self.history.as_ref()?;
        let pin = history
            .pin()
            .inspect_err(|error| tracing::error!(%error, "cannot tell whether a version is pinned: providers are heard"))
            .ok()??;
        match words(history, pin.version) {
            Ok(words) => {
                self.state().pin = Some(pin);
                Some(words)
            }
            Err(error) => {
                tracing::error!(
                    "version {} is pinned and cannot be served, so providers are heard: {error:#}",
                    pin.version
                );
                None
            }
        }
    }

    /// The process has started: `served` is in force, `said` is what providers say.
    pub fn started(&self, served: &Words, said: &Words) {
        let before = self.history.as_ref().map_or(Ok(None), before);
        let before = before.unwrap_or_else(|error| {
            tracing::error!("cannot read the history: {error:#}");
            None
        });
        let pin = self.state().pin.clone();
        let mut install = Vec::new();
        if let Some((version, configurations, old)) = before {
            install = diff::installs(&old, &self.install);
            let mut state = self.state();
            (state.version, state.configurations) = (version, configurations);
        }
        let cause = match pin {
            Some(Pin {
                version,
                uid,
                reason,
                entry: None,
            }) => Cause::Rollback { version, uid, reason },
            _ => Cause::Start,
        };
        self.add(served, &cause, install);
        let held = self.pinned().is_some() && spoken(said) != spoken(served);
        if held {
            self.held(said, &said.sources.keys().cloned().collect::<Vec<_>>());
        }
    }

    /// Other words are in force.
    pub fn applied(&self, words: &Words, cause: &Cause) {
        if *cause != Cause::Refresh {
            self.add(words, cause, Vec::new());
        }
    }

    fn add(&self, words: &Words, cause: &Cause, mut changes: Vec<diff::Change>) {
        let mut state = self.state();
        let configurations = spoken(words);
        changes.extend(diff::configurations(&state.configurations, &configurations));
        state.configurations = configurations;
        let ordered = matches!(cause, Cause::Rollback { .. } | Cause::Release { .. });
        if ordered || !changes.is_empty() || state.version == 0 {
            let version = self.keep(described(cause, &changes), words);
            state.version = version.unwrap_or(state.version + 1);
            self.settle_pin(&mut state, cause);
            self.record(cause_event(cause), &described(cause, &changes), state.version);
            tracing::info!(
                version = state.version,
                changes = changes.len(),
                "another version of the configuration is in force"
            );
        }
        self.told_version.store(state.version, Ordering::Relaxed);
        if let Some(audit) = &self.audit {
            audit.configure(state.version);
        }
        gauge(
            "trilithon_config_version",
            "Version of the configuration in force",
            state.version,
        );
        gauge(
            "trilithon_config_pinned",
            "Whether a version is pinned",
            u64::from(state.pin.is_some()),
        );
    }

    /// Pins, or lets go of, what an operator said.
    fn settle_pin(&self, state: &mut State, cause: &Cause) {
        state.pin = match cause {
            Cause::Rollback { version, uid, reason } => Some(Pin {
                version: *version,
                uid: *uid,
                reason: reason.clone(),
                entry: Some(state.version),
            }),
            Cause::Release { .. } => None,
            _ => return,
        };
        let written = self
            .history
            .as_ref()
            .map_or(Ok(()), |h| h.set_pin(state.pin.as_ref()));
        if let Err(error) = written {
            tracing::error!(%error, "what is pinned cannot be written: it is forgotten with this process");
        }
    }

    /// Providers said something that is not applied.
    pub fn held(&self, said: &Words, providers: &[String]) {
        let state = self.state();
        let pinned = state.pin.as_ref().map_or(0, |p| p.version);
        tracing::warn!(
            "{} said something else, which is held back: version {pinned} is pinned; `trilithon rollback --release` lets it in",
            providers.join(", ")
        );
        let changes = diff::configurations(&state.configurations, &spoken(said));
        let mut version = Version::now(Action::Held, providers.join(", "));
        version.changes = summaries(&changes);
        if self.is_held_already(&version, said) {
            return;
        }
        let number = self.keep(version.clone(), said).unwrap_or(0);
        self.record("held", &version, number);
    }

    /// After each start the same words are held back again; once is enough.
    fn is_held_already(&self, version: &Version, said: &Words) -> bool {
        let last = |history: &History| history.version(*history.numbers().ok()?.last()?).ok()?;
        let mut described = version.clone();
        History::describe(&mut described, &said.sources, &self.install);
        self.history.as_ref().and_then(last).is_some_and(|last| {
            last.action == Action::Held
                && last.providers == described.providers
                && last.install == described.install
        })
    }

    fn keep(&self, version: Version, words: &Words) -> Option<u64> {
        let history = self.history.as_ref()?;
        let kept = history.add(version, &words.sources, &self.install);
        kept.inspect_err(|error| tracing::error!(%error, "the history cannot be written: this version cannot be taken up later"))
            .ok()
            .map(|version| version.number)
    }

    fn record(&self, event: &str, version: &Version, number: u64) {
        let Some(audit) = &self.audit else { return };
        let mut what = json!({"event": event, "version": number, "changes": version.changes});
        if let Some(of) = version.of {
            what["of"] = of.into();
        }
        if !version.reason.is_empty() {
            what["reason"] = version.reason.as_str().into();
        }
        audit.record(Other::now("configuration", json!({"by": version.by}), what));
    }
}

fn cause_event(cause: &Cause) -> &'static str {
    match cause {
        Cause::Rollback { .. } => "rollback",
        Cause::Release { .. } => "released",
        _ => "applied",
    }
}

fn described(cause: &Cause, changes: &[diff::Change]) -> Version {
    let mut version = match cause {
        Cause::Start | Cause::Refresh => Version::now(Action::Applied, "start"),
        Cause::Providers(names) => Version::now(Action::Applied, names.join(", ")),
        Cause::Rollback { uid, .. } => Version::now(Action::Rollback, format!("uid {uid}")),
        Cause::Release { uid, .. } => Version::now(Action::Released, format!("uid {uid}")),
    };
    if let Cause::Rollback { version: of, .. } = cause {
        version.of = Some(*of);
    }
    if let Cause::Rollback { reason, .. } | Cause::Release { reason, .. } = cause {
        version.reason.clone_from(reason);
    }
    version.changes = summaries(changes);
    version
}

fn summaries(changes: &[diff::Change]) -> Vec<String> {
    let mut all: Vec<String> = changes
        .iter()
        .take(MAX_CHANGES)
        .map(diff::Change::summary)
        .collect();
    if changes.len() > MAX_CHANGES {
        all.push(format!("and {} more", changes.len() - MAX_CHANGES));
    }
    all
}

/// What providers say, without what follows from the install configuration.
fn spoken(words: &Words) -> Configurations {
    let said = words
        .configurations
        .iter()
        .filter(|(p, _)| words.sources.contains_key(*p));
    said.map(|(p, c)| (p.clone(), c.clone())).collect()
}

/// The version that was in force last, what it says, and its install configuration.
fn before(history: &History) -> anyhow::Result<Option<(u64, Configurations, Value)>> {
    let Some(version) = history.in_force()? else {
        return Ok(None);
    };
    let words = decode(&history.words(&version)?)?;
    Ok(Some((
        version.number,
        words.configurations,
        history.install(&version)?,
    )))
}

/// What a version says, read again.
///
/// # Errors
/// There is no such version, or it cannot be read any more.
pub fn words(history: &History, number: u64) -> anyhow::Result<Words> {
    let version = history
        .version(number)?
        .with_context(|| format!("there is no version {number}; `trilithon history` lists them"))?;
    decode(&history.words(&version)?).with_context(|| format!("version {number}"))
}

/// Kept texts as configurations, by the decoder that read them first.
///
/// # Errors
/// A text that is not to be used as a whole.
pub fn decode(kept: &history::Words) -> anyhow::Result<Words> {
    let message = |(provider, sources): (&String, &Vec<Arc<Source>>)| {
        let (configuration, problems) = file::configuration(sources);
        anyhow::ensure!(!problems.void_file(), "{problems}");
        Ok(Message {
            provider: provider.clone(),
            configuration,
            sources: sources.clone(),
        })
    };
    kept.iter().map(message).collect()
}

fn gauge(name: &'static str, help: &'static str, value: u64) {
    let value = i64::try_from(value).unwrap_or(i64::MAX);
    registry().gauge(name, help, &[]).set(value);
}
