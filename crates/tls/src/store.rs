//! Which certificate a client is shown.

use crate::certificate::Certificate;
use rustc_hash::FxHashMap;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

/// Certificates by name.
///
/// An exact name wins over a wildcard, which stands for one label. Where several certificates have the name, the one
/// wins whose list of names comes last in the alphabet; of two with the same list, the first given.
#[derive(Debug, Default)]
pub struct Store {
    exact: FxHashMap<String, Arc<CertifiedKey>>,
    /// By what follows `*.`.
    wildcard: FxHashMap<String, Arc<CertifiedKey>>,
    default: Option<Arc<CertifiedKey>>,
}

impl Store {
    /// A store of certificates in order of configuration.
    pub fn new<'a>(
        certificates: impl IntoIterator<Item = &'a Certificate>,
        default: Option<Arc<CertifiedKey>>,
    ) -> Store {
        let mut by_names: BTreeMap<String, &Certificate> = BTreeMap::new();
        for certificate in certificates {
            by_names.entry(certificate.names.join(",")).or_insert(certificate);
        }
        let mut store = Store {
            default,
            ..Default::default()
        };
        for certificate in by_names.values() {
            for name in &certificate.names {
                store.insert(name, &certificate.key);
            }
        }
        store
    }

    fn insert(&mut self, name: &str, key: &Arc<CertifiedKey>) {
        let name = name.trim_end_matches('.');
        match name.strip_prefix("*.") {
            Some(rest) => self.wildcard.insert(rest.to_owned(), key.clone()),
            None => self.exact.insert(name.to_owned(), key.clone()),
        };
    }

    /// The certificate for a name in lower case, or for an address.
    pub fn find(&self, name: &str) -> Option<&Arc<CertifiedKey>> {
        self.exact.get(name).or_else(|| {
            let (_, rest) = name.split_once('.')?;
            self.wildcard.get(rest)
        })
    }

    /// The certificate for the address that a client without SNI connected to.
    pub fn find_address(&self, address: IpAddr) -> Option<&Arc<CertifiedKey>> {
        self.exact.get(&address.to_canonical().to_string())
    }

    /// The certificate when no other fits.
    pub fn fallback(&self) -> Option<&Arc<CertifiedKey>> {
        self.default.as_ref()
    }

    /// The addresses that some certificate is for.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> + '_ {
        self.exact.keys().filter_map(|n| n.parse().ok())
    }
}

/// Looks certificates up by SNI.
#[derive(Debug)]
pub struct BySni {
    pub store: Arc<Store>,
    /// Whether a name that no certificate fits is refused, instead of getting the default one.
    pub strict: bool,
}

impl ResolvesServerCert for BySni {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name().map(str::to_ascii_lowercase);
        let name = name.as_deref().map(|n| n.strip_suffix('.').unwrap_or(n));
        let found = name.and_then(|n| self.store.find(n));
        let default = || if self.strict { None } else { self.store.fallback() };
        found.or_else(default).cloned()
    }
}

/// Shows one certificate to everybody.
#[derive(Debug)]
pub struct Fixed(pub Arc<CertifiedKey>);

impl ResolvesServerCert for Fixed {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }
}
