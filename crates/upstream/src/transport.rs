//! One compiled `serversTransport`: how to reach servers, how long to wait, what to keep open.

use crate::pool::{Room, digest};
use crate::tls::{self, ClientTls, TlsSettings};
use std::sync::OnceLock;
use std::time::Duration;
use trilithon_flow::BuildError;
use trilithon_model::dynamic::http::{ForwardingTimeouts, ServersTransport};
use trilithon_model::dynamic::tls::Certificate;
use trilithon_model::{FileOrContent, dynamic, install};

/// What a transport is made of, as plain data.
#[derive(Clone, Debug)]
pub struct Settings {
    pub tls: TlsSettings,
    /// Time to connect; `None` is for ever. Default 30 s.
    pub dial_timeout: Option<Duration>,
    /// Time from the end of the request to the head of the answer. Default none.
    pub response_header_timeout: Option<Duration>,
    /// How long a connection may be idle. Default 90 s.
    pub idle_timeout: Option<Duration>,
    /// HTTP/2: silence after which a ping is sent. Default none.
    pub read_idle_timeout: Option<Duration>,
    /// HTTP/2: how long the answer to a ping may take. Default 15 s.
    pub ping_timeout: Option<Duration>,
    /// Idle connections kept per server and worker. Default 2, as in Go.
    pub max_idle: usize,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            tls: TlsSettings::default(),
            dial_timeout: Some(Duration::from_secs(30)),
            response_header_timeout: None,
            idle_timeout: Some(Duration::from_secs(90)),
            read_idle_timeout: None,
            ping_timeout: Some(Duration::from_secs(15)),
            max_idle: GO_MAX_IDLE,
        }
    }
}

/// Go's `DefaultMaxIdleConnsPerHost`.
const GO_MAX_IDLE: usize = 2;

/// One compiled `serversTransport`, shared by all workers.
pub struct Transport {
    name: Box<str>,
    /// Stands for everything that makes two connections different: the whole TLS identity, and the limits.
    pub(crate) identity: u128,
    pub(crate) settings: Settings,
    pub(crate) room: Room,
    tls: OnceLock<ClientTls>,
}

impl Transport {
    /// A transport with these settings. TLS that cannot be compiled is said in the log and replaced by the defaults, as
    /// Traefik does: certificates are then verified against the system's authorities.
    pub fn new(name: &str, settings: Settings) -> Transport {
        let tls = OnceLock::new();
        // Without any option of its own a transport may never need TLS: then nothing is read or compiled.
        if !settings.tls.is_plain() {
            match ClientTls::build(&settings.tls) {
                Ok(built) => drop(tls.set(built)),
                Err(error) => {
                    tracing::error!(transport = name, %error, "cannot use the TLS settings: using the defaults")
                }
            }
        }
        Transport {
            name: name.into(),
            identity: digest(&format!("{settings:?}")),
            room: Room::new(settings.max_idle, settings.idle_timeout),
            settings,
            tls,
        }
    }

    /// A named transport of the routing configuration.
    ///
    /// # Errors
    /// None at present: what cannot be used is logged and left out, as in Traefik.
    pub fn build(name: &str, config: &ServersTransport) -> Result<Transport, BuildError> {
        let mut settings = Settings {
            tls: TlsSettings {
                cipher_suites: config.cipher_suites.clone(),
                min_version: config.min_version.clone(),
                max_version: config.max_version.clone(),
                http1_only: config.disable_http2,
                ..tls_settings(
                    &config.server_name,
                    config.insecure_skip_verify,
                    &config.root_cas,
                    &config.certificates,
                    &config.peer_cert_uri,
                )
            },
            max_idle: max_idle(config.max_idle_conns_per_host),
            ..Settings::default()
        };
        if let Some(times) = &config.forwarding_timeouts {
            settings.set_times(times);
        }
        if config.spiffe.is_some() {
            tracing::warn!(transport = name, "`spiffe` is not supported yet and is ignored");
        }
        Ok(Transport::new(name, settings))
    }

