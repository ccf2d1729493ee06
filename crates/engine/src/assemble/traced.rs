//! Middlewares that are told of in traces, without knowing it.

use trilithon_flow::record::Name;
use trilithon_flow::trace::{Entered, What};
use trilithon_flow::{Edit, Exchange, Next, Record, Reply, Request, Response, Step, Wrap};
use trilithon_model::dynamic::http::MiddlewareKind;

/// The same step, with a span around it while the exchange is sampled and its router tells details. `kind` is the span's
/// name, `name` the middleware's.
pub fn traced(step: Step, kind: &'static str, name: &str) -> Step {
    let told = Told {
        kind,
        name: name.into(),
    };
    match step {
        Step::Edit(inner) => Step::edit(TracedEdit { told, inner }),
        Step::Wrap(inner) => Step::wrap(TracedWrap { told, inner }),
    }
}

/// Traefik's name of a middleware's span, and for kinds that Traefik does not have the one in the configuration; none for those
/// that tell of themselves (`retry`, one span an attempt).
pub fn span_name(kind: &MiddlewareKind<'_>) -> Option<&'static str> {
    Some(match kind {
        MiddlewareKind::AddPrefix(_) => "AddPrefix",
        MiddlewareKind::StripPrefix(_) => "StripPrefix",
        MiddlewareKind::StripPrefixRegex(_) => "StripPrefixRegex",
        MiddlewareKind::ReplacePath(_) => "ReplacePath",
        MiddlewareKind::ReplacePathRegex(_) => "ReplacePathRegex",
        MiddlewareKind::IpWhiteList(_) => "IPWhiteLister",
        MiddlewareKind::IpAllowList(_) => "IPAllowLister",
        MiddlewareKind::Headers(_) => "Headers",
        MiddlewareKind::EncodedCharacters(_) => "EncodedCharacters",
        MiddlewareKind::Errors(_) => "CustomError",
        MiddlewareKind::RateLimit(_) => "RateLimiterType",
        MiddlewareKind::RedirectRegex(_) => "RedirectRegex",
        MiddlewareKind::RedirectScheme(_) => "RedirectScheme",
        MiddlewareKind::BasicAuth(_) => "BasicAuth",
        MiddlewareKind::DigestAuth(_) => "digestAuth",
        MiddlewareKind::ForwardAuth(_) => "ForwardAuth",
        MiddlewareKind::InFlightReq(_) => "InFlightReq",
        MiddlewareKind::Buffering(_) => "Buffer",
        MiddlewareKind::CircuitBreaker(_) => "CircuitBreaker",
        MiddlewareKind::Compress(_) => "Compress",
        MiddlewareKind::PassTlsClientCert(_) => "PassClientTLSCert",
        MiddlewareKind::ContentType(_) => "ContentType",
        MiddlewareKind::GrpcWeb(_) => "grpc-web",
        MiddlewareKind::Chain(_) | MiddlewareKind::Retry(_) => return None,
        own => own.name(),
    })
}

struct Told {
    kind: &'static str,
    name: Name,
}

impl Told {
    fn enter(&self, record: &mut Record) -> Entered {
        record.enter(|| What::Middleware {
            kind: self.kind,
            name: self.name.clone(),
        })
    }
}

struct TracedEdit {
    told: Told,
    inner: Box<dyn Edit>,
}

impl Edit for TracedEdit {
    fn request(&self, req: &mut Request, cx: &mut Exchange) -> Result<(), Response> {
        let span = self.told.enter(&mut cx.record);
        let passed = self.inner.request(req, cx);
        if passed.is_err() {
            cx.record.leave(&span);
        }
        passed
    }

    fn response(&self, res: &mut Response, cx: &mut Exchange) {
        self.inner.response(res, cx);
        cx.record.leave_middleware(&self.told.name);
    }
}

struct TracedWrap {
    told: Told,
    inner: Box<dyn Wrap>,
}

impl Wrap for TracedWrap {
    fn call<'a>(&'a self, req: Request, cx: &'a mut Exchange, next: Next<'a>) -> Reply<'a> {
        if !cx.record.is_sampled() {
            return self.inner.call(req, cx, next);
        }
        Box::pin(async move {
            let span = self.told.enter(&mut cx.record);
            let res = self.inner.call(req, cx, next).await;
            cx.record.leave(&span);
            res
        })
    }
}
