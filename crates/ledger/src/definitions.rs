//! The definitions that agents came to trust, of all servers of tools: in memory, and in the store folder where there is one. Whoever
//! changes them does not wait for the disk: one thread writes what there is.

use crate::file;
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use trilithon_flow::Keep;
use trilithon_mcp::Pins;

/// The file in the store folder.
const FILE: &str = "definitions.json";
/// Bytes of it that are read.
const MAX_FILE: u64 = 64 << 20;

/// By server, which is the name of the middleware in front of it.
pub type Servers = BTreeMap<String, Pins>;

/// The definitions of the process.
#[derive(Default)]
pub struct Definitions {
    servers: Arc<Mutex<Servers>>,
    writer: Option<Writer>,
}

struct Writer {
    /// `None` when it is to end.
    changed: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Definitions {
    /// The name under which the process keeps them.
    const NAME: &str = "definitions";

    /// Takes up what the store folder has. Without a folder, or where its file cannot be read, nothing outlives the process; the file
    /// is left alone then. Whoever holds it keeps it.
    pub fn start(keep: &Keep, folder: Option<&Path>) -> Arc<Definitions> {
        keep.get(Definitions::NAME, &(), || {
            let Some(folder) = folder else {
                return Definitions::default();
            };
            Definitions::open(folder).unwrap_or_else(|error| {
                let path = folder.join(FILE);
                tracing::error!(%error, path = %path.display(), "definitions of tools are not kept: move the file away to begin anew");
                Definitions::default()
            })
        })
    }

    /// Those of the process; where none were started, some in memory.
    pub fn of(keep: &Keep) -> Arc<Definitions> {
        keep.get(Definitions::NAME, &(), Definitions::default)
    }

    /// Those of a store folder, which belongs to the caller.
    ///
    /// # Errors
    /// The file cannot be read, or is none; the thread that writes cannot be made.
    pub fn open(folder: &Path) -> io::Result<Definitions> {
        let servers = Arc::new(Mutex::new(read(folder)?));
        let (changed, changes) = channel();
        let (path, written) = (folder.join(FILE), servers.clone());
        let thread = std::thread::Builder::new()
            .name("definitions".into())
            .spawn(move || write(&path, &written, &changes))?;
        Ok(Definitions {
            servers,
            writer: Some(Writer {
                changed: Some(changed),
                thread: Some(thread),
            }),
        })
    }

    /// Lets `look` at the definitions of a server; what it changed, which it says beside its answer, is kept.
    pub fn with<T>(&self, server: &str, look: impl FnOnce(&mut Pins) -> (T, bool)) -> T {
        let mut servers = locked(&self.servers);
        if !servers.contains_key(server) {
            servers.insert(server.to_owned(), Pins::default());
        }
        let pins = servers.get_mut(server).expect("it was put there");
        let (answer, is_changed) = look(pins);
        drop(servers);
        if is_changed {
            self.changed();
        }
        answer
    }

    /// Trusts what was seen last: of one server or all, of one name or all. How many definitions that are.
    pub fn approve(&self, server: Option<&str>, name: Option<&str>) -> usize {
        let mut servers = locked(&self.servers);
        let chosen = servers.iter_mut();
        let chosen = chosen.filter(|(known, _)| server.is_none_or(|server| server == *known));
        let count = chosen.map(|(_, pins)| pins.approve(name)).sum();
        drop(servers);
        if count > 0 {
            self.changed();
        }
        count
    }

    fn changed(&self) {
        if let Some(changed) = self.writer.as_ref().and_then(|writer| writer.changed.as_ref()) {
            // The thread lives as long as this.
            let _ = changed.send(());
        }
    }
}

/// What was changed is written before the process ends.
impl Drop for Definitions {
    fn drop(&mut self) {
        if let Some(writer) = &mut self.writer {
            writer.changed = None;
            let _ = writer.thread.take().map(JoinHandle::join);
        }
    }
}

/// What the store folder has; nothing where there is no file.
///
/// # Errors
/// It cannot be read, or is none of these.
pub fn read(folder: &Path) -> io::Result<Servers> {
    match file::read(&folder.join(FILE), MAX_FILE)? {
        Some(text) => Ok(serde_json::from_slice(&text)?),
        None => Ok(Servers::new()),
    }
}

fn write(path: &Path, servers: &Mutex<Servers>, changes: &Receiver<()>) {
    while changes.recv().is_ok() {
        // One writing is enough for all that came meanwhile.
        while changes.try_recv().is_ok() {}
        let text = serde_json::to_vec_pretty(&*locked(servers)).unwrap_or_default();
        if let Err(error) = file::replace(path, &text) {
            tracing::error!(%error, path = %path.display(), "definitions of tools cannot be written");
        }
    }
}

fn locked(servers: &Mutex<Servers>) -> MutexGuard<'_, Servers> {
    servers.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use trilithon_mcp::pins::Trust;
    use trilithon_mcp::{Definition, List};
    use trilithon_testkit::Folder;

    const TRUST: Trust = Trust {
        first: true,
        later: true,
    };

    fn see(definitions: &Definitions, digest: &str) {
        let definition = Definition {
            list: List::Tools,
            name: "a".into(),
            digest: digest.into(),
            body: digest.into(),
            hides_text: false,
        };
        definitions.with("s@file", |pins| pins.see(&definition, TRUST));
    }

    #[test]
    fn they_outlive_the_process() {
        let folder = Folder::new("definitions");
        let definitions = Definitions::open(folder.path()).unwrap();
        see(&definitions, "1");
        see(&definitions, "2");
        drop(definitions);
        let kept = read(folder.path()).unwrap();
        assert_eq!(kept["s@file"].tools["a"].trusted.as_deref(), Some("1"));
        assert_eq!(kept["s@file"].tools["a"].seen.as_deref(), Some("2"));
        let definitions = Definitions::open(folder.path()).unwrap();
        assert_eq!(definitions.approve(Some("other"), None), 0);
        assert_eq!(definitions.approve(None, Some("a")), 1);
        drop(definitions);
        assert_eq!(
            read(folder.path()).unwrap()["s@file"].tools["a"]
                .trusted
                .as_deref(),
            Some("2")
        );
    }

    #[test]
    fn a_file_that_is_none_is_left_alone() {
        let folder = Folder::new("definitions");
        std::fs::write(folder.path().join(FILE), "{").unwrap();
        assert!(Definitions::open(folder.path()).is_err());
        let keep = Keep::default();
        let definitions = Definitions::start(&keep, Some(folder.path()));
        see(&definitions, "1");
        drop(definitions);
        assert_eq!(std::fs::read(folder.path().join(FILE)).unwrap(), b"{");
    }
}