    /// The transport of services that name none (`default@internal`), from the install configuration.
    ///
    /// # Errors
    /// None at present, as [`Transport::build`].
    pub fn default(config: &install::ServersTransport) -> Result<Transport, BuildError> {
        let mut settings = Settings {
            tls: tls_settings("", config.insecure_skip_verify, &config.root_cas, &[], ""),
            max_idle: max_idle(config.max_idle_conns_per_host),
            ..Settings::default()
        };
        if let Some(times) = &config.forwarding_timeouts {
            settings.dial_timeout = times.dial_timeout.to_std_opt();
            settings.response_header_timeout = times.response_header_timeout.to_std_opt();
            settings.idle_timeout = times.idle_conn_timeout.to_std_opt();
        }
        if config.spiffe.is_some() {
            tracing::warn!("`serversTransport.spiffe` is not supported yet and is ignored");
        }
        Ok(Transport::new("default@internal", settings))
    }

    /// For calls of the gateway's own (health checks, forwardAuth): `timeout` for connecting and for the head each.
    pub fn simple(tls: TlsSettings, timeout: Option<Duration>) -> Transport {
        let timed = Settings {
            tls,
            response_header_timeout: timeout,
            ..Settings::default()
        };
        Transport::new(
            "internal",
            Settings {
                dial_timeout: timeout.or(timed.dial_timeout),
                ..timed
            },
        )
    }

    /// The qualified name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The compiled TLS, compiled now if it is the default one and was not needed before.
    pub(crate) fn tls(&self) -> Result<&ClientTls, BuildError> {
        if let Some(tls) = self.tls.get() {
            return Ok(tls);
        }
        let plain = TlsSettings {
            http1_only: self.settings.tls.http1_only,
            ..TlsSettings::default()
        };
        let built = ClientTls::build(&plain)?;
        Ok(self.tls.get_or_init(|| built))
    }
}

impl std::fmt::Debug for Transport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Transport({})", self.name)
    }
}

/// 0 is Go's default, a negative number none.
fn max_idle(configured: i64) -> usize {
    if configured == 0 {
        GO_MAX_IDLE
    } else {
        usize::try_from(configured).unwrap_or(0)
    }
}

impl Settings {
    fn set_times(&mut self, times: &ForwardingTimeouts) {
        self.dial_timeout = times.dial_timeout.to_std_opt();
        self.response_header_timeout = times.response_header_timeout.to_std_opt();
        self.idle_timeout = times.idle_conn_timeout.to_std_opt();
        self.read_idle_timeout = times.read_idle_timeout.to_std_opt();
        self.ping_timeout = times.ping_timeout.to_std_opt();
    }
}

/// Reads the files of a client TLS section. What cannot be read is said and left out.
pub fn tls_settings(
    server_name: &str,
    insecure_skip_verify: bool,
    root_cas: &[FileOrContent],
    certificates: &[Certificate],
    peer_cert_uri: &str,
) -> TlsSettings {
    let said = |result: Result<String, BuildError>| match result {
        Ok(text) => text,
        Err(error) => {
            tracing::error!(%error, "cannot read a certificate");
            String::new()
        }
    };
    TlsSettings {
        server_name: server_name.to_owned(),
        insecure_skip_verify,
        root_cas: root_cas.iter().map(|ca| said(tls::read(ca))).collect(),
        certificates: certificates
            .iter()
            .map(|pair| (said(tls::read(&pair.cert_file)), said(tls::read(&pair.key_file))))
            .collect(),
        peer_cert_uri: peer_cert_uri.to_owned(),
        ..TlsSettings::default()
    }
}

/// The client half of a TCP transport's TLS, in the same terms.
pub fn tcp_tls_settings(config: &dynamic::tcp::TlsClientConfig) -> TlsSettings {
    tls_settings(
        &config.server_name,
        config.insecure_skip_verify,
        &config.root_cas,
        &config.certificates,
        &config.peer_cert_uri,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identity_is_the_whole_configuration() {
        let transport = |edit: &dyn Fn(&mut Settings)| {
            let mut settings = Settings::default();
            edit(&mut settings);
            Transport::new("t", settings).identity
        };
        let plain = transport(&|_| ());
        assert_eq!(plain, transport(&|_| ()));
        let edits: [&dyn Fn(&mut Settings); 7] = [
            &|s| s.tls.server_name = "a.test".into(),
            &|s| s.tls.insecure_skip_verify = true,
            &|s| s.tls.root_cas = vec!["x".into()],
            &|s| s.tls.certificates = vec![("a".into(), "b".into())],
            &|s| s.tls.peer_cert_uri = "spiffe://x".into(),
            &|s| s.tls.http1_only = true,
            &|s| s.tls.max_version = "VersionTLS12".into(),
        ];
        let mut seen = vec![plain];
        for edit in edits {
            let id = transport(edit);
            assert!(!seen.contains(&id));
            seen.push(id);
        }
    }
}
