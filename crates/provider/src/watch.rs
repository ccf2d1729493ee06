//! Tells when files change, also where they are swapped by rename or through symbolic links (ConfigMaps, editors).
//!
//! Folders are watched, not files: a file that is replaced is a new file. What changed is for the listener to find out;
//! bursts are told once.

use notify::event::{AccessKind, AccessMode, EventKind, ModifyKind};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// Quiet time after an event before it is told: an editor writes in several steps.
const SETTLE: Duration = Duration::from_millis(50);
/// How often the files are looked at where no events come from (network file systems, bind mounts).
const POLL: Duration = Duration::from_secs(5);

/// Watches the folders of some files.
pub struct FileWatch {
    watcher: Mutex<Option<RecommendedWatcher>>,
    folders: Mutex<BTreeSet<PathBuf>>,
    changed: Arc<Notify>,
}

impl FileWatch {
    /// A watch over nothing yet. Where the system has no change events, polling remains.
    pub fn new() -> FileWatch {
        let changed = Arc::new(Notify::new());
        let tell = changed.clone();
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            if event.map_or(true, |e| is_change(e.kind)) {
                tell.notify_one();
            }
        });
        if let Err(error) = &watcher {
            tracing::warn!(%error, "no file change events here; files are looked at every few seconds");
        }
        FileWatch {
            watcher: Mutex::new(watcher.ok()),
            folders: Mutex::default(),
            changed,
        }
    }

    /// Watches the folders that hold `paths` (or the paths themselves where they are folders), and no others any more.
    pub fn set<'a>(&self, paths: impl IntoIterator<Item = &'a Path>) {
        let wanted: BTreeSet<PathBuf> = paths.into_iter().flat_map(folders_of).collect();
        let mut folders = self.folders.lock().unwrap_or_else(PoisonError::into_inner);
        let mut watcher = self.watcher.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(watcher) = watcher.as_mut() else { return };
        for gone in folders.difference(&wanted) {
            // A folder that was removed is not watched any more in any case.
            let _ = watcher.unwatch(gone);
        }
        for new in wanted.difference(&folders) {
            if let Err(error) = watcher.watch(new, RecursiveMode::NonRecursive) {
                tracing::warn!(folder = %new.display(), %error, "cannot watch a folder; it is looked at every few seconds");
            }
        }
        *folders = wanted;
    }

    /// Waits until something may have changed.
    pub async fn changed(&self) {
        tokio::select! {
            () = self.changed.notified() => tokio::time::sleep(SETTLE).await,
            () = tokio::time::sleep(POLL) => {}
        }
    }

    /// Waits for a change that is told; looks at nothing by itself.
    pub async fn told(&self) {
        self.changed.notified().await;
    }

    /// Tells a change that nobody saw (SIGHUP).
    pub fn tell(&self) {
        self.changed.notify_one();
    }
}

impl Default for FileWatch {
    fn default() -> Self {
        FileWatch::new()
    }
}

/// Whether an event means that a file is another one now.
///
/// Linux tells when a file that was written is closed. Before that it is not finished, and an access log in the same folder
/// never is: its lines are nobody's change.
fn is_change(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => true,
        EventKind::Access(_) => false,
        EventKind::Modify(ModifyKind::Data(_)) => !cfg!(target_os = "linux"),
        _ => true,
    }
}

/// The folder of a path, and that of what it points to.
fn folders_of(path: &Path) -> Vec<PathBuf> {
    let folder = |p: &Path| {
        if p.is_dir() {
            Some(p.to_owned())
        } else {
            p.parent().map(Path::to_owned)
        }
    };
    let mut found: Vec<PathBuf> = folder(path).into_iter().collect();
    if let Ok(real) = path.canonicalize() {
        found.extend(folder(&real));
    }
    for folder in &mut found {
        if folder.as_os_str().is_empty() {
            *folder = PathBuf::from(".");
        }
    }
    found
}
