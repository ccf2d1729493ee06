//! Services as their parents see them: they answer requests, and some can say whether they are up.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use trilithon_flow::{BuildError, Exchange, Known, Reply, Request, Response, Service};

/// A service of the configuration.
pub trait Backend: Service {
    /// Whether it is up, for a parent that asks for it; `None` when it cannot report.
    fn status(&self) -> Option<Arc<Status>> {
        None
    }
    /// Why [`Backend::status`] is `None`, in Traefik's words.
    fn status_refusal(&self) -> String {
        "the service does not report its health".to_owned()
    }
    /// The servers by URL with what active checks say of them; for the API. Empty for what has no servers of its own.
    fn server_status(&self) -> Vec<(String, bool)> {
        Vec::new()
    }
    /// What its owner has to know of a service that works, but not as it is written.
    fn warnings(&self) -> Vec<BuildError> {
        Vec::new()
    }
}

/// A service that another one leads to.
pub struct Child {
    /// Its name. Parents use it as their configuration writes it (`api`, `api@file`): cookies and hashes are made from that.
    pub name: String,
    /// Its share; 1 when absent, and it is never chosen at 0 or below.
    pub weight: Option<i64>,
    pub backend: Arc<dyn Backend>,
}

impl Child {
    /// Its share, if it has one.
    pub fn share(&self) -> Option<f64> {
        share(self.weight)
    }

    /// The same child under the name that its parent's configuration has for it.
    pub(crate) fn called(self, name: &str) -> Child {
        Child {
            name: name.to_owned(),
            ..self
        }
    }

    /// Its status, for the parent called `parent`.
    ///
    /// # Errors
    /// When the child cannot report.
    pub fn report_to(&self, parent: &str) -> Result<Arc<Status>, BuildError> {
        self.backend.status().ok_or_else(|| {
            let (child, why) = (&self.name, self.backend.status_refusal());
            BuildError::new(format!("cannot register {child} as updater for {parent}: {why}"))
                .help(format!("give `{child}` a `healthCheck`"))
        })
    }
}

/// A weight as a number to divide by; `None` for one that takes its owner out.
pub(crate) fn share(weight: Option<i64>) -> Option<f64> {
    let weight = weight.unwrap_or(1);
    (weight > 0).then_some(weight as f64)
}

/// Whether something is up. A parent's status is a question to its children, so nothing has to be passed upwards.
#[derive(Debug)]
pub enum Status {
    /// A thing of which it is known.
    Flag(AtomicBool),
    /// Up while one of these is.
    Any(Vec<Arc<Status>>),
}

impl Status {
    /// A thing that starts up.
    pub fn flag() -> Arc<Status> {
        Arc::new(Status::Flag(AtomicBool::new(true)))
    }

    /// Up while one of `parts` is.
    pub fn any(parts: impl IntoIterator<Item = Arc<Status>>) -> Arc<Status> {
        Arc::new(Status::Any(parts.into_iter().collect()))
    }

    /// Whether it is up now.
    pub fn is_up(&self) -> bool {
        match self {
            Status::Flag(up) => up.load(Ordering::Relaxed),
            Status::Any(parts) => parts.iter().any(|part| part.is_up()),
        }
    }

    /// Says so; nothing but a flag can be told.
    pub fn set(&self, up: bool) {
        if let Status::Flag(flag) = self {
            flag.store(up, Ordering::Relaxed);
        }
    }
}

/// The answer of a balancer that has nobody to ask.
pub(crate) fn no_server<'a>() -> Reply<'a> {
    Box::pin(std::future::ready(Response::error(503, "no available server")))
}

/// Calls `service` and puts `cookie` into its answer.
pub(crate) async fn call_with_cookie(
    service: &dyn Service,
    cookie: String,
    req: Request,
    cx: &mut Exchange,
) -> Response {
    let mut res = service.call(req, cx).await;
    add_cookie(&mut res, &cookie);
    res
}

/// Puts a `Set-Cookie` before those of the server: an outer balancer's cookie comes first.
pub(crate) fn add_cookie(res: &mut Response, cookie: &str) {
    let behind = std::mem::take(&mut res.headers);
    res.headers.append(Known::SetCookie.name(), cookie);
    res.headers.extend(&behind);
}

#[cfg(test)]
pub(crate) mod fake {
    //! Children for tests: they answer with their name and remember what they saw.

