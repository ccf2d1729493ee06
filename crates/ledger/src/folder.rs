//! The folder in which the gateway keeps what must outlive it, and the lock that makes one process its owner.
//!
//! Who owns it may write what it likes below it; whoever only reads (the commands) needs no lock.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use trilithon_model::install::Store;

/// The file that is locked. It holds the id of the process that does.
const LOCK: &str = "lock";
/// Where the folder is when nothing says otherwise.
const LAST_RESORT: &str = "/var/lib/trilithon";

/// The store folder, owned by this process until it is dropped or the process ends, however it ends.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    /// Unlocked by the system when it is closed.
    _lock: File,
}

/// Why the store folder cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    #[error("the store folder `{}` belongs to another gateway{}; give each one its own `store.directory`", path.display(), of(*pid))]
    Taken { path: PathBuf, pid: Option<u32> },
    #[error("the store folder `{}` can be changed by others; it must be this user's own (`chmod o-w`, `chown`)", path.display())]
    Shared { path: PathBuf },
    #[error("cannot {verb} `{}`: {source}; set `store.directory` to a folder that this user may write", path.display())]
    Unwritable {
        verb: &'static str,
        path: PathBuf,
        source: io::Error,
    },
}

fn of(pid: Option<u32>) -> String {
    pid.map(|pid| format!(" (process {pid})")).unwrap_or_default()
}

/// Where the store folder is: `store.directory`, or what [`Store::directory`] says of an empty one. `var` looks up a
/// variable of the environment.
pub fn locate(store: Option<&Store>, var: impl Fn(&str) -> Option<String>) -> PathBuf {
    let var = |name: &str| var(name).filter(|value| !value.is_empty());
    if let Some(store) = store.filter(|s| !s.directory.is_empty()) {
        return PathBuf::from(&store.directory);
    }
    // systemd joins several folders with colons.
    if let Some(folders) = var("STATE_DIRECTORY") {
        return PathBuf::from(folders.split(':').next().unwrap_or_default());
    }
    if let Some(folder) = var("XDG_STATE_HOME") {
        return Path::new(&folder).join("trilithon");
    }
    match var("HOME") {
        Some(home) => Path::new(&home).join(".local/state/trilithon"),
        None => PathBuf::from(LAST_RESORT),
    }
}

impl Folder {
    /// Makes the folder where it is missing (mode 0700) and takes its lock.
    ///
    /// # Errors
    /// Another process holds the lock, others may write the folder, or it cannot be made or written.
    pub fn open(path: impl Into<PathBuf>) -> Result<Folder, FolderError> {
        let path = path.into();
        let unwritable = |verb, path: &Path, source| FolderError::Unwritable {
            verb,
            path: path.to_owned(),
            source,
        };
        private(&path).map_err(|e| unwritable("make", &path, e))?;
        let meta = std::fs::metadata(&path).map_err(|e| unwritable("read", &path, e))?;
        let me = rustix::process::geteuid().as_raw();
        if meta.mode() & 0o002 != 0 || (meta.uid() != me && meta.uid() != 0) {
            return Err(FolderError::Shared { path });
        }
        let file = path.join(LOCK);
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&file)
            .map_err(|e| unwritable("write", &file, e))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let pid = owner(&mut lock);
                return Err(FolderError::Taken { path, pid });
            }
            Err(TryLockError::Error(e)) => return Err(unwritable("lock", &file, e)),
        }
        sign(&mut lock).map_err(|e| unwritable("write", &file, e))?;
        Ok(Folder { path, _lock: lock })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Makes a folder, and those above it, that only this user may enter. One that is there stays as it is.
///
/// # Errors
/// It cannot be made.
pub fn private(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

fn owner(lock: &mut File) -> Option<u32> {
    let mut text = String::new();
    lock.take(16).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

fn sign(lock: &mut File) -> io::Result<()> {
    lock.set_len(0)?;
    writeln!(lock, "{}", std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use trilithon_testkit::Folder as Temporary;

    #[test]
    fn where_it_is() {
        let check = |directory: &str, env: &[(&str, &str)], want: &str| {
            let store = Store {
                directory: directory.into(),
                ..Store::default()
            };
            let var = |name: &str| env.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
            assert_eq!(locate(Some(&store), var), Path::new(want));
        };
        let home = ("HOME", "/home/a");
        let state = ("XDG_STATE_HOME", "/state");
        check("/own", &[home, state, ("STATE_DIRECTORY", "/s")], "/own");
        check("", &[home, state, ("STATE_DIRECTORY", "/s:/t")], "/s");
        check("", &[home, state, ("STATE_DIRECTORY", "")], "/state/trilithon");
        check("", &[home], "/home/a/.local/state/trilithon");
        check("", &[], "/var/lib/trilithon");
    }

    #[test]
    fn one_owner_at_a_time() {
        let temporary = Temporary::new("store");
        let path = temporary.path().join("a/b");
        let first = Folder::open(&path).expect("it is free");
        let mode = std::fs::metadata(&path).expect("it is there").mode();
        assert_eq!(mode & 0o777, 0o700);
        match Folder::open(&path) {
            Err(FolderError::Taken { pid, .. }) => assert_eq!(pid, Some(std::process::id())),
            other => panic!("{other:?}"),
        }
        drop(first);
        Folder::open(&path).expect("it is free again");
    }

    #[test]
    fn a_folder_that_all_may_write_is_refused() {
        let temporary = Temporary::new("store");
        std::fs::set_permissions(temporary.path(), std::fs::Permissions::from_mode(0o777)).expect("ours");
        let refused = Folder::open(temporary.path());
        assert!(matches!(refused, Err(FolderError::Shared { .. })), "{refused:?}");
    }

    #[test]
    fn what_cannot_be_made_is_said() {
        let temporary = Temporary::new("store");
        let file = temporary.write("file", "");
        let error = Folder::open(file.join("below")).expect_err("a file has no folders");
        assert!(error.to_string().contains("store.directory"), "{error}");
    }
}
