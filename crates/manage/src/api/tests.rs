use super::*;
use serde_json::{Value, json};
use std::rc::Rc;
use std::sync::OnceLock;
use trilithon_engine::report::Entry;
use trilithon_flow::{Connection, Target};
use trilithon_model::dynamic::Configuration;
use trilithon_model::dynamic::http::Router;
use trilithon_model::{Problems, Source, dialect};

/// A routing configuration out of YAML.
fn routing(yaml: &str) -> Configuration {
    let (configuration, problems) = trilithon_model::routing_file(&Source::text("t.yml", yaml));
    assert!(!problems.void_file(), "{problems:?}");
    configuration
}

fn report() -> Report {
    let configuration = routing(
        "http:\n  routers:\n    b: {rule: 'Host(`b.test`)', service: s, entryPoints: [web], middlewares: [m], tls: {}}\n    a: {rule: Path(`/`), service: s@x}\n  services:\n    s: {loadBalancer: {servers: [{url: 'http://a'}]}}\n  middlewares:\n    m: {chain: {middlewares: [n]}}\n",
    );
    let mut report = Report::default();
    for (name, router) in &configuration.http.routers {
        let mut entry: Entry<Router> = Entry::new(router.clone());
        entry.priority = router.rule.len() as i64;
        entry.using = vec!["web".into()];
        report.routers.insert(format!("{name}@file"), entry);
    }
    report.routers.get_mut("a@file").unwrap().disable("no luck");
    let service = configuration.http.services["s"].clone();
    report.services.insert("s@file".into(), Entry::new(service));
    let mut chain = Entry::new(configuration.http.middlewares["m"].clone());
    chain.used_by = vec!["b@file".into()];
    report.middlewares.insert("m@file".into(), chain);
    report
}

fn names(items: Vec<Item<'_>>, query: &str) -> Value {
    let all: Value = serde_json::from_slice(&list::answer(items, &Params::of(query)).body).unwrap();
    all.as_array()
        .map_or(all.clone(), |l| l.iter().map(|v| v["name"].clone()).collect())
}

#[test]
fn objects() {
    let report = report();
    let one = |items: Vec<Item<'_>>, name: &str| items.iter().find(|i| i.name == name).unwrap().render();
    assert_eq!(
        one(http::routers(&report), "b@file"),
        json!({
            "entryPoints": ["web"], "middlewares": ["m@file"], "service": "s", "rule": "Host(`b.test`)", "priority": 14, "priorityStr": "14",
            "tls": {"options": "default"}, "status": "enabled", "using": ["web"], "name": "b@file", "provider": "file",
            "observability": {"accessLogs": true, "metrics": true, "tracing": true, "traceVerbosity": "minimal"},
        })
    );
    assert_eq!(one(http::routers(&report), "a@file")["error"], json!(["no luck"]));
    assert_eq!(
        one(http::middlewares(&report), "m@file"),
        json!({"chain": {"middlewares": ["n@file"]}, "status": "enabled", "usedBy": ["b@file"], "name": "m@file", "provider": "file", "type": "chain"})
    );
    let raw = raw_data(&report);
    assert_eq!(
        raw.as_object().unwrap().keys().collect::<Vec<_>>(),
        ["routers", "middlewares", "services"]
    );
    for key in ["name", "provider", "priorityStr", "type"] {
        assert_eq!(raw["routers"]["b@file"].get(key), None, "{key}");
    }
}

#[test]
fn lists() {
    let report = report();
    let check = |query: &str, want: Value| assert_eq!(names(http::routers(&report), query), want, "{query}");
    check("", json!(["a@file", "b@file"]));
    check("direction=desc", json!(["b@file", "a@file"]));
    check("status=disabled", json!(["a@file"]));
    check("search=B.TEST", json!(["b@file"]));
    check("sortBy=status", json!(["a@file", "b@file"]));
    check("sortBy=priority&direction=desc", json!(["b@file", "a@file"]));
    check("serviceName=s@file", json!(["b@file"]));
    check("serviceName=s@x", json!(["a@file", "b@file"]));
    check("middlewareName=m@file", json!(["b@file"]));
    check("middlewareName=m", json!([]));
    check(
        "page=2",
        json!({"message": "invalid request: page: 2, per_page: 100"}),
    );
    assert_eq!(
        names(http::services(&report), "serviceName=zzz"),
        json!(["s@file"])
    );
}

#[test]
fn a_router_that_is_served_nowhere_has_the_priority_it_was_given() {
    let mut report = report();
    report.routers.get_mut("b@file").unwrap().using.clear();
    let b = http::routers(&report).pop().unwrap().render();
    assert_eq!((b.get("priority"), &b["priorityStr"]), (None, &json!("0")));
}

