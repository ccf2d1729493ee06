use crate::testing::*;
use trilithon_flow::{Exchange, Method, Request, Service};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

/// The head that the server gets, without `Host`.
fn check(req: Request, edit: impl FnOnce(&mut crate::Forward, &mut Exchange), want: &str) {
    run(async {
        let server = Server::start(vec![vec![REQUEST, send(OK)]]).await;
        let (mut forward, mut cx) = (forward(&format!("{}/base", server.url())), exchange());
        edit(&mut forward, &mut cx);
        forward.call(req, &mut cx).await;
        let port = format!(":{}", server.port);
        assert_eq!(server.heard(0).replace(&port, "").replace("\r\n", "|"), want);
    });
}

fn with(fields: &[(&str, &str)]) -> Request {
    let mut req = request("GET", "/", &[("Host", "a.test")]);
    fields
        .iter()
        .for_each(|(name, value)| req.headers.append(name, value));
    req
}

fn as_it_is(_: &mut crate::Forward, _: &mut Exchange) {}

#[test]
fn who_the_client_is() {
    let head = |rest: &str| format!("GET / HTTP/1.1|Host: a.test|{rest}|");
    check(with(&[]), as_it_is, &head("X-Forwarded-For: 192.0.2.7|"));
    check(
        with(&[("X-Forwarded-For", "1.1.1.1"), ("X-A", "b")]),
        as_it_is,
        &head("X-Forwarded-For: 1.1.1.1, 192.0.2.7|X-A: b|"),
    );
    let two = [
        ("X-Forwarded-For", "1.1.1.1"),
        ("X-Forwarded-For", "2.2.2.2, 3.3.3.3"),
    ];
    check(
        with(&two),
        as_it_is,
        &head("X-Forwarded-For: 1.1.1.1, 2.2.2.2, 3.3.3.3, 192.0.2.7|"),
    );
    check(
        with(&[("X-Forwarded-For", "")]),
        as_it_is,
        &head("X-Forwarded-For: 192.0.2.7|"),
    );
    check(with(&[]), |_, cx| cx.not_append_forwarded_for = true, &head(""));
    check(
        with(&[("X-Forwarded-For", "9")]),
        |_, cx| cx.not_append_forwarded_for = true,
        &head("X-Forwarded-For: 9|"),
    );
}

#[test]
fn what_the_server_is_not_told() {
    let head = |rest: &str| format!("GET / HTTP/1.1|Host: a.test|{rest}X-Forwarded-For: 192.0.2.7||");
    let told = |fields: &[(&str, &str)], want: &str| check(with(fields), as_it_is, &head(want));
    told(
        &[("Connection", "X-A, close"), ("X-A", "1"), ("X-B", "2")],
        "X-B: 2|",
    );
    told(
        &[
            ("Keep-Alive", "5"),
            ("Proxy-Authorization", "x"),
            ("Http2-Settings", "x"),
            ("Upgrade", "h2c"),
        ],
        "",
    );
    told(&[("Trailer", "X-Sum")], "");
    told(&[("Content-Length", "5")], "");
    told(
        &[
            ("Forwarded", "for=1"),
            ("Via", "x"),
            ("Cookie", "a=1"),
            ("Cookie", "b=2"),
        ],
        "Forwarded: for=1|Via: x|Cookie: a=1|Cookie: b=2|",
    );
    let teased = |te: &str, want: &str| {
        let end = format!("GET / HTTP/1.1|Host: a.test|X-Forwarded-For: 192.0.2.7|{want}|");
        check(with(&[("Te", te)]), as_it_is, &end);
    };
    teased("gzip, Trailers", "Te: trailers|");
    teased("gzip", "");
}

#[test]
fn where_it_goes() {
    let line = |target: &str, edit: fn(&mut crate::Forward, &mut Exchange), want: &str| {
        let want = format!("GET {want} HTTP/1.1|Host: a.test|X-Forwarded-For: 192.0.2.7||");
        check(request("GET", target, &[("Host", "a.test")]), edit, &want);
    };
    line("/x%2Fy?a;b;c", as_it_is, "/x%2Fy?a&b&c");
    line("/x?", as_it_is, "/x?");
    line("/x?q", |f, _| f.preserve_path = true, "/base/x?q");
    let slash: fn(&mut crate::Forward, &mut Exchange) = |f, _| {
        f.preserve_path = true;
        f.origin.path = "/b%2Fc/".into();
    };
    line("/x%2Fy", slash, "/b%2Fc/x%2Fy");
}

#[test]
fn which_host_is_named() {
    let get = |host: &str, edit: fn(&mut crate::Forward, &mut Exchange), want: &str| {
        let want = format!("GET / HTTP/1.1|Host: {want}|X-Forwarded-For: 192.0.2.7||");
        check(request("GET", "/", &[("Host", host)]), edit, &want);
    };
    get("A.test", as_it_is, "A.test");
    get("", as_it_is, "127.0.0.1");
    get("a.test", |f, _| f.pass_host_header = false, "127.0.0.1");
}

#[test]
fn upgrades() {
    let asking = |to: &str, want: &str| {
        let req = Request {
            upgrade: Some(to.into()),
            ..with(&[("Sec-Websocket-Version", "13")])
        };
        check(req, as_it_is, &format!("GET / HTTP/1.1|Host: a.test|{want}|"));
    };
    let websocket =
        "Sec-WebSocket-Version: 13|X-Forwarded-For: 192.0.2.7|Connection: Upgrade|Upgrade: websocket|";
    asking("websocket", websocket);
    asking("h2c, websocket", websocket);
    asking("h2c", "Sec-Websocket-Version: 13|X-Forwarded-For: 192.0.2.7|");
}

#[test]
fn an_extended_connect_becomes_a_get() {
    run(async {
        let server = Server::start(vec![vec![REQUEST, send(OK)]]).await;
        let mut req = with(&[]);
        req.method = Method::Connect;
        req.upgrade = Some("websocket".into());
        forward(&server.url()).call(req, &mut exchange()).await;
        let heard = server.heard(0);
        assert!(heard.starts_with("GET / HTTP/1.1\r\n"), "{heard}");
        let key = heard
            .split("Sec-WebSocket-Key: ")
            .nth(1)
            .and_then(|rest| rest.split("\r\n").next());
        assert_eq!(key.map(str::len), Some(24), "{heard}");
    });
}

#[test]
fn no_server_to_ask() {
    let check = |url: &str, want: &str| {
        run(async {
            assert_eq!(ask(&forward(url), get()).await, want);
        });
    };
    check("ftp://127.0.0.1", "500 Unsupported unsent");
    check("http://127.0.0.1:1", "502 Connect unsent");
    check("http://", "500 Unsupported unsent");
    check("http://no-such-name.invalid", "502 Connect unsent");
}

#[test]
fn a_request_under_way_is_small() {
    let (forward, mut cx) = (forward("http://a.test"), exchange());
    let call = forward.call(get(), &mut cx);
    let size = std::mem::size_of_val(&*call);
    assert!(size <= 1024, "{size} bytes");
}
