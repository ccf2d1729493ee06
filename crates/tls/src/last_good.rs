//! Certificates as they were read last: what stays in use when a file cannot be read any more.
//!
//! A renewal that is half done, or a volume that is away for a moment, must not put another certificate in front of clients.

use crate::certificate::Certificate;
use std::collections::BTreeMap;
use trilithon_model::FileOrContent;

/// By the options that name the files.
type ByFiles = BTreeMap<(String, String), Certificate>;

/// The certificates of the build before, and those of the build under way.
#[derive(Default)]
pub struct LastGood {
    before: ByFiles,
    now: ByFiles,
}

impl LastGood {
    /// Begins a build. What the one before did not ask for is forgotten.
    pub fn begin(&mut self) {
        self.before = std::mem::take(&mut self.now);
    }

    /// The certificate that was read now; else, with why it could not be, the one that was read last.
    ///
    /// # Errors
    /// It cannot be read, and never could since it is named.
    pub fn settle(
        &mut self,
        chain: &FileOrContent,
        key: &FileOrContent,
        read: Result<Certificate, String>,
    ) -> Result<(Certificate, Option<String>), String> {
        let files = (chain.as_str().to_owned(), key.as_str().to_owned());
        let (certificate, why) = match read {
            Ok(certificate) => (certificate, None),
            Err(why) => match self.before.get(&files) {
                Some(kept) => (
                    kept.clone(),
                    Some(format!("{why}; the one read before stays in use")),
                ),
                None => return Err(why),
            },
        };
        self.now.insert(files, certificate.clone());
        Ok((certificate, why))
    }
}
