//! The store folder of this process, and what is kept there.

use anyhow::Context;
use std::path::PathBuf;
use std::sync::Arc;
use trilithon_engine::entry_point::hostname;
use trilithon_ledger::{AuditLog, Folder, History, folder};
use trilithon_model::install::Static;

/// Where the store folder of a gateway with this configuration and this process's environment is.
pub fn path(config: &Static) -> PathBuf {
    folder::locate(config.store.as_ref(), |name| std::env::var(name).ok())
}

/// Takes the store folder. A gateway that cannot have it says so and goes on without: nothing outlives it then.
pub fn open(config: &Static) -> Option<Folder> {
    Folder::open(path(config))
        .inspect_err(
            |error| tracing::error!(%error, "there is no store: nothing is kept beyond this process"),
        )
        .ok()
}

/// The history in the store; `None` without a store, or where no version is to be kept.
pub fn history(store: Option<&Folder>, config: &Static) -> Option<History> {
    let keep = config.store.clone().unwrap_or_default().max_versions;
    let keep = usize::try_from(keep).ok().filter(|n| *n > 0)?;
    Some(History::in_store(store?.path(), keep))
}

/// Starts the audit log. A gateway that was not told to have one goes on without, and says so.
///
/// # Errors
/// The configuration asks for it and it cannot be written.
pub fn audit(store: Option<&Folder>, config: &Static) -> anyhow::Result<Option<Arc<AuditLog>>> {
    let section = config.audit.clone().unwrap_or_default();
    let started = store
        .context("there is no store")
        .and_then(|store| Ok(AuditLog::start(store.path(), &hostname(), &section)?));
    match started {
        Ok(log) => Ok(Some(log)),
        Err(error) if config.audit.is_some() => Err(error.context("the audit log cannot be written")),
        Err(error) => {
            tracing::error!("there is no audit log: {error:#}");
            Ok(None)
        }
    }
}

/// Where in it the limits are kept, or why nowhere.
pub fn folder(store: Option<&Folder>) -> Result<PathBuf, String> {
    match store {
        Some(store) => Ok(store.path().to_owned()),
        None => Err("this gateway has no store folder".into()),
    }
}
