//! The authorization server, as a service of the gateway's own choice.

use super::TIMEOUT;
use std::sync::Arc;
use trilithon_flow::{Build, BuildError, Exchange, Fault, FaultKind, Reply, Request, Response, Service};
use trilithon_model::FileOrContent;
use trilithon_model::dynamic::http::{ClientTls, ForwardAuth as Config};
use trilithon_upstream::tls::{TlsSettings, read};
use trilithon_upstream::{Origin, Transport, send};

/// The server, or one that never answers: an address that is no URL must not open the door, and Traefik's routers stay.
pub fn server(config: &Config, cx: &mut Build<'_>) -> Result<Arc<dyn Service>, BuildError> {
    let tls = config
        .tls
        .as_ref()
        .map(tls_settings)
        .transpose()?
        .unwrap_or_default();
    match Origin::parse(&config.address) {
        Ok(origin) => {
            let transport = Arc::new(Transport::simple(tls, Some(TIMEOUT)));
            Ok(Arc::new(Server { transport, origin }))
        }
        Err(error) => {
            cx.warnings
                .push(format!("`address` is no URL, every request is refused: {error}"));
            Ok(Arc::new(NoServer))
        }
    }
}

/// TLS towards a server of the gateway's own choice.
pub fn tls_settings(tls: &ClientTls) -> Result<TlsSettings, BuildError> {
    let wrong = |why: String| BuildError::new(format!("unable to create client TLS configuration: {why}"));
    let text = |option: &FileOrContent| read(option).unwrap_or_else(|_| option.as_str().to_owned());
    let authority = Some(text(&tls.ca)).filter(|ca| !ca.is_empty());
    if authority
        .as_ref()
        .is_some_and(|ca| !ca.contains("-----BEGIN CERTIFICATE-----"))
    {
        return Err(wrong("failed to parse CA".to_owned()));
    }
    let certificates = match (tls.cert.is_empty(), tls.key.is_empty()) {
        (true, true) => vec![],
        (false, false) => vec![(text(&tls.cert), text(&tls.key))],
        _ => return Err(wrong("both TLS cert and key must be defined".to_owned())),
    };
    Ok(TlsSettings {
        insecure_skip_verify: tls.insecure_skip_verify,
        root_cas: authority.into_iter().collect(),
        certificates,
        ..TlsSettings::default()
    })
}

/// The authorization server.
struct Server {
    transport: Arc<Transport>,
    origin: Origin,
}

impl Service for Server {
    fn call<'a>(&'a self, req: Request, cx: &'a mut Exchange) -> Reply<'a> {
        Box::pin(async move {
            send(&self.transport, &self.origin, req, cx)
                .await
                .unwrap_or_else(Response::from)
        })
    }
}

/// Stands for a server whose address cannot be read.
struct NoServer;

impl Service for NoServer {
    fn call<'a>(&'a self, _req: Request, _cx: &'a mut Exchange) -> Reply<'a> {
        Box::pin(async { Response::from(Fault::new(FaultKind::Unsupported, "`address` is no URL")) })
    }
}
