//! The history of configurations: every one that was applied, with what is needed to apply it again.
//!
//! A version names the texts that each provider's word was read from by their SHA-256; the texts are kept once each, below
//! `objects`. They may hold secrets: folder and files are for this user alone.

pub mod diff;

use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use trilithon_model::node::Source;

use crate::file;
use crate::folder::private;

/// Bytes of one text.
const MAX_OBJECT: u64 = 64 << 20;
/// Bytes of one version's own file.
const MAX_VERSION: u64 = 16 << 20;
/// Bytes of all texts; the oldest versions go first.
const MAX_TOTAL: u64 = 1 << 30;

/// The texts that each provider's word was read from, by provider.
pub type Words = BTreeMap<String, Vec<Arc<Source>>>;

/// How a version came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    /// A provider said it, and it was applied.
    Applied,
    /// A provider said it while another version was pinned: it was not applied.
    Held,
    /// An earlier version was taken up again, and pinned.
    Rollback,
    /// Providers were let in again, and this is what they say.
    Released,
}

impl Action {
    pub fn as_str(self) -> &'static str {
        match self {
            Action::Applied => "applied",
            Action::Held => "held back",
            Action::Rollback => "rollback",
            Action::Released => "released",
        }
    }
}

/// A text of a version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Text {
    /// The path, as the provider names it.
    pub name: String,
    /// SHA-256 of the text, in hexadecimal.
    pub sha256: String,
}

/// One entry of the history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Version {
    /// Counts from 1; 0 while it is not kept yet.
    pub number: u64,
    /// RFC 3339, in UTC.
    pub time: String,
    pub action: Action,
    /// Who: `file`, `start`, or `uid 1000` for a command.
    pub by: String,
    /// The version that a rollback took up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<u64>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    pub providers: BTreeMap<String, Vec<Text>>,
    /// SHA-256 of the install configuration without secrets, as JSON.
    pub install: String,
    /// What is different from the version in force before: `+`, `-` or `~` and the place.
    pub changes: Vec<String>,
}

impl Version {
    /// One that comes to be now.
    pub fn now(action: Action, by: impl Into<String>) -> Version {
        Version {
            number: 0,
            time: format!("{:.3}", jiff::Timestamp::now()),
            action,
            by: by.into(),
            of: None,
            reason: String::new(),
            providers: BTreeMap::new(),
            install: String::new(),
            changes: Vec::new(),
        }
    }

    /// Whether it was in force.
    pub fn was_in_force(&self) -> bool {
        self.action != Action::Held
    }
}

/// The version that stays, whatever providers say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    /// The version that is served.
    pub version: u64,
    /// Who asked for it: the id of a user.
    pub uid: u32,
    pub reason: String,
    /// The entry that says so; `None` for a rollback that waits for the next start.
    pub entry: Option<u64>,
}

/// The versions in a store folder.
#[derive(Clone, Debug)]
pub struct History {
    folder: PathBuf,
    /// Versions that stay.
    keep: usize,
}

impl History {
    /// The history in the store folder `store`; at most `keep` versions stay when one is added.
    pub fn in_store(store: &Path, keep: usize) -> History {
        History {
            folder: store.join("history"),
            keep,
        }
    }

