//! Active checks against real servers of this machine.

use super::{Ask, Probe, Server, Times, grpc, http, start, waiting};
use crate::testing::{self, Move, REQUEST, run};
use crate::{Settings, Transport};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use trilithon_model::dynamic::http::HealthCheck;

fn transport() -> Arc<Transport> {
    Arc::new(Transport::new("test", Settings::default()))
}

fn config() -> HealthCheck {
    HealthCheck {
        path: "/h".into(),
        ..HealthCheck::default()
    }
}

fn answer(status: &str, more: &str) -> Move {
    testing::send(format!("HTTP/1.1 {status}\r\n{more}Content-Length: 0\r\n\r\n"))
}

/// One check of a server that gives these answers -> what it found, and the heads that the server heard.
fn check(config: HealthCheck, answers: &[Move], want: Result<(), &str>, heard: &[&str]) {
    run(async {
        let script = answers
            .iter()
            .flat_map(|answer| [REQUEST, answer.clone()])
            .collect();
        let server = testing::Server::start(vec![script]).await;
        let ask = http::Ask::new(&config, &server.url(), &transport()).unwrap();
        assert_eq!(ask.run().await, want.map_err(str::to_owned));
        let text = server
            .heard(0)
            .replace(&format!("127.0.0.1:{}", server.port), "SERVER");
        for line in heard {
            assert!(text.contains(line), "{line:?} in {text:?}");
        }
        assert_eq!(text.matches("\r\n\r\n").count(), answers.len(), "{text}");
    });
}

#[test]
fn requests_and_their_answers() {
    let ok = || answer("200 OK", "");
    check(
        config(),
        &[ok()],
        Ok(()),
        &[
            "GET /h HTTP/1.1\r\n",
            "Host: SERVER\r\n",
            "trilithon-health-check",
        ],
    );
    check(config(), &[answer("204 No Content", "")], Ok(()), &[]);
    check(config(), &[answer("302 Found", "")], Ok(()), &[]);
    check(
        config(),
        &[answer("404 Not Found", "")],
        Err("received error status code: 404"),
        &[],
    );
    check(
        config(),
        &[answer("503 x", "")],
        Err("received error status code: 503"),
        &[],
    );

    let with = HealthCheck {
        method: "OPTIONS".into(),
        hostname: "a.test".into(),
        headers: [("X-A", "1"), ("Host", "ignored.test"), ("User-Agent", "own")]
            .map(|(n, v)| (n.into(), v.into()))
            .into(),
        ..config()
    };
    check(
        with,
        &[ok()],
        Ok(()),
        &[
            "OPTIONS /h HTTP/1.1",
            "Host: a.test\r\n",
            "X-A: 1\r\n",
            "User-Agent: own\r\n",
        ],
    );

    let exactly = |status| HealthCheck { status, ..config() };
    check(exactly(404), &[answer("404 x", "")], Ok(()), &[]);
    let why = "received error status code: 200 expected status code: 201";
    check(exactly(201), &[ok()], Err(why), &[]);
}

#[test]
fn redirections() {
    let moved = |status: &str, to: &str| answer(status, &format!("Location: {to}\r\n"));
    let ok = || answer("200 OK", "");
    check(
        config(),
        &[moved("302 Found", "/there?x"), ok()],
        Ok(()),
        &["GET /h ", "GET /there?x HTTP/1.1"],
    );
    check(
        config(),
        &[moved("301 x", "there"), answer("500 x", "")],
        Err("received error status code: 500"),
        &["GET /there "],
    );
    let post = HealthCheck {
        method: "POST".into(),
        ..config()
    };
    check(
        post.clone(),
        &[moved("303 x", "/a"), ok()],
        Ok(()),
        &["POST /h ", "GET /a "],
    );
    check(
        post,
        &[moved("307 x", "/a"), ok()],
        Ok(()),
        &["POST /h ", "POST /a "],
    );
    let stays = HealthCheck {
        follow_redirects: Some(false),
        ..config()
    };
    check(stays, &[moved("302 Found", "/there")], Ok(()), &[]);
    let round: Vec<_> = (0..11).map(|_| moved("302 x", "/h")).collect();
    check(config(), &round, Err("stopped after 10 redirects"), &[]);
}

#[test]
fn another_port() {
    run(async {
        let server = testing::Server::start(vec![vec![REQUEST, answer("200 OK", "")]]).await;
        let config = HealthCheck {
            port: i64::from(server.port),
            ..config()
        };
        let ask = http::Ask::new(&config, "http://127.0.0.1:1/base", &transport()).unwrap();
        assert_eq!(ask.run().await, Ok(()));
        assert!(server.heard(0).contains("GET /h HTTP/1.1"), "{}", server.heard(0));
    });
}

