//! `failover`: a second service stands in while the first is down, or when its answer has one of certain statuses.

use crate::replay::{Held, Replay, discard};
use crate::service::{Backend, Child, Status};
use std::ops::RangeInclusive;
use std::sync::Arc;
use trilithon_flow::{BuildError, Exchange, Keep, Reply, Request, Response, Service, status};
use trilithon_model::dynamic::http::{Failover as Config, FailoverErrors};

/// A service with a stand-in.
pub struct Failover {
    main: Half,
    fallback: Half,
    errors: Option<Errors>,
    /// With `healthCheck`.
    status: Option<Arc<Status>>,
}

struct Half {
    backend: Arc<dyn Backend>,
    /// Absent when it is not asked for: then it counts as up.
    status: Option<Arc<Status>>,
}

impl Half {
    fn is_up(&self) -> bool {
        self.status.as_ref().is_none_or(|status| status.is_up())
    }
}

/// Answers that are replaced.
struct Errors {
    statuses: Vec<RangeInclusive<u16>>,
    /// Largest body that is held for the second service; `None`: any.
    max_body: Option<u64>,
}

impl Failover {
    /// The service with the qualified name `name`.
    ///
    /// # Errors
    /// When `main` does not report its health and no statuses are given; when `healthCheck` asks for what `fallback`
    /// does not report; statuses that are none.
    pub fn build(
        name: &str,
        config: &Config,
        main: Child,
        fallback: Child,
        _keep: &Keep,
    ) -> Result<Failover, BuildError> {
        let (main, fallback) = (main.called(&config.service), fallback.called(&config.fallback));
        let errors = config
            .errors
            .as_ref()
            .map(Errors::of)
            .transpose()?
            .filter(|e| !e.statuses.is_empty());
        let wanted = config.health_check.is_some();
        let main_status = match (&errors, wanted) {
            (Some(_), false) => main.backend.status(),
            _ => Some(main.report_to(name)?),
        };
        let fallback_status = if wanted {
            Some(fallback.report_to(name)?)
        } else {
            None
        };
        let status = wanted.then(|| Status::any(main_status.iter().chain(&fallback_status).cloned()));
        Ok(Failover {
            main: Half {
                backend: main.backend,
                status: main_status,
            },
            fallback: Half {
                backend: fallback.backend,
                status: fallback_status,
            },
            errors,
            status,
        })
    }

    async fn held_back(&self, errors: &Errors, req: Request, cx: &mut Exchange) -> Response {
        let replay = match Replay::of(req, errors.max_body).await {
            Ok(Held::Whole(replay)) => replay,
            Ok(Held::Larger(_)) => return Response::error(413, "Request body too large"),
            Err(fault) => return Response::from(fault),
        };
        // Interim answers belong to an answer that may not be given.
        let interim = std::mem::take(&mut cx.interim);
        let mut res = self.main.backend.call(replay.request(), cx).await;
        cx.interim = interim;
        if !errors.statuses.iter().any(|range| range.contains(&res.status)) {
            return res;
        }
        discard(res.body.take()).await;
        // Nothing of the answer that nobody got.
        (cx.record.fault, cx.origin_streamed) = (None, None);
        self.stand_in(replay.request(), cx).await
    }

    fn stand_in<'a>(&'a self, req: Request, cx: &'a mut Exchange) -> Reply<'a> {
        if self.fallback.is_up() {
            return self.fallback.backend.call(req, cx);
        }
        Box::pin(std::future::ready(Response::error(503, status::text(503))))
    }
}

impl Errors {
    fn of(config: &FailoverErrors) -> Result<Errors, BuildError> {
        let statuses = config
            .status
            .iter()
            .map(|text| range(text))
            .collect::<Result<_, _>>()?;
        let max_body = config
            .max_request_body_bytes
            .and_then(|bytes| u64::try_from(bytes).ok());
        Ok(Errors { statuses, max_body })
    }
}

/// `404` or `500-504`.
fn range(text: &str) -> Result<RangeInclusive<u16>, BuildError> {
    let number = |part: &str| {
        part.parse::<u16>().map_err(|_| {
            BuildError::new(format!("strconv.Atoi: parsing {part:?}: invalid syntax"))
                .help("statuses are written `404` or `500-504`")
        })
    };
    match text.split_once('-') {
        Some((first, last)) => Ok(number(first)?..=number(last)?),
        None => number(text).map(|code| code..=code),
    }
}

impl Service for Failover {
    fn call<'a>(&'a self, req: Request, cx: &'a mut Exchange) -> Reply<'a> {
        if !self.main.is_up() {
            return self.stand_in(req, cx);
        }
        match &self.errors {
            None => self.main.backend.call(req, cx),
            Some(errors) => Box::pin(self.held_back(errors, req, cx)),
        }
    }
}

