//! An HTTP/2 server in clear text, as gRPC servers are. What it does depends on the path.

use std::future::poll_fn;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, HeaderValue, Request, Response};
use tokio::net::TcpStream;

/// A running server; it ends with the test's process.
pub struct Server {
    port: u16,
    seen: Arc<Mutex<Vec<http::request::Parts>>>,
}

impl Server {
    /// `/echo` sends back each message as it comes; `/only` answers with a head alone; `/refused` and `/broken` are reset,
    /// before the head and after it; `/silent` waits for ever. Every answer that ends has `grpc-status`.
    pub fn start() -> Server {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = listener
            .local_addr()
            .expect("a bound listener has an address")
            .port();
        listener
            .set_nonblocking(true)
            .expect("a socket that may be waited for");
        let seen = Arc::<Mutex<Vec<_>>>::default();
        let kept = seen.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(serve(stream, kept.clone()));
                }
            });
        });
        Server { port, seen }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// The heads of all requests so far.
    pub fn seen(&self) -> Vec<http::request::Parts> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn serve(stream: TcpStream, seen: Arc<Mutex<Vec<http::request::Parts>>>) {
    let Ok(mut connection) = h2::server::handshake(stream).await else {
        return;
    };
    while let Some(Ok((request, respond))) = connection.accept().await {
        let (parts, body) = request.into_parts();
        seen.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(parts.clone());
        // A client that leaves ends its answer.
        tokio::spawn(async move { _ = answer(Request::from_parts(parts, body), respond).await });
    }
}

async fn answer(request: Request<RecvStream>, mut respond: SendResponse<Bytes>) -> Result<(), h2::Error> {
    let head = || Response::builder().header("content-type", "application/grpc");
    let whole = |status: &str| {
        head()
            .header("grpc-status", status)
            .header("grpc-message", "no")
            .body(())
            .expect("a head")
    };
    let head = head().body(()).expect("a head");
    match request.uri().path() {
        "/only" => drop(respond.send_response(whole("7"), true)?),
        "/refused" => respond.send_reset(Reason::REFUSED_STREAM),
        "/silent" => drop(poll_fn(|cx| respond.poll_reset(cx)).await),
        "/broken" => {
            let mut stream = respond.send_response(head, false)?;
            send(&mut stream, Bytes::from_static(b"half")).await?;
            // The frames before it are to be on their way.
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            stream.send_reset(Reason::INTERNAL_ERROR);
        }
        _ => echo(request.into_body(), respond.send_response(head, false)?).await?,
    }
    Ok(())
}

async fn echo(mut body: RecvStream, mut stream: SendStream<Bytes>) -> Result<(), h2::Error> {
    while let Some(piece) = body.data().await {
        let piece = piece?;
        body.flow_control().release_capacity(piece.len())?;
        send(&mut stream, piece).await?;
    }
    let mut trailers = body.trailers().await?.unwrap_or_else(HeaderMap::new);
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    trailers.insert("grpc-message", HeaderValue::from_static("fine"));
    stream.send_trailers(trailers)
}

async fn send(stream: &mut SendStream<Bytes>, mut bytes: Bytes) -> Result<(), h2::Error> {
    while !bytes.is_empty() {
        stream.reserve_capacity(bytes.len());
        let Some(room) = poll_fn(|cx| stream.poll_capacity(cx)).await else {
            return Ok(());
        };
        let piece = bytes.split_to(room?.min(bytes.len()));
        stream.send_data(piece, false)?;
    }
    Ok(())
}
