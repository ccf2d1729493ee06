//! From an accepted socket to the protocol that it speaks: PROXY header, TLS or clear, HTTP/1 or HTTP/2.

mod certificate;
mod http1;
mod http2;
mod refuse;
mod tunnel;

use crate::entry_point::EntryPoint;
use crate::stream::{Socket, Stream};
use crate::tcp;
use crate::worker::Worker;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use trilithon_flow::{Connection, TlsInfo, limits, metrics};
use trilithon_wire::{Buffer, Peek, client_hello, is_h2_preface, proxy_protocol};

/// Time for everything before the first request.
pub(crate) const HANDSHAKE: Duration = Duration::from_secs(limits::HANDSHAKE_SECONDS);
/// Who has just come in when the doors close may speak until then.
const SPEAKS: Duration = Duration::from_secs(1);
pub(crate) const TLS_HANDSHAKE_RECORD: u8 = 0x16;

/// What serves a connection once its protocol is known. Everything before is gone by then: an idle connection holds the
/// memory of the protocol alone.
pub type Serving = Pin<Box<dyn Future<Output = ()>>>;

/// Takes a connection from its first byte to its protocol; `None` when it ends before.
pub async fn enter(
    stream: TcpStream,
    peer: SocketAddr,
    entry_point: Arc<EntryPoint>,
    worker: Rc<Worker>,
) -> Option<Serving> {
    let local = stream.local_addr().ok()?;
    let mut socket = Socket {
        tcp: stream,
        ahead: Buffer::new(),
    };
    let (mut peer, mut local) = (peer, local);
    if let Some(trust) = &entry_point.proxy_protocol {
        match tokio::time::timeout(HANDSHAKE, proxy_header(&mut socket)).await {
            Ok(Ok(Some((from, to)))) if trust.holds(peer.ip().to_canonical()) => (peer, local) = (from, to),
            Ok(Ok(_)) => {}
            Ok(Err(reason)) => return turned_away(&entry_point, peer, reason),
            Err(_) => return turned_away(&entry_point, peer, "slow-proxy-header"),
        }
    }
    let streams = worker
        .live
        .load()
        .entry_points
        .get(entry_point.index)
        .and_then(|r| r.tcp.clone());
    if let Some(table) = streams {
        socket = Box::pin(tcp::enter(socket, peer, local, &table, &entry_point, &worker)).await?;
    }
    if socket.ahead.is_empty() && !first_byte(&mut socket, &entry_point, &worker).await {
        return None;
    }
    if socket.ahead.filled()[0] == TLS_HANDSHAKE_RECORD {
        Box::pin(secure(socket, peer, local, entry_point, worker)).await
    } else {
        let connection = Rc::new(Connection::new(peer, local, entry_point.name.clone(), None));
        clear(socket, connection, entry_point, worker).await
    }
}

fn turned_away(entry_point: &EntryPoint, peer: SocketAddr, reason: &'static str) -> Option<Serving> {
    rejected(entry_point, peer, reason);
    None
}

pub(crate) fn rejected(entry_point: &EntryPoint, peer: SocketAddr, reason: &'static str) {
    metrics::rejected(&entry_point.name, reason);
    tracing::debug!(entryPointName = %entry_point.name, client = %peer, reason, "connection refused");
}

/// Waits for the first bytes without holding memory for them.
pub(crate) async fn first_byte(socket: &mut Socket, entry_point: &EntryPoint, worker: &Worker) -> bool {
    let deadline = worker.timer.deadline();
    deadline.set(entry_point.read_timeout);
    let opened = Instant::now();
    poll_fn(|cx| {
        let read = pin!(socket.tcp.read_buf(socket.ahead.reading())).poll(cx);
        match read {
            Poll::Ready(n) => Poll::Ready(n.unwrap_or(0) > 0),
            Poll::Pending => {
                socket.ahead.release();
                if entry_point.doors.are_closed() && opened.elapsed() > SPEAKS {
                    Poll::Ready(false)
                } else {
                    deadline.poll(cx).map(|()| false)
                }
            }
        }
    })
    .await
}

/// Reads more bytes ahead; false at the end.
pub(crate) async fn read_ahead(socket: &mut Socket) -> bool {
    matches!(socket.tcp.read_buf(socket.ahead.reading()).await, Ok(n) if n > 0)
}

/// Takes the PROXY header off the stream; gives the addresses it names.
async fn proxy_header(socket: &mut Socket) -> Result<Option<(SocketAddr, SocketAddr)>, &'static str> {
    loop {
        match proxy_protocol::parse(socket.ahead.filled()) {
            Ok(Some(header)) => {
                socket.ahead.consume(header.len);
                return Ok(header.addresses);
            }
            Ok(None) if read_ahead(socket).await => {}
            // Somebody looked whether the port is open.
            Ok(None) if socket.ahead.is_empty() => return Ok(None),
            Ok(None) => return Err("truncated-proxy-header"),
            Err(reject) => return Err(reject.reason()),
        }
    }
}

