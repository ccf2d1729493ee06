//! From the `tls` section to what connections get.

use crate::certificate::Certificate;
use crate::facts::CertificateFacts;
use crate::generated::generated;
use crate::last_good::LastGood;
use crate::options::{Profile, compile};
use crate::reader::{Reader, Watching};
use crate::server::Server;
use crate::store::Store;
use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::CertificateDer;
use rustls::server::ProducesTickets;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use trilithon_model::dynamic::tls::{CertAndStores, Options, Store as StoreConfig};
use trilithon_model::problem::code;
use trilithon_model::spanned::Map;
use trilithon_model::{FileOrContent, Problem, Spanned};

/// Name of the options and of the store that are used where nothing is named.
const DEFAULT: &str = "default";

/// Builds a [`Tls`] for every new configuration, and keeps what outlives one: the keys of session tickets, and the
/// certificates that were read last.
pub struct Builder {
    reader: Reader,
    provider: Arc<CryptoProvider>,
    last_good: Mutex<LastGood>,
    tickets: Mutex<BTreeMap<String, Tickets>>,
}

/// The ticket keys of one set of options, and what they were made for.
struct Tickets {
    options: Options,
    authorities: Vec<CertificateDer<'static>>,
    keys: Arc<dyn ProducesTickets>,
}

impl Default for Builder {
    /// Reads from the file system.
    fn default() -> Builder {
        Builder::new(Reader::default())
    }
}

/// The TLS side of one snapshot.
pub struct Tls {
    servers: BTreeMap<String, Result<Server, String>>,
    certificates: Vec<CertificateFacts>,
    files: Vec<PathBuf>,
    problems: Vec<Problem>,
}

impl Builder {
    /// A builder that reads files with `reader`.
    pub fn new(reader: Reader) -> Builder {
        Builder {
            reader,
            provider: Arc::new(aws_lc_rs::default_provider()),
            last_good: Mutex::default(),
            tickets: Mutex::default(),
        }
    }

    /// Compiles the `tls` sections of all providers, names qualified. What is broken is left out or refuses
    /// connections, and is told in [`Tls::problems`].
    pub fn build(
        &self,
        certificates: &[Spanned<CertAndStores>],
        options: &Map<Options>,
        stores: &Map<StoreConfig>,
    ) -> Tls {
        let reader = Watching::new(&self.reader);
        let mut problems = Vec::new();
        self.last_good
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .begin();
        let loaded = self.load(certificates, &reader, &mut problems);
        let default = self.default_certificate(stores, &reader, &mut problems);
        let store = Arc::new(Store::new(
            &loaded,
            default.as_ref().map(|d| d.certificate.key.clone()),
        ));
        let servers = self.servers(options, &store, &reader, &mut problems);
        let shown = default.filter(|d| d.configured).map(|d| d.certificate);
        let certificates = distinct(loaded.into_iter().chain(shown).map(|c| c.facts));
        Tls {
            servers,
            certificates,
            files: reader.into_files(),
            problems,
        }
    }

    fn load(
        &self,
        certificates: &[Spanned<CertAndStores>],
        reader: &Watching<'_>,
        problems: &mut Vec<Problem>,
    ) -> Vec<Certificate> {
        let mut loaded = Vec::new();
        for config in certificates {
            for store in config.stores.iter().filter(|s| *s != DEFAULT) {
                let message = format!("certificate store `{store}` is not used");
                let problem = Problem::warning(code::UNKNOWN_NAME, config.span.clone(), message);
                problems.push(problem.help("only the store `default` is"));
            }
            if !config.stores.is_empty() && !config.stores.iter().any(|s| s == DEFAULT) {
                continue;
            }
            let (certificate, why) = self.read(&config.cert_file, &config.key_file, reader);
            loaded.extend(certificate);
            problems.extend(why.map(|why| Problem::error(code::INVALID, config.span.clone(), why)));
        }
        loaded
    }

    /// A certificate, and what is wrong with its files: both, where the one that was read last stays in use.
    fn read(
        &self,
        chain: &FileOrContent,
        key: &FileOrContent,
        reader: &Watching<'_>,
    ) -> (Option<Certificate>, Option<String>) {
        let read = Certificate::read(chain, key, reader, &self.provider);
        let mut last_good = self.last_good.lock().unwrap_or_else(PoisonError::into_inner);
        match last_good.settle(chain, key, read) {
            Ok((certificate, why)) => (Some(certificate), why),
            Err(why) => (None, Some(why)),
        }
    }

    /// What is shown when no name fits. One that is configured and broken is not replaced by another.
    fn default_certificate(
        &self,
        stores: &Map<StoreConfig>,
        reader: &Watching<'_>,
        problems: &mut Vec<Problem>,
    ) -> Option<DefaultCertificate> {
        let store = stores.get(DEFAULT);
        if let Some(store) = store.filter(|s| s.default_generated_cert.is_some()) {
            let message = "`defaultGeneratedCert` needs a certificate resolver, and none is built in yet";
            problems.push(
                Problem::warning(code::NOT_BUILT, store.span.clone(), message).of("tls.stores", DEFAULT),
            );
        }
        let config = store.and_then(|s| s.default_certificate.as_ref().map(|c| (s, c)));
        let Some((store, config)) = config else {
            return generated(&self.provider).map(|certificate| DefaultCertificate {
                certificate,
                configured: false,
            });
        };
        let (certificate, why) = self.read(&config.cert_file, &config.key_file, reader);
        problems.extend(
            why.map(|why| Problem::error(code::INVALID, store.span.clone(), why).of("tls.stores", DEFAULT)),
        );
        certificate.map(|certificate| DefaultCertificate {
            certificate,
            configured: true,
        })
    }