impl Backend for Failover {
    fn status(&self) -> Option<Arc<Status>> {
        self.status.clone()
    }
    fn status_refusal(&self) -> String {
        "healthCheck not enabled in config for this failover service".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::fake::{Fake, child, exchange, run};
    use trilithon_flow::Body;
    use trilithon_model::dynamic::http::ChildHealth;

    fn config(reports: bool, errors: Option<(&[&str], i64)>) -> Config {
        let errors = errors.map(|(statuses, max)| FailoverErrors {
            status: statuses.iter().map(|s| (*s).to_owned()).collect(),
            max_request_body_bytes: Some(max),
        });
        Config {
            health_check: reports.then(ChildHealth::default),
            errors,
            service: "s".into(),
            fallback: "f".into(),
        }
    }

    fn send(service: &Failover, body: &'static str) -> (u16, String) {
        run(async {
            let req = Request {
                body: Body::from(body),
                ..Request::default()
            };
            let mut res = service.call(req, &mut exchange(1)).await;
            (
                res.status,
                String::from_utf8(res.body.collect(99).await.unwrap().into()).unwrap(),
            )
        })
    }

    #[test]
    fn by_status() {
        let (main, fallback) = (Status::flag(), Status::flag());
        let make = |reports: bool| {
            let (m, f) = (
                Fake::new("main", 200, Some(main.clone())),
                Fake::new("fallback", 200, reports.then(|| fallback.clone())),
            );
            Failover::build(
                "fo@file",
                &config(reports, None),
                child(&m, 1),
                child(&f, 1),
                &Keep::default(),
            )
            .unwrap()
        };
        let (plain, reporting) = (make(false), make(true));
        assert!(plain.status().is_none());
        let unavailable = "Service Unavailable\n";
        for (m, f, body, always) in [
            (true, true, "main", "main"),
            (true, false, "main", "main"),
            (false, true, "fallback", "fallback"),
            (false, false, unavailable, "fallback"),
        ] {
            main.set(m);
            fallback.set(f);
            assert_eq!(send(&reporting, "").1, body, "{m} {f}");
            assert_eq!(
                send(&plain, "").1,
                always,
                "{m} {f}: the fallback is not asked for its health"
            );
            assert_eq!(reporting.status().unwrap().is_up(), m || f);
        }
        assert_eq!(send(&reporting, "").0, 503);
    }

    fn check(answer: u16, errors: (&[&str], i64), body: &'static str, want: (u16, &str), seen: &[&str]) {
        let (main, fallback) = (Fake::new("main", answer, None), Fake::new("fallback", 203, None));
        let config = config(false, Some(errors));
        let service = Failover::build(
            "fo@file",
            &config,
            child(&main, 1),
            child(&fallback, 1),
            &Keep::default(),
        )
        .unwrap();
        assert_eq!(
            send(&service, body),
            (want.0, want.1.to_owned()),
            "{answer} {errors:?} {body}"
        );
        assert_eq!(fallback.seen(), seen, "{answer} {errors:?} {body}");
    }

    #[test]
    fn by_answer() {
        let errors: (&[&str], i64) = (&["500-504", "404"], -1);
        check(200, errors, "x", (200, "main"), &[]);
        check(505, errors, "x", (505, "main"), &[]);
        check(404, errors, "x", (203, "fallback"), &["GET  x"]);
        check(502, errors, "hello", (203, "fallback"), &["GET  hello"]);
        check(502, (&["502"], 5), "hello", (203, "fallback"), &["GET  hello"]);
        check(
            502,
            (&["502"], 4),
            "hello",
            (413, "Request body too large\n"),
            &[],
        );
        check(502, (&["502"], 0), "", (203, "fallback"), &["GET"]);
    }

    #[test]
    fn refused() {
        let check = |config: Config, main: Option<Arc<Status>>, want: &str| {
            let (main, fallback) = (Fake::new("s@file", 200, main), Fake::new("f@file", 200, None));
            let built = Failover::build(
                "fo@file",
                &config,
                child(&main, 1),
                child(&fallback, 1),
                &Keep::default(),
            );
            assert_eq!(built.map_or_else(|e| e.message, |_| "built".into()), want);
        };
        let why = "healthCheck not enabled in config for this WRR service";
        let up = || Some(Status::flag());
        check(
            config(false, None),
            None,
            &format!("cannot register s as updater for fo@file: {why}"),
        );
        check(
            config(false, Some((&[], -1))),
            None,
            &format!("cannot register s as updater for fo@file: {why}"),
        );
        check(config(false, Some((&["500"], -1))), None, "built");
        check(config(false, None), up(), "built");
        check(
            config(true, None),
            up(),
            &format!("cannot register f as updater for fo@file: {why}"),
        );
        check(
            config(false, Some((&["5xx"], -1))),
            None,
            "strconv.Atoi: parsing \"5xx\": invalid syntax",
        );
    }
}
