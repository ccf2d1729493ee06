//! Listening sockets: made here or given by systemd, accepted in one place, served where there is least to do.

use crate::door;
use crate::drain::Inside;
use crate::entry_point::EntryPoint;
use crate::worker::{Counted, Worker, Workers};
use std::future::poll_fn;
use std::io;
use std::net::{
    SocketAddr, TcpListener as StdListener, TcpStream as StdStream, ToSocketAddrs, UdpSocket as StdUdpSocket,
};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use trilithon_flow::metrics::{self, Value};

/// Connections that wait to be accepted.
const BACKLOG: i32 = 4096;
/// Pause after an accept that failed for want of descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Makes a listening socket for `address` (`[host]:port`).
///
/// # Errors
/// The address is none, or the socket cannot be bound.
pub fn bind(address: &str, reuse_port: bool) -> io::Result<StdListener> {
    let address = resolve(address)?;
    let socket = socket2::Socket::new(
        socket2::Domain::for_address(address),
        socket2::Type::STREAM,
        Some(socket2::Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    if reuse_port {
        socket.set_reuse_port(true)?;
    }
    if address.is_ipv6() {
        // `:80` means every address of both families; a machine without the old family refuses, which is fine.
        let _ = socket.set_only_v6(false);
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

pub(crate) fn resolve(address: &str) -> io::Result<SocketAddr> {
    if let Some(port) = address.strip_prefix(':') {
        let port: u16 = port
            .parse()
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, format!("`{port}` is no port")))?;
        let any = if ipv6_available() { "[::]" } else { "0.0.0.0" };
        return format!("{any}:{port}")
            .parse()
            .map_err(|_| io::ErrorKind::InvalidInput.into());
    }
    address
        .to_socket_addrs()?
        .next()
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the address names no host"))
}

fn ipv6_available() -> bool {
    socket2::Socket::new(socket2::Domain::IPV6, socket2::Type::STREAM, None)
        .and_then(|s| s.bind(&SocketAddr::from(([0u16; 8], 0)).into()))
        .is_ok()
}

/// Sockets that systemd handed over, with the entry points that they are named after.
#[derive(Default)]
pub struct Inherited {
    pub tcp: Vec<(String, StdListener)>,
    pub udp: Vec<(String, StdUdpSocket)>,
}

/// The sockets that systemd handed over.
pub fn inherited() -> Inherited {
    let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
    let mut fds = listenfd::ListenFd::from_env();
    let mut found = Inherited::default();
    for (i, name) in names.split(':').enumerate().take(fds.len()) {
        // A socket that cannot be made non-blocking would stop a worker.
        if let Ok(Some(listener)) = fds.take_tcp_listener(i) {
            if listener.set_nonblocking(true).is_ok() {
                found.tcp.push((name.to_owned(), listener));
            }
        } else if let Ok(Some(socket)) = fds.take_udp_socket(i)
            && socket.set_nonblocking(true).is_ok()
        {
            found.udp.push((name.to_owned(), socket));
        }
    }
    found
}

/// Takes the socket of this name out.
pub fn take<T>(sockets: &mut Vec<(String, T)>, name: &str) -> Option<T> {
    let at = sockets.iter().position(|(n, _)| n == name)?;
    Some(sockets.swap_remove(at).1)
}

/// Accepts on `listener` until `stop` turns true.
pub fn accept(
    listener: StdListener,
    entry_point: Arc<EntryPoint>,
    workers: &Workers,
    stop: watch::Receiver<bool>,
) {
    let at = entry_point.index % workers.len();
    let workers_there = workers.clone();
    workers.run_on(
        at,
        Box::new(move |worker| {
            Box::pin(
                Acceptor {
                    at,
                    workers: workers_there,
                    entry_point,
                    worker,
                }
                .run(listener, stop),
            )
        }),
    );
}

struct Acceptor {
    at: usize,
    workers: Workers,
    entry_point: Arc<EntryPoint>,
    worker: Rc<Worker>,
}

impl Acceptor {
    async fn run(self, listener: StdListener, mut stop: watch::Receiver<bool>) {
        let listener = match TcpListener::from_std(listener) {
            Ok(listener) => listener,
            Err(error) => {
                return tracing::error!(entryPointName = %self.entry_point.name, %error, "cannot listen");
            }
        };
        let open = metrics::registry().gauge(
            "traefik_open_connections",
            "How many open connections exist, by entryPoint and protocol",
            &[("entrypoint", &self.entry_point.name), ("protocol", "TCP")],
        );
        loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((tcp, peer)) => self.hand_over(tcp, peer, self.open(&open)),
                    Err(error) => self.pause(&error).await,
                },
                _ = stop.wait_for(|stop| *stop) => break,
            }
        }
        // Who waits before the doors has been let in by the system, and would be thrown out with the listener.
        let waiting = || poll_fn(|cx| Poll::Ready(listener.poll_accept(cx)));
        while let Poll::Ready(Ok((tcp, peer))) = waiting().await {
            self.hand_over(tcp, peer, self.open(&open));
        }
    }

    fn open(&self, gauge: &Arc<Value>) -> Open {
        gauge.inc();
        Open {
            gauge: gauge.clone(),
            _inside: self.entry_point.doors.enter(),
        }
    }

    async fn pause(&self, error: &io::Error) {
        if !matches!(
            error.kind(),
            io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
        ) {
            tracing::error!(entryPointName = %self.entry_point.name, %error, "cannot accept connections");
            tokio::time::sleep(ACCEPT_PAUSE).await;
        }
    }

    fn hand_over(&self, tcp: TcpStream, peer: SocketAddr, open: Open) {
        // A socket that takes no option is closed already; serving it finds that out.
        let _ = tcp.set_nodelay(true);
        let to = self.workers.least_loaded();
        let counted = self.workers.count(to);
        if to == self.at {
            tokio::task::spawn_local(serve(
                tcp,
                peer,
                self.entry_point.clone(),
                self.worker.clone(),
                counted,
                open,
            ));
            return;
        }
        let Ok(tcp) = tcp.into_std() else { return };
        let entry_point = self.entry_point.clone();
        self.workers.run_on(
            to,
            Box::new(move |worker| Box::pin(arrive(tcp, peer, entry_point, worker, counted, open))),
        );
    }
}

async fn arrive(
    tcp: StdStream,
    peer: SocketAddr,
    entry_point: Arc<EntryPoint>,
    worker: Rc<Worker>,
    counted: Counted,
    open: Open,
) {
    if let Ok(tcp) = TcpStream::from_std(tcp) {
        serve(tcp, peer, entry_point, worker, counted, open).await;
    }
}

/// Serves one connection from its first byte to its last.
fn serve(
    tcp: TcpStream,
    peer: SocketAddr,
    entry_point: Arc<EntryPoint>,
    worker: Rc<Worker>,
    counted: Counted,
    open: Open,
) -> impl Future<Output = ()> {
    let entering = Box::pin(door::enter(tcp, peer, entry_point, worker));
    async move {
        let _inside = (counted, open);
        let serving = entering.await;
        if let Some(serving) = serving {
            serving.await;
        }
    }
}

/// One open connection: in the metrics and inside the doors.
struct Open {
    gauge: Arc<Value>,
    _inside: Inside,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.gauge.add(-1);
    }
}
