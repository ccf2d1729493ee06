//! A command's own requests, with the client that the gateway itself asks with.

use anyhow::Context;
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;
use trilithon_flow::{Body, Headers, Known, Method, Request, Target};
use trilithon_upstream::{Origin, Settings, Transport, own_exchange, send, tls_settings};

/// Longest wait for the whole answer.
const PATIENCE: Duration = Duration::from_secs(60);
/// Bytes of an answer.
const MAX_ANSWER: u64 = 8 << 20;

/// Which certificate of a server is believed.
#[derive(Default)]
pub struct Trust {
    /// A file with the authority; the system's when absent.
    pub authority: Option<String>,
    /// Any.
    pub insecure: bool,
}

/// Who is asked.
#[derive(Clone)]
pub struct Server {
    origin: Origin,
    transport: Arc<Transport>,
    host: String,
}

/// An answer, read whole.
pub struct Answer {
    pub status: u16,
    pub headers: Headers,
    pub body: Bytes,
}

impl Server {
    /// The server that `url` names.
    ///
    /// # Errors
    /// It is no URL.
    pub fn at(url: &str) -> anyhow::Result<Server> {
        let origin = Origin::parse(url).map_err(|e| anyhow::anyhow!("{e}"))?;
        let host = origin.authority.to_string();
        Ok(Server {
            origin,
            transport: transport(&host, &Trust::default()),
            host,
        })
    }

    /// What listens at `url`, asked as `host`.
    ///
    /// # Errors
    /// It is no URL.
    pub fn as_host(url: &str, host: String, trust: &Trust) -> anyhow::Result<Server> {
        Ok(Server {
            transport: transport(&host, trust),
            host,
            ..Server::at(url)?
        })
    }

    /// Path and query of the URL.
    pub fn target(&self) -> String {
        let path = match &*self.origin.path {
            "" => "/",
            path => path,
        };
        match &self.origin.query {
            Some(query) => format!("{path}?{query}"),
            None => path.to_owned(),
        }
    }

    /// Asks for a path, and reads the whole answer.
    ///
    /// # Errors
    /// Nobody answers, not in time, or not with HTTP/1.1.
    pub async fn ask(
        &self,
        method: Method,
        target: &str,
        mut headers: Headers,
        body: Option<String>,
    ) -> anyhow::Result<Answer> {
        headers.set_known(Known::Host, &self.host);
        let req = Request {
            method,
            target: Target::new(target),
            headers,
            body: body.map(Body::from).unwrap_or_default(),
            ..Request::default()
        };
        let late = || format!("no answer within {} s", PATIENCE.as_secs());
        tokio::time::timeout(PATIENCE, self.exchange(req))
            .await
            .with_context(late)?
    }

    async fn exchange(&self, req: Request) -> anyhow::Result<Answer> {
        let mut cx = own_exchange();
        let mut res = send(&self.transport, &self.origin, req, &mut cx).await?;
        Ok(Answer {
            status: res.status,
            body: res.body.collect(MAX_ANSWER).await?,
            headers: res.headers,
        })
    }
}

fn transport(host: &str, trust: &Trust) -> Arc<Transport> {
    let authority: Vec<_> = trust.authority.iter().map(|path| path.as_str().into()).collect();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let mut tls = tls_settings(name, trust.insecure, &authority, &[], "");
    tls.http1_only = true;
    let settings = Settings {
        tls,
        dial_timeout: Some(PATIENCE),
        response_header_timeout: Some(PATIENCE),
        // Connections end with the runtime that they were made in: see `run`.
        max_idle: 0,
        ..Settings::default()
    };
    Arc::new(Transport::new("internal", settings))
}

impl Answer {
    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The beginning of the body, for people.
    pub fn words(&self) -> String {
        const SHOWN: usize = 300;
        let text = self.text().trim().replace(char::is_control, " ");
        match text.is_empty() {
            true => text,
            false => format!(": {}", &text[..text.floor_char_boundary(SHOWN)]),
        }
    }
}

/// Runs what asks, on this thread.
///
/// # Errors
/// The system refuses a runtime, or what ran failed.
pub fn run<T>(what: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    tokio::task::LocalSet::new().block_on(&runtime, what)
}
