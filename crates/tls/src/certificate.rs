//! One certificate with its key, and the names it is good for.

use crate::facts::CertificateFacts;
use crate::reader::Watching;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use std::sync::Arc;
use trilithon_model::FileOrContent;

/// A certificate that can be shown.
#[derive(Clone, Debug)]
pub struct Certificate {
    pub key: Arc<CertifiedKey>,
    /// Names in lower case, sorted: the common name, DNS names, IP addresses.
    pub names: Vec<String>,
    pub facts: CertificateFacts,
}

impl Certificate {
    /// Reads a certificate chain and its key, each a path or PEM text.
    ///
    /// # Errors
    /// What is missing, unreadable, or does not belong together.
    pub fn read(
        chain: &FileOrContent,
        key: &FileOrContent,
        reader: &Watching<'_>,
        provider: &CryptoProvider,
    ) -> Result<Certificate, String> {
        let text = |what: &str, option: &FileOrContent| match reader.read(option) {
            Ok(content) => Ok(content.bytes),
            Err(e) => Err(format!("`{what}` `{}` cannot be read: {e}", shown(option))),
        };
        let chain_text = text("certFile", chain)?;
        let key_text = text("keyFile", key)?;
        let chain_der: Vec<_> = CertificateDer::pem_slice_iter(&chain_text)
            .collect::<Result<_, _>>()
            .map_err(|e| format!("`certFile` `{}` is not PEM: {e}", shown(chain)))?;
        if chain_der.is_empty() {
            return Err(format!(
                "`certFile` `{}` is no file and holds no certificate",
                shown(chain)
            ));
        }
        let key_der = PrivateKeyDer::from_pem_slice(&key_text)
            .map_err(|_| format!("`keyFile` `{}` is no file and holds no private key", shown(key)))?;
        Certificate::of(chain_der, key_der, provider)
            .map_err(|why| format!("certificate `{}`: {why}", shown(chain)))
    }

    /// A certificate from its parts.
    pub fn of(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
        provider: &CryptoProvider,
    ) -> Result<Certificate, String> {
        let facts = CertificateFacts::of(chain.first().ok_or("no certificate")?)?;
        let names = names(&facts);
        let key = CertifiedKey::from_der(chain, key, provider).map_err(|e| e.to_string())?;
        Ok(Certificate {
            key: Arc::new(key),
            names,
            facts,
        })
    }
}

/// The common name counts even when there are other names, as in Traefik.
fn names(facts: &CertificateFacts) -> Vec<String> {
    let mut names: Vec<String> = facts.sans.iter().map(|n| n.to_ascii_lowercase()).collect();
    if !facts.common_name.is_empty() {
        names.push(facts.common_name.to_ascii_lowercase());
    }
    names.sort();
    names.dedup();
    names
}

/// A path as it is; of PEM text nothing but that it is.
fn shown(option: &FileOrContent) -> &str {
    if option.is_content() {
        "PEM text"
    } else {
        option.as_str()
    }
}
