//! The store folder of this process.

use std::path::PathBuf;
use trilithon_ledger::{Folder, folder};
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