    /// Its folder, which is made where it is missing.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn folder(&self) -> io::Result<&Path> {
        private(&self.folder)?;
        Ok(&self.folder)
    }

    /// Where a running gateway listens for commands.
    pub fn socket(&self) -> PathBuf {
        self.folder.join("control.sock")
    }

    /// The numbers of the versions, ascending.
    ///
    /// # Errors
    /// The folder cannot be read; that there is none means no version.
    pub fn numbers(&self) -> io::Result<Vec<u64>> {
        let folder = match std::fs::read_dir(self.folder.join("versions")) {
            Ok(folder) => folder,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut numbers = Vec::new();
        for entry in folder {
            let name = entry?.file_name();
            let number = name
                .to_str()
                .and_then(|n| n.strip_suffix(".json")?.parse::<u64>().ok());
            numbers.extend(number);
        }
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// One version; `None` when it is not there.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn version(&self, number: u64) -> io::Result<Option<Version>> {
        let bytes = file::read(&self.path(number), MAX_VERSION)?;
        let read = |bytes: Vec<u8>| serde_json::from_slice(&bytes).map_err(io::Error::from);
        bytes.map(read).transpose()
    }

    /// All versions, ascending.
    ///
    /// # Errors
    /// One cannot be read.
    pub fn versions(&self) -> io::Result<Vec<Version>> {
        let mut all = Vec::new();
        for number in self.numbers()? {
            all.extend(self.version(number)?);
        }
        Ok(all)
    }

    /// The version that was put in force last.
    ///
    /// # Errors
    /// One cannot be read.
    pub fn in_force(&self) -> io::Result<Option<Version>> {
        for number in self.numbers()?.into_iter().rev() {
            if let Some(version) = self.version(number)?.filter(Version::was_in_force) {
                return Ok(Some(version));
            }
        }
        Ok(None)
    }

    fn path(&self, number: u64) -> PathBuf {
        self.folder.join("versions").join(format!("{number:06}.json"))
    }

    fn object(&self, sha256: &str) -> PathBuf {
        self.folder.join("objects").join(sha256)
    }

    /// Names the texts of `words` and of the install configuration in `version`.
    pub fn describe(version: &mut Version, words: &Words, install: &Value) {
        let named = |sources: &Vec<Arc<Source>>| sources.iter().map(|s| text_of(s)).collect();
        version.providers = words.iter().map(|(p, s)| (p.clone(), named(s))).collect();
        version.install = sha256(install.to_string().as_bytes());
    }

    /// Keeps a version with its texts, under the next number. Gives it back with that.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn add(&self, mut version: Version, words: &Words, install: &Value) -> io::Result<Version> {
        History::describe(&mut version, words, install);
        for source in words.values().flatten() {
            self.keep_object(source.content().unwrap_or_default().as_bytes())?;
        }
        self.keep_object(install.to_string().as_bytes())?;
        let last = self.numbers()?.last().copied();
        version.number = last.unwrap_or(0) + 1;
        let json = serde_json::to_vec(&version).expect("plain data is JSON");
        file::replace(&self.path(version.number), &json)?;
        self.prune()?;
        Ok(version)
    }

    fn keep_object(&self, bytes: &[u8]) -> io::Result<()> {
        let path = self.object(&sha256(bytes));
        if path.exists() {
            return Ok(());
        }
        file::replace(&path, bytes)
    }

    /// The texts of a version, by provider.
    ///
    /// # Errors
    /// One is missing, cannot be read, or is not what was kept.
    pub fn words(&self, version: &Version) -> io::Result<Words> {
        let source = |text: &Text| {
            let bytes = self.read_object(&text.sha256)?;
            let content = String::from_utf8(bytes).map_err(|_| changed(&text.sha256))?;
            Ok(Source::text(&*text.name, content))
        };
        let word = |(provider, texts): (&String, &Vec<Text>)| {
            let sources = texts.iter().map(source).collect::<io::Result<_>>()?;
            Ok((provider.clone(), sources))
        };
        version.providers.iter().map(word).collect()
    }

    /// The install configuration of a version, without secrets.
    ///
    /// # Errors
    /// It is missing, cannot be read, or is not what was kept.
    pub fn install(&self, version: &Version) -> io::Result<Value> {
        let bytes = self.read_object(&version.install)?;
        serde_json::from_slice(&bytes).map_err(io::Error::from)
    }

    fn read_object(&self, name: &str) -> io::Result<Vec<u8>> {
        let bytes = file::read(&self.object(name), MAX_OBJECT)?;
        bytes.filter(|b| sha256(b) == name).ok_or_else(|| changed(name))
    }

    /// Removes the oldest versions beyond those that stay, and the texts that nobody names any more.
    fn prune(&self) -> io::Result<()> {
        let mut versions = self.versions()?;
        let pinned = self.pin()?.map(|p| p.version);
        let in_force = versions.iter().rfind(|v| v.was_in_force()).map(|v| v.number);
        let stays = |v: &Version| Some(v.number) == pinned || Some(v.number) == in_force;
        while versions.len() > self.keep.max(1) || self.bytes(&versions) > MAX_TOTAL {
            let Some(oldest) = versions.iter().position(|v| !stays(v)) else {
                break;
            };
            file::remove(&self.path(versions.remove(oldest).number))?;
        }
        let named = objects(&versions);
        for object in std::fs::read_dir(self.folder.join("objects"))? {
            let object = object?;
            if object
                .file_name()
                .to_str()
                .is_none_or(|name| !named.contains(name))
            {
                file::remove(&object.path())?;
            }
        }
        Ok(())
    }

    fn bytes(&self, versions: &[Version]) -> u64 {
        let length = |name: &&str| std::fs::metadata(self.object(name)).map_or(0, |m| m.len());
        objects(versions).iter().map(length).sum()
    }

    /// The version that is pinned.
    ///
    /// # Errors
    /// The file that says so cannot be read.
    pub fn pin(&self) -> io::Result<Option<Pin>> {
        let bytes = file::read(&self.folder.join("pin.json"), MAX_VERSION)?;
        let read = |bytes: Vec<u8>| serde_json::from_slice(&bytes).map_err(io::Error::from);
        bytes.map(read).transpose()
    }

    /// Pins a version, or lets providers in again.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn set_pin(&self, pin: Option<&Pin>) -> io::Result<()> {
        let path = self.folder.join("pin.json");
        match pin {
            Some(pin) => file::replace(&path, &serde_json::to_vec(pin).expect("plain data is JSON")),
            None => file::remove(&path),
        }
    }
}