    use super::*;
    use std::net::SocketAddr;
    use std::rc::Rc;
    use std::sync::Mutex;
    use trilithon_flow::{Body, Connection};

    pub struct Fake {
        pub name: String,
        pub answer: u16,
        pub status: Option<Arc<Status>>,
        pub seen: Mutex<Vec<String>>,
    }

    impl Fake {
        pub fn new(name: &str, answer: u16, status: Option<Arc<Status>>) -> Arc<Fake> {
            Arc::new(Fake {
                name: name.into(),
                answer,
                status,
                seen: Mutex::default(),
            })
        }
        pub fn seen(&self) -> Vec<String> {
            self.seen.lock().unwrap().clone()
        }
    }

    impl Service for Fake {
        fn call<'a>(&'a self, mut req: Request, _cx: &'a mut Exchange) -> Reply<'a> {
            Box::pin(async move {
                let body = req.body.collect(u64::MAX).await.unwrap_or_default();
                let told = format!("{} {} {}", req.method, req.target, String::from_utf8_lossy(&body));
                self.seen.lock().unwrap().push(told.trim_end().to_owned());
                Response {
                    body: Body::from(self.name.clone()),
                    ..Response::new(self.answer)
                }
            })
        }
    }

    impl Backend for Fake {
        fn status(&self) -> Option<Arc<Status>> {
            self.status.clone()
        }
        fn status_refusal(&self) -> String {
            "healthCheck not enabled in config for this WRR service".into()
        }
    }

    pub fn child(fake: &Arc<Fake>, weight: i64) -> Child {
        Child {
            name: fake.name.clone(),
            weight: Some(weight),
            backend: fake.clone(),
        }
    }

    /// An exchange with a client at `127.0.0.N`.
    pub fn exchange(n: u8) -> Exchange {
        let peer = SocketAddr::from(([127, 0, 0, n], 1234));
        Exchange::new(
            Rc::new(Connection::new(peer, peer, "web".into(), None)),
            Rc::default(),
        )
    }

    /// Runs a future on a thread like a worker's.
    pub fn run<T>(future: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        tokio::task::LocalSet::new().block_on(&runtime, future)
    }

    /// One `GET /` to `service` -> status and body.
    pub async fn ask(service: &dyn Service, cookie: Option<&str>) -> (u16, String, Vec<String>) {
        let mut req = Request {
            target: trilithon_flow::Target::new("/"),
            ..Request::default()
        };
        if let Some(cookie) = cookie {
            req.headers.append("Cookie", cookie);
        }
        let mut res = service.call(req, &mut exchange(1)).await;
        let body = res.body.collect(u64::MAX).await.unwrap();
        let cookies = res
            .headers
            .get_all(b"set-cookie")
            .map(|v| String::from_utf8_lossy(v).into_owned())
            .collect();
        (res.status, String::from_utf8_lossy(&body).into_owned(), cookies)
    }
}

#[cfg(test)]
mod tests {
    use super::fake::*;
    use super::*;

    #[test]
    fn a_parent_is_up_while_a_part_of_it_is() {
        let (a, b) = (Status::flag(), Status::flag());
        let whole = Status::any([Status::any([a.clone()]), b.clone()]);
        for (x, y, up) in [
            (true, true, true),
            (false, true, true),
            (true, false, true),
            (false, false, false),
        ] {
            a.set(x);
            b.set(y);
            assert_eq!(whole.is_up(), up, "{x} {y}");
        }
        assert!(!Status::any([]).is_up(), "nothing is not up");
    }

    #[test]
    fn a_child_that_cannot_report_is_refused() {
        let mute = child(&Fake::new("s", 200, None), 1);
        let error = mute.report_to("fo@file").unwrap_err().message;
        assert_eq!(
            error,
            "cannot register s as updater for fo@file: healthCheck not enabled in config for this WRR service"
        );
        assert!(
            child(&Fake::new("s", 200, Some(Status::flag())), 1)
                .report_to("fo@file")
                .is_ok()
        );
    }

    #[test]
    fn the_outer_cookie_stands_first() {
        let mut res = Response::new(200);
        res.headers.append("Set-Cookie", "server=1");
        res.headers.append("X-A", "1");
        add_cookie(&mut res, "inner=1");
        add_cookie(&mut res, "outer=1");
        let cookies: Vec<_> = res.headers.get_all(b"Set-Cookie").collect();
        assert_eq!(cookies, [&b"outer=1"[..], b"inner=1", b"server=1"]);
    }
}
