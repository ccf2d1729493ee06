//! For the tests of this crate: builds one middleware and runs one request through it.

use std::future::Future;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use trilithon_flow::{
    Build, BuildError, Chain, Connection, Exchange, Headers, Keep, Method, Reply, Request, Response, Service,
    Services, Step, Target, TlsInfo,
};

struct NoServices;

impl Services for NoServices {
    fn service(&self, name: &str) -> Result<Arc<dyn Service>, BuildError> {
        Err(BuildError::new(format!("the service \"{name}\" does not exist")))
    }
}

/// Calls `make` with the surroundings of a middleware `m@file` on a router `r@file`.
pub fn build<T>(keep: &Keep, make: impl FnOnce(&mut Build<'_>) -> T) -> T {
    let mut warnings = Vec::new();
    make(&mut Build {
        name: "m@file",
        owner: "r@file",
        keep,
        services: &NoServices,
        warnings: &mut warnings,
    })
}

/// A step that can be built.
pub fn step(make: impl FnOnce(&mut Build<'_>) -> Result<Step, BuildError>) -> Step {
    build(&Keep::default(), make).unwrap_or_else(|e| panic!("cannot be built: {e}"))
}

/// The message of a step that cannot be built.
pub fn build_error(make: impl FnOnce(&mut Build<'_>) -> Result<Step, BuildError>) -> String {
    build(&Keep::default(), make)
        .err()
        .expect("must not be built")
        .message
}

/// The service behind: answers with what `answer` makes, and keeps the heads of what it was asked.
pub struct Backend {
    answer: Box<dyn Fn(&mut Request) -> Response + Send + Sync>,
    seen: Arc<Mutex<Vec<SeenHead>>>,
}

/// Head of a request that reached the service.
#[derive(Clone, Debug)]
pub struct SeenHead {
    pub target: String,
    pub headers: Headers,
    pub forwarded_for: bool,
}

impl Service for Backend {
    fn call<'a>(&'a self, mut req: Request, cx: &'a mut Exchange) -> Reply<'a> {
        let head = SeenHead {
            target: req.target.as_str().to_owned(),
            headers: req.headers.clone(),
            forwarded_for: !cx.not_append_forwarded_for,
        };
        self.seen.lock().unwrap().push(head);
        let res = (self.answer)(&mut req);
        Box::pin(std::future::ready(res))
    }
}

/// A chain of steps in front of a [`Backend`].
pub struct Bench {
    pub chain: Chain,
    seen: Arc<Mutex<Vec<SeenHead>>>,
}

impl Bench {
    pub fn new(steps: Vec<Step>) -> Bench {
        Bench::answering(steps, |_| Response::bare(200, "backend"))
    }

    pub fn answering(
        steps: Vec<Step>,
        answer: impl Fn(&mut Request) -> Response + Send + Sync + 'static,
    ) -> Bench {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let backend = Backend {
            answer: Box::new(answer),
            seen: seen.clone(),
        };
        Bench {
            chain: Chain::new(steps, Arc::new(backend)),
            seen,
        }
    }

    /// Runs one request, on a clock that does not wait.
    pub fn run(&self, req: Request) -> Response {
        self.run_as(req, connection("127.0.0.1:5000", None))
    }

    pub fn run_as(&self, req: Request, connection: Connection) -> Response {
        block_on(self.send(req, connection))
    }

    pub async fn send(&self, req: Request, connection: Connection) -> Response {
        let mut cx = Exchange::new(Rc::new(connection), Rc::default());
        self.chain.run(req, &mut cx).await
    }

    /// The last request that reached the service.
    pub fn last(&self) -> Option<SeenHead> {
        self.seen.lock().unwrap().pop()
    }
}

/// A connection from `peer`.
pub fn connection(peer: &str, tls: Option<TlsInfo>) -> Connection {
    Connection::new(
        peer.parse().unwrap(),
        "127.0.0.1:80".parse().unwrap(),
        "web".into(),
        tls,
    )
}

/// A GET of `target` at `a.test` with these headers.
pub fn get(target: &str, headers: &[(&str, &str)]) -> Request {
    request("GET", target, headers)
}

pub fn request(method: &str, target: &str, headers: &[(&str, &str)]) -> Request {
    let mut list = Headers::new();
    if !headers.iter().any(|(n, _)| n.eq_ignore_ascii_case("host")) {
        list.append("Host", "a.test");
    }
    for (name, value) in headers {
        list.append(name, value);
    }
    Request {
        method: Method::of(method.as_bytes()),
        target: Target::new(target),
        headers: list,
        ..Request::default()
    }
}

/// Runs a future on a runtime whose clock jumps to the next timer.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(future)
}

/// The text of a body.
pub fn text(res: &mut Response) -> String {
    String::from_utf8(block_on(res.body.collect(1 << 20)).unwrap().to_vec()).unwrap()
}

/// `Name: value` lines, without `Host`.
pub fn lines(headers: &Headers) -> Vec<String> {
    let line =
        |(n, v): (&[u8], &[u8])| format!("{}: {}", String::from_utf8_lossy(n), String::from_utf8_lossy(v));
    headers
        .iter()
        .map(line)
        .filter(|l| !l.starts_with("Host:"))
        .collect()
}

/// How long a future took by its runtime's clock.
pub async fn timed<T>(future: impl Future<Output = T>) -> (T, Duration) {
    let start = tokio::time::Instant::now();
    let value = future.await;
    (value, start.elapsed())
}
