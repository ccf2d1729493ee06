//! `mirroring`: one service answers, others are sent copies of a share of the requests.
//!
//! Copies leave when the answer is over, one after another, and what they bring back is thrown away. They are exchanges of
//! their own: no record, no part in the client's connection. A request that leaves HTTP (WebSocket) has no copies.

use crate::replay::{Held, Replay, discard};
use crate::service::{Backend, Child, Status};
use crate::tail::{Attached, attach};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use tokio::sync::oneshot;
use trilithon_flow::{BuildError, Connection, Exchange, Keep, Reply, Request, Response, Service, TlsInfo};
use trilithon_model::dynamic::http::Mirroring as Config;

/// A mirrored service.
pub struct Mirroring {
    main: Child,
    mirrors: Vec<Arc<dyn Backend>>,
    state: Arc<State>,
    mirror_body: bool,
    /// Largest body that is copied; `None`: any.
    max_body: Option<u64>,
    reports: bool,
}

/// How many requests there were, and how many copies; outlives reloads.
struct State {
    total: AtomicU64,
    mirrors: Vec<Share>,
    waiting: AtomicUsize,
}

struct Share {
    percent: u64,
    sent: AtomicU64,
}

/// Requests of one service whose copies are under way. A slow mirror must not hold ever more of them in memory.
const MAX_WAITING: usize = 1024;

impl Mirroring {
    /// The service with the qualified name `name`: `main` answers, `mirrors` are those of `config.mirrors`, in order.
    ///
    /// # Errors
    /// A percentage that is none.
    pub fn build(
        name: &str,
        config: &Config,
        main: Child,
        mirrors: Vec<Child>,
        keep: &Keep,
    ) -> Result<Mirroring, BuildError> {
        if let Some(mirror) = config
            .mirrors
            .iter()
            .find(|mirror| !(0..=100).contains(&mirror.percent))
        {
            return Err(BuildError::new("percent must be between 0 and 100").help(format!(
                "mirror `{}` has `percent: {}`",
                mirror.name, mirror.percent
            )));
        }
        let share = |percent: i64| Share {
            percent: percent.unsigned_abs(),
            sent: AtomicU64::new(0),
        };
        let state = keep.get(name, config, || State {
            total: AtomicU64::new(0),
            mirrors: config
                .mirrors
                .iter()
                .map(|mirror| share(mirror.percent))
                .collect(),
            waiting: AtomicUsize::new(0),
        });
        Ok(Mirroring {
            main,
            mirrors: mirrors.into_iter().map(|mirror| mirror.backend).collect(),
            state,
            mirror_body: config.mirror_body.unwrap_or(true),
            max_body: config.max_body_size.and_then(|bytes| u64::try_from(bytes).ok()),
            reports: config.health_check.is_some(),
        })
    }

    async fn mirrored(
        &self,
        mirrors: Vec<Arc<dyn Backend>>,
        mut req: Request,
        cx: &mut Exchange,
    ) -> Response {
        let replay = if self.mirror_body && !req.body.is_empty() {
            match Replay::of(req, self.max_body).await {
                Ok(Held::Whole(replay)) => {
                    req = replay.request();
                    replay
                }
                Ok(Held::Larger(req)) => return self.main.backend.call(req, cx).await,
                Err(fault) => return Response::from(fault),
            }
        } else {
            Replay::without_body(&req)
        };
        let over = self.send_later(mirrors, replay, cx);
        let mut res = self.main.backend.call(req, cx).await;
        attach(&mut res, over);
        res
    }

    /// Makes the copies ready; they leave when the returned signal is told that the answer is complete.
    fn send_later(&self, mirrors: Vec<Arc<dyn Backend>>, replay: Replay, cx: &Exchange) -> Over {
        let (tell, told) = oneshot::channel();
        let connection = Rc::new(detached(&cx.connection));
        let not_append_forwarded_for = cx.not_append_forwarded_for;
        let trace = cx.record.follow();
        let waiting = Waiting::new(&self.state);
        tokio::task::spawn_local(async move {
            // Without the signal the client went away, and nothing is mirrored.
            if told.await.is_err() {
                return;
            }
            for mirror in mirrors {
                let mut cx = Exchange::new(connection.clone(), Rc::default());
                cx.not_append_forwarded_for = not_append_forwarded_for;
                cx.record.trace = trace.as_ref().map(|t| Box::new(t.follow()));
                let mut res = mirror.call(replay.request(), &mut cx).await;
                discard(res.body.take()).await;
            }
            drop(waiting);
        });
        Over(Some(tell))
    }
}

