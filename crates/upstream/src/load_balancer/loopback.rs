//! With real servers of this machine.

use super::*;
use crate::Settings;
use crate::testing::{self, Move, REQUEST, run};
use std::sync::atomic::Ordering;
use trilithon_model::Duration;
use trilithon_model::dynamic::http as model;
use trilithon_model::dynamic::http::HealthCheck;

fn script(name: &str) -> Vec<Move> {
    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{name}", name.len());
    (0..9)
        .flat_map(|_| [REQUEST, Move::Send(answer.clone())])
        .collect()
}

fn build(urls: &[String], strategy: &str, check: Option<HealthCheck>) -> LoadBalancer {
    let servers = urls
        .iter()
        .map(|url| model::Server {
            url: url.clone(),
            ..Default::default()
        })
        .collect();
    let config = ServersLoadBalancer {
        servers,
        strategy: strategy.into(),
        health_check: check,
        ..ServersLoadBalancer::default()
    };
    let transport = Arc::new(Transport::new("test", Settings::default()));
    LoadBalancer::build("real@file", &config, transport, &Keep::default()).unwrap()
}

async fn ask(lb: &LoadBalancer, cx: &mut Exchange) -> String {
    testing::tell(lb.call(testing::get(), cx).await).await
}

#[test]
fn servers_answer_in_turn_and_are_recorded() {
    run(async {
        let (a, b) = (
            testing::Server::start(vec![script("a")]).await,
            testing::Server::start(vec![script("b")]).await,
        );
        for strategy in ["wrr", "p2c", "leasttime"] {
            let lb = build(&[a.url(), b.url()], strategy, None);
            let mut cx = testing::exchange();
            for _ in 0..3 {
                let answer = ask(&lb, &mut cx).await;
                let server = if answer == "200 a" { &a } else { &b };
                assert_eq!(cx.record.server_url.as_deref(), Some(&*server.url()), "{answer}");
                assert_eq!(cx.record.balancer.as_deref(), Some("real@file"));
            }
            let under_way = |m: &Member| m.load.under_way.load(Ordering::Relaxed);
            assert_eq!(
                lb.state.members.iter().map(under_way).sum::<u64>(),
                0,
                "{strategy}"
            );
        }
    });
}

#[test]
fn a_server_that_a_check_finds_dead_gets_nothing() {
    run(async {
        let alive = testing::Server::start(vec![script("a")]).await;
        let dead = "http://127.0.0.1:1".to_owned();
        let check = HealthCheck {
            path: "/h".into(),
            interval: Duration::from_millis(5),
            ..Default::default()
        };
        let check = HealthCheck {
            unhealthy_interval: Some(Duration::from_secs(60)),
            ..check
        };
        let lb = build(&[alive.url(), dead.clone()], "wrr", Some(check));
        while lb.state.servers[1].is_up() {
            tokio::task::yield_now().await;
        }
        assert_eq!(lb.server_status()[1], (dead, false));
        let mut cx = testing::exchange();
        assert_eq!(
            [ask(&lb, &mut cx).await, ask(&lb, &mut cx).await],
            ["200 a", "200 a"]
        );
        assert!(lb.status().unwrap().is_up());
    });
}
