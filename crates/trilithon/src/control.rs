//! The way for commands to a running gateway: a socket in the store folder, for this user and root alone. One line of JSON in,
//! one out.

use crate::chronicle::{self, Chronicle};
use crate::undo::{Order as Undo, Plan, Undoer};
use anyhow::Context;
use serde::{Deserialize, Serialize};
use std::io::{self, BufRead, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};
use trilithon_engine::reload::{Cause, Order, Ordered};
use trilithon_ledger::{Definitions, History};

/// Bytes of a request.
const MAX_LINE: u64 = 64 << 10;
/// Bytes of an answer: an entry of the audit log fits.
const MAX_ANSWER: u64 = 256 << 10;
/// How long a client may take for its line, and an order until it is obeyed.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a command asks of the gateway.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Request {
    /// Take up a version and pin it.
    Rollback { version: u64, reason: String },
    /// Let the providers in again.
    Release { reason: String },
    /// Say what undoes an entry of the audit log, and how.
    Undo(Undo),
    /// Trust what a server of tools says now: of one server or all, of one name or all.
    Approve {
        server: Option<String>,
        name: Option<String>,
    },
}

/// What the gateway answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Answer {
    /// It is done: the version that is in force now, and how long it took.
    Done {
        version: u64,
        milliseconds: f64,
    },
    /// What undoes it.
    Undo(Box<Plan>),
    /// So many definitions are trusted now.
    Approved {
        count: usize,
    },
    Refused {
        why: String,
    },
}

/// Asks the gateway that listens at `socket`.
///
/// # Errors
/// None does, or it does not answer.
pub fn ask(socket: &Path, request: &Request) -> anyhow::Result<Answer> {
    let stream = std::os::unix::net::UnixStream::connect(socket);
    let stream =
        stream.with_context(|| format!("no gateway of this store runs here: `{}`", socket.display()))?;
    tell(stream, request)
}

/// Sends a request and reads the answer.
///
/// # Errors
/// The gateway does not answer.
pub fn tell(mut stream: std::os::unix::net::UnixStream, request: &Request) -> anyhow::Result<Answer> {
    let silent = "the gateway does not answer";
    stream.set_read_timeout(Some(PATIENCE))?;
    let line = serde_json::to_string(request)? + "\n";
    stream.write_all(line.as_bytes())?;
    let mut answer = String::new();
    io::BufReader::new(stream.take(MAX_ANSWER))
        .read_line(&mut answer)
        .context(silent)?;
    serde_json::from_str(&answer).context(silent)
}

/// Whether an error of connecting says that no gateway runs here.
pub fn nobody_listens(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
    )
}

/// Listens for commands; what a process before left of its socket is removed. The store's lock says that nobody uses it.
///
/// # Errors
/// The socket cannot be made.
pub fn bind(history: &History) -> io::Result<UnixListener> {
    history.folder()?;
    let path = history.socket();
    if path.exists() {
        std::fs::remove_file(&path)?;
    }
    let listener = UnixListener::bind(&path)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Who obeys.
pub struct Control {
    pub chronicle: Arc<Chronicle>,
    pub orders: mpsc::Sender<Ordered>,
    pub definitions: Arc<Definitions>,
    /// `None` without an audit log.
    pub undoer: Option<Arc<Undoer>>,
}

impl Control {
    /// Serves one command after the other.
    pub async fn serve(self, listener: UnixListener) {
        loop {
            let served = match listener.accept().await {
                Ok((stream, _)) => tokio::time::timeout(PATIENCE, self.answer(stream)).await,
                Err(error) => Ok(Err(error.into())),
            };
            if let Ok(Err(error)) = served {
                tracing::warn!("a command is not obeyed: {error:#}");
                // An error of `accept` stays for a while.
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }

    async fn answer(&self, stream: UnixStream) -> anyhow::Result<()> {
        let uid = stream.peer_cred()?.uid();
        let me = rustix::process::geteuid().as_raw();
        anyhow::ensure!(uid == me || uid == 0, "user {uid} may not command this gateway");
        let mut line = String::new();
        let mut stream = BufReader::new(stream);
        (&mut stream).take(MAX_LINE).read_line(&mut line).await?;
        let answer = match self.obey(&line, uid).await {
            Ok(answer) => answer,
            Err(error) => Answer::Refused {
                why: format!("{error:#}"),
            },
        };
        let text = serde_json::to_string(&answer)? + "\n";
        stream.get_mut().write_all(text.as_bytes()).await?;
        Ok(())
    }

    async fn obey(&self, line: &str, uid: u32) -> anyhow::Result<Answer> {
        let start = Instant::now();
        let (order, cause) = match serde_json::from_str(line)? {
            Request::Rollback { version, reason } => {
                let chronicle = self.chronicle.clone();
                let read = move || {
                    let history = chronicle.history().context("there is no history")?;
                    chronicle::words(history, version)
                };
                let words = tokio::task::spawn_blocking(read).await??;
                (Order::Pin(words), Cause::Rollback { version, uid, reason })
            }
            Request::Approve { server, name } => {
                let count = self.definitions.approve(server.as_deref(), name.as_deref());
                tracing::info!(?server, ?name, count, uid, "definitions of tools are approved");
                return Ok(Answer::Approved { count });
            }
            Request::Undo(order) => {
                let undoer = self.undoer.clone().context("this gateway has no audit log")?;
                let plan = tokio::task::spawn_blocking(move || undoer.plan(&order, uid)).await??;
                return Ok(Answer::Undo(Box::new(plan)));
            }
            Request::Release { reason } => {
                anyhow::ensure!(self.chronicle.pinned().is_some(), "no version is pinned");
                (Order::Release, Cause::Release { uid, reason })
            }
        };
        let (done, obeyed) = oneshot::channel();
        let ending = "the gateway is about to end";
        self.orders.send((order, cause, done)).await.context(ending)?;
        obeyed.await.context(ending)?;
        Ok(Answer::Done {
            version: self.chronicle.version(),
            milliseconds: start.elapsed().as_secs_f64() * 1e3,
        })
    }
}