/// Yields until `done`; the test's own limit ends a wait that never does.
async fn eventually(done: impl Fn() -> bool) {
    while !done() {
        tokio::task::yield_now().await;
    }
}

fn times(interval: u64, unhealthy: u64) -> Times {
    Times {
        interval: Duration::from_millis(interval),
        unhealthy_interval: Duration::from_millis(unhealthy),
        timeout: Duration::from_secs(5),
    }
}

#[test]
fn a_server_goes_down_and_comes_back() {
    run(async {
        let script = vec![
            REQUEST,
            answer("200 OK", ""),
            REQUEST,
            answer("500 x", ""),
            REQUEST,
            answer("200 OK", ""),
        ];
        let upstream = testing::Server::start(vec![script]).await;
        let server = Arc::new(Server::new("loop@test", &upstream.url()));
        let ask = Ask::Http(http::Ask::new(&config(), &upstream.url(), &transport()).unwrap());
        let task = start(
            vec![Probe {
                server: server.clone(),
                ask,
            }],
            times(10, 15),
        );
        assert!(
            server.is_up() && upstream.connections() == 0,
            "up, and not asked at once"
        );
        eventually(|| !server.is_up()).await;
        assert_eq!(
            upstream.heard(0).matches("GET /h").count(),
            2,
            "well once, then unwell"
        );
        eventually(|| server.is_up()).await;
        assert!(server.is_well());
        drop(task);
    });
}

#[test]
fn a_path_that_names_another_server_is_never_asked() {
    let config = HealthCheck {
        path: "http://elsewhere.test/".into(),
        ..config()
    };
    let Err(error) = http::Ask::new(&config, "http://127.0.0.1:1", &transport()) else {
        panic!("refused")
    };
    let server = Arc::new(Server::new("never@test", "http://127.0.0.1:1"));
    let task = start(
        vec![Probe {
            server: server.clone(),
            ask: Ask::Never(error.message),
        }],
        times(1, 1000),
    );
    waiting::until("it counts as unwell", || !server.is_up());
    drop(task);
}

#[test]
fn a_silent_server_is_unwell_after_the_time_out() {
    run(async {
        let upstream = testing::Server::start(vec![vec![Move::Gone]]).await;
        let server = Arc::new(Server::new("silent@test", &upstream.url()));
        let ask = Ask::Http(http::Ask::new(&config(), &upstream.url(), &transport()).unwrap());
        let timeout = Duration::from_millis(20);
        let task = start(
            vec![Probe {
                server: server.clone(),
                ask,
            }],
            Times {
                timeout,
                ..times(5, 60_000)
            },
        );
        eventually(|| !server.is_up()).await;
        upstream.gone(1).await;
        drop(task);
    });
}

/// One gRPC check of a server that gives this message and status -> what it found, and what the server was asked.
fn check_grpc(scheme: &str, message: &'static [u8], code: &'static str, want: Result<(), &str>) {
    run(async move {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("{scheme}://{}", listener.local_addr().unwrap());
        tokio::task::spawn_local(async move {
            let (tcp, _) = listener.accept().await.unwrap();
            let mut connection = h2::server::handshake(tcp).await.unwrap();
            while let Some(Ok((request, mut respond))) = connection.accept().await {
                assert_eq!(request.uri().path(), "/grpc.health.v1.Health/Check");
                assert_eq!(request.headers()["content-type"], "application/grpc");
                assert_eq!(request.headers()["te"], "trailers");
                let head = ::http::Response::builder()
                    .header("content-type", "application/grpc")
                    .body(())
                    .unwrap();
                let mut body = respond.send_response(head, false).unwrap();
                body.send_data(bytes::Bytes::from_static(message), false).unwrap();
                let trailers = [("grpc-status", code)].map(|(n, v)| (n.parse().unwrap(), v.parse().unwrap()));
                body.send_trailers(trailers.into_iter().collect()).unwrap();
            }
        });
        let config = HealthCheck {
            mode: "grpc".into(),
            ..HealthCheck::default()
        };
        let ask = grpc::Ask::new(&config, &url, &transport()).unwrap();
        assert_eq!(ask.run().await, want.map_err(str::to_owned), "{scheme}");
    });
}

#[test]
fn grpc_health() {
    check_grpc("http", &[0, 0, 0, 0, 2, 8, 1], "0", Ok(()));
    check_grpc("h2c", &[0, 0, 0, 0, 2, 8, 1], "0", Ok(()));
    check_grpc(
        "h2c",
        &[0, 0, 0, 0, 2, 8, 2],
        "0",
        Err("received gRPC status code: 2"),
    );
    check_grpc(
        "h2c",
        &[],
        "12",
        Err("gRPC server does not implement the health protocol"),
    );
    check_grpc("h2c", &[], "14", Err("gRPC health check failed: code 14"));
}
