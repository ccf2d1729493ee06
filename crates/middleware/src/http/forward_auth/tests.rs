use super::super::kit::{Act, Asked, Bench, Outcome, Script};
use super::super::testing;
use super::*;
use trilithon_model::dynamic::http::ClientTls;

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
