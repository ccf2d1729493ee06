//! The first moments of a connection on an entry point with TCP routers: it is given to one of them, or left to HTTP.

use super::postgres;
use super::route::{Arrival, Mode, Route};
use super::table::Table;
use crate::door::{self, HANDSHAKE, TLS_HANDSHAKE_RECORD};
use crate::entry_point::EntryPoint;
use crate::stream::Socket;
use crate::worker::Worker;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;
use trilithon_rule::Conn;

const SLOW: &str = "slow-start";
/// Time between keep-alive probes to clients.
const KEEP_ALIVE: Duration = Duration::from_secs(180);

/// Serves the connection if a TCP router takes it; gives it back, with what was read ahead, if it is HTTP's.
pub async fn enter(
    socket: Socket,
    peer: SocketAddr,
    local: SocketAddr,
    table: &Table,
    entry_point: &Arc<EntryPoint>,
    worker: &Worker,
) -> Option<Socket> {
    let mut entry = Entry {
        socket,
        peer,
        local,
        table,
        entry_point,
        worker,
    };
    match entry.decide().await {
        Ok(Decision::Gone) => None,
        Ok(Decision::Http) => Some(entry.socket),
        Ok(Decision::Tcp(route, hello)) => {
            let arrival = entry.arrive(&route, hello)?;
            Box::pin(route.run(arrival)).await;
            None
        }
        Err(reason) => {
            door::rejected(entry_point, peer, reason);
            None
        }
    }
}

struct Entry<'a> {
    socket: Socket,
    peer: SocketAddr,
    local: SocketAddr,
    table: &'a Table,
    entry_point: &'a Arc<EntryPoint>,
    worker: &'a Worker,
}

enum Decision {
    /// It ended, or was told to, before it said anything.
    Gone,
    Http,
    Tcp(Arc<Route>, Hello),
}

/// What a client said of itself.
#[derive(Default)]
struct Hello {
    name: Option<String>,
    protocols: Vec<Vec<u8>>,
    postgres: bool,
}

impl Entry<'_> {
    async fn decide(&mut self) -> Result<Decision, &'static str> {
        let nothing = Hello::default();
        if self.table.decides_at_once()
            && let Some(route) = self.look(&nothing, Table::clear)
        {
            return Ok(Decision::Tcp(route, nothing));
        }
        if self.socket.ahead.is_empty()
            && !door::first_byte(&mut self.socket, self.entry_point, self.worker).await
        {
            return Ok(Decision::Gone);
        }
        if timeout(self.patience(), self.asks_postgres())
            .await
            .map_err(|_| SLOW)??
        {
            return self.postgres().await;
        }
        if self.socket.ahead.filled()[0] != TLS_HANDSHAKE_RECORD {
            let found = self.look(&nothing, Table::clear);
            return Ok(found.map_or(Decision::Http, |route| Decision::Tcp(route, nothing)));
        }
        let hello = self.hello(false).await?;
        let found = self.look(&hello, Table::secure);
        Ok(found.map_or(Decision::Http, |route| Decision::Tcp(route, hello)))
    }

    /// Time for what comes before routing, once it has begun.
    fn patience(&self) -> Duration {
        match self.entry_point.read_timeout {
            Duration::ZERO => HANDSHAKE,
            limit => limit.min(HANDSHAKE),
        }
    }

    /// Reads on while the bytes may be a Postgres client's wish for TLS.
    async fn asks_postgres(&mut self) -> Result<bool, &'static str> {
        loop {
            match postgres::is_request(self.socket.ahead.filled()) {
                Some(is) => return Ok(is),
                None if door::read_ahead(&mut self.socket).await => {}
                None => return Err("truncated-start"),
            }
        }
    }

    async fn postgres(&mut self) -> Result<Decision, &'static str> {
        self.socket.ahead.consume(postgres::REQUEST.len());
        let answered = self.socket.write_all(&[postgres::ACCEPTED]).await;
        answered.map_err(|_| "gone")?;
        let hello = self.hello(true).await?;
        let route = self.look(&hello, Table::postgres).ok_or("no-postgres-router")?;
        Ok(Decision::Tcp(route, hello))
    }

    async fn hello(&mut self, postgres: bool) -> Result<Hello, &'static str> {
        let (name, protocols) = timeout(self.patience(), door::hello(&mut self.socket))
            .await
            .map_err(|_| SLOW)??;
        Ok(Hello {
            name,
            protocols,
            postgres,
        })
    }

    fn look(
        &self,
        hello: &Hello,
        find: impl for<'t> Fn(&'t Table, &Conn<'_>) -> Option<&'t Arc<Route>>,
    ) -> Option<Arc<Route>> {
        let protocols: Vec<&[u8]> = hello.protocols.iter().map(Vec::as_slice).collect();
        let facts = Conn {
            server_name: hello.name.as_deref().unwrap_or_default().as_bytes(),
            protocols: &protocols,
            client_ip: self.peer.ip().to_canonical(),
        };
        find(self.table, &facts).cloned()
    }

    /// What the route gets; nothing when its TLS cannot be had.
    fn arrive(self, route: &Route, hello: Hello) -> Option<Arrival> {
        let tls = match &route.mode {
            Mode::Terminate(options) => {
                let snapshot = self.worker.live.load();
                let name = hello.name.as_deref();
                let config = snapshot
                    .tls
                    .config_for_offer(name, options, self.local.ip(), &hello.protocols);
                if config.is_none() {
                    door::rejected(self.entry_point, self.peer, "tls-options-unusable");
                    return None;
                }
                config
            }
            Mode::Untouched | Mode::Broken => None,
        };
        keep_alive(&self.socket);
        Some(Arrival {
            socket: self.socket,
            peer: self.peer,
            local: self.local,
            tls,
            postgres: hello.postgres,
        })
    }
}

/// A socket that refuses probes works all the same.
fn keep_alive(socket: &Socket) {
    let probes = socket2::TcpKeepalive::new()
        .with_time(KEEP_ALIVE)
        .with_interval(KEEP_ALIVE);
    let _ = socket2::SockRef::from(&socket.tcp).set_tcp_keepalive(&probes);
}
