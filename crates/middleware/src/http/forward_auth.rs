//! `forwardAuth`: asks another server whether a request may pass.
//!
//! Its 2xx lets the request through, with headers of its choice; any other answer goes to the client; no answer is no
//! permission. What it may say about the client, the client cannot say itself: such headers are taken away first.

mod cookies;
mod question;
mod resolve;
mod said;
mod server;
mod signin;

use self::question::{Question, Trust};
use self::resolve::resolve;
use self::said::Said;
use self::server::server;
pub(super) use self::server::tls_settings;
use super::discard::discard;
use super::regex_template::error_text;
use super::{identity, location};
use regex::Regex;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;
use trilithon_flow::{
    Body, Build, BuildError, Credential, Exchange, Fault, FaultKind, Headers, Identity, Known, Next, Reply,
    Request, Response, Service, Step, Wrap,
};
use trilithon_model::dynamic::http::ForwardAuth as Config;
use trilithon_upstream::Origin;

/// Time for the whole question and its answer.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Builds the middleware.
///
/// # Errors
/// TLS that cannot be set up, and a pattern that cannot be read.
pub fn build(config: &Config, cx: &mut Build<'_>) -> Result<Step, BuildError> {
    if config.trust_forward_header.is_none() {
        cx.warnings.push("`trustForwardHeader` is not set: `X-Forwarded-*` headers of the request reach the authorization server in part; set it to `false`, or to `true` behind another proxy".to_owned());
    }
    if config.max_response_body_size.is_none() {
        cx.warnings.push(
            "`maxResponseBodySize` is not set: answers of the authorization server have no limit".to_owned(),
        );
    }
    let server = server(config, cx)?;
    with_server(config, server).map(Step::wrap)
}

fn with_server(config: &Config, server: Arc<dyn Service>) -> Result<ForwardAuth, BuildError> {
    let pattern = match config.auth_response_headers_regex.as_str() {
        "" => None,
        text => Some(Regex::new(text).map_err(|e| {
            let why = error_text(text, &e.to_string());
            BuildError::new(format!("error compiling regular expression {text}: {why}"))
        })?),
    };
    let origin = Origin::parse(&config.address).ok();
    let named = |text: &str| Some(text).filter(|t| !t.is_empty()).map(Into::into);
    Ok(ForwardAuth {
        question: Question::new(
            &config.address,
            config.preserve_request_method,
            Trust::of(config),
            config,
        ),
        server,
        scheme: origin.as_ref().map_or("http", |o| o.scheme.as_str()),
        authority: origin.map_or_else(Box::default, |o| o.authority.as_ref().into()),
        forward_body: config.forward_body,
        max_body: limit(config.max_body_size),
        max_response: limit(config.max_response_body_size),
        said: Said {
            names: config.auth_response_headers.clone(),
            pattern,
        },
        cookies: config.add_auth_cookies_to_response.clone(),
        header_field: named(&config.header_field),
        signin: named(&config.auth_signin_url),
        keep_location: config.preserve_location_header,
        address: config.address.as_str().into(),
        issuer: Origin::parse(&config.address).map_or_else(|_| "".into(), |origin| origin.authority.clone()),
    })
}

/// A size in bytes; less than zero is no limit.
fn limit(size: Option<i64>) -> Option<u64> {
    size.and_then(|n| u64::try_from(n).ok())
}

struct ForwardAuth {
    question: Question,
    server: Arc<dyn Service>,
    /// Of the server's address, for traces.
    scheme: &'static str,
    authority: Box<str>,
    forward_body: bool,
    /// Largest body that is sent, in bytes.
    max_body: Option<u64>,
    /// Largest answer that is read, in bytes.
    max_response: Option<u64>,
    said: Said,
    cookies: Vec<String>,
    header_field: Option<Box<str>>,
    signin: Option<Box<str>>,
    keep_location: bool,
    address: Box<str>,
    /// Who vouches: the authority of the address, without user and password.
    issuer: Arc<str>,
}

