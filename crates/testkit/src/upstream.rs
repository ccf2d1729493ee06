//! An HTTP/1 server on a port of its own that can answer well, badly, or not at all. One thread per connection.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::json;

use crate::{Certs, PATIENCE, Seen, until, wait};

/// A running upstream. Cloned, it is the same one; the last clone dropped closes the port.
#[derive(Clone)]
pub struct Upstream(Arc<Handle>);

/// One move of an upstream that answers with literal bytes.
#[derive(Debug, Clone)]
pub enum Act {
    /// Read a whole request before the next move. A script starts with it unless it says otherwise itself.
    Request,
    Send(Vec<u8>),
    /// Wait before the next move.
    Pause(Duration),
    /// Read until the other side closes, and go on.
    Drain,
    /// Close in order (FIN).
    Close,
    /// Close with a reset (RST).
    Reset,
}

/// A well-formed answer. The length is written for you.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// How long the upstream thinks before it answers.
    pub after: Duration,
}

impl Answer {
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Answer {
        Answer {
            status,
            headers: Vec::new(),
            body: body.into(),
            after: Duration::ZERO,
        }
    }

    pub fn header(mut self, name: &str, value: &str) -> Answer {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn after(mut self, time: Duration) -> Answer {
        self.after = time;
        self
    }
}

type Writing = Arc<dyn Fn(&Seen, &mut dyn Write) -> io::Result<()> + Send + Sync>;
type Answering = Arc<dyn Fn(&Seen) -> Answer + Send + Sync>;

#[derive(Clone)]
enum Manner {
    Echo,
    Answer(Answering),
    Write(Writing),
    Script(Arc<[Act]>),
}

struct Shared {
    address: SocketAddr,
    name: Mutex<String>,
    manner: Mutex<Manner>,
    tls: Mutex<Option<Arc<ServerConfig>>>,
    seen: Mutex<Vec<Seen>>,
    open: Mutex<Vec<TcpStream>>,
    connections: AtomicUsize,
    closed: AtomicBool,
}

impl Upstream {
    /// Answers with what it saw, as JSON: `backend`, `method`, `target`, `version`, `headers` (pairs), `body`,
    /// `connection`; header `X-Backend` names it. A request header `X-Do: status=503; delay=200; header=a:b` asks for
    /// another status, milliseconds before the answer, or a header more. `Upgrade` is accepted and echoes bytes.
    pub fn echo() -> Upstream {
        Upstream::start(Manner::Echo)
    }

    /// Answers what `answer` makes of the request.
    pub fn answering(answer: impl Fn(&Seen) -> Answer + Send + Sync + 'static) -> Upstream {
        Upstream::start(Manner::Answer(Arc::new(answer)))
    }

    /// Lets `write` answer each request in literal bytes and its own time; the connection closes behind it.
    pub fn writing(
        write: impl Fn(&Seen, &mut dyn Write) -> io::Result<()> + Send + Sync + 'static,
    ) -> Upstream {
        Upstream::start(Manner::Write(Arc::new(write)))
    }

    /// Answers each request with these literal bytes, then goes on with the connection.
    pub fn bytes(bytes: impl Into<Vec<u8>>) -> Upstream {
        Upstream::script([Act::Request, Act::Send(bytes.into())])
    }

    /// Plays these moves on each connection, over and over until a move closes it or the other side does.
    pub fn script(acts: impl Into<Vec<Act>>) -> Upstream {
        let mut acts = acts.into();
        if !acts.iter().any(|act| matches!(act, Act::Request)) {
            acts.insert(0, Act::Request);
        }
        Upstream::start(Manner::Script(acts.into()))
    }

    /// Reads requests and never says a word.
    pub fn silent() -> Upstream {
        Upstream::script([Act::Request, Act::Drain, Act::Close])
    }

    /// Speaks TLS with the certificate `backend`; with `client_authority` (such as `ca`) it demands a client's.
    pub fn tls(self, certs: &Certs, client_authority: Option<&str>) -> Upstream {
        let mut config = certs.server_config("backend", client_authority);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        *lock(&self.shared().tls) = Some(Arc::new(config));
        self
    }

    /// The name an echo answers with.
    pub fn named(self, name: &str) -> Upstream {
        name.clone_into(&mut lock(&self.shared().name));
        self
    }

    pub fn port(&self) -> u16 {
        self.shared().address.port()
    }

    /// From now on connections are refused, and the open ones are cut, until [`Upstream::back`].
    pub fn down(&self) {
        self.shared().close();
    }

