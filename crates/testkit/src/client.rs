//! A client that sends literal bytes and reads what comes, with a deadline on every read.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};

use crate::{Certs, PATIENCE, Response};

/// One connection. Dropped, it closes.
pub struct RawClient {
    stream: BufReader<Box<dyn Stream>>,
    tcp: TcpStream,
    shown: Vec<u8>,
    alpn: Vec<u8>,
}

/// What a TLS client says and shows.
#[derive(Debug, Clone, Copy, Default)]
pub struct TlsOffer<'a> {
    /// Server name to ask for; without one none is sent.
    pub name: Option<&'a str>,
    /// Protocols to offer, such as `h2`.
    pub alpn: &'a [&'a str],
    /// Client certificate of [`Certs`] to show.
    pub client: Option<&'a str>,
    /// Check the server's certificate; false believes any.
    pub verify: bool,
}

/// How a stream of bytes ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    Closed,
    Reset,
    /// Still open when the time was over.
    Open,
}

trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

impl RawClient {
    /// Connects to a port of 127.0.0.1.
    #[track_caller]
    pub fn connect(port: u16) -> RawClient {
        let client = RawClient::try_connect(port);
        client.unwrap_or_else(|error| panic!("port {port}: {error}"))
    }

    /// Like [`RawClient::connect`], for a gateway that may no longer listen.
    pub fn try_connect(port: u16) -> io::Result<RawClient> {
        let tcp = tcp(port)?;
        Ok(RawClient {
            stream: BufReader::new(Box::new(tcp.try_clone()?)),
            tcp,
            shown: Vec::new(),
            alpn: Vec::new(),
        })
    }

    /// Connects and shakes hands.
    pub fn tls(port: u16, certs: &Certs, offer: TlsOffer<'_>) -> io::Result<RawClient> {
        let tcp = tcp(port)?;
        let mut config = certs.client_config(offer.client, offer.verify);
        config.enable_sni = offer.name.is_some();
        config.alpn_protocols = offer.alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        let name =
            ServerName::try_from(offer.name.unwrap_or("localhost").to_owned()).map_err(io::Error::other)?;
        let mut session = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
        let mut socket = tcp.try_clone()?;
        while session.is_handshaking() {
            session.complete_io(&mut socket)?;
        }
        let shown = session
            .peer_certificates()
            .and_then(|c| c.first())
            .map(|c| c.to_vec())
            .unwrap_or_default();
        let alpn = session.alpn_protocol().unwrap_or_default().to_vec();
        let stream = BufReader::new(Box::new(StreamOwned::new(session, socket)) as Box<dyn Stream>);
        Ok(RawClient {
            stream,
            tcp,
            shown,
            alpn,
        })
    }

    /// The certificate the server showed, in DER; empty without TLS.
    pub fn certificate(&self) -> &[u8] {
        &self.shown
    }

    /// The protocol agreed on; empty when none was.
    pub fn alpn(&self) -> &[u8] {
        &self.alpn
    }

    #[track_caller]
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut RawClient {
        self.try_send(bytes).expect("the gateway takes the bytes");
        self
    }

    /// Like [`RawClient::send`], for a gateway that may already have closed.
    pub fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        let stream = self.stream.get_mut();
        stream.write_all(bytes.as_ref())?;
        stream.flush()
    }

    /// Says that nothing more will be sent (FIN), and goes on reading.
    pub fn finish(&mut self) -> &mut RawClient {
        let _ = self.tcp.shutdown(Shutdown::Write);
        self
    }

    /// Reads one answer to a GET. The test fails when none comes.
    #[track_caller]
    pub fn response(&mut self) -> Response {
        self.response_to("GET")
            .expect("an answer")
            .expect("an answer before the connection ends")
    }

    /// Reads one answer to a request with `method`; `None` when the connection ended instead.
    pub fn response_to(&mut self, method: &str) -> io::Result<Option<Response>> {
        self.patience(PATIENCE);
        Response::read(&mut self.stream, method)
    }

    /// Sends a request and reads its answer. `Host` and `Content-Length` are yours to write in `head`.
    #[track_caller]
    pub fn ask(&mut self, head: &str) -> Response {
        let method = head.split(' ').next().unwrap_or_default();
        self.send(head)
            .response_to(method)
            .expect("an answer")
            .expect("an answer before the connection ends")
    }

    /// Exactly `length` bytes.
    #[track_caller]
    pub fn read(&mut self, length: usize) -> Vec<u8> {
        self.patience(PATIENCE);
        let mut bytes = vec![0; length];
        self.stream.read_exact(&mut bytes).expect("as many bytes");
        bytes
    }

    /// Bytes up to and with `end`.
    #[track_caller]
    pub fn read_until(&mut self, end: &[u8]) -> Vec<u8> {
        self.patience(PATIENCE);
        let mut bytes = Vec::new();
        while !bytes.ends_with(end) {
            bytes.push(0);
            let last = bytes.len() - 1;
            if let Err(error) = self.stream.read_exact(&mut bytes[last..]) {
                panic!(
                    "`{}` ended before `{}`: {error}",
                    String::from_utf8_lossy(&bytes[..last]),
                    end.escape_ascii()
                );
            }
        }
        bytes
    }

    /// All bytes until the connection ends or `time` passes without one, and how it ended.
    pub fn read_to_end(&mut self, time: Duration) -> (Vec<u8>, Ended) {
        self.patience(time);
        let mut bytes = Vec::new();
        loop {
            let got = match self.stream.fill_buf() {
                Ok([]) => return (bytes, Ended::Closed),
                Ok(got) => got.to_vec(),
                Err(error) => return (bytes, ended(&error)),
            };
            self.stream.consume(got.len());
            bytes.extend(got);
        }
    }

    /// True when the gateway closes the connection without another byte.
    pub fn closes(&mut self) -> bool {
        let (bytes, ended) = self.read_to_end(PATIENCE);
        bytes.is_empty() && ended != Ended::Open
    }

    /// Closes with a reset (RST).
    pub fn reset(self) {
        let _ = rustix::net::sockopt::set_socket_linger(&self.tcp, Some(Duration::ZERO));
    }

    fn patience(&self, time: Duration) {
        self.tcp
            .set_read_timeout(Some(time))
            .expect("a time limit above zero");
    }
}

fn ended(error: &io::Error) -> Ended {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Ended::Open,
        // TLS cut without a farewell.
        io::ErrorKind::UnexpectedEof => Ended::Closed,
        _ => Ended::Reset,
    }
}

fn tcp(port: u16) -> io::Result<TcpStream> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}
