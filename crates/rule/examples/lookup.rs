//! Prints the cost of one lookup at growing numbers of routers: `cargo run --release -p trilithon-rule --example lookup`.

use std::hint::black_box;
use std::time::Instant;

use trilithon_rule::{RouteIndex, Rule, Sample, Syntax};

const ROUNDS: usize = 7;
const LOOKUPS: usize = 200_000;

fn main() {
    println!(
        "{:<14}{:>9}{:>12}{:>12}{:>14}",
        "layout", "routers", "ns/lookup", "fastest", "build ms"
    );
    for (layout, one_host) in [("10 per host", false), ("one host", true)] {
        for routers in [10, 1_000, 10_000] {
            measure(layout, routers, |i| {
                let host = if one_host {
                    "api.example.com".into()
                } else {
                    format!("svc{}.example.com", i / 10)
                };
                (
                    format!(
                        "Host(`{host}`) && PathPrefix(`/api/v{}/service-{i}/items`)",
                        i % 3
                    ),
                    host,
                )
            });
        }
    }
    for routers in [10, 1_000, 10_000] {
        measure("host regexp", routers, |i| {
            (
                format!(r"HostRegexp(`^[a-z0-9-]+\.site{i}\.example\.com$`)"),
                format!("www.site{i}.example.com"),
            )
        });
    }
    for routers in [10, 1_000, 10_000] {
        measure("with method", routers, |i| {
            let host = format!("svc{}.example.com", i / 10);
            (
                format!(
                    "Host(`{host}`) && PathPrefix(`/api/v{}/service-{i}/items`) && Method(`GET`)",
                    i % 3
                ),
                host,
            )
        });
    }
}

fn measure(layout: &str, routers: usize, make: impl Fn(usize) -> (String, String)) {
    let started = Instant::now();
    let mut routes = Vec::new();
    let mut requests = Vec::new();
    for i in 0..routers {
        let (text, host) = make(i);
        let rule = Rule::http(&text, Syntax::V3).expect("a sound rule");
        let priority = rule.default_priority();
        routes.push((rule, priority, 0, i));
        requests.push((
            i,
            Sample::get(&host, &format!("/api/v{}/service-{i}/items/12345/detail", i % 3)),
        ));
    }
    let index = RouteIndex::new(routes);
    let built = started.elapsed().as_secs_f64() * 1e3;
    let mut x = 12345u64;
    let order: Vec<usize> = (0..4096)
        .map(|_| {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            (x % routers as u64) as usize
        })
        .collect();
    let mut rounds: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let started = Instant::now();
            for n in 0..LOOKUPS {
                let (expected, facts) = &requests[order[n % order.len()]];
                assert_eq!(index.find(black_box(facts)), Some(expected));
            }
            started.elapsed().as_secs_f64() * 1e9 / LOOKUPS as f64
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    println!(
        "{layout:<14}{routers:>9}{:>12.1}{:>12.1}{built:>14.1}",
        rounds[ROUNDS / 2],
        rounds[0]
    );
}
