//! Signed notes (C2SP signed-note) that hold checkpoints (C2SP tlog-checkpoint): the size and root of a log at one moment,
//! signed with Ed25519.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use std::io;
use std::path::Path;

use crate::file;
use crate::merkle::Hash;

/// The signature type of Ed25519.
const TYPE: u8 = 1;
/// Bytes of a note or key that is read.
const MAX_NOTE: u64 = 64 << 10;
const PEM_HEAD: &str = "-----BEGIN PRIVATE KEY-----\n";
const PEM_FOOT: &str = "\n-----END PRIVATE KEY-----\n";

/// An Ed25519 public key.
pub type PublicKey = [u8; 32];

/// The key that checkpoints are signed with.
pub struct Key(Ed25519KeyPair);

impl Key {
    /// The key in a PEM file (PKCS #8), which is made, mode 0600, where there is none.
    ///
    /// # Errors
    /// The file cannot be read or written, or holds something else.
    pub fn open(path: &Path) -> io::Result<Key> {
        let wrong = || {
            let message = format!("`{}` is no Ed25519 key in PEM", path.display());
            io::Error::new(io::ErrorKind::InvalidData, message)
        };
        if let Some(bytes) = file::read(path, MAX_NOTE)? {
            let text = String::from_utf8(bytes).map_err(|_| wrong())?;
            let body = text
                .strip_prefix(PEM_HEAD)
                .and_then(|t| t.strip_suffix(PEM_FOOT))
                .ok_or_else(wrong)?;
            let der = BASE64.decode(body).map_err(|_| wrong())?;
            return Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der)
                .map(Key)
                .map_err(|_| wrong());
        }
        let failed = |_| io::Error::other("no key can be made");
        let der = Ed25519KeyPair::generate_pkcs8v1(&SystemRandom::new()).map_err(failed)?;
        let pem = format!("{PEM_HEAD}{}{PEM_FOOT}", BASE64.encode(der.as_ref()));
        file::replace(path, pem.as_bytes())?;
        Ed25519KeyPair::from_pkcs8_maybe_unchecked(der.as_ref())
            .map(Key)
            .map_err(|_| wrong())
    }

    /// The public half.
    pub fn public(&self) -> PublicKey {
        let public = self.0.public_key().as_ref();
        public.try_into().expect("an Ed25519 public key has 32 bytes")
    }
}

/// A public key as C2SP verifiers take it: `name+id+key`.
pub fn verifier(name: &str, public: &PublicKey) -> String {
    let id: String = id(name, public).iter().map(|b| format!("{b:02x}")).collect();
    format!("{name}+{id}+{}", BASE64.encode([&[TYPE], &public[..]].concat()))
}

/// A public key from its base64 form or from `name+id+key`.
pub fn public_key(text: &str) -> Option<PublicKey> {
    let encoded = text.trim().splitn(3, '+').nth(2).unwrap_or_default();
    let typed = BASE64.decode(encoded).ok().filter(|k| k.first() == Some(&TYPE));
    let bytes = match typed {
        Some(typed) => typed[1..].to_vec(),
        None => BASE64.decode(text.trim()).ok()?,
    };
    bytes.try_into().ok()
}

fn id(name: &str, public: &PublicKey) -> [u8; 4] {
    let hash = digest(&SHA256, &[name.as_bytes(), &[b'\n', TYPE], public].concat());
    let bytes = hash.as_ref();
    [bytes[0], bytes[1], bytes[2], bytes[3]]
}

/// What a log was at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The name of the log, also that of its key.
    pub origin: String,
    pub size: u64,
    pub root: Hash,
}

/// Why a note is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    #[error("it is no checkpoint")]
    Malformed,
    #[error("no signature is of the key")]
    Unsigned,
    #[error("the signature does not fit what is signed")]
    Forged,
}

