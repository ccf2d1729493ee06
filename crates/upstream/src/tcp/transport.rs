//! One compiled TCP `serversTransport`: how to reach servers, and what is sent ahead.

use crate::pool::digest;
use crate::tls::{ClientTls, TlsSettings};
use crate::transport::{tcp_tls_settings, tls_settings};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;
use trilithon_flow::BuildError;
use trilithon_model::dynamic::tcp::{ProxyProtocol, ServersLoadBalancer, ServersTransport};
use trilithon_model::install::TcpServersTransport;

/// A way to reach TCP servers.
#[derive(Clone)]
pub struct Transport {
    /// Time to connect; `None` is for ever.
    pub(super) dial_timeout: Option<Duration>,
    /// Time between keep-alive probes; `None` turns them off.
    pub(super) keep_alive: Option<Duration>,
    /// How long the other half may still be read once one has ended; `None` is for ever.
    pub termination_delay: Option<Duration>,
    /// Version of the PROXY header to send.
    pub(super) proxy_protocol: Option<Version>,
    pub(super) tls: Result<Tls, BuildError>,
    /// Everything that it is made of, to tell transports apart.
    pub(super) identity: u128,
}

/// Versions of the PROXY protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    V1,
    V2,
}

/// TLS towards servers.
#[derive(Clone)]
pub(super) enum Tls {
    /// There is neither a name to verify nor leave to verify none: no handshake can succeed.
    Unverifiable,
    /// The name is asked for and, unless that is turned off, verified. Without `serverName` it only fills a place.
    With(Arc<ClientConfig>, ServerName<'static>),
}

impl Transport {
    /// A named transport of the routing configuration.
    ///
    /// # Errors
    /// An unknown version of the PROXY protocol.
    pub fn build(config: &ServersTransport) -> Result<Transport, BuildError> {
        Ok(Transport {
            dial_timeout: config.dial_timeout.to_std_opt(),
            keep_alive: keep_alive(config.dial_keep_alive),
            termination_delay: delay(config.termination_delay.as_nanos().into()),
            proxy_protocol: config.proxy_protocol.as_ref().map(version).transpose()?,
            ..Transport::with_tls(config.tls.as_ref().map(tcp_tls_settings))
        }
        .identified(&format!("{config:?}")))
    }

    /// The transport of services that name none, from the install configuration. Its termination delay is not the
    /// configured one but 0, as in Traefik.
    pub fn default(config: &TcpServersTransport) -> Transport {
        let settings = |tls: &trilithon_model::install::TcpTlsClient| {
            tls_settings("", tls.insecure_skip_verify, &tls.root_cas, &[], "")
        };
        Transport {
            dial_timeout: config.dial_timeout.to_std_opt(),
            keep_alive: keep_alive(config.dial_keep_alive),
            ..Transport::with_tls(config.tls.as_ref().map(settings))
        }
        .identified(&format!("{config:?}"))
    }

    /// The same with the deprecated options of a service laid over it.
    ///
    /// # Errors
    /// An unknown version of the PROXY protocol.
    pub fn for_service(&self, config: &ServersLoadBalancer) -> Result<Transport, BuildError> {
        let mut transport = self.clone();
        if let Some(milliseconds) = config.termination_delay {
            transport.termination_delay = delay(i128::from(milliseconds) * 1_000_000);
        }
        if let Some(protocol) = &config.proxy_protocol {
            transport.proxy_protocol = Some(version(protocol)?);
        }
        Ok(transport)
    }

    fn with_tls(settings: Option<TlsSettings>) -> Transport {
        Transport {
            dial_timeout: None,
            keep_alive: None,
            termination_delay: Some(Duration::ZERO),
            proxy_protocol: None,
            identity: digest(&format!("{settings:?}")),
            tls: tls(settings.unwrap_or_default()),
        }
    }

    fn identified(mut self, config: &str) -> Transport {
        self.identity ^= digest(config);
        self
    }

    /// Why no TLS can be spoken over it.
    pub(super) fn tls_error(&self) -> Option<BuildError> {
        self.tls.as_ref().err().cloned()
    }
}

fn tls(settings: TlsSettings) -> Result<Tls, BuildError> {
    let named = !settings.server_name.is_empty();
    if !named && !settings.insecure_skip_verify {
        return Ok(Tls::Unverifiable);
    }
    let tls = ClientTls::build(&settings)?;
    let mut config = ClientConfig::clone(&tls.http1);
    // What is spoken inside is not known here.
    config.alpn_protocols.clear();
    config.enable_sni = named;
    let nobody = ServerName::IpAddress(IpAddr::V4(Ipv4Addr::UNSPECIFIED).into());
    Ok(Tls::With(
        Arc::new(config),
        tls.name("").filter(|_| named).unwrap_or(nobody),
    ))
}

/// Go's default for 0; a negative time means none.
fn keep_alive(configured: trilithon_model::Duration) -> Option<Duration> {
    match configured.as_nanos() {
        0 => Some(Duration::from_secs(15)),
        _ => configured.to_std_opt(),
    }
}

fn delay(nanoseconds: i128) -> Option<Duration> {
    u64::try_from(nanoseconds).ok().map(Duration::from_nanos)
}

fn version(config: &ProxyProtocol) -> Result<Version, BuildError> {
    match config.version {
        1 => Ok(Version::V1),
        2 => Ok(Version::V2),
        other => Err(BuildError::new(format!("unknown proxyProtocol version: {other}"))
            .help("the versions are 1 and 2")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use trilithon_model::dynamic::tcp::TlsClientConfig;

    #[test]
    fn delays() {
        let check = |delay: Option<i64>, want: Option<u64>| {
            let config = ServersLoadBalancer {
                termination_delay: delay,
                ..Default::default()
            };
            let transport = Transport::default(&TcpServersTransport::default());
            let got = transport.for_service(&config).unwrap().termination_delay;
            assert_eq!(got, want.map(Duration::from_millis));
        };
        check(None, Some(0));
        check(Some(0), Some(0));
        check(Some(70), Some(70));
        check(Some(-1), None);
        let named = Transport::build(&ServersTransport::default()).unwrap();
        assert_eq!(named.termination_delay, Some(Duration::from_millis(100)));
    }

    #[test]
    fn versions() {
        let check = |given: i64, want: Result<Version, &str>| {
            let got = version(&ProxyProtocol { version: given });
            assert_eq!(
                got.as_ref().map_err(|e| e.message.as_str()),
                want.as_ref().map_err(|e| *e)
            );
        };
        check(1, Ok(Version::V1));
        check(2, Ok(Version::V2));
        check(0, Err("unknown proxyProtocol version: 0"));
    }

    #[test]
    fn a_name_to_verify_or_leave_not_to() {
        let check = |server_name: &str, skip: bool, want: Option<(bool, &str)>| {
            let config = ServersTransport {
                tls: Some(TlsClientConfig {
                    server_name: server_name.into(),
                    insecure_skip_verify: skip,
                    ..Default::default()
                }),
                ..Default::default()
            };
            let got = match Transport::build(&config).unwrap().tls.unwrap() {
                Tls::Unverifiable => None,
                Tls::With(config, name) => Some((config.enable_sni, name.to_str().into_owned())),
            };
            assert_eq!(got.as_ref().map(|(sni, name)| (*sni, name.as_str())), want);
        };
        check("", false, None);
        check("", true, Some((false, "0.0.0.0")));
        check("a.test", false, Some((true, "a.test")));
        check("a.test", true, Some((true, "a.test")));
    }
}