impl State {
    /// Numbers of the mirrors that get a copy of the next request.
    fn next(&self) -> impl Iterator<Item = usize> {
        let total = self.total.fetch_add(1, Ordering::Relaxed) + 1;
        self.mirrors
            .iter()
            .enumerate()
            .filter_map(move |(index, mirror)| {
                let due = |sent: u64| (sent * 100 < total * mirror.percent).then_some(sent + 1);
                mirror
                    .sent
                    .fetch_update(Ordering::Relaxed, Ordering::Relaxed, due)
                    .ok()
                    .map(|_| index)
            })
    }
}

/// The same client without its connection: what belongs to that (an authenticated server connection) is not for copies.
fn detached(connection: &Connection) -> Connection {
    let tls = connection.tls.as_ref().map(|tls| TlsInfo {
        sni: tls.sni.clone(),
        version: tls.version,
        cipher: tls.cipher,
        options: tls.options.clone(),
        client_subject: tls.client_subject.clone(),
        client_certificates: tls.client_certificates.clone(),
        client_identity: tls.client_identity.clone(),
    });
    Connection::new(
        connection.peer,
        connection.local,
        connection.entry_point.clone(),
        tls,
    )
}

/// Tells that an answer is over.
struct Over(Option<oneshot::Sender<()>>);

impl Attached for Over {
    fn complete(&mut self) {
        if let Some(tell) = self.0.take() {
            // Nobody listens any more when the worker ends.
            let _ = tell.send(());
        }
    }
}

/// One request whose copies are under way.
struct Waiting(Arc<State>);

