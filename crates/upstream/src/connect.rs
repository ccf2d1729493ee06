//! A new connection to a server: name, address, TCP, proxy, TLS.

use crate::proxy::Proxy;
use crate::stream::Stream;
use crate::{Origin, Scheme, Transport};
use rustc_hash::FxHashMap;
use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use trilithon_flow::{Fault, FaultKind, limits};

/// How long the addresses of a name are believed.
const NAME_TIME: Duration = Duration::from_secs(3);
/// Names remembered per thread.
const MAX_NAMES: usize = 1024;
/// How long one of several addresses is tried before the next.
const ADDRESS_TIME: Duration = Duration::from_secs(5);
/// Time between TCP keep-alive probes.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// Bytes of a proxy's answer to CONNECT.
const MAX_PROXY_HEAD: usize = 16 * 1024;

/// A new connection, and what ALPN made of it.
pub(crate) struct Dialled {
    pub stream: Stream,
    pub h2: bool,
}

/// Connects to a server. Every failure is `unsent`: no byte of a request has gone anywhere.
pub(crate) async fn dial(transport: &Transport, origin: &Origin, http1_only: bool) -> Result<Dialled, Fault> {
    let dialled = dial_all(transport, origin, http1_only).await;
    dialled.and_then(unless_it_speaks).map_err(Fault::unsent)
}

/// A server of HTTP/1.1 waits to be asked: what it says before would be taken for the answer.
fn unless_it_speaks(mut dialled: Dialled) -> Result<Dialled, Fault> {
    if !dialled.h2 && dialled.stream.speaks_first() {
        let why = "the server spoke before it was asked";
        return Err(Fault::new(FaultKind::Malformed, why));
    }
    Ok(dialled)
}

async fn dial_all(transport: &Transport, origin: &Origin, http1_only: bool) -> Result<Dialled, Fault> {
    let (host, port) = match origin.proxy {
        Some(proxy) => (proxy.host.as_str(), proxy.port),
        None => (&*origin.host, origin.port),
    };
    let place = || format!("{host}:{port}");
    let tcp = within(transport.settings.dial_timeout, tcp(host, port)).await;
    let tcp = match tcp {
        Some(Ok(tcp)) => tcp,
        Some(Err(error)) => return Err(connect_fault(&error, &place())),
        None => {
            return Err(Fault::new(
                FaultKind::ConnectTimeout,
                format!("connecting to `{}` took too long", place()),
            ));
        }
    };
    match origin.scheme {
        Scheme::Https => {
            let handshake = Duration::from_secs(limits::HANDSHAKE_SECONDS);
            match timeout(handshake, secure(transport, origin, tcp, http1_only)).await {
                Ok(dialled) => dialled,
                Err(_) => Err(Fault::new(
                    FaultKind::ConnectTimeout,
                    format!("the TLS handshake with `{}` took too long", origin.authority),
                )),
            }
        }
        scheme => Ok(Dialled {
            stream: Stream::Plain(tcp),
            h2: scheme == Scheme::H2c && !http1_only,
        }),
    }
}

/// Runs something that may have a limit; `None` when it took too long.
async fn within<T>(limit: Option<Duration>, work: impl Future<Output = T>) -> Option<T> {
    match limit {
        Some(limit) => timeout(limit, work).await.ok(),
        None => Some(work.await),
    }
}

fn connect_fault(error: &io::Error, place: &str) -> Fault {
    let kind = if error.kind() == io::ErrorKind::TimedOut {
        FaultKind::ConnectTimeout
    } else {
        FaultKind::Connect
    };
    Fault::new(kind, format!("cannot connect to `{place}`: {error}"))
}

/// A TCP connection to the first address that takes one.
///
/// # Errors
/// The name has no address, or the last address tried did not answer.
pub async fn tcp(host: &str, port: u16) -> io::Result<TcpStream> {
    let addresses = resolve(host).await?;
    let mut failed = io::Error::new(io::ErrorKind::NotFound, "no such host");
    for (at, &ip) in addresses.iter().enumerate() {
        let connect = TcpStream::connect(SocketAddr::new(ip, port));
        // The last one has all the time that the caller gives.
        let limit = (at + 1 < addresses.len()).then_some(ADDRESS_TIME);
        match within(limit, connect).await {
            Some(Ok(stream)) => {
                tune(&stream);
                return Ok(stream);
            }
            Some(Err(error)) => failed = error,
            None => failed = io::ErrorKind::TimedOut.into(),
        }
    }
    // The name may have moved: ask again next time.
    NAMES.with_borrow_mut(|names| names.remove(host));
    Err(failed)
}

