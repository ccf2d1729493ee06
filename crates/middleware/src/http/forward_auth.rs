//! `forwardAuth`: asks another server whether a request may pass.
//!
//! Its 2xx lets the request through, with headers of its choice; any other answer goes to the client; no answer is no
//! permission. What it may say about the client, the client cannot say itself: such headers are taken away first.

mod cookies;
mod question;
mod resolve;
mod signin;

use self::question::{Question, Trust};
use self::resolve::resolve;
use super::regex_template::error_text;
use super::{identity, location, prefixed};
use regex::Regex;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;
use trilithon_flow::{
    Body, Build, BuildError, Credential, Exchange, Fault, FaultKind, Headers, Identity, Known, Next, Reply,
    Request, Response, Service, Step, Wrap,
};
use trilithon_model::FileOrContent;
use trilithon_model::dynamic::http::{ClientTls, ForwardAuth as Config};
use trilithon_upstream::tls::{TlsSettings, read};
use trilithon_upstream::{Origin, Transport, send};

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

/// The server, or one that never answers: an address that is no URL must not open the door, and Traefik's routers stay.
fn server(config: &Config, cx: &mut Build<'_>) -> Result<Arc<dyn Service>, BuildError> {
    let tls = config
        .tls
        .as_ref()
        .map(tls_settings)
        .transpose()?
        .unwrap_or_default();
    match Origin::parse(&config.address) {
        Ok(origin) => {
            let transport = Arc::new(Transport::simple(tls, Some(TIMEOUT)));
            Ok(Arc::new(Server { transport, origin }))
        }
        Err(error) => {
            cx.warnings
                .push(format!("`address` is no URL, every request is refused: {error}"));
            Ok(Arc::new(NoServer))
        }
    }
}