    /// Ends what [`Upstream::down`] began: the same port listens again.
    pub fn back(&self) {
        let listener = until(PATIENCE, || TcpListener::bind(self.shared().address).ok());
        self.shared().closed.store(false, Relaxed);
        listen(
            listener.expect("the port is free again"),
            Arc::clone(self.shared()),
        );
    }

    /// Cuts every open connection.
    pub fn cut(&self) {
        self.shared().cut();
    }

    /// How many connections were accepted so far.
    pub fn connections(&self) -> usize {
        self.shared().connections.load(Relaxed)
    }

    /// How many whole requests were read so far.
    pub fn requests(&self) -> usize {
        lock(&self.shared().seen).len()
    }

    /// Every request so far.
    pub fn seen(&self) -> Vec<Seen> {
        lock(&self.shared().seen).clone()
    }

    /// The latest request. The test fails when there was none.
    #[track_caller]
    pub fn last(&self) -> Seen {
        lock(&self.shared().seen)
            .last()
            .cloned()
            .expect("the upstream saw a request")
    }

    fn start(manner: Manner) -> Upstream {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let shared = Arc::new(Shared {
            address: listener.local_addr().expect("a bound listener has an address"),
            name: Mutex::default(),
            manner: Mutex::new(manner),
            tls: Mutex::default(),
            seen: Mutex::default(),
            open: Mutex::default(),
            connections: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
        });
        listen(listener, Arc::clone(&shared));
        Upstream(Arc::new(Handle(shared)))
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.0.0
    }
}

fn listen(listener: TcpListener, shared: Arc<Shared>) {
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(stream) = stream else { return };
            if shared.closed.load(Relaxed) {
                return;
            }
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || shared.serve(stream));
        }
    });
}

impl From<&Upstream> for Upstream {
    fn from(upstream: &Upstream) -> Upstream {
        upstream.clone()
    }
}

struct Handle(Arc<Shared>);

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.close();
    }
}

trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

enum Next {
    Request,
    End,
}

impl Shared {
    /// Closes the port: the listener ends with the next connection, so make one until none is taken.
    fn close(&self) {
        self.closed.store(true, Relaxed);
        until(PATIENCE, || {
            TcpStream::connect_timeout(&self.address, PATIENCE).err()
        });
        self.cut();
    }

    fn cut(&self) {
        for stream in lock(&self.open).drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    fn serve(&self, tcp: TcpStream) {
        let connection = self.connections.fetch_add(1, Relaxed);
        let _ = tcp.set_nodelay(true);
        let _ = tcp.set_read_timeout(Some(PATIENCE * 3));
        let (Ok(open), Ok(raw)) = (tcp.try_clone(), tcp.try_clone()) else {
            return;
        };
        lock(&self.open).push(open);
        let tls = lock(&self.tls).clone();
        let stream: Box<dyn Stream> = match tls.map(ServerConnection::new) {
            None => Box::new(tcp),
            Some(Ok(session)) => Box::new(StreamOwned::new(session, tcp)),
            Some(Err(_)) => return,
        };
        let mut stream = BufReader::new(stream);
        let ended = loop {
            match self.turn(&mut stream, &raw, connection) {
                Ok(Next::Request) => {}
                ended => break ended,
            }
        };
        if ended.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionReset) {
            return; // an orderly end would come before the reset
        }
        let _ = stream.get_mut().flush();
        let _ = raw.shutdown(Shutdown::Both);
    }

    fn turn(
        &self,
        stream: &mut BufReader<Box<dyn Stream>>,
        raw: &TcpStream,
        connection: usize,
    ) -> io::Result<Next> {
        let manner = lock(&self.manner).clone();
        match manner {
            Manner::Script(acts) => self.play(&acts, stream, raw, connection),
            Manner::Answer(answer) => match self.request(stream, connection)? {
                None => Ok(Next::End),
                Some(seen) => self.reply(stream, &seen, answer(&seen)),
            },
            Manner::Write(write) => {
                if let Some(seen) = self.request(stream, connection)? {
                    write(&seen, stream.get_mut())?;
                }
                Ok(Next::End)
            }
            Manner::Echo => match self.request(stream, connection)? {
                None => Ok(Next::End),
                Some(seen) if seen.headers.has("upgrade") => upgrade(stream, &seen),
                Some(seen) => {
                    // Not in the call below: the lock would be held while the upstream thinks.
                    let name = lock(&self.name).clone();
                    self.reply(stream, &seen, echo(&name, &seen))
                }
            },
        }
    }

