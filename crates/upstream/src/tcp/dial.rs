//! A new connection to a TCP server: TCP, the PROXY header, TLS; in this order.

use super::Target;
use super::transport::{Tls, Version};
use crate::connect;
use crate::stream::Stream;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;
use trilithon_flow::limits;
use trilithon_wire::proxy_protocol;

/// The two ends of a client's connection, for the PROXY header.
pub type Ends = (SocketAddr, SocketAddr);

/// Connects to a server. There is no second try elsewhere.
///
/// # Errors
/// The server cannot be reached within the transport's time, or TLS with it fails.
pub async fn dial(target: &Target, client: Option<Ends>) -> io::Result<Stream> {
    reach(target, target.server.port, client).await
}

/// The same at another port of the server.
pub(super) async fn reach(target: &Target, port: u16, client: Option<Ends>) -> io::Result<Stream> {
    let transport = &target.transport;
    let connecting = connect::tcp(&target.server.host, port);
    let mut tcp = match transport.dial_timeout {
        Some(limit) => timeout(limit, connecting).await??,
        None => connecting.await?,
    };
    keep_alive(&tcp, transport.keep_alive);
    if let (Some(version), Some(ends)) = (transport.proxy_protocol, client) {
        tcp.write_all(&header(version, ends)).await?;
    }
    if !target.server.tls {
        return Ok(Stream::Plain(tcp));
    }
    let refused = |why: &str| io::Error::new(io::ErrorKind::InvalidInput, why.to_owned());
    let (config, name) = match &transport.tls {
        Ok(Tls::With(config, name)) => (config.clone(), name.clone()),
        Ok(Tls::Unverifiable) => {
            return Err(refused("neither `serverName` nor `insecureSkipVerify` is set"));
        }
        Err(error) => return Err(refused(&error.message)),
    };
    let handshake = tokio_rustls::TlsConnector::from(config).connect(name, tcp);
    let tls = timeout(Duration::from_secs(limits::HANDSHAKE_SECONDS), handshake).await??;
    Ok(Stream::Tls(Box::new(tls)))
}

fn header(version: Version, (from, to): Ends) -> Vec<u8> {
    // A listener of both families shows IPv4 clients as mapped addresses.
    let plain = |a: SocketAddr| SocketAddr::new(a.ip().to_canonical(), a.port());
    let mut out = Vec::new();
    match version {
        Version::V1 => proxy_protocol::write_v1(&mut out, plain(from), plain(to)),
        Version::V2 => proxy_protocol::write_v2(&mut out, plain(from), plain(to)),
    }
    out
}

/// A socket that refuses probes works all the same.
fn keep_alive(tcp: &TcpStream, every: Option<Duration>) {
    let socket = socket2::SockRef::from(tcp);
    let _ = match every {
        Some(every) => {
            let probes = socket2::TcpKeepalive::new().with_time(every).with_interval(every);
            socket.set_tcp_keepalive(&probes)
        }
        None => socket.set_keepalive(false),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers() {
        let check = |from: &str, to: &str, want: &str| {
            let ends = (from.parse().unwrap(), to.parse().unwrap());
            assert_eq!(String::from_utf8(header(Version::V1, ends)).unwrap(), want);
            assert_eq!(header(Version::V2, ends)[..5], *b"\r\n\r\n\0");
        };
        check("1.2.3.4:5", "6.7.8.9:10", "PROXY TCP4 1.2.3.4 6.7.8.9 5 10\r\n");
        check(
            "[::ffff:1.2.3.4]:5",
            "[::ffff:6.7.8.9]:10",
            "PROXY TCP4 1.2.3.4 6.7.8.9 5 10\r\n",
        );
        check("[::1]:5", "[::2]:10", "PROXY TCP6 ::1 ::2 5 10\r\n");
    }
}