/// TLS towards a server of the gateway's own choice.
pub(super) fn tls_settings(tls: &ClientTls) -> Result<TlsSettings, BuildError> {
    let wrong = |why: String| BuildError::new(format!("unable to create client TLS configuration: {why}"));
    let text = |option: &FileOrContent| read(option).unwrap_or_else(|_| option.as_str().to_owned());
    let authority = Some(text(&tls.ca)).filter(|ca| !ca.is_empty());
    if authority
        .as_ref()
        .is_some_and(|ca| !ca.contains("-----BEGIN CERTIFICATE-----"))
    {
        return Err(wrong("failed to parse CA".to_owned()));
    }
    let certificates = match (tls.cert.is_empty(), tls.key.is_empty()) {
        (true, true) => vec![],
        (false, false) => vec![(text(&tls.cert), text(&tls.key))],
        _ => return Err(wrong("both TLS cert and key must be defined".to_owned())),
    };
    Ok(TlsSettings {
        insecure_skip_verify: tls.insecure_skip_verify,
        root_cas: authority.into_iter().collect(),
        certificates,
        ..TlsSettings::default()
    })
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
        response_headers: config.auth_response_headers.clone(),
        pattern,
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

/// The authorization server.
struct Server {
    transport: Arc<Transport>,
    origin: Origin,
}

impl Service for Server {
    fn call<'a>(&'a self, req: Request, cx: &'a mut Exchange) -> Reply<'a> {
        Box::pin(async move {
            send(&self.transport, &self.origin, req, cx)
                .await
                .unwrap_or_else(Response::from)
        })
    }
}

/// Stands for a server whose address cannot be read.
struct NoServer;

impl Service for NoServer {
    fn call<'a>(&'a self, _req: Request, _cx: &'a mut Exchange) -> Reply<'a> {
        Box::pin(async { Response::from(Fault::new(FaultKind::Unsupported, "`address` is no URL")) })
    }
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
    response_headers: Vec<String>,
    /// Matched against canonical names.
    pattern: Option<Regex>,
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

    /// Puts what the authorization server says about the client into the request.
    fn admit(&self, req: &mut Request, said: &Headers) {
        for name in &self.response_headers {
            identity::strip(&mut req.headers, name);
            copy(&mut req.headers, said, |n| {
                n.eq_ignore_ascii_case(name.as_bytes())
            });
        }
        let Some(pattern) = &self.pattern else { return };
        let matches = |name: &[u8]| std::str::from_utf8(name).is_ok_and(|n| pattern.is_match(n));
        req.headers
            .retain(|known, name, _| is_framing(known) || !(matches(name) || matches(&folded(name))));
        copy(&mut req.headers, said, matches);
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

/// Headers that say how a message is sent are not the authorization server's to set.
fn is_framing(known: Known) -> bool {
    known.is_hop_by_hop() || matches!(known, Known::Host | Known::ContentLength)
}

fn copy(to: &mut Headers, from: &Headers, chosen: impl Fn(&[u8]) -> bool) {
    for (known, name, value) in from.iter_known() {
        if !is_framing(known) && chosen(name) {
            to.append(name, value);
        }
    }
}

/// The name in canonical spelling as a server sees it that folds `_` and `.` into `-`.
fn folded(name: &[u8]) -> Vec<u8> {
    let mut name: Vec<u8> = name.iter().map(|b| identity::fold(*b)).collect();
    trilithon_wire::headers::canonicalize(&mut name);
    name
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
            prefixed::discard(answer.body);
            self.admit(&mut req, &answer.headers);
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
mod tests {
    use super::super::kit::{Act, Asked, Bench, Outcome, Script};
    use super::super::testing;
    use super::*;

    fn config() -> Config {
        Config {
            address: "http://auth.test:9/check?a=1".to_owned(),
            trust_forward_header: Some(false),
            ..Config::default()
        }
    }

    fn list(names: &[&str]) -> Vec<String> {
        names.iter().map(|n| (*n).to_owned()).collect()
    }

    fn answer(status: u16, headers: &[(&str, &str)], body: &'static str) -> Response {
        Response {
            headers: headers.iter().copied().collect(),
            ..Response::bare(status, body)
        }
    }

    struct Played {
        out: Outcome,
        /// What the authorization server was asked.
        question: Asked,
        /// What reached the service, if anything did.
        passed: Option<Asked>,
    }

    fn play(config: &Config, req: Request, said: impl Fn() -> Response + Send + Sync + 'static) -> Played {
        let auth = Bench::new(move |_| said());
        let bench = Bench::new(|_| {
            answer(
                200,
                &[("Set-Cookie", "s=service"), ("Set-Cookie", "a=service")],
                "service",
            )
        });
        let step = Step::wrap(with_server(config, auth.service()).expect("valid"));
        let chain = bench.chain(vec![step]);
        let out = bench.send(&chain, req);
        Played {
            out,
            question: auth.last(),
            passed: (bench.asked() > 0).then(|| bench.last()),
        }
    }

    #[test]
    fn who_passes() {
        let check = |said: fn() -> Response, want: (u16, &str, bool)| {
            let p = play(&config(), testing::get("/", &[]), said);
            assert_eq!((p.out.status, p.out.text().as_str(), p.passed.is_some()), want);
        };
        check(|| Response::new(200), (200, "service", true));
        check(|| answer(204, &[], "ignored"), (200, "service", true));
        check(|| answer(299, &[], ""), (200, "service", true));
        check(|| answer(300, &[], "choices"), (300, "choices", false));
        check(|| answer(403, &[], "no"), (403, "no", false));
        check(|| answer(500, &[], "broken"), (500, "broken", false));
        check(
            || Response::from(Fault::new(FaultKind::Connect, "refused").unsent()),
            (500, "", false),
        );
        check(
            || Response::from(Fault::new(FaultKind::ResponseTimeout, "slow")),
            (500, "", false),
        );
    }

    #[test]
    fn refusals_keep_what_was_said() {
        let headers = [
            ("X-Why", "1"),
            ("Www-Authenticate", "Custom"),
            ("Set-Cookie", "x=y"),
            ("Keep-Alive", "5"),
            ("Proxy-Authenticate", "Basic"),
        ];
        let p = play(&config(), testing::get("/", &[]), move || {
            answer(401, &headers, "sign in")
        });
        assert_eq!(
            testing::lines(&p.out.headers),
            [
                "X-Why: 1",
                "Www-Authenticate: Custom",
                "Set-Cookie: x=y",
                "Proxy-Authenticate: Basic"
            ]
        );
        let check = |config: &Config, location: &'static str, want: &str| {
            let p = play(config, testing::get("/", &[]), move || {
                answer(302, &[("Location", location)], "")
            });
            assert_eq!(p.out.header("location"), Some(want));
        };
        check(&config(), "/login", "http://auth.test:9/login");
        check(&config(), "https://sso.test/x", "https://sso.test/x");
        check(
            &Config {
                preserve_location_header: true,
                ..config()
            },
            "/log in",
            "/log%20in",
        );
        let p = play(&config(), testing::get("/", &[]), || {
            answer(302, &[("Location", "%zz")], "no")
        });
        assert_eq!((p.out.status, p.out.text().as_str()), (500, ""));
    }

    #[test]
    fn sign_in() {
        let config = Config {
            auth_signin_url: "https://sso.test/".to_owned(),
            ..config()
        };
        let check = |status: u16, want: (u16, Option<&str>)| {
            let p = play(&config, testing::get("/", &[]), move || {
                answer(status, &[("X-Why", "1")], "no")
            });
            assert_eq!((p.out.status, p.out.header("x-why")), want);
        };
        check(401, (302, None));
        check(403, (403, Some("1")));
    }

    #[test]
    fn headers_put_into_the_request() {
        let sent = [
            ("X-Auth-User", "root"),
            ("X_Auth_User", "root"),
            ("X-Auth-Role", "root"),
            ("X-Mine", "1"),
        ];
        let said = [
            ("X-Auth-User", "me"),
            ("X-Auth-User", "too"),
            ("X-Other", "2"),
            ("Content-Length", "0"),
        ];
        let check = |config: &Config, want: &[&str]| {
            let p = play(config, testing::get("/", &sent), move || answer(200, &said, ""));
            assert_eq!(testing::lines(&p.passed.expect("passed").headers), want);
        };
        let mine = [
            "X-Auth-User: root",
            "X_auth_user: root",
            "X-Auth-Role: root",
            "X-Mine: 1",
        ];
        check(&config(), &mine);
        let named = Config {
            auth_response_headers: list(&["x-auth-user", "X-Auth-Role", "Content-Length"]),
            ..config()
        };
        check(&named, &["X-Mine: 1", "X-Auth-User: me", "X-Auth-User: too"]);
        let pattern = |text: &str| Config {
            auth_response_headers_regex: text.to_owned(),
            ..config()
        };
        check(
            &pattern("^X-Auth-"),
            &["X-Mine: 1", "X-Auth-User: me", "X-Auth-User: too"],
        );
        check(&pattern("^x-auth-"), &mine);
        check(
            &pattern(".*"),
            &["X-Auth-User: me", "X-Auth-User: too", "X-Other: 2"],
        );
        let p = play(&pattern(".*"), testing::get("/", &sent), || Response::new(200));
        assert_eq!(p.passed.expect("passed").header("host"), Some("a.test"));
    }

    #[test]
    fn bodies() {
        let post = |body: &'static str| Request {
            body: Script::new([Act::Data(body.as_bytes()), Act::Pause]).body(),
            ..testing::request("POST", "/", &[("Content-Type", "text/plain")])
        };
        let check = |forward: bool, max: Option<i64>, body: &'static str, want: (u16, &str, &str)| {
            let config = Config {
                forward_body: forward,
                max_body_size: max,
                ..config()
            };
            let p = play(&config, post(body), || Response::new(200));
            let passed = p.passed.map(|a| a.body).unwrap_or_default();
            assert_eq!(
                (p.out.status, p.question.body.as_str(), passed.as_str()),
                want,
                "{forward} {max:?}"
            );
            if p.out.status == 200 {
                assert_eq!(
                    (p.question.method.as_str(), p.question.header("content-type")),
                    ("GET", Some("text/plain"))
                );
            }
        };
        check(false, Some(-1), "hello", (200, "", "hello"));
        check(false, Some(2), "hello", (200, "", "hello"));
        check(true, Some(-1), "hello", (200, "hello", "hello"));
        check(true, Some(5), "hello", (200, "hello", "hello"));
        check(true, Some(4), "hello", (401, "", ""));
        check(true, Some(0), "", (200, "", ""));
        check(true, Some(0), "h", (401, "", ""));
    }

    #[test]
    fn large_answers_are_no_permission() {
        let check = |status: u16, max: i64, want: (u16, &str)| {
            let config = Config {
                max_response_body_size: Some(max),
                ..config()
            };
            let p = play(&config, testing::get("/", &[]), move || {
                answer(status, &[("X-A", "1")], "12345")
            });
            assert_eq!((p.out.status, p.out.text().as_str()), want);
        };
        check(200, 5, (200, "service"));
        check(200, 4, (401, ""));
        check(403, 5, (403, "12345"));
        check(403, 4, (401, ""));
        check(403, -1, (403, "12345"));
    }

    #[test]
    fn a_silent_server_is_no_permission() {
        struct Silent;
        impl Service for Silent {
            fn call<'a>(&'a self, _req: Request, _cx: &'a mut Exchange) -> Reply<'a> {
                Box::pin(std::future::pending())
            }
        }
        let bench = Bench::new(|_| Response::new(200));
        let chain = bench.chain(vec![Step::wrap(
            with_server(&config(), Arc::new(Silent)).expect("valid"),
        )]);
        let ask = super::super::kit::send(&chain, testing::get("/", &[]));
        let (out, took) = testing::block_on(testing::timed(ask));
        assert_eq!((out.status, took.as_secs(), bench.asked()), (500, 30, 0));
    }

    #[test]
    fn cookies_and_user() {
        let config = Config {
            add_auth_cookies_to_response: list(&["a", "b"]),
            header_field: "X-User".to_owned(),
            ..config()
        };
        let said = [
            ("Set-Cookie", "a=auth; Path=/"),
            ("Set-Cookie", "c=auth"),
            ("x-user", "me"),
        ];
        let p = play(&config, testing::get("/", &[]), move || answer(200, &said, ""));
        assert_eq!(
            p.out.headers.get_all(b"set-cookie").collect::<Vec<_>>(),
            [&b"s=service"[..], b"a=auth; Path=/"]
        );
        assert_eq!(p.out.record.user.as_deref(), Some("me"));
        let who = p.out.record.identity.expect("somebody");
        assert_eq!((&*who.subject, &*who.issuer), ("me", "auth.test:9"));
        let p = play(&config, testing::get("/", &[]), || {
            answer(403, &[("X-User", "me")], "")
        });
        assert_eq!(p.out.record.user, None);
    }

    #[test]
    fn an_address_that_is_no_url_lets_nobody_pass() {
        let mut bench = Bench::new(|_| Response::new(200));
        let config = Config {
            address: "http://a\n/".to_owned(),
            ..config()
        };
        let chain = bench.around(|cx| build(&config, cx));
        assert_eq!((bench.get(&chain, "/").status, bench.asked()), (500, 0));
        assert!(bench.warnings.iter().any(|w| w.contains("is no URL")));
    }

    /// Asks a server that answers one question with literal bytes; the question as it came.
    fn over_the_wire(req: Request, said: &'static str) -> (u16, String) {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        tokio::task::LocalSet::new().block_on(&runtime, async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("bound");
            let address = listener.local_addr().expect("bound");
            let config = Config {
                address: format!("http://{address}/check?a=1"),
                ..config()
            };
            let mut bench = Bench::new(|_| Response::new(200));
            let chain = bench.around(|cx| build(&config, cx));
            let server = async {
                let (mut socket, _) = listener.accept().await.expect("a connection");
                let mut question = Vec::new();
                while !question.ends_with(b"\r\n\r\n") {
                    socket.read_buf(&mut question).await.expect("read");
                }
                socket.write_all(said.as_bytes()).await.expect("written");
                String::from_utf8_lossy(&question).replace(&address.to_string(), "AUTH")
            };
            let (out, question) = tokio::join!(super::super::kit::send(&chain, req), server);
            (out.status, question)
        })
    }

    #[test]
    fn the_question_on_the_wire() {
        let said = "HTTP/1.1 204 No Content\r\nX-User: me\r\n\r\n";
        let headers = [("User-Agent", "test"), ("Content-Length", "2"), ("Cookie", "c=d")];
        let req = Request {
            body: Body::from("hi"),
            ..testing::request("POST", "/x?y", &headers)
        };
        let (status, question) = over_the_wire(req, said);
        let mut lines: Vec<&str> = question.trim_end().split("\r\n").collect();
        assert_eq!((status, lines.remove(0)), (200, "GET /check?a=1 HTTP/1.1"));
        lines.sort_unstable();
        let want = [
            "Cookie: c=d",
            "Host: AUTH",
            "User-Agent: test",
            "X-Forwarded-For: 10.0.0.9",
            "X-Forwarded-Host: a.test",
            "X-Forwarded-Method: POST",
            "X-Forwarded-Port: 80",
            "X-Forwarded-Proto: http",
            "X-Forwarded-Uri: /x?y",
        ];
        assert_eq!(lines, want);
    }

    #[test]
    fn what_cannot_be_built() {
        let check = |config: Config| assert!(!testing::build_error(|cx| build(&config, cx)).is_empty());
        check(Config {
            auth_response_headers_regex: "(".to_owned(),
            ..config()
        });
        let tls = |ca: &str, cert: &str| {
            Some(ClientTls {
                ca: ca.into(),
                cert: cert.into(),
                ..ClientTls::default()
            })
        };
        check(Config {
            tls: tls("no certificate", ""),
            ..config()
        });
        check(Config {
            tls: tls("", "without a key"),
            ..config()
        });
    }
}