/// The objects that versions name.
fn objects(versions: &[Version]) -> BTreeSet<&str> {
    let texts = versions.iter().flat_map(|v| v.providers.values().flatten());
    let texts = texts.map(|t| t.sha256.as_str());
    texts.chain(versions.iter().map(|v| v.install.as_str())).collect()
}

fn text_of(source: &Source) -> Text {
    Text {
        name: source.name.clone(),
        sha256: sha256(source.content().unwrap_or_default().as_bytes()),
    }
}

fn sha256(bytes: &[u8]) -> String {
    let hash = digest(&SHA256, bytes);
    hash.as_ref().iter().map(|b| format!("{b:02x}")).collect()
}

fn changed(name: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("object {name} of the history is missing or was changed"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;
    use trilithon_testkit::Folder;

    fn words(text: &str) -> Words {
        Words::from([("file".to_owned(), vec![Source::text("routing.yml", text)])])
    }

    fn add(history: &History, action: Action, text: &str) -> Version {
        let version = Version::now(action, "file");
        history.add(version, &words(text), &Value::Null).expect("kept")
    }

    #[test]
    fn what_is_kept_comes_back_and_is_private() {
        let folder = Folder::new("history");
        let history = History::in_store(folder.path(), 10);
        assert_eq!(history.in_force().expect("readable"), None);
        add(&history, Action::Applied, "a: 1 # password");
        add(&history, Action::Held, "b: 2");
        let version = history.in_force().expect("readable").expect("there");
        assert_eq!(version.number, 1);
        let kept = history.words(&version).expect("readable");
        assert_eq!(kept["file"][0].content(), Some("a: 1 # password"));
        assert_eq!(kept["file"][0].name, "routing.yml");
        let path = history.object(&version.providers["file"][0].sha256);
        assert_eq!(std::fs::metadata(&path).expect("there").mode() & 0o777, 0o600);
        std::fs::write(path, "a: 2").expect("written");
        assert!(history.words(&version).is_err(), "a changed text is not applied");
    }

    #[test]
    fn the_oldest_go_but_for_those_in_use() {
        let folder = Folder::new("history");
        let history = History::in_store(folder.path(), 3);
        for text in ["one", "two", "three"] {
            add(&history, Action::Applied, text);
        }
        let pin = Pin {
            version: 1,
            uid: 0,
            reason: String::new(),
            entry: None,
        };
        history.set_pin(Some(&pin)).expect("written");
        for text in ["four", "five", "six"] {
            add(&history, Action::Held, text);
        }
        assert_eq!(history.numbers().expect("readable"), [1, 3, 6]);
        assert_eq!(history.pin().expect("readable"), Some(pin));
        let objects = std::fs::read_dir(folder.path().join("history/objects")).expect("there");
        assert_eq!(objects.count(), 4, "three texts and one install configuration");
        history.set_pin(None).expect("removed");
        assert_eq!(history.pin().expect("readable"), None);
    }
}
