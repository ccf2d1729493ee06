//! Key exchange over P-521, which Go offers and rustls does not bring: a thin layer over the library's own ECDH.

use aws_lc_rs::agreement::{ECDH_P521, EphemeralPrivateKey, PublicKey, UnparsedPublicKey, agree_ephemeral};
use aws_lc_rs::rand::SystemRandom;
use rustls::crypto::{ActiveKeyExchange, GetRandomFailed, SharedSecret, SupportedKxGroup};
use rustls::{Error, NamedGroup, PeerMisbehaved};

/// The group itself.
#[derive(Debug)]
pub struct P521;

/// An uncompressed point: a marker and two coordinates of 66 bytes.
const POINT: usize = 1 + 2 * 66;
const UNCOMPRESSED: u8 = 4;

struct Exchange {
    private: EphemeralPrivateKey,
    public: PublicKey,
}

impl SupportedKxGroup for P521 {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        let private =
            EphemeralPrivateKey::generate(&ECDH_P521, &SystemRandom::new()).map_err(|_| GetRandomFailed)?;
        let public = private.compute_public_key().map_err(|_| GetRandomFailed)?;
        Ok(Box::new(Exchange { private, public }))
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::secp521r1
    }
}

impl ActiveKeyExchange for Exchange {
    fn complete(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, Error> {
        let refused = Error::PeerMisbehaved(PeerMisbehaved::InvalidKeyShare);
        if peer.len() != POINT || peer[0] != UNCOMPRESSED {
            return Err(refused);
        }
        let peer = UnparsedPublicKey::new(&ECDH_P521, peer);
        agree_ephemeral(self.private, peer, refused, |secret| {
            Ok(SharedSecret::from(secret))
        })
    }

    fn pub_key(&self) -> &[u8] {
        self.public.as_ref()
    }

    fn group(&self) -> NamedGroup {
        NamedGroup::secp521r1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Builder;
    use crate::generated::generated;
    use rustls::crypto::aws_lc_rs::default_provider;
    use rustls::pki_types::ServerName;
    use rustls::version::{TLS12, TLS13};
    use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConnection, SupportedProtocolVersion};
    use std::sync::Arc;
    use trilithon_model::Map;

    /// A client that knows no other group, and trusts the generated certificate.
    fn client(version: &'static SupportedProtocolVersion) -> ClientConnection {
        let mut provider = default_provider();
        let certificate = generated(&provider).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(certificate.key.cert[0].clone()).unwrap();
        provider.kx_groups = vec![&P521];
        let builder = ClientConfig::builder_with_provider(Arc::new(provider));
        let builder = builder.with_protocol_versions(&[version]).unwrap();
        let config = builder.with_root_certificates(roots).with_no_client_auth();
        let name = ServerName::try_from(certificate.facts.sans[0].clone()).unwrap();
        ClientConnection::new(Arc::new(config), name).unwrap()
    }

    #[test]
    fn both_versions_agree_on_it() {
        let tls = Builder::default().build(&[], &Map::new(), &Map::new());
        for version in [&TLS12, &TLS13] {
            let config = tls
                .config_for(Some("x"), "default", [127, 0, 0, 1].into())
                .unwrap();
            let (mut client, mut server) = (client(version), ServerConnection::new(config).unwrap());
            while client.wants_write() || server.wants_write() {
                let mut wire = Vec::new();
                client.write_tls(&mut wire).unwrap();
                server.read_tls(&mut &wire[..]).unwrap();
                server.process_new_packets().unwrap();
                wire.clear();
                server.write_tls(&mut wire).unwrap();
                client.read_tls(&mut &wire[..]).unwrap();
                client.process_new_packets().unwrap();
            }
            let group = server.negotiated_key_exchange_group().map(|g| g.name());
            assert_eq!(group, Some(NamedGroup::secp521r1));
        }
    }

    #[test]
    fn a_point_that_is_none_is_refused() {
        for bad in [&[][..], &[4; POINT], &[2; 67], &[4; POINT - 1]] {
            assert!(P521.start_and_complete(bad).is_err());
        }
    }
}
