//! The gateway's own services, by the names that routers use for them.

use crate::activity::Activity;
use crate::answer::{self, Page};
use crate::api::Api;
use crate::dashboard::Dashboard;
use crate::metrics::{Expiry, Families, Metrics};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;
use trilithon_engine::assemble::Internals;
use trilithon_engine::live::{Live, Snapshot};
use trilithon_flow::{Exchange, Reply, Request, Response, Service};
use trilithon_model::install::Static;

/// What the services answer from. A handle: copies are the same.
#[derive(Clone)]
pub struct Context {
    pub install: Arc<Static>,
    /// The live snapshot. Made after the services, as the first snapshot needs them; empty until then.
    pub live: Arc<OnceLock<Arc<Live>>>,
    pub metrics: Option<Arc<Metrics>>,
    /// What goes on; where there is an API to ask for it.
    pub activity: Option<Arc<Activity>>,
    pub started: SystemTime,
}

impl Context {
    /// A context of a gateway that starts now.
    pub fn new(
        install: Arc<Static>,
        live: Arc<OnceLock<Arc<Live>>>,
        metrics: Option<Arc<Metrics>>,
    ) -> Context {
        Context {
            activity: install.api.as_ref().map(|_| Arc::default()),
            install,
            live,
            metrics,
            started: SystemTime::now(),
        }
    }

    /// The snapshot in force; none before the first.
    pub(crate) fn snapshot(&self) -> Option<Arc<Snapshot>> {
        self.live.get().map(|live| live.get())
    }

    /// What `metrics` counted, with what is known of certificates now.
    pub fn families(&self, metrics: &Metrics) -> Families {
        metrics.families(&expiries(self.snapshot().as_deref()))
    }

    fn is_ending(&self) -> bool {
        self.live.get().is_some_and(|live| live.is_ending())
    }
}

/// The services that the install configuration turns on. A router that names another one is told that it does not exist.
pub fn internals(context: &Context) -> Internals {
    let install = &context.install;
    let mut all: BTreeMap<String, Arc<dyn Service>> = BTreeMap::new();
    let mut add =
        |name: &str, service: Arc<dyn Service>| drop(all.insert(format!("{name}@internal"), service));
    add("noop", Arc::new(Noop));
    if let Some(api) = &install.api {
        let dashboard = api.dashboard.then(|| Arc::new(Dashboard::new()));
        add("api", Arc::new(Api::new(context.clone(), dashboard.clone())));
        if let Some(dashboard) = dashboard {
            add("dashboard", dashboard);
        }
    }
    if let Some(ping) = &install.ping {
        let terminating = u16::try_from(ping.terminating_status_code).unwrap_or(503);
        add(
            "ping",
            Arc::new(Ping {
                context: context.clone(),
                terminating,
            }),
        );
    }
    if let Some(metrics) = &context.metrics {
        add(
            "prometheus",
            Arc::new(Prometheus {
                context: context.clone(),
                metrics: metrics.clone(),
            }),
        );
    }
    if install.providers.as_ref().is_some_and(|p| p.rest.is_some()) {
        add("rest", Arc::new(Rest));
    }
    if install
        .certificates_resolvers
        .values()
        .any(|r| r.acme.as_ref().is_some_and(|a| a.http_challenge.is_some()))
    {
        add("acme-http", Arc::new(AcmeHttp));
    }
    all
}

fn ready<'a>(res: Response) -> Reply<'a> {
    Box::pin(std::future::ready(res))
}

/// What stands behind routers that only redirect.
struct Noop;

impl Service for Noop {
    fn call<'a>(&'a self, _: Request, _: &'a mut Exchange) -> Reply<'a> {
        ready(Response::new(418))
    }
}

/// `/ping`.
struct Ping {
    context: Context,
    terminating: u16,
}

impl Service for Ping {
    fn call<'a>(&'a self, _: Request, _: &'a mut Exchange) -> Reply<'a> {
        let status = if self.context.is_ending() {
            self.terminating
        } else {
            200
        };
        ready(Response::status_text(status))
    }
}

