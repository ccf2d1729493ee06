//! A proof that one entry is in the log, complete in itself: whoever has it needs neither the log nor the gateway.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};
use std::io;

use super::read::Reader;
use crate::merkle::{self, Hash};
use crate::note::{self, Checkpoint};
use crate::tile::Tiles;

/// The proof. `entry` hashes to a leaf (RFC 6962), `hashes` lead from it to the root that `checkpoint` holds, and that is signed
/// by `publicKey`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Proof {
    /// The entry, byte for byte.
    pub entry: String,
    pub index: u64,
    /// Hashes beside the way up, lowest first, in base64.
    pub hashes: Vec<String>,
    /// A signed note (C2SP tlog-checkpoint).
    pub checkpoint: String,
    /// Ed25519, in base64.
    pub public_key: String,
}

/// Why a proof proves nothing.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    #[error("`{0}` is not what it should be")]
    Malformed(&'static str),
    #[error("the checkpoint is not to be believed: {0}")]
    Note(#[from] note::NoteError),
    #[error("the hashes do not lead from the entry to the root that was signed")]
    Hashes,
}

/// The proof of entry `index`; `None` when no signed checkpoint covers it yet.
///
/// # Errors
/// Parts of the log are missing or cannot be read.
pub fn prove(reader: &Reader, index: u64, public: &note::PublicKey) -> io::Result<Option<Proof>> {
    let size = reader.signed();
    let (Some(checkpoint), true) = (reader.note(), index < size) else {
        return Ok(None);
    };
    let entry = reader.entry(index)?.unwrap_or_default();
    let hashes = merkle::inclusion(&Tiles::new(reader.folder(), size), index, size)?;
    Ok(Some(Proof {
        entry: String::from_utf8_lossy(&entry).into_owned(),
        index,
        hashes: hashes.iter().map(|hash| BASE64.encode(hash)).collect(),
        checkpoint: checkpoint.to_owned(),
        public_key: BASE64.encode(public),
    }))
}

impl Proof {
    /// Checks everything, by what is in the proof alone. Gives the checkpoint that it holds under.
    ///
    /// # Errors
    /// What does not fit.
    pub fn check(&self) -> Result<Checkpoint, ProofError> {
        let public = note::public_key(&self.public_key).ok_or(ProofError::Malformed("publicKey"))?;
        let checkpoint = Checkpoint::verify(&self.checkpoint, &public)?;
        let decoded = |hash: &String| Hash::try_from(BASE64.decode(hash).ok()?).ok();
        let hashes: Option<Vec<Hash>> = self.hashes.iter().map(decoded).collect();
        let hashes = hashes.ok_or(ProofError::Malformed("hashes"))?;
        let leaf = merkle::leaf(self.entry.as_bytes());
        if merkle::includes(&leaf, self.index, checkpoint.size, &hashes, &checkpoint.root) {
            Ok(checkpoint)
        } else {
            Err(ProofError::Hashes)
        }
    }
}