async fn clear(
    mut socket: Socket,
    connection: Rc<Connection>,
    entry_point: Arc<EntryPoint>,
    worker: Rc<Worker>,
) -> Option<Serving> {
    let http2 = loop {
        match is_h2_preface(socket.ahead.filled()) {
            Some(http2) => break http2,
            // `P`, `PR` …: a few more bytes tell. Anything that stalls here is no HTTP/1 request either.
            None => match tokio::time::timeout(HANDSHAKE, read_ahead(&mut socket)).await {
                Ok(true) => {}
                _ => return None,
            },
        }
    };
    let ahead = if http2 {
        Buffer::new()
    } else {
        std::mem::take(&mut socket.ahead)
    };
    let stream = Stream::Clear(socket);
    Some(serve(http2, stream, ahead, connection, entry_point, worker))
}

fn serve(
    http2: bool,
    stream: Stream,
    ahead: Buffer,
    connection: Rc<Connection>,
    entry_point: Arc<EntryPoint>,
    worker: Rc<Worker>,
) -> Serving {
    if http2 {
        Box::pin(http2::serve(stream, connection, entry_point, worker))
    } else {
        Box::pin(http1::serve(stream, ahead, connection, entry_point, worker))
    }
}

/// TLS: the options are those of the name asked for; then the protocol is what ALPN agreed on.
async fn secure(
    mut socket: Socket,
    peer: SocketAddr,
    local: SocketAddr,
    entry_point: Arc<EntryPoint>,
    worker: Rc<Worker>,
) -> Option<Serving> {
    let handshake = async {
        let (sni, offer) = hello(&mut socket).await?;
        let (config, verifies, options) = {
            let snapshot = worker.live.load();
            let routes = snapshot.entry_points.get(entry_point.index).ok_or("no-routes")?;
            let options = routes
                .tls_options
                .of(sni.as_deref().unwrap_or_default())
                .to_owned();
            let config = snapshot
                .tls
                .config_for_offer(sni.as_deref(), &options, local.ip(), &offer)
                .ok_or("tls-options-unusable")?;
            (config, snapshot.tls.verifies_clients(&options), options)
        };
        let accept = tokio_rustls::TlsAcceptor::from(config).accept(socket);
        let stream = accept.await.map_err(|error| {
            tracing::debug!(entryPointName = %entry_point.name, client = %peer, %error, "TLS handshake failed");
            "tls-handshake"
        })?;
        Ok::<_, &'static str>((stream, sni, options, verifies))
    };
    let (stream, sni, options, verifies) = match tokio::time::timeout(HANDSHAKE, handshake).await {
        Ok(Ok(done)) => done,
        Ok(Err(reason)) => return turned_away(&entry_point, peer, reason),
        Err(_) => return turned_away(&entry_point, peer, "slow-tls-handshake"),
    };
    let session = stream.get_ref().1;
    let http2 = match session.alpn_protocol() {
        Some(b"h2") => true,
        None | Some(b"http/1.1" | b"http/1.0") => false,
        // Agreed on by configuration, but nothing here speaks it.
        Some(_) => return turned_away(&entry_point, peer, "unknown-alpn-protocol"),
    };
    let (version, cipher) = trilithon_tls::facts(session);
    let client_certificates: Vec<Vec<u8>> = session
        .peer_certificates()
        .unwrap_or_default()
        .iter()
        .map(|c| c.to_vec())
        .collect();
    let info = TlsInfo {
        sni,
        version,
        cipher,
        options: options.into(),
        client_subject: client_certificates
            .first()
            .and_then(|c| trilithon_tls::subject(c))
            .map(Arc::from),
        client_identity: client_certificates
            .first()
            .filter(|_| verifies)
            .and_then(|leaf| certificate::identity(leaf)),
        client_certificates,
    };
    let connection = Rc::new(Connection::new(peer, local, entry_point.name.clone(), Some(info)));
    let stream = Stream::Tls(Box::new(stream));
    Some(serve(
        http2,
        stream,
        Buffer::new(),
        connection,
        entry_point,
        worker,
    ))
}

/// Reads the ClientHello ahead, whole, however it is cut; gives the name it asks for and the protocols it offers.
pub(crate) async fn hello(socket: &mut Socket) -> Result<(Option<String>, Vec<Vec<u8>>), &'static str> {
    loop {
        match client_hello::peek(socket.ahead.filled()) {
            Peek::Hello { sni, alpn } => return Ok((sni, alpn)),
            Peek::More if read_ahead(socket).await => {}
            Peek::More => return Err("truncated-client-hello"),
            Peek::NotTls | Peek::Bad => return Err("bad-client-hello"),
        }
    }
}