#[test]
fn names_of_users_are_shown_and_secrets_are_not() {
    let configuration = routing(
        "http:\n  middlewares:\n    b: {basicAuth: {users: ['u:h']}}\n    r: {rateLimit: {redis: {password: secret}}}\n",
    );
    let mut report = Report::default();
    for (name, middleware) in &configuration.http.middlewares {
        report
            .middlewares
            .insert(format!("{name}@file"), Entry::new(middleware.clone()));
    }
    let shown: Vec<Value> = http::middlewares(&report).iter().map(Item::render).collect();
    assert_eq!(shown[0]["basicAuth"], json!({"users": ["u:xxxx"]}));
    assert_eq!(shown[1]["rateLimit"]["redis"]["password"], "xxxx");
}

fn context(yaml: &str) -> Context {
    let mut problems = Problems::default();
    let node = dialect::parse(&Source::text("install.yml", yaml), &mut problems).unwrap();
    let (mut install, more) = trilithon_model::decode_static(&node);
    assert!(problems.is_empty() && more.is_empty(), "{more:?}");
    install.finish(&node);
    Context::new(Arc::new(install), Arc::new(OnceLock::new()), None)
}

/// Asks the service: status, content type, body.
fn ask(context: &Context, method: &str, target: &str) -> (u16, String, String) {
    let api = Api::new(context.clone(), Some(Arc::new(Dashboard::new())));
    let req = Request {
        method: Method::of(method.as_bytes()),
        target: Target::new(target),
        ..Request::default()
    };
    let peer = "127.0.0.1:1".parse().unwrap();
    let mut cx = Exchange::new(
        Rc::new(Connection::new(peer, peer, "web".into(), None)),
        Rc::default(),
    );
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let res = runtime.block_on(api.call(req, &mut cx));
    let body = res
        .body
        .bytes()
        .map(|b| String::from_utf8_lossy(b).into_owned())
        .unwrap_or_default();
    (
        res.status,
        res.headers
            .get_str("Content-Type")
            .or(res.headers.get_str("Location"))
            .unwrap_or_default()
            .to_owned(),
        body,
    )
}

const INSTALL: &str = "entryPoints: {web: {address: ':80'}, quic: {address: ':81/udp'}}\napi: {dashboardName: Mine, basePath: /base}\nproviders: {file: {filename: x}, rest: {}}\nmetrics: {prometheus: {}}\n";

#[test]
fn paths_and_methods() {
    let context = context(INSTALL);
    let check = |method: &str, path: &str, want: u16| {
        assert_eq!(ask(&context, method, path).0, want, "{method} {path}")
    };
    check("GET", "/base/api/overview", 200);
    check("GET", "/base/api/rawdata", 200);
    check("GET", "/base/api/support-dump", 200);
    check("GET", "/api/overview", 404);
    for method in ["HEAD", "POST", "OPTIONS", "DELETE"] {
        check(method, "/base/api/overview", 405);
    }
    for path in [
        "/base/api",
        "/base/api/",
        "/base/api/nope",
        "/base/api/http",
        "/base/api/http/routers/",
        "/base/api/entrypoints/web/",
        "/base/api/entrypoints/w%2Fb",
    ] {
        check("GET", path, 404);
    }
    check("GET", "/base/api/entrypoints/w%65b", 200);
    check("GET", "/base", 302);
    check("GET", "/base/dashboard/", 200);
    check("GET", "/base/dashboard/nope", 404);
}

#[test]
fn answers() {
    let context = context(INSTALL);
    let (status, kind, body) = ask(&context, "GET", "/base/api/http/routers/nope@file");
    assert_eq!(
        (status, kind.as_str(), body.as_str()),
        (
            404,
            "text/plain; charset=utf-8",
            "{\"message\":\"router not found: nope@file\"}\n"
        )
    );
    let (_, kind, body) = ask(&context, "GET", "/base/api/version");
    assert_eq!(kind, "application/json; charset=UTF-8");
    let version: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        version.as_object().unwrap().keys().collect::<Vec<_>>(),
        ["Version", "Codename", "startDate", "dashboardName"]
    );
    let (_, kind, body) = ask(&context, "GET", "/base/api/overview");
    assert_eq!(kind, "application/json");
    let none = json!({"total": 0, "warnings": 0, "errors": 0});
    let all = json!({"routers": none, "services": none, "middlewares": none});
    assert_eq!(
        serde_json::from_str::<Value>(&body).unwrap(),
        json!({
            "http": all, "tcp": all, "udp": {"routers": none, "services": none}, "certificates": none,
            "features": {"tracing": "", "metrics": "Prometheus", "accessLog": false}, "providers": ["File", "Rest"],
        })
    );
    let (_, _, body) = ask(&context, "GET", "/base/api/entrypoints/web");
    assert_eq!(
        serde_json::from_str::<Value>(&body).unwrap(),
        json!({
            "address": ":80", "forwardedHeaders": {}, "name": "web", "udp": {"timeout": "3s"},
            "http": {"maxHeaderBytes": 1048576, "sanitizePath": true, "underscoreHeadersStrategy": "keep"},
            "http2": {"maxConcurrentStreams": 250, "maxDecoderHeaderTableSize": 4096, "maxEncoderHeaderTableSize": 4096},
            "transport": {"lifeCycle": {"graceTimeOut": "10s"}, "respondingTimeouts": {"idleTimeout": "3m0s", "readTimeout": "1m0s"}},
        })
    );
    assert_eq!(ask(&context, "GET", "/base").1, "text/html; charset=utf-8");
}