    fn servers(
        &self,
        options: &Map<Options>,
        store: &Arc<Store>,
        reader: &Watching<'_>,
        problems: &mut Vec<Problem>,
    ) -> BTreeMap<String, Result<Server, String>> {
        let built_in = Spanned::unplaced(Options::default());
        let missing = (!options.contains_key(DEFAULT)).then_some((DEFAULT, &built_in));
        let mut servers = BTreeMap::new();
        for (name, config) in options.iter().map(|(n, o)| (n.as_str(), o)).chain(missing) {
            let server = self.server(name, config, store, reader, problems);
            if let Err(why) = &server {
                problems
                    .push(Problem::error(code::INVALID, config.span.clone(), why).of("tls.options", name));
            }
            servers.insert(name.to_owned(), server);
        }
        self.forget(&servers);
        servers
    }

    fn server(
        &self,
        name: &str,
        config: &Spanned<Options>,
        store: &Arc<Store>,
        reader: &Watching<'_>,
        problems: &mut Vec<Problem>,
    ) -> Result<Server, String> {
        let profile = compile(name, config, &self.provider, reader, problems)?;
        let tickets = if profile.tickets {
            Some(self.tickets(name, config, &profile)?)
        } else {
            None
        };
        Server::build(&profile, store, tickets)
    }

    /// Ticket keys are kept as long as the options mean the same. No two sets share them, so that a session of one host
    /// never opens another that asks more.
    fn tickets(
        &self,
        name: &str,
        options: &Options,
        profile: &Profile,
    ) -> Result<Arc<dyn ProducesTickets>, String> {
        let mut all = self.tickets.lock().unwrap_or_else(PoisonError::into_inner);
        let authorities = &profile.verification.authorities;
        if let Some(kept) = all
            .get(name)
            .filter(|t| t.options == *options && t.authorities == *authorities)
        {
            return Ok(kept.keys.clone());
        }
        let keys = aws_lc_rs::Ticketer::new().map_err(|e| e.to_string())?;
        let made = Tickets {
            options: options.clone(),
            authorities: authorities.clone(),
            keys: keys.clone(),
        };
        all.insert(name.to_owned(), made);
        Ok(keys)
    }

    fn forget(&self, servers: &BTreeMap<String, Result<Server, String>>) {
        self.tickets
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|name, _| servers.contains_key(name));
    }
}

struct DefaultCertificate {
    certificate: Certificate,
    configured: bool,
}

/// Certificates once each, in order.
fn distinct(all: impl Iterator<Item = CertificateFacts>) -> Vec<CertificateFacts> {
    let mut kept: Vec<CertificateFacts> = Vec::new();
    for facts in all {
        if !kept.iter().any(|k| k.fingerprint == facts.fingerprint) {
            kept.push(facts);
        }
    }
    kept
}

impl Tls {
    /// What a connection gets whose client asked for `sni` and whose host has the options called `options`. `None` when
    /// these are unknown or broken: the connection is to be closed.
    ///
    /// `local` is the address that the client connected to; it chooses the certificate where there is no SNI.
    pub fn config_for(&self, sni: Option<&str>, options: &str, local: IpAddr) -> Option<Arc<ServerConfig>> {
        Some(self.server(options)?.config(sni, None, local))
    }

    /// Like [`Tls::config_for`], when the protocols that the client offers (ALPN, empty if it did not) are known too:
    /// a client that only speaks HTTP/1.1 connects to a host that only names `h2`, without an agreement, as in Go.
    pub fn config_for_offer(
        &self,
        sni: Option<&str>,
        options: &str,
        local: IpAddr,
        offer: &[Vec<u8>],
    ) -> Option<Arc<ServerConfig>> {
        Some(self.server(options)?.config(sni, Some(offer), local))
    }

    /// Whether a client certificate that is shown under these options was verified.
    pub fn verifies_clients(&self, options: &str) -> bool {
        self.server(options).is_some_and(|server| server.verifies_clients)
    }

    fn server(&self, options: &str) -> Option<&Server> {
        self.servers.get(options).and_then(|s| s.as_ref().ok())
    }

    /// Why the options of that name cannot be used, in Traefik's words; `None` if they can.
    pub fn options_error(&self, options: &str) -> Option<String> {
        match self.servers.get(options) {
            None => Some(format!("unknown TLS options: {options}")),
            Some(Err(why)) => Some(format!("building TLS config: {why}")),
            Some(Ok(_)) => None,
        }
    }

    /// The certificates in use and the configured default one, not the generated one.
    pub fn certificates(&self) -> Vec<CertificateFacts> {
        self.certificates.clone()
    }

    /// Every file that the configuration names, whether it exists or not: a change of one calls for a new build.
    pub fn watched_files(&self) -> &[PathBuf] {
        &self.files
    }

    /// What is wrong with the configuration.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// The problems as text.
    pub fn notes(&self) -> Vec<String> {
        self.problems.iter().map(ToString::to_string).collect()
    }
}
