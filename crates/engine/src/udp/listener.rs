//! The socket of a UDP entry point: datagrams come in and are handed to the session of their sender.

use super::session::{Session, run};
use super::{EntryPoint, MAX_DATAGRAM, MAX_SESSIONS};
use crate::listener::resolve;
use crate::worker::{Worker, Workers};
use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, UdpSocket as StdSocket};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::sync::watch;
use trilithon_flow::metrics::{self, Value};

/// Pause after an error of the socket.
const PAUSE: Duration = Duration::from_millis(50);

/// Makes a socket for `address` (`[host]:port`).
///
/// # Errors
/// The address is none, or the socket cannot be bound.
pub fn bind(address: &str, reuse_port: bool) -> io::Result<StdSocket> {
    let address = resolve(address)?;
    let domain = socket2::Domain::for_address(address);
    let socket = socket2::Socket::new(domain, socket2::Type::DGRAM, Some(socket2::Protocol::UDP))?;
    if reuse_port {
        socket.set_reuse_port(true)?;
    }
    if address.is_ipv6() {
        // A machine without the old family refuses, which is fine.
        let _ = socket.set_only_v6(false);
    }
    socket.bind(&address.into())?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Serves a UDP entry point. When `stop` turns true no session begins any more; those that are open end by themselves.
pub fn serve(
    socket: StdSocket,
    entry_point: Arc<EntryPoint>,
    workers: &Workers,
    stop: watch::Receiver<bool>,
) {
    let at = entry_point.index % workers.len();
    let all = workers.clone();
    workers.run_on(
        at,
        Box::new(move |worker| Box::pin(start(socket, entry_point, worker, all, at, stop))),
    );
}

async fn start(
    socket: StdSocket,
    entry_point: Arc<EntryPoint>,
    worker: Rc<Worker>,
    workers: Workers,
    at: usize,
    stop: watch::Receiver<bool>,
) {
    match UdpSocket::from_std(socket) {
        Ok(socket) => {
            let open = metrics::registry().gauge(
                "traefik_open_connections",
                "How many open connections exist, by entryPoint and protocol",
                &[("entrypoint", &entry_point.name), ("protocol", "UDP")],
            );
            let listener = Listener {
                socket: Rc::new(socket),
                entry_point,
                worker,
                workers,
                at,
                open,
                sessions: Rc::default(),
            };
            listener.run(stop).await;
        }
        Err(error) => tracing::error!(entryPointName = %entry_point.name, %error, "cannot listen"),
    }
}

/// Open sessions by client address.
pub type Sessions = Rc<RefCell<HashMap<SocketAddr, Session>>>;

struct Listener {
    socket: Rc<UdpSocket>,
    entry_point: Arc<EntryPoint>,
    worker: Rc<Worker>,
    workers: Workers,
    at: usize,
    open: Arc<Value>,
    sessions: Sessions,
}

impl Listener {
    async fn run(self, mut stop: watch::Receiver<bool>) {
        let mut buffer = vec![0; MAX_DATAGRAM];
        let mut ending = false;
        loop {
            tokio::select! {
                came = self.socket.recv_from(&mut buffer) => match came {
                    Ok((n, client)) => self.datagram(&buffer[..n], client, ending),
                    Err(error) => self.pause(&error).await,
                },
                // A sender that is gone means the end as well.
                _ = stop.wait_for(|stop| *stop), if !ending => ending = true,
            }
        }
    }

    fn datagram(&self, data: &[u8], client: SocketAddr, ending: bool) {
        if let Some(session) = self.sessions.borrow().get(&client) {
            return session.take(data);
        }
        if ending || self.sessions.borrow().len() >= MAX_SESSIONS {
            return;
        }
        let server = {
            let snapshot = self.worker.live.load();
            let route = snapshot.udp.get(self.entry_point.index).and_then(Option::as_ref);
            route.and_then(|route| route.service.pick())
        };
        let Some(server) = server else { return };
        let (session, waiting) = Session::new();
        session.take(data);
        self.sessions.borrow_mut().insert(client, session);
        let place = Place {
            client,
            sessions: self.sessions.clone(),
            open: self.open.clone(),
            _counted: self.workers.count(self.at),
        };
        self.open.inc();
        let (socket, idle) = (self.socket.clone(), self.entry_point.timeout);
        tokio::task::spawn_local(async move {
            // The block takes the whole place with it, not only the address in it.
            let _place = place;
            if let Err(error) = run(&server, &socket, client, waiting, idle).await {
                tracing::debug!(%server, %client, %error, "UDP session ended");
            }
        });
    }

    async fn pause(&self, error: &io::Error) {
        // A client that is gone is told to us by some systems; it says nothing about the others.
        if error.kind() != io::ErrorKind::ConnectionReset {
            tracing::error!(entryPointName = %self.entry_point.name, %error, "cannot receive datagrams");
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// One session in the table, while it lives.
struct Place {
    client: SocketAddr,
    sessions: Sessions,
    open: Arc<Value>,
    _counted: crate::worker::Counted,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.sessions.borrow_mut().remove(&self.client);
        self.open.add(-1);
    }
}
