//! A well-behaved HTTP/2 client: what its library does is right, what it asks for is the test's.

use std::future::Future;
use std::net::Ipv4Addr;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use h2::client::{Builder, SendRequest};
use h2::{RecvStream, SendStream};
use http::{HeaderMap, Request};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use trilithon_testkit::{Gateway, PATIENCE};

/// A whole answer.
#[derive(Debug)]
pub struct Whole {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
    pub trailers: HeaderMap,
}

impl Whole {
    /// A header's value, empty when there is none.
    pub fn header(&self, name: &str) -> &str {
        text(&self.headers, name)
    }

    /// A trailer's value, empty when there is none.
    pub fn trailer(&self, name: &str) -> &str {
        text(&self.trailers, name)
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers
        .get(name)
        .map_or("", |value| value.to_str().expect("a value in ASCII"))
}

/// Runs a test that awaits. It fails when it takes longer than anything may.
#[track_caller]
pub fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime
        .block_on(async { tokio::time::timeout(PATIENCE * 2, test).await })
        .expect("an end in time")
}

/// Connects to an entry point in clear text, without asking (prior knowledge).
pub async fn connect(gateway: &Gateway, entry_point: &str) -> SendRequest<Bytes> {
    start(socket(gateway, entry_point).await).await
}

/// Like [`connect`], for a gateway that may be gone.
pub async fn try_connect(gateway: &Gateway, entry_point: &str) -> Option<SendRequest<Bytes>> {
    let tcp = TcpStream::connect((Ipv4Addr::LOCALHOST, gateway.port(entry_point)));
    try_start(tcp.await.ok()?).await.ok()
}

/// Connects with TLS, asking for `name`.
pub async fn connect_tls(gateway: &Gateway, entry_point: &str, name: &str) -> SendRequest<Bytes> {
    let mut config = gateway.certs().client_config(None, true);
    config.alpn_protocols = vec![b"h2".to_vec()];
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let name = ServerName::try_from(name.to_owned()).expect("a name");
    let stream = connector
        .connect(name, socket(gateway, entry_point).await)
        .await
        .expect("a handshake");
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    start(stream).await
}

async fn socket(gateway: &Gateway, entry_point: &str) -> TcpStream {
    let tcp = TcpStream::connect((Ipv4Addr::LOCALHOST, gateway.port(entry_point)))
        .await
        .expect("an open entry point");
    tcp.set_nodelay(true).expect("a connected socket");
    tcp
}

async fn start<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(stream: S) -> SendRequest<Bytes> {
    try_start(stream).await.expect("a connection that takes requests")
}

async fn try_start<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
) -> Result<SendRequest<Bytes>, h2::Error> {
    let mut builder = Builder::new();
    builder
        .initial_window_size(1 << 20)
        .initial_connection_window_size(1 << 24);
    let (client, connection) = builder.handshake(stream).await?;
    tokio::spawn(connection);
    client.ready().await
}

/// Begins a request; its body is to follow.
pub fn begin(
    client: &mut SendRequest<Bytes>,
    request: Request<()>,
) -> (h2::client::ResponseFuture, SendStream<Bytes>) {
    client
        .send_request(request, false)
        .expect("a request that may be sent")
}

/// Sends a request without a body, and reads the answer.
pub async fn get(client: &mut SendRequest<Bytes>, uri: &str) -> Whole {
    let request = Request::get(uri).body(()).expect("a request");
    let (answer, _) = client
        .send_request(request, true)
        .expect("a request that may be sent");
    whole(answer.await.expect("an answer")).await
}

/// The rest of an answer.
pub async fn whole(answer: http::Response<RecvStream>) -> Whole {
    let (parts, mut stream) = answer.into_parts();
    let mut body = BytesMut::new();
    while let Some(piece) = next(&mut stream).await {
        body.extend_from_slice(&piece);
    }
    let trailers = stream.trailers().await.expect("an end").unwrap_or_default();
    Whole {
        status: parts.status.as_u16(),
        headers: parts.headers,
        body: body.to_vec(),
        trailers,
    }
}

/// The next piece of a body; `None` at its end.
pub async fn next(stream: &mut RecvStream) -> Option<Bytes> {
    loop {
        let piece = stream.data().await?.expect("a body without a break");
        stream
            .flow_control()
            .release_capacity(piece.len())
            .expect("as much as was read");
        // A last frame may be empty.
        if !piece.is_empty() {
            return Some(piece);
        }
    }
}

/// Sends all of `bytes`, as the window allows.
pub async fn send(stream: &mut SendStream<Bytes>, mut bytes: Bytes, end: bool) {
    if bytes.is_empty() {
        stream.send_data(bytes, end).expect("an open stream");
        return;
    }
    while !bytes.is_empty() {
        stream.reserve_capacity(bytes.len());
        let room = std::future::poll_fn(|cx| stream.poll_capacity(cx))
            .await
            .expect("an open stream")
            .expect("a window");
        let piece = bytes.split_to(room.min(bytes.len()));
        stream
            .send_data(piece, end && bytes.is_empty())
            .expect("an open stream");
    }
}
