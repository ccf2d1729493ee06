//! For tests only: servers that play scripts of literal bytes, and one client that asks them. All on one thread.

use crate::{Forward, Origin, Settings, Transport, pool};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use trilithon_flow::{
    Body, Connection, Exchange, Fault, Headers, Request, Response, Service, Source, Target,
};

/// Runs a test on one thread where local tasks may be spawned; no test may take longer than this.
pub fn run<F: Future>(test: F) -> F::Output {
    pool::clear();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let limited = async {
        tokio::time::timeout(Duration::from_secs(20), test)
            .await
            .expect("the test hangs")
    };
    tokio::task::LocalSet::new().block_on(&runtime, limited)
}

/// One move of a server on one connection.
#[derive(Clone, Debug)]
pub enum Move {
    /// Read until this text has come, and forget what came up to it.
    Read(&'static str),
    Send(String),
    /// Close in order.
    Close,
    /// Wait until the client has closed.
    Gone,
}

/// Reads one request without body.
pub const REQUEST: Move = Move::Read("\r\n\r\n");

pub fn send(text: impl Into<String>) -> Move {
    Move::Send(text.into())
}

/// A server. Its first connection plays the first script, and so on; the last script is played again by all others.
pub struct Server {
    pub port: u16,
    heard: Rc<RefCell<Vec<String>>>,
    changed: Rc<Notify>,
    gone: Rc<Cell<usize>>,
}

impl Server {
    pub async fn start(scripts: Vec<Vec<Move>>) -> Server {
        Server::with(scripts, |tcp| async { Some(tcp) }).await
    }

    /// The same behind something that is done to each connection first; `None` ends it.
    pub async fn with<S, F>(scripts: Vec<Vec<Move>>, wrap: impl Fn(TcpStream) -> F + 'static) -> Server
    where
        S: AsyncRead + AsyncWrite + Unpin + 'static,
        F: Future<Output = Option<S>> + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = Server {
            port,
            heard: Rc::default(),
            changed: Rc::default(),
            gone: Rc::default(),
        };
        let (heard, changed, gone) = (server.heard.clone(), server.changed.clone(), server.gone.clone());
        tokio::task::spawn_local(async move {
            let mut scripts: VecDeque<_> = scripts.into();
            while let Ok((tcp, _)) = listener.accept().await {
                let script = if scripts.len() > 1 {
                    scripts.pop_front()
                } else {
                    scripts.front().cloned()
                };
                let at = heard.borrow().len();
                heard.borrow_mut().push(String::new());
                let wrapped = wrap(tcp);
                let (heard, changed, gone) = (heard.clone(), changed.clone(), gone.clone());
                tokio::task::spawn_local(async move {
                    if let Some(stream) = wrapped.await {
                        play(stream, script.unwrap_or_default(), &heard, at, &changed, &gone).await;
                    }
                });
            }
        });
        server
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Connections so far.
    pub fn connections(&self) -> usize {
        self.heard.borrow().len()
    }

    /// Everything that came on one connection.
    pub fn heard(&self, connection: usize) -> String {
        self.heard.borrow().get(connection).cloned().unwrap_or_default()
    }

    /// Waits until so many clients were seen to close.
    pub async fn gone(&self, times: usize) {
        while self.gone.get() < times {
            self.changed.notified().await;
        }
    }

    /// Waits until this has come on a connection.
    pub async fn hears(&self, connection: usize, text: &str) {
        while !self.heard(connection).contains(text) {
            self.changed.notified().await;
        }
    }
}

async fn play(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    script: Vec<Move>,
    heard: &RefCell<Vec<String>>,
    at: usize,
    changed: &Notify,
    gone: &Cell<usize>,
) {
    let mut fresh = Vec::new();
    for step in script {
        match step {
            Move::Read(text) => loop {
                if let Some(end) = fresh.windows(text.len()).position(|w| w == text.as_bytes()) {
                    fresh.drain(..end + text.len());
                    break;
                }
                let from = fresh.len();
                if !matches!(stream.read_buf(&mut fresh).await, Ok(1..)) {
                    gone.set(gone.get() + 1);
                    return changed.notify_waiters();
                }
                heard.borrow_mut()[at].push_str(&String::from_utf8_lossy(&fresh[from..]));
                changed.notify_waiters();
            },
            Move::Send(text) => {
                if stream.write_all(text.as_bytes()).await.is_err() || stream.flush().await.is_err() {
                    return;
                }
                // Lets the client see it before the next piece.
                tokio::task::yield_now().await;
            }
            Move::Close => {
                let _ = stream.shutdown().await;
                return;
            }
            Move::Gone => {
                while let Ok(1..) = stream.read_buf(&mut fresh).await {}
                gone.set(gone.get() + 1);
                return changed.notify_waiters();
            }
        }
    }
    // Stays open and silent.
    fresh.clear();
    while let Ok(1..) = stream.read_buf(&mut fresh).await {
        heard.borrow_mut()[at].push_str(&String::from_utf8_lossy(&fresh));
        fresh.clear();
        changed.notify_waiters();
    }
    gone.set(gone.get() + 1);
    changed.notify_waiters();
}

/// The exchange of a client at 192.0.2.7.
pub fn exchange() -> Exchange {
    let (peer, local) = ("192.0.2.7:999".parse().unwrap(), "127.0.0.1:80".parse().unwrap());
    Exchange::new(
        Rc::new(Connection::new(peer, local, "web".into(), None)),
        Rc::default(),
    )
}

pub fn request(method: &str, target: &str, headers: &[(&str, &str)]) -> Request {
    Request {
        method: trilithon_flow::Method::of(method.as_bytes()),
        target: Target::new(target),
        headers: headers.iter().copied().collect(),
        ..Request::default()
    }
}

pub fn get() -> Request {
    request("GET", "/", &[("Host", "a.test")])
}

pub fn forward_with(url: &str, settings: Settings) -> Forward {
    Forward {
        transport: Arc::new(Transport::new("test", settings)),
        origin: Origin::parse(url).unwrap(),
        pass_host_header: true,
        preserve_path: false,
    }
}

pub fn forward(url: &str) -> Forward {
    forward_with(url, Settings::default())
}

/// Status, body and how the body ended, in one line.
pub async fn tell(mut response: Response) -> String {
    let mut text = response.status.to_string();
    if let Some(fault) = &response.fault {
        return format!(
            "{text} {:?}{}",
            fault.kind,
            if fault.unsent { " unsent" } else { "" }
        );
    }
    loop {
        match response.body.chunk().await {
            Some(Ok(chunk)) => text = format!("{text} {}", String::from_utf8_lossy(&chunk)),
            Some(Err(fault)) => return format!("{text} {:?}", fault.kind),
            None => break,
        }
    }
    match response.body.trailers() {
        Some(trailers) => format!("{text} {trailers:?}"),
        None => text,
    }
}

pub async fn ask(forward: &Forward, req: Request) -> String {
    let mut cx = exchange();
    tell(forward.call(req, &mut cx).await).await
}

/// Idle HTTP/1.1 connections of this thread.
pub fn idle() -> usize {
    pool::idle()
}

/// A body whose pieces are given by the test as it goes.
pub struct Feed {
    send: UnboundedSender<Piece>,
    polled: Rc<Cell<bool>>,
}

enum Piece {
    Data(Vec<u8>),
    Fail(Fault),
    End(Headers),
}

impl Feed {
    pub fn new(length: Option<u64>) -> (Feed, Body) {
        let (send, pieces) = tokio::sync::mpsc::unbounded_channel();
        let polled: Rc<Cell<bool>> = Rc::default();
        let fed = Fed {
            pieces,
            now: vec![],
            ended: false,
            length,
            trailers: None,
            polled: polled.clone(),
        };
        (Feed { send, polled }, Body::from_source(fed))
    }