/// No delay, and probes. A socket that refuses them works all the same.
fn tune(stream: &TcpStream) {
    let _ = stream.set_nodelay(true);
    let probes = socket2::TcpKeepalive::new()
        .with_time(KEEP_ALIVE)
        .with_interval(KEEP_ALIVE);
    let _ = socket2::SockRef::from(stream).set_tcp_keepalive(&probes);
}

struct Known {
    addresses: Rc<[IpAddr]>,
    until: Instant,
}

thread_local! {
    static NAMES: RefCell<FxHashMap<String, Known>> = RefCell::default();
}

async fn resolve(host: &str) -> io::Result<Rc<[IpAddr]>> {
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Ok(Rc::new([ip]));
    }
    let now = Instant::now();
    let known = NAMES.with_borrow(|names| {
        names
            .get(host)
            .filter(|known| known.until > now)
            .map(|known| known.addresses.clone())
    });
    if let Some(known) = known {
        return Ok(known);
    }
    let addresses: Rc<[IpAddr]> = tokio::net::lookup_host((host, 0))
        .await?
        .map(|a| a.ip())
        .collect();
    NAMES.with_borrow_mut(|names| {
        if names.len() >= MAX_NAMES {
            names.retain(|_, known| known.until > now);
        }
        if names.len() < MAX_NAMES {
            names.insert(
                host.to_owned(),
                Known {
                    addresses: addresses.clone(),
                    until: now + NAME_TIME,
                },
            );
        }
    });
    Ok(addresses)
}

async fn secure(
    transport: &Transport,
    origin: &Origin,
    mut tcp: TcpStream,
    http1_only: bool,
) -> Result<Dialled, Fault> {
    if let Some(proxy) = origin.proxy {
        tunnel(&mut tcp, proxy, &origin.dialled()).await?;
    }
    let tls = transport
        .tls()
        .map_err(|e| Fault::new(FaultKind::Tls, e.message))?;
    let config = if http1_only { &tls.http1 } else { &tls.any };
    let name = tls
        .name(&origin.host)
        .ok_or_else(|| Fault::new(FaultKind::Tls, format!("`{}` is no name for TLS", origin.host)))?;
    let connector = tokio_rustls::TlsConnector::from(config.clone());
    let stream = connector
        .connect(name, tcp)
        .await
        .map_err(|error| tls_fault(&error, origin))?;
    let h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    Ok(Dialled {
        stream: Stream::Tls(Box::new(stream)),
        h2,
    })
}

/// A broken connection is the network's fault (502); what the other side says is the other side's (500).
fn tls_fault(error: &io::Error, origin: &Origin) -> Fault {
    let kind = match error.kind() {
        io::ErrorKind::UnexpectedEof => FaultKind::Closed,
        io::ErrorKind::InvalidData | io::ErrorKind::Other => FaultKind::Tls,
        io::ErrorKind::TimedOut => FaultKind::ConnectTimeout,
        _ => FaultKind::Connect,
    };
    Fault::new(kind, format!("TLS with `{}` failed: {error}", origin.authority))
}

/// Asks a proxy for a connection to `place`.
async fn tunnel(tcp: &mut TcpStream, proxy: &Proxy, place: &str) -> Result<(), Fault> {
    let broken = |e: io::Error| {
        Fault::new(
            FaultKind::Connect,
            format!("the proxy `{}` failed: {e}", proxy.host),
        )
    };
    let mut ask = format!("CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n");
    if let Some(authorization) = &proxy.authorization {
        ask.push_str(&format!("Proxy-Authorization: {authorization}\r\n"));
    }
    ask.push_str("\r\n");
    tcp.write_all(ask.as_bytes()).await.map_err(broken)?;
    // Byte by byte would be exact but slow; nothing may follow the head before our first TLS record.
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let n = tcp.read_buf(&mut head).await.map_err(broken)?;
        if n == 0 || head.len() > MAX_PROXY_HEAD {
            return Err(Fault::new(
                FaultKind::Connect,
                format!("the proxy `{}` gave no answer", proxy.host),
            ));
        }
    }
    let accepted = head.starts_with(b"HTTP/1.1 200") || head.starts_with(b"HTTP/1.0 200");
    if !accepted {
        let line =
            String::from_utf8_lossy(head.split(|&b| b == b'\r').next().unwrap_or_default()).into_owned();
        return Err(Fault::new(
            FaultKind::Tls,
            format!("the proxy `{}` refused: `{line}`", proxy.host),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