const STREAMS: &str = "
tcp:
  routers:
    t: {rule: 'HostSNI(`*`)', service: t, entryPoints: [web], middlewares: [tin]}
  services:
    t: {loadBalancer: {servers: [{address: '127.0.0.1:1'}], serversTransport: tr}}
  middlewares:
    tin: {inFlightConn: {amount: 5}}
udp:
  routers:
    u: {service: u}
  services:
    u: {loadBalancer: {servers: [{address: '127.0.0.1:1'}]}}
";

/// TCP and UDP objects as the engine reports them.
fn stream_report() -> Report {
    let configuration = routing(STREAMS);
    let mut report = Report::default();
    let mut router = Entry::new(configuration.tcp.routers["t"].clone());
    (router.priority, router.using) = (-1, vec!["web".into()]);
    report.tcp_routers.insert("t@file".into(), router);
    let mut service = Entry::new(configuration.tcp.services["t"].clone());
    service.used_by = vec!["t@file".into()];
    report.tcp_services.insert("t@file".into(), service);
    report
        .tcp_backends
        .insert("t@file".into(), std::sync::Arc::new(Servers));
    let middleware = Entry::new(configuration.tcp.middlewares["tin"].clone());
    report.tcp_middlewares.insert("tin@file".into(), middleware);
    let mut router = Entry::new(configuration.udp.routers["u"].clone());
    router.disable("no luck");
    report.udp_routers.insert("u@file".into(), router);
    let service = Entry::new(configuration.udp.services["u"].clone());
    report.udp_services.insert("u@file".into(), service);
    report
}

/// A TCP service with one server that is well and one that is not.
struct Servers;

impl trilithon_upstream::tcp::Backend for Servers {
    fn pick(&self) -> Option<trilithon_upstream::tcp::Target> {
        None
    }
    fn server_status(&self) -> Vec<(String, bool)> {
        vec![("127.0.0.1:1".into(), true), ("127.0.0.1:2".into(), false)]
    }
}

#[test]
fn streams() {
    let report = stream_report();
    let check = |items: Vec<Item<'_>>, want: Value| {
        let all: Vec<Value> = items.iter().map(Item::render).collect();
        assert_eq!(all, [want]);
    };
    check(
        streams::tcp_routers(&report),
        json!({
            "entryPoints": ["web"], "middlewares": ["tin@file"], "name": "t@file", "priority": -1, "priorityStr": "-1", "provider": "file",
            "rule": "HostSNI(`*`)", "service": "t", "status": "enabled", "using": ["web"],
        }),
    );
    check(
        streams::tcp_services(&report),
        json!({
            "loadBalancer": {"servers": [{"address": "127.0.0.1:1"}], "serversTransport": "tr@file"}, "name": "t@file", "provider": "file",
            "serverStatus": {"127.0.0.1:1": "UP", "127.0.0.1:2": "DOWN"}, "status": "enabled", "type": "loadbalancer", "usedBy": ["t@file"],
        }),
    );
    check(
        streams::tcp_middlewares(&report),
        json!({"inFlightConn": {"amount": 5}, "name": "tin@file", "provider": "file", "status": "enabled", "type": "inflightconn"}),
    );
    check(
        streams::udp_routers(&report),
        json!({"error": ["no luck"], "name": "u@file", "provider": "file", "service": "u", "status": "disabled"}),
    );
    check(
        streams::udp_services(&report),
        json!({"loadBalancer": {"servers": [{"address": "127.0.0.1:1"}]}, "name": "u@file", "provider": "file", "status": "enabled", "type": "loadbalancer"}),
    );
    let raw = raw_data(&report);
    let kinds = [
        "tcpRouters",
        "tcpServices",
        "tcpMiddlewares",
        "udpRouters",
        "udpServices",
    ];
    assert!(
        kinds
            .iter()
            .all(|kind| raw[kind].as_object().is_some_and(|all| all.len() == 1)),
        "{raw}"
    );
}
