//! One request to the gateway's own entry point.

use crate::undo::Plan;
use anyhow::Context;
use bytes::Bytes;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use trilithon_flow::undo::TICKET;
use trilithon_flow::{Body, Headers, Known, Method, Request, Target};
use trilithon_upstream::{Origin, Transport, own_exchange, send, tls_settings};
use trilithon_wire::headers::is_token;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// Bytes of an answer.
const MAX_ANSWER: u64 = 8 << 20;

/// Which certificate of the entry point is believed.
#[derive(Default)]
pub struct Trust {
    /// A file with the authority; the system's when absent.
    pub authority: Option<String>,
    /// Any.
    pub insecure: bool,
}

/// Who sends: to one host of one entry point, with the headers of whoever undoes.
pub struct Client {
    origin: Origin,
    transport: Arc<Transport>,
    host: String,
    headers: Vec<(String, String)>,
}

/// An answer, read whole.
pub struct Said {
    pub status: u16,
    pub headers: Headers,
    pub body: Bytes,
}

/// What came of the call that undoes: what was said, good or bad.
pub type Outcome = Result<String, String>;

impl Client {
    /// # Errors
    /// The entry point is not there any more; a header that is none.
    pub fn new(plan: &Plan, headers: &[(String, String)], trust: &Trust) -> anyhow::Result<Client> {
        let request = &plan.entry["request"];
        let text = |name: &str| request[name].as_str().unwrap_or_default().to_owned();
        let address = plan.address.with_context(|| {
            format!(
                "this gateway has no entry point `{}` any more",
                text("entryPoint")
            )
        })?;
        for (name, value) in headers {
            let fits = !name.is_empty() && name.bytes().all(is_token) && !value.contains(['\r', '\n', '\0']);
            anyhow::ensure!(fits, "`{name}` is no header");
        }
        let host = text("host");
        let scheme = if text("scheme") == "https" {
            "https"
        } else {
            "http"
        };
        let origin = Origin::parse(&format!("{scheme}://{address}")).map_err(|e| anyhow::anyhow!("{e}"))?;
        let authority: Vec<_> = trust.authority.iter().map(|path| path.as_str().into()).collect();
        let name = host.rsplit_once(':').map_or(&*host, |(name, _)| name);
        let mut tls = tls_settings(name, trust.insecure, &authority, &[], "");
        tls.http1_only = true;
        Ok(Client {
            origin,
            transport: Arc::new(Transport::simple(tls, Some(PATIENCE))),
            host,
            headers: headers.to_vec(),
        })
    }

    /// Runs what sends requests.
    ///
    /// # Errors
    /// The system refuses a runtime, or what ran failed.
    pub fn run<T>(&self, what: impl AsyncFnOnce(&Client) -> anyhow::Result<T>) -> anyhow::Result<T> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        tokio::task::LocalSet::new().block_on(&runtime, what(self))
    }

    /// The call of a plain contract.
    ///
    /// # Errors
    /// It was not answered.
    pub async fn compensate(&self, plan: &Plan, ticket: &str) -> anyhow::Result<Outcome> {
        let text = |name: &str| plan.call.get(name).and_then(Value::as_str).unwrap_or_default();
        let mut headers = Headers::new();
        for (name, value) in plan
            .call
            .get("headers")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            headers.append(name, value.as_str().unwrap_or_default());
        }
        headers.append(TICKET, ticket);
        let body = plan.call.get("body").map(Value::to_string);
        if body.is_some() {
            headers.set_known(Known::ContentType, "application/json");
        }
        let method = Method::of(text("method").as_bytes());
        let said = self.send(method, text("path"), headers, body).await?;
        let what = format!("{} {}", said.status, trilithon_flow::status::text(said.status));
        Ok(match said.status {
            200..400 => Ok(what),
            _ => Err(format!("{what}{}", said.words())),
        })
    }

    /// Sends a request.
    ///
    /// # Errors
    /// It was not answered.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        mut headers: Headers,
        body: Option<String>,
    ) -> anyhow::Result<Said> {
        headers.set_known(Known::Host, &self.host);
        for (name, value) in &self.headers {
            headers.set(name, value);
        }
        let req = Request {
            method,
            target: Target::new(path),
            headers,
            body: body.map(Body::from).unwrap_or_default(),
            ..Request::default()
        };
        let answer = async {
            let mut cx = own_exchange();
            let mut res = send(&self.transport, &self.origin, req, &mut cx)
                .await
                .map_err(|fault| anyhow::anyhow!("{fault}"))?;
            let body = res.body.collect(MAX_ANSWER).await;
            Ok(Said {
                status: res.status,
                body: body.map_err(|fault| anyhow::anyhow!("{fault}"))?,
                headers: res.headers,
            })
        };
        tokio::time::timeout(PATIENCE, answer)
            .await
            .with_context(|| format!("no answer within {} s", PATIENCE.as_secs()))?
    }
}

impl Said {
    /// The beginning of its body, for people.
    pub fn words(&self) -> String {
        const SHOWN: usize = 300;
        let text = String::from_utf8_lossy(&self.body);
        let text = text.trim().replace(char::is_control, " ");
        match text.is_empty() {
            true => text,
            false => format!(": {}", &text[..text.floor_char_boundary(SHOWN)]),
        }
    }
}