/// Configuration by HTTP.
struct Rest;

impl Service for Rest {
    fn call<'a>(&'a self, _: Request, _: &'a mut Exchange) -> Reply<'a> {
        ready(Response::error(501, "the provider `rest` is not built yet"))
    }
}

/// Answers to ACME HTTP challenges. No certificate is asked for yet, so that there is none.
struct AcmeHttp;

impl Service for AcmeHttp {
    fn call<'a>(&'a self, _: Request, _: &'a mut Exchange) -> Reply<'a> {
        ready(answer::not_found())
    }
}

/// `/metrics`.
struct Prometheus {
    context: Context,
    metrics: Arc<Metrics>,
}

/// As Go's client says it where the scraper asks for nothing else.
const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8; escaping=underscores";

/// OpenMetrics, for who asks for it: exemplars have no place in the older format.
const OPEN_METRICS_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

impl Service for Prometheus {
    fn call<'a>(&'a self, req: Request, _: &'a mut Exchange) -> Reply<'a> {
        let gzip = req.headers.get_all(b"accept-encoding").any(accepts_gzip);
        let open = req.headers.get_all(b"accept").any(accepts_open_metrics);
        Box::pin(async move {
            let (metrics, context) = (self.metrics.clone(), self.context.clone());
            aside(move || {
                let certificates = expiries(context.snapshot().as_deref());
                let (kind, text) = if open {
                    (OPEN_METRICS_TYPE, metrics.open_page(&certificates))
                } else {
                    (METRICS_TYPE, metrics.page(&certificates))
                };
                match gzip.then(|| compress(text.as_bytes())) {
                    Some(Ok(small)) => Page::new(kind, small).with("Content-Encoding", "gzip"),
                    _ => Page::new(kind, text),
                }
            })
            .await
        })
    }
}

fn expiries(snapshot: Option<&Snapshot>) -> Vec<Expiry> {
    let certificates = snapshot.map(|s| &s.report.certificates[..]).unwrap_or_default();
    let expiry = |c: &trilithon_tls::CertificateFacts| Expiry {
        common_name: c.common_name.clone(),
        serial: c.serial_number.clone(),
        names: c.dns_names.join(","),
        not_after: c.not_after,
    };
    certificates.iter().map(expiry).collect()
}

/// Whether one of the types of an `Accept` value is OpenMetrics, and not refused by `q=0`.
fn accepts_open_metrics(value: &[u8]) -> bool {
    let text = String::from_utf8_lossy(value);
    text.split(',').any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let named = parts
            .next()
            .is_some_and(|t| t.eq_ignore_ascii_case("application/openmetrics-text"));
        named && !parts.any(|p| p.strip_prefix("q=").is_some_and(|q| q.parse() == Ok(0.0)))
    })
}

/// Whether one of the codings of an `Accept-Encoding` value is gzip, and not refused by `q=0`.
fn accepts_gzip(value: &[u8]) -> bool {
    let refused = |rest: &str| {
        rest.trim_start()
            .strip_prefix("q=")
            .is_some_and(|q| q.trim().parse() == Ok(0.0))
    };
    let text = String::from_utf8_lossy(value);
    text.split(',').any(|coding| match coding.split_once(';') {
        Some((name, rest)) => name.trim().eq_ignore_ascii_case("gzip") && !refused(rest),
        None => coding.trim().eq_ignore_ascii_case("gzip"),
    })
}

/// `data` in the gzip format.
pub(crate) fn compress(data: &[u8]) -> io::Result<Vec<u8>> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(data)?;
    gzip.finish()
}