impl Checkpoint {
    fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, BASE64.encode(self.root))
    }

    /// The signed note.
    pub fn sign(&self, key: &Key) -> String {
        let text = self.text();
        let signature = key.0.sign(text.as_bytes());
        let bytes = [&id(&self.origin, &key.public())[..], signature.as_ref()].concat();
        format!("{text}\n— {} {}\n", self.origin, BASE64.encode(bytes))
    }

    /// What a note says, whoever signed it.
    ///
    /// # Errors
    /// It does not have the form of a checkpoint.
    pub fn parse(note: &str) -> Result<Checkpoint, NoteError> {
        let (text, _) = note.rsplit_once("\n\n").ok_or(NoteError::Malformed)?;
        let mut lines = text.lines();
        let mut line = || lines.next().filter(|l| !l.is_empty()).ok_or(NoteError::Malformed);
        let (origin, size, root) = (line()?, line()?, line()?);
        let number = size.parse().ok().filter(|n: &u64| n.to_string() == size);
        let root = BASE64.decode(root).ok().and_then(|r| r.try_into().ok());
        Ok(Checkpoint {
            origin: origin.to_owned(),
            size: number.ok_or(NoteError::Malformed)?,
            root: root.ok_or(NoteError::Malformed)?,
        })
    }

    /// What a note says, when the log with this key signed it.
    ///
    /// # Errors
    /// It has another form, no signature of the key, or a wrong one.
    pub fn verify(note: &str, public: &PublicKey) -> Result<Checkpoint, NoteError> {
        let checkpoint = Checkpoint::parse(note)?;
        let (text, signatures) = note.rsplit_once("\n\n").ok_or(NoteError::Malformed)?;
        let wanted = id(&checkpoint.origin, public);
        let signature = signatures.lines().find_map(|line| {
            let (name, encoded) = line.strip_prefix("— ")?.split_once(' ')?;
            let bytes = BASE64.decode(encoded).ok()?;
            let signature = bytes.strip_prefix(&wanted)?;
            (name == checkpoint.origin).then(|| signature.to_vec())
        });
        let signature = signature.ok_or(NoteError::Unsigned)?;
        let signed = format!("{text}\n");
        UnparsedPublicKey::new(&ED25519, public)
            .verify(signed.as_bytes(), &signature)
            .map_err(|_| NoteError::Forged)?;
        Ok(checkpoint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;
    use trilithon_testkit::Folder;

    fn checkpoint() -> Checkpoint {
        Checkpoint {
            origin: "gateway/audit/1".into(),
            size: 12,
            root: [7; 32],
        }
    }

    #[test]
    fn a_key_is_made_once_and_private() {
        let folder = Folder::new("note");
        let path = folder.path().join("key.pem");
        let first = Key::open(&path).expect("made");
        let again = Key::open(&path).expect("read");
        assert_eq!(first.public(), again.public());
        assert_eq!(std::fs::metadata(&path).expect("there").mode() & 0o777, 0o600);
        folder.write("other.pem", "not a key");
        assert!(Key::open(&folder.path().join("other.pem")).is_err());
    }

    #[test]
    fn only_what_was_signed_verifies() {
        let folder = Folder::new("note");
        let key = Key::open(&folder.path().join("key.pem")).expect("made");
        let other = Key::open(&folder.path().join("other.pem")).expect("made");
        let note = checkpoint().sign(&key);
        assert_eq!(Checkpoint::verify(&note, &key.public()), Ok(checkpoint()));
        let check = |note: &str, public: &PublicKey, want| {
            assert_eq!(Checkpoint::verify(note, public), Err(want), "{note}");
        };
        check(&note, &other.public(), NoteError::Unsigned);
        check(
            &note.replace("\n12\n", "\n13\n"),
            &key.public(),
            NoteError::Forged,
        );
        check(
            &note.replace("\n12\n", "\n012\n"),
            &key.public(),
            NoteError::Malformed,
        );
        check("", &key.public(), NoteError::Malformed);
        check("a\n1\n", &key.public(), NoteError::Malformed);
    }

    #[test]
    fn keys_as_text() {
        let public = [9; 32];
        let text = verifier("gateway/audit/1", &public);
        assert_eq!(public_key(&text), Some(public));
        assert_eq!(public_key(&BASE64.encode(public)), Some(public));
        assert_eq!(public_key("nonsense"), None);
    }
}
