//! Nothing is lost or crossed when servers restart and the gateway reloads.

use super::client::{Client, said};
use super::tools::Tools;
use crate::world::INSTALL;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use trilithon_testkit::{Gateway, PATIENCE, until};

const SERVERS: [&str; 5] = ["s1", "s2", "s3", "s4", "s5"];
const THREADS: usize = 8;
const SESSIONS: usize = 200;
/// Calls in each session.
const CALLS: usize = 15;

/// Five servers as one; `turn` changes something that has nothing to do with them.
fn five(turn: usize) -> String {
    let servers: String = SERVERS
        .iter()
        .map(|s| format!("{{name: {s}, service: {s}}}, "))
        .collect();
    let services: String = SERVERS
        .iter()
        .map(|s| format!("    {s}: {{loadBalancer: {{servers: [{{url: 'http://127.0.0.1:@{s}@'}}]}}}}\n"))
        .collect();
    format!(
        "http:\n  routers:\n    all: {{rule: 'Host(`all.test`)', service: all}}\n    turn: {{rule: 'Host(`turn-{turn}.test`)', service: all}}\n  services:\n    all: {{mcpServers: {{servers: [{servers}]}}}}\n{services}"
    )
}

#[test]
fn no_answer_is_lost_and_no_session_crossed() {
    let tools = SERVERS.map(Tools::new);
    let mut gateway = Gateway::new(env!("CARGO_BIN_EXE_trilithon"))
        .install(INSTALL)
        .routing(&five(0));
    for (name, tools) in SERVERS.iter().zip(&tools) {
        gateway = gateway.upstream(name, tools.upstream());
    }
    let gateway = gateway.start();
    let over = AtomicBool::new(false);
    let (answered, failed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        let workers: Vec<_> = (0..THREADS)
            .map(|thread| {
                let (gateway, answered, failed) = (&gateway, &answered, &failed);
                scope.spawn(move || {
                    let mut sessions: Vec<(String, Client)> = (0..SESSIONS / THREADS)
                        .map(|n| {
                            let name = format!("client-{thread}-{n}");
                            let mut client = Client::new(gateway, "all.test", &[]);
                            client.open(&name);
                            (name, client)
                        })
                        .collect();
                    for turn in 0..CALLS {
                        for (name, client) in &mut sessions {
                            let server = SERVERS[(turn + name.len() + thread) % SERVERS.len()];
                            let nonce = format!("{name}/{turn}");
                            let want = format!("{server}:\"whoami\":\"{nonce}\":{name}");
                            // A server that restarts is an error that names it, at once, and then an answer.
                            let answer = until(PATIENCE, || {
                                let answer = client.call(&format!("{server}_whoami"), &nonce);
                                let is_error = answer["error"]["code"] == -32603;
                                failed.fetch_add(usize::from(is_error), Ordering::Relaxed);
                                (!is_error).then_some(answer)
                            });
                            assert_eq!(said(&answer.expect("an answer")), want);
                            answered.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                })
            })
            .collect();
        let unrest = scope.spawn(|| {
            let mut turn = 0;
            while !over.load(Ordering::Relaxed) {
                let at = turn % SERVERS.len();
                gateway.upstream(SERVERS[at]).down();
                tools[at].forget();
                gateway.upstream(SERVERS[at]).back();
                turn += 1;
                gateway.rewrite_routing(&five(turn));
                let host = format!("turn-{turn}.test");
                until(PATIENCE, || {
                    (gateway.get(&host, "/mcp").status != 404).then_some(())
                });
            }
            turn
        });
        let ended: Vec<_> = workers.into_iter().map(thread::ScopedJoinHandle::join).collect();
        over.store(true, Ordering::Relaxed);
        let turns = unrest.join().expect("servers restart and the gateway reloads");
        assert!(ended.iter().all(Result::is_ok), "a worker failed");
        assert!(turns >= SERVERS.len(), "{turns} restarts");
    });
    assert_eq!(answered.load(Ordering::Relaxed), SESSIONS * CALLS);
    let opened: usize = tools.iter().map(|t| t.opened.load(Ordering::Relaxed)).sum();
    assert!(
        opened > SESSIONS * SERVERS.len(),
        "sessions were opened anew: {opened}"
    );
}