/// Makes a page that takes long beside the worker.
pub(crate) async fn aside(work: impl FnOnce() -> Page + Send + 'static) -> Response {
    match tokio::task::spawn_blocking(work).await {
        Ok(page) => page.into(),
        Err(_) => Response::status_text(500),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::rc::Rc;
    use trilithon_flow::{Connection, Headers};
    use trilithon_model::{Problems, Source, dialect};

    fn context(yaml: &str) -> Context {
        let node = dialect::parse(&Source::text("install.yml", yaml), &mut Problems::default());
        let (install, _) = trilithon_model::decode_static(&node.unwrap());
        let metrics = install.metrics.as_ref().map(Metrics::new);
        Context::new(Arc::new(install), Arc::default(), metrics)
    }

    fn ask(service: &Arc<dyn Service>, headers: Headers) -> Response {
        let peer = "127.0.0.1:1".parse().unwrap();
        let mut cx = Exchange::new(
            Rc::new(Connection::new(peer, peer, "web".into(), None)),
            Rc::default(),
        );
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(service.call(
            Request {
                headers,
                ..Request::default()
            },
            &mut cx,
        ))
    }

    const ALL: &str = "api: {}\nping: {}\nmetrics: {prometheus: {}}\nproviders: {rest: {}}\n\
                       certificatesResolvers: {le: {acme: {storage: a, httpChallenge: {entryPoint: web}}}}\n";

    #[test]
    fn what_is_turned_on_is_there() {
        let names = |yaml: &str| {
            internals(&context(yaml))
                .into_keys()
                .map(|n| n.replace("@internal", ""))
                .collect::<Vec<_>>()
        };
        assert_eq!(names("{}"), ["noop"]);
        assert_eq!(names("api: {dashboard: false}"), ["api", "noop"]);
        assert_eq!(
            names(ALL),
            [
                "acme-http",
                "api",
                "dashboard",
                "noop",
                "ping",
                "prometheus",
                "rest"
            ]
        );
    }

    #[test]
    fn answers() {
        let all = internals(&context(ALL));
        let check = |name: &str, status: u16, body: &str| {
            let res = ask(&all[&format!("{name}@internal")], Headers::new());
            let got = res
                .body
                .bytes()
                .map(|b| String::from_utf8_lossy(b).into_owned())
                .unwrap_or_default();
            assert_eq!((res.status, got.as_str()), (status, body), "{name}");
        };
        check("ping", 200, "OK");
        check("noop", 418, "");
        check("rest", 501, "the provider `rest` is not built yet\n");
        check("acme-http", 404, "404 page not found\n");
    }

    #[test]
    fn metrics_are_compressed_for_who_asks() {
        let all = internals(&context(ALL));
        let check = |accept: &str, coding: Option<&str>| {
            let res = ask(
                &all["prometheus@internal"],
                [("Accept-Encoding", accept)].into_iter().collect(),
            );
            assert_eq!(res.headers.get_str("Content-Encoding"), coding, "{accept}");
            assert_eq!(res.headers.get_str("Content-Type"), Some(METRICS_TYPE));
            let body = res.body.bytes().unwrap();
            assert_eq!(body.starts_with(b"# HELP "), coding.is_none());
        };
        check("identity", None);
        check("gzip", Some("gzip"));
    }

    #[test]
    fn open_metrics_for_who_asks() {
        let all = internals(&context(ALL));
        let check = |accept: &str, open: bool| {
            let res = ask(
                &all["prometheus@internal"],
                [("Accept", accept)].into_iter().collect(),
            );
            let want = if open { OPEN_METRICS_TYPE } else { METRICS_TYPE };
            assert_eq!(res.headers.get_str("Content-Type"), Some(want), "{accept}");
            assert_eq!(res.body.bytes().unwrap().ends_with(b"# EOF\n"), open);
        };
        check(
            "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            true,
        );
        check("text/plain", false);
        check("*/*", false);
        check("application/openmetrics-text; q=0", false);
    }

    #[test]
    fn codings() {
        let rows = [
            ("gzip", true),
            ("br, GZIP;q=0.5", true),
            ("gzip;q=0", false),
            ("gzip; q=0.0, br", false),
            ("identity", false),
            ("", false),
        ];
        for (value, want) in rows {
            assert_eq!(accepts_gzip(value.as_bytes()), want, "{value}");
        }
    }
}