impl Waiting {
    fn new(state: &Arc<State>) -> Waiting {
        state.waiting.fetch_add(1, Ordering::Relaxed);
        Waiting(state.clone())
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Service for Mirroring {
    fn call<'a>(&'a self, req: Request, cx: &'a mut Exchange) -> Reply<'a> {
        let chosen: Vec<_> = self
            .state
            .next()
            .filter_map(|at| self.mirrors.get(at).cloned())
            .collect();
        let full = self.state.waiting.load(Ordering::Relaxed) >= MAX_WAITING;
        if chosen.is_empty() || full || req.upgrade.is_some() {
            return self.main.backend.call(req, cx);
        }
        Box::pin(self.mirrored(chosen, req, cx))
    }
}

impl Backend for Mirroring {
    fn status(&self) -> Option<Arc<Status>> {
        if self.reports {
            self.main.backend.status()
        } else {
            None
        }
    }
    fn status_refusal(&self) -> String {
        if self.reports {
            let why = self.main.backend.status_refusal();
            return format!("cannot register service of mirroring as updater: {why}");
        }
        "healthCheck not enabled in config for this mirroring service".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::fake::{Fake, child, exchange, run};
    use trilithon_flow::{Body, Method, Target};
    use trilithon_model::dynamic::http::{ChildHealth, MirrorService};

    struct Scene {
        main: Arc<Fake>,
        mirrors: Vec<Arc<Fake>>,
        service: Mirroring,
    }

    fn scene(config: Config, percents: &[i64]) -> Scene {
        let mirror = |(i, percent): (usize, &i64)| MirrorService {
            name: format!("m{i}"),
            percent: *percent,
        };
        let config = Config {
            mirrors: percents.iter().enumerate().map(mirror).collect(),
            ..config
        };
        let main = Fake::new("main", 200, None);
        let mirrors: Vec<_> = config
            .mirrors
            .iter()
            .map(|m| Fake::new(&m.name, 500, None))
            .collect();
        let children = mirrors.iter().map(|mirror| child(mirror, 1)).collect();
        let service =
            Mirroring::build("m@file", &config, child(&main, 1), children, &Keep::default()).unwrap();
        Scene {
            main,
            mirrors,
            service,
        }
    }

    impl Scene {
        /// Sends one request, reads the answer if `reads`, and waits for the copies.
        fn send(&self, req: Request, reads: bool) {
            run(async {
                let mut res = self.service.call(req, &mut exchange(1)).await;
                if reads {
                    assert_eq!(res.body.collect(99).await.unwrap(), "main");
                }
                drop(res);
                while self.service.state.waiting.load(Ordering::Relaxed) > 0 {
                    tokio::task::yield_now().await;
                }
            });
        }
    }

    fn post(body: &'static str) -> Request {
        let mut req = Request {
            method: Method::Post,
            target: Target::new("/p?q"),
            ..Request::default()
        };
        req.body = Body::from(body);
        req
    }

    #[test]
    fn percentages_are_kept_exactly() {
        let scene = scene(Config::default(), &[10, 50, 100, 0]);
        (0..100).for_each(|_| scene.send(post("x"), true));
        assert_eq!(scene.main.seen().len(), 100);
        let copies: Vec<_> = scene.mirrors.iter().map(|mirror| mirror.seen().len()).collect();
        assert_eq!(copies, [10, 50, 100, 0]);
    }

    fn check(mirror_body: bool, max: i64, body: &'static str, want: &[&str]) {
        let config = Config {
            mirror_body: Some(mirror_body),
            max_body_size: Some(max),
            ..Config::default()
        };
        let scene = scene(config, &[100]);
        scene.send(post(body), true);
        assert_eq!(scene.mirrors[0].seen(), want, "{mirror_body} {max} {body}");
        assert_eq!(
            scene.main.seen(),
            [format!("POST /p?q {body}").trim_end()],
            "the main service has it all"
        );
    }

    #[test]
    fn bodies() {
        check(true, -1, "hello", &["POST /p?q hello"]);
        check(true, 5, "hello", &["POST /p?q hello"]);
        check(true, 4, "hello", &[]);
        check(true, 0, "", &["POST /p?q"]);
        check(false, -1, "hello", &["POST /p?q"]);
        check(false, 0, "hello", &["POST /p?q"]);
    }

    #[test]
    fn nothing_is_copied_of_an_upgrade() {
        let scene = scene(Config::default(), &[100]);
        scene.send(
            Request {
                upgrade: Some("websocket".into()),
                ..post("")
            },
            true,
        );
        assert_eq!((scene.main.seen().len(), scene.mirrors[0].seen().len()), (1, 0));
    }

    #[test]
    fn a_cancelled_request_is_not_mirrored() {
        let scene = scene(Config::default(), &[100]);
        let over = |complete: bool| {
            run(async {
                let before = scene.mirrors[0].seen().len();
                let replay = Replay::without_body(&post(""));
                let mut over = scene
                    .service
                    .send_later(scene.service.mirrors.clone(), replay, &exchange(1));
                if complete {
                    over.complete();
                }
                drop(over);
                while scene.service.state.waiting.load(Ordering::Relaxed) > 0 {
                    tokio::task::yield_now().await;
                }
                scene.mirrors[0].seen().len() - before
            })
        };
        assert_eq!([over(false), over(true)], [0, 1]);
    }

    #[test]
    fn percentages_that_are_none_are_refused() {
        for percent in [-1, 101] {
            let config = Config {
                mirrors: vec![MirrorService {
                    name: "m".into(),
                    percent,
                }],
                ..Config::default()
            };
            let main = child(&Fake::new("main", 200, None), 1);
            let error = Mirroring::build("m@file", &config, main, vec![], &Keep::default())
                .err()
                .unwrap();
            assert_eq!(error.message, "percent must be between 0 and 100");
        }
    }

    #[test]
    fn reports_what_its_service_reports_if_asked_to() {
        let build = |reports: bool, status: Option<Arc<Status>>| {
            let config = Config {
                health_check: reports.then(ChildHealth::default),
                ..Config::default()
            };
            let main = child(&Fake::new("main", 200, status), 1);
            Mirroring::build("m@file", &config, main, vec![], &Keep::default()).unwrap()
        };
        let status = Status::flag();
        let service = build(true, Some(status.clone()));
        status.set(false);
        assert!(!service.status().unwrap().is_up());
        let check = |service: Mirroring, want: &str| {
            assert!(service.status().is_none());
            assert_eq!(service.status_refusal(), want);
        };
        check(
            build(false, Some(status)),
            "healthCheck not enabled in config for this mirroring service",
        );
        let mute = "cannot register service of mirroring as updater: \
                    healthCheck not enabled in config for this WRR service";
        check(build(true, None), mute);
    }
}
