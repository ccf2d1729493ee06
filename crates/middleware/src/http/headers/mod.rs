//! `headers`: changes headers of requests and answers, answers CORS preflights, adds security headers. The order is Traefik's:
//! preflights first, then changes of the request, then the check of hosts; on the way back security headers, then changes, then
//! CORS, so that a custom header beats a security header of the same middleware.

mod cors;
mod custom;
mod security;

use cors::Cors;
use custom::Changes;
use security::Security;
use trilithon_flow::{Build, BuildError, Edit, Exchange, Known, Next, Reply, Request, Response, Step, Wrap};
use trilithon_model::dynamic::http::Headers as Config;

/// Builds the step.
///
/// # Errors
/// No option at all; an origin pattern that is not a regular expression.
pub fn build(config: &Config, cx: &mut Build<'_>) -> Result<Step, BuildError> {
    let cors = Cors::build(config)?;
    let security = Security::build(config);
    if cors.is_none()
        && security.is_none()
        && config.custom_request_headers.is_empty()
        && config.custom_response_headers.is_empty()
    {
        return Err(BuildError::new("headers configuration not valid").help("set at least one option"));
    }
    let request = Changes::of_requests(&config.custom_request_headers, cx);
    let response = Changes::of_responses(&config.custom_response_headers, cx);
    let rules = Rules {
        request,
        response,
        cors,
        security,
    };
    Ok(if rules.answer_depends_on_request() {
        Step::wrap(Around(rules))
    } else {
        Step::edit(Plain(rules))
    })
}

struct Rules {
    request: Changes,
    response: Changes,
    cors: Option<Cors>,
    security: Option<Security>,
}

/// What the answer's headers depend on.
struct Asked {
    /// The `Origin` header; empty without one.
    origin: Box<[u8]>,
    /// The client used TLS, here or in front of a proxy that says so.
    https: bool,
}

impl Rules {
    fn answer_depends_on_request(&self) -> bool {
        self.cors.as_ref().is_some_and(Cors::names_origins)
            || self.security.as_ref().is_some_and(Security::trusts_headers)
    }

    fn enter(&self, req: &mut Request, cx: &mut Exchange) -> Result<(), Response> {
        if let Some(answer) = self.cors.as_ref().and_then(|cors| cors.preflight(req)) {
            return Err(answer);
        }
        self.request.apply_to_request(req, cx);
        match &self.security {
            Some(security) if !security.serves_host(req) => Err(self.bad_host(req, cx)),
            _ => Ok(()),
        }
    }

    /// The refusal of a host: with the changes and CORS headers of this middleware, but not its security headers.
    fn bad_host(&self, req: &Request, cx: &Exchange) -> Response {
        let mut res = Response::error(400, "Bad Host");
        self.leave_outer(&mut res, &self.asked(req, cx));
        res
    }

    fn asked(&self, req: &Request, cx: &Exchange) -> Asked {
        let https = cx.connection.tls.is_some()
            || self
                .security
                .as_ref()
                .is_some_and(|s| s.told_of_tls(&req.headers));
        Asked {
            origin: req.headers.known(Known::Origin).unwrap_or_default().into(),
            https,
        }
    }

    fn leave(&self, res: &mut Response, asked: &Asked) {
        // Whoever takes over the connection has the head for itself.
        if res.status == 101 {
            return;
        }
        if let Some(security) = &self.security {
            security.apply(&mut res.headers, asked.https);
        }
        self.leave_outer(res, asked);
    }

    fn leave_outer(&self, res: &mut Response, asked: &Asked) {
        self.response.apply(&mut res.headers);
        if let Some(cors) = &self.cors {
            cors.apply(&mut res.headers, &asked.origin);
        }
    }
}

/// Answers get the same headers whatever the request was.
struct Plain(Rules);

impl Edit for Plain {
    fn request(&self, req: &mut Request, cx: &mut Exchange) -> Result<(), Response> {
        self.0.enter(req, cx)
    }

    fn response(&self, res: &mut Response, cx: &mut Exchange) {
        let asked = Asked {
            origin: Box::default(),
            https: cx.connection.tls.is_some(),
        };
        self.0.leave(res, &asked);
    }
}

/// Answers get headers that depend on the request.
struct Around(Rules);

impl Wrap for Around {
    fn call<'a>(&'a self, mut req: Request, cx: &'a mut Exchange, next: Next<'a>) -> Reply<'a> {
        if let Err(answer) = self.0.enter(&mut req, cx) {
            return Box::pin(std::future::ready(answer));
        }
        let asked = self.0.asked(&req, cx);
        Box::pin(async move {
            let mut res = next.run(req, cx).await;
            self.0.leave(&mut res, &asked);
            res
        })
    }
}

#[cfg(test)]
mod tests;