    pub fn piece(&self, text: &str) {
        let _ = self.send.send(Piece::Data(text.as_bytes().to_vec()));
    }

    pub fn fail(&self, fault: Fault) {
        let _ = self.send.send(Piece::Fail(fault));
    }

    pub fn end(&self, trailers: &[(&str, &str)]) {
        let _ = self.send.send(Piece::End(trailers.iter().copied().collect()));
    }

    /// Whether anybody asked for it.
    pub fn polled(&self) -> bool {
        self.polled.get()
    }
}

struct Fed {
    pieces: UnboundedReceiver<Piece>,
    now: Vec<u8>,
    ended: bool,
    length: Option<u64>,
    trailers: Option<Headers>,
    polled: Rc<Cell<bool>>,
}

impl Source for Fed {
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<&[u8], Fault>> {
        self.polled.set(true);
        while self.now.is_empty() && !self.ended {
            match ready!(self.pieces.poll_recv(cx)) {
                Some(Piece::Data(data)) => self.now = data,
                Some(Piece::Fail(fault)) => return Poll::Ready(Err(fault)),
                Some(Piece::End(trailers)) => {
                    self.ended = true;
                    self.trailers = Some(trailers).filter(|t| !t.is_empty());
                }
                None => return Poll::Pending,
            }
        }
        Poll::Ready(Ok(&self.now))
    }

    fn consume(&mut self, n: usize) {
        self.now.drain(..n);
        if let Some(length) = &mut self.length {
            *length -= n as u64;
        }
    }

    fn length(&self) -> Option<u64> {
        self.length
    }

    fn trailers(&mut self) -> Option<Headers> {
        self.trailers.take()
    }
}