    fn request(
        &self,
        stream: &mut BufReader<Box<dyn Stream>>,
        connection: usize,
    ) -> io::Result<Option<Seen>> {
        let Some(mut seen) = Seen::read(stream, connection)? else {
            return Ok(None);
        };
        if seen.headers.get("expect").eq_ignore_ascii_case("100-continue") {
            stream.get_mut().write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        seen.read_body(stream)?;
        lock(&self.seen).push(seen.clone());
        Ok(Some(seen))
    }

    fn reply(
        &self,
        stream: &mut BufReader<Box<dyn Stream>>,
        seen: &Seen,
        answer: Answer,
    ) -> io::Result<Next> {
        wait::idle(answer.after);
        let mut head = format!(
            "HTTP/1.1 {} Status\r\nContent-Length: {}\r\n",
            answer.status,
            answer.body.len()
        );
        for (name, value) in &answer.headers {
            head += &format!("{name}: {value}\r\n");
        }
        let bodiless = seen.method == "HEAD" || matches!(answer.status, 204 | 304);
        let body = if bodiless { &[] } else { &*answer.body };
        stream
            .get_mut()
            .write_all(&[head.as_bytes(), b"\r\n", body].concat())?;
        stream.get_mut().flush()?;
        Ok(if seen.headers.get("connection").eq_ignore_ascii_case("close") {
            Next::End
        } else {
            Next::Request
        })
    }

    fn play(
        &self,
        acts: &[Act],
        stream: &mut BufReader<Box<dyn Stream>>,
        raw: &TcpStream,
        connection: usize,
    ) -> io::Result<Next> {
        for act in acts {
            match act {
                Act::Request => {
                    if self.request(stream, connection)?.is_none() {
                        return Ok(Next::End);
                    }
                }
                Act::Send(bytes) => {
                    stream.get_mut().write_all(bytes)?;
                    stream.get_mut().flush()?;
                }
                Act::Pause(time) => wait::idle(*time),
                Act::Drain => drop(io::copy(stream, &mut io::sink())),
                Act::Close => return Ok(Next::End),
                Act::Reset => {
                    rustix::net::sockopt::set_socket_linger(raw, Some(Duration::ZERO))?;
                    // Only the last descriptor's close sends the reset; those this upstream keeps go first.
                    let peer = raw.peer_addr()?;
                    lock(&self.open).retain(|open| open.peer_addr().is_ok_and(|p| p != peer));
                    return Err(io::ErrorKind::ConnectionReset.into());
                }
            }
        }
        Ok(Next::Request)
    }
}

fn echo(name: &str, seen: &Seen) -> Answer {
    let body = json!({
        "backend": name, "method": seen.method, "target": seen.target, "version": seen.version,
        "headers": seen.headers.0, "trailers": seen.trailers.0, "body": String::from_utf8_lossy(&seen.body),
        "connection": seen.connection,
    });
    let answer = Answer::new(200, format!("{body}\n")).header("Content-Type", "application/json");
    seen.headers
        .get("x-do")
        .split(';')
        .fold(answer.header("X-Backend", name), |answer, wish| {
            match wish.trim().split_once('=') {
                Some(("status", code)) => Answer {
                    status: code.parse().unwrap_or(200),
                    ..answer
                },
                Some(("delay", ms)) => answer.after(Duration::from_millis(ms.parse().unwrap_or(0))),
                Some(("header", line)) => line
                    .split_once(':')
                    .map_or(answer.clone(), |(n, v)| answer.header(n, v)),
                Some(("body", text)) => Answer {
                    body: text.into(),
                    ..answer
                },
                Some(("size", bytes)) => Answer {
                    body: vec![b'x'; bytes.parse().unwrap_or(0)],
                    ..answer
                },
                _ => answer,
            }
        })
}

fn upgrade(stream: &mut BufReader<Box<dyn Stream>>, seen: &Seen) -> io::Result<Next> {
    let protocol = seen.headers.get("upgrade");
    let head =
        format!("HTTP/1.1 101 Switching Protocols\r\nUpgrade: {protocol}\r\nConnection: Upgrade\r\n\r\n");
    stream.get_mut().write_all(head.as_bytes())?;
    loop {
        let bytes = stream.fill_buf()?.to_vec();
        if bytes.is_empty() {
            return Ok(Next::End);
        }
        stream.consume(bytes.len());
        stream.get_mut().write_all(&bytes)?;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
