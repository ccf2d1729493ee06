//! Asking another server what it thinks of a text: one POST, bounded in time, attempts and size.

use bytes::Bytes;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{sleep, timeout};
use trilithon_flow::{
    Body, Build, BuildError, Connection, Exchange, FaultKind, Headers, Known, Method, Request, Response,
    Target,
};
use trilithon_model::dynamic::http::ClientConfig;
use trilithon_upstream::{Origin, Scheme, Transport, send};

/// Bytes of an answer. A judge says little; Presidio's list for a long text is the largest.
const MAX_ANSWER: u64 = 1 << 20;

/// A server that is asked.
pub struct Remote {
    transport: Arc<Transport>,
    origin: Origin,
    target: Target,
    headers: Headers,
    /// Of one attempt.
    timeout: Duration,
    /// Attempts after the first.
    retries: u32,
}

impl Remote {
    /// `url` is written as the option `option`; `path` is added to it.
    ///
    /// # Errors
    /// It is no URL of `http` or `https`; TLS that cannot be set up; numbers that are none of time and attempts.
    pub fn build(
        option: &str,
        url: &str,
        path: &str,
        config: Option<&ClientConfig>,
        cx: &mut Build<'_>,
    ) -> Result<Remote, BuildError> {
        let config = config.cloned().unwrap_or_default();
        let wrong = |why: String| BuildError::new(why).at(url, 0).help("write `http://host/path`");
        if url.is_empty() {
            return Err(BuildError::new(format!("`{option}` is required")));
        }
        let origin = Origin::parse(url).map_err(|error| wrong(error.message))?;
        if !matches!(origin.scheme, Scheme::Http | Scheme::Https) {
            return Err(wrong(format!("`{url}` of `{option}` is no HTTP URL")));
        }
        let number = |name: &str, n: i64, least: i64| {
            u32::try_from(n)
                .ok()
                .filter(|n| i64::from(*n) >= least && *n <= 3600)
                .ok_or_else(|| {
                    BuildError::new(format!("`clientConfig.{name}` {n} is not from {least} to 3600"))
                })
        };
        let seconds = number("timeoutSeconds", config.timeout_seconds, 1)?;
        let retries = number("maxRetries", config.max_retries, 0)?;
        let timeout = Duration::from_secs(u64::from(seconds));
        let tls = config.tls.as_ref().map(crate::http::forward_auth::tls_settings);
        let tls = tls.transpose()?.unwrap_or_default();
        let name = format!("guard {}", origin.authority);
        let transport = cx
            .keep
            .get(&name, &config, || Transport::simple(tls, Some(timeout)));
        let before = origin
            .path
            .trim_end_matches(if path.is_empty() { '\0' } else { '/' });
        let query = origin
            .query
            .as_deref()
            .map(|q| format!("?{q}"))
            .unwrap_or_default();
        let whole = format!("{before}{path}{query}");
        let target = Target::new(
            if whole.starts_with('/') {
                whole
            } else {
                format!("/{whole}")
            }
            .as_str(),
        );
        Ok(Remote {
            headers: headers(&origin, &config)?,
            transport,
            origin,
            target,
            timeout,
            retries,
        })
    }

    /// The body of a 2xx answer.
    ///
    /// # Errors
    /// Why there was none. Nothing of what the server said is in it.
    pub async fn ask(&self, body: Vec<u8>, client: &Rc<Connection>) -> Result<Bytes, String> {
        let body = Bytes::from(body);
        let mut attempt = 0;
        loop {
            let once = timeout(self.timeout, self.once(body.clone(), client)).await;
            let failure = match once {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(failure)) => failure,
                Err(_) => Failure::again("no answer in time".to_owned()),
            };
            if !failure.again || attempt >= self.retries {
                return Err(failure.why);
            }
            sleep(Duration::from_millis(50 << attempt.min(5))).await;
            attempt += 1;
        }
    }

    async fn once(&self, body: Bytes, client: &Rc<Connection>) -> Result<Bytes, Failure> {
        let req = Request {
            method: Method::Post,
            target: self.target.clone(),
            headers: self.headers.clone(),
            body: Body::from(body),
            ..Request::default()
        };
        let mut cx = Exchange::new(client.clone(), Rc::default());
        cx.not_append_forwarded_for = true;
        let sent = send(&self.transport, &self.origin, req, &mut cx).await;
        let mut res: Response = sent.map_err(|fault| Failure::again(fault.to_string()))?;
        match res.status {
            200..=299 => {}
            status @ (408 | 429 | 500..) => return Err(Failure::again(format!("status {status}"))),
            status => return Err(Failure::once(format!("status {status}"))),
        }
        res.body
            .collect(MAX_ANSWER)
            .await
            .map_err(|fault| match fault.kind {
                FaultKind::TooLarge => Failure::once(fault.to_string()),
                _ => Failure::again(fault.to_string()),
            })
    }
}

struct Failure {
    why: String,
    /// Another attempt may do better.
    again: bool,
}

impl Failure {
    fn again(why: String) -> Failure {
        Failure { why, again: true }
    }
    fn once(why: String) -> Failure {
        Failure { why, again: false }
    }
}

fn headers(origin: &Origin, config: &ClientConfig) -> Result<Headers, BuildError> {
    let mut headers = Headers::new();
    headers.set_known(Known::Host, &*origin.authority);
    headers.set_known(Known::ContentType, "application/json");
    headers.append("Accept", "application/json");
    headers.append("User-Agent", "trilithon");
    for (name, value) in &config.headers {
        if value.expose().starts_with("urn:") {
            let why =
                format!("`clientConfig.headers.{name}` names a Kubernetes secret, which cannot be read yet");
            return Err(BuildError::new(why).help("write the value itself"));
        }
        headers.set(name, value.expose());
    }
    Ok(headers)
}