impl ForwardAuth {
    /// Asks. The answer's body is at hand, or has no limit.
    async fn ask(&self, req: &Request, body: Body, cx: &mut Exchange) -> Result<Response, Fault> {
        let mut question = Request {
            body,
            ..self.question.about(req, cx)
        };
        let call = cx
            .record
            .call("AuthRequest", &mut question, self.scheme, &self.authority);
        let mut side = cx.side();
        let ask = async {
            let mut answer = self.server.call(question, &mut side).await;
            if let Some(fault) = answer.fault.take() {
                return Err(*fault);
            }
            if let Some(limit) = self.max_response {
                answer.body = Body::from(answer.body.collect(limit).await?);
            }
            Ok(answer)
        };
        let answer = timeout(TIMEOUT, ask)
            .await
            .unwrap_or_else(|_| Err(Fault::new(FaultKind::ResponseTimeout, "no answer in time")));
        cx.record.answered(&call, answer.as_ref());
        cx.record.end(&call);
        answer
    }

    /// The body to send with the question. The request keeps its own.
    async fn body(&self, req: &mut Request) -> Result<Body, Fault> {
        if !self.forward_body || req.body.is_empty() {
            return Ok(Body::empty());
        }
        let mut body = req.body.take();
        let bytes = body.collect(self.max_body.unwrap_or(u64::MAX)).await?;
        req.body = match body.trailers() {
            None => Body::from(bytes.clone()),
            trailers => Body::with_trailers(bytes.clone(), trailers),
        };
        Ok(Body::from(bytes))
    }

    /// What the client is told instead of being let through.
    fn refusal(&self, mut answer: Response) -> Response {
        if let Some(url) = self.signin.as_deref().filter(|_| answer.status == 401) {
            return signin::redirect(url);
        }
        // `Proxy-Authenticate` stays: the authorization server may ask the client to prove itself to the gateway.
        answer
            .headers
            .retain(|known, _, _| !known.is_connection_specific());
        let location = answer
            .headers
            .known(Known::Location)
            .and_then(|l| std::str::from_utf8(l).ok());
        if let Some(said) = location.filter(|l| !l.is_empty()) {
            let url = if self.keep_location {
                location::normalize(said)
            } else {
                resolve(&self.address, said)
            };
            match url {
                Some(url) => answer.headers.set_known(Known::Location, url),
                None => return Response::new(500),
            }
        }
        Response {
            upgraded: None,
            fault: None,
            ..answer
        }
    }

    fn note_user(&self, said: &Headers, cx: &mut Exchange) {
        let Some(field) = &self.header_field else { return };
        if let Some(user) = said.get(&**field).filter(|u| !u.is_empty()) {
            let user = String::from_utf8_lossy(user).into_owned();
            cx.identify(Arc::new(Identity {
                issuer: self.issuer.clone(),
                ..Identity::new(Credential::Forward, user.as_str())
            }));
            cx.record.user = Some(user);
        }
    }
}

/// The answer when there is none from the authorization server: nobody passes.
fn failed(fault: &Fault, address: &str) -> Response {
    if fault.kind == FaultKind::TooLarge {
        return Response::new(401);
    }
    tracing::debug!(%address, error = %fault, "authorization server did not answer");
    Response::new(if fault.side() == trilithon_flow::Side::Client {
        fault.status()
    } else {
        500
    })
}

impl Wrap for ForwardAuth {
    fn call<'a>(&'a self, mut req: Request, cx: &'a mut Exchange, next: Next<'a>) -> Reply<'a> {
        Box::pin(async move {
            let answer = match self.body(&mut req).await {
                Ok(body) => self.ask(&req, body, cx).await,
                Err(fault) => Err(fault),
            };
            let answer = match answer {
                Ok(answer) => answer,
                Err(fault) => return failed(&fault, &self.address),
            };
            if !(200..300).contains(&answer.status) {
                return self.refusal(answer);
            }
            discard(answer.body);
            self.said.put(&mut req.headers, &answer.headers);
            self.note_user(&answer.headers, cx);
            let mut res = next.run(req, cx).await;
            if !self.cookies.is_empty() {
                cookies::add(&mut res.headers, &answer.headers, &self.cookies);
            }
            res
        })
    }
}

#[cfg(test)]
mod tests;
