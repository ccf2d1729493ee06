//! The rustls configurations of one set of options.

use crate::alpn::Protocols;
use crate::options::Profile;
use crate::store::{BySni, Fixed, Store};
use rustc_hash::FxHashMap;
use rustls::ServerConfig;
use rustls::server::{NoServerSessionStorage, ProducesTickets, ResolvesServerCert};
use std::net::IpAddr;
use std::sync::Arc;

/// Tickets that a client gets after a TLS 1.3 handshake; Go gives one.
const TICKETS: usize = 1;

/// Everything that connections with one set of options may get.
#[derive(Debug)]
pub struct Server {
    by_sni: Variants,
    /// For clients without SNI that connected to an address which a certificate is for.
    by_address: FxHashMap<IpAddr, Variants>,
    protocols: Protocols,
    /// Client certificates are verified.
    pub verifies_clients: bool,
}

/// One configuration per way to agree on a protocol.
#[derive(Debug)]
struct Variants {
    /// When the client's offer is not known.
    any: Arc<ServerConfig>,
    /// When it is.
    known: Arc<ServerConfig>,
    /// When it is, and nothing fits, and that does not matter.
    none: Arc<ServerConfig>,
}

impl Server {
    /// Builds the configurations.
    ///
    /// # Errors
    /// rustls refuses the combination.
    pub fn build(
        profile: &Profile,
        store: &Arc<Store>,
        tickets: Option<Arc<dyn ProducesTickets>>,
    ) -> Result<Server, String> {
        let resolver = Arc::new(BySni {
            store: store.clone(),
            strict: profile.strict,
        });
        let builder = ServerConfig::builder_with_provider(profile.provider.clone());
        let mut base = builder
            .with_protocol_versions(&profile.versions)
            .map_err(|e| e.to_string())?
            .with_client_cert_verifier(profile.verification.verifier.clone())
            .with_cert_resolver(resolver.clone());
        base.ignore_client_order = true;
        // State in this process would be lost with it, and tickets do the same without.
        base.session_storage = Arc::new(NoServerSessionStorage {});
        base.send_tls13_tickets = if tickets.is_some() { TICKETS } else { 0 };
        if let Some(tickets) = tickets {
            base.ticketer = tickets;
        }
        let protocols = profile.protocols.clone();
        let by_address = store.addresses().filter_map(|ip| {
            let fixed = Arc::new(Fixed(store.find_address(ip)?.clone()));
            Some((
                ip,
                Variants::of(&base, &protocols, &(fixed as Arc<dyn ResolvesServerCert>)),
            ))
        });
        let by_address = by_address.collect();
        let by_sni = Variants::of(&base, &protocols, &(resolver as Arc<dyn ResolvesServerCert>));
        Ok(Server {
            by_sni,
            by_address,
            protocols,
            verifies_clients: profile.verification.verifies,
        })
    }

    /// The configuration for one client. `offer` is what it named in ALPN, if that is known.
    pub fn config(&self, sni: Option<&str>, offer: Option<&[Vec<u8>]>, local: IpAddr) -> Arc<ServerConfig> {
        let by_address = || self.by_address.get(&local.to_canonical());
        let variants = if sni.is_some() { None } else { by_address() }.unwrap_or(&self.by_sni);
        let config = match offer {
            None => &variants.any,
            Some(offer) if self.protocols.lets_pass(offer) => &variants.none,
            Some(_) => &variants.known,
        };
        config.clone()
    }
}

impl Variants {
    fn of(base: &ServerConfig, protocols: &Protocols, resolver: &Arc<dyn ResolvesServerCert>) -> Variants {
        let with = |alpn_protocols: Vec<Vec<u8>>| {
            let mut config = base.clone();
            config.cert_resolver = resolver.clone();
            config.alpn_protocols = alpn_protocols;
            Arc::new(config)
        };
        let known = with(protocols.strict());
        if !protocols.lacks_http1() {
            return Variants {
                any: known.clone(),
                none: known.clone(),
                known,
            };
        }
        Variants {
            any: with(protocols.offered()),
            none: with(Vec::new()),
            known,
        }
    }
}
