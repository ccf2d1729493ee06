//! A TCP router, compiled, and the way of one connection through it.

use super::postgres;
use super::relay::relay;
use crate::stream::Socket;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;
use trilithon_flow::limits;
use trilithon_middleware::tcp::{Admit, Pass};
use trilithon_upstream::tcp::{Backend, Stream, Target, dial};

const HANDSHAKE: Duration = Duration::from_secs(limits::HANDSHAKE_SECONDS);

/// What happens to TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Bytes are moved as they are: the connection is clear, or its TLS is the server's.
    Untouched,
    /// TLS ends here, with these options (qualified name).
    Terminate(Arc<str>),
    /// The options cannot be used: connections are closed.
    Broken,
}

/// What a TCP router leads to.
pub struct Route {
    pub name: Arc<str>,
    pub mode: Mode,
    pub middlewares: Vec<Box<dyn Admit>>,
    pub service: Arc<dyn Backend>,
}

/// A connection on its way to a server.
pub struct Arrival {
    pub socket: Socket,
    pub peer: SocketAddr,
    pub local: SocketAddr,
    /// How TLS is answered, where it ends here.
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// The client was told to start TLS as Postgres clients are.
    pub postgres: bool,
}

impl Route {
    /// The router's qualified name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Serves a connection until its end.
    pub async fn run(self: Arc<Route>, arrival: Arrival) {
        let client = arrival.peer;
        if let Err(reason) = self.serve(arrival).await {
            tracing::debug!(routerName = %self.name, %client, reason, "TCP connection closed");
        }
    }

    async fn serve(&self, arrival: Arrival) -> Result<(), String> {
        let Arrival {
            mut socket,
            peer,
            local,
            tls,
            postgres,
        } = arrival;
        let _passes = self.admit(peer).ok_or("a middleware lets it not in")?;
        // What was promised to be ended here never goes on as it is.
        if self.mode == Mode::Broken || tls.is_some() != matches!(self.mode, Mode::Terminate(_)) {
            return Err("the TLS options cannot be used".to_owned());
        }
        let target = self.service.pick().ok_or("no server is available")?;
        let mut server = reach(&target, peer, local, postgres && tls.is_none()).await?;
        let delay = target.transport.termination_delay;
        let Some(config) = tls else {
            relay(&mut socket, &mut server, delay).await;
            return Ok(());
        };
        let handshake = tokio_rustls::TlsAcceptor::from(config).accept(socket);
        let mut client = timeout(HANDSHAKE, handshake)
            .await
            .map_err(|_| "the TLS handshake took too long")?
            .map_err(|error| format!("the TLS handshake failed: {error}"))?;
        relay(&mut client, &mut server, delay).await;
        Ok(())
    }

    fn admit(&self, peer: SocketAddr) -> Option<Vec<Pass>> {
        self.middlewares.iter().map(|m| m.admit(peer.ip())).collect()
    }
}

async fn reach(target: &Target, peer: SocketAddr, local: SocketAddr, ask: bool) -> Result<Stream, String> {
    let address = &target.server.address;
    let failed = |error: std::io::Error| format!("cannot reach `{address}`: {error}");
    let mut server = dial(target, Some((peer, local))).await.map_err(failed)?;
    if ask {
        let asking = timeout(HANDSHAKE, postgres::ask(&mut server)).await;
        asking.map_err(|e| failed(e.into()))?.map_err(failed)?;
    }
    Ok(server)
}

#[cfg(test)]
pub mod testing {
    use super::*;

    struct Nobody;

    impl Backend for Nobody {
        fn pick(&self) -> Option<Target> {
            None
        }
    }

    /// A route that leads nowhere.
    pub fn route(name: &str) -> Arc<Route> {
        Arc::new(Route {
            name: name.into(),
            mode: Mode::Untouched,
            middlewares: Vec::new(),
            service: Arc::new(Nobody),
        })
    }
}
