//! Prints what a trace costs an exchange: `cargo run --release -p trilithon-flow --example trace`.

use std::hint::black_box;
use std::time::Instant;

use trilithon_flow::trace::{Capture, Propagators, Tracer};
use trilithon_flow::{Headers, Record, Request};

const ROUNDS: usize = 7;
const EXCHANGES: u32 = 200_000;

/// What curl sends, and what the gateway adds.
const FIELDS: [(&str, &str); 9] = [
    ("Host", "shop.test"),
    ("User-Agent", "curl/8.5.0"),
    ("Accept", "*/*"),
    ("X-Forwarded-For", "10.0.0.1"),
    ("X-Forwarded-Host", "shop.test"),
    ("X-Forwarded-Port", "80"),
    ("X-Forwarded-Proto", "http"),
    ("X-Forwarded-Server", "edge"),
    ("X-Real-Ip", "10.0.0.1"),
];
const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

fn main() {
    let headers: Headers = FIELDS.into_iter().collect();
    let mut with_parent = headers.clone();
    with_parent.append("traceparent", PARENT);
    println!("{:<36}{:>12}", "exchange", "ns more");
    let nothing = time(None, &headers);
    for (name, share, headers) in [
        ("not sampled", 0.0, &headers),
        ("not sampled, in a caller's trace", 0.0, &with_parent),
        ("sampled, one call", 1.0, &headers),
    ] {
        let tracer = Tracer::new(Propagators::read(None).0, share, Capture::default());
        println!("{name:<36}{:>12.0}", time(Some(&tracer), headers) - nothing);
    }
}

/// Nanoseconds for one exchange, the median of the rounds.
fn time(tracer: Option<&Tracer>, headers: &Headers) -> f64 {
    let mut rounds: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let started = Instant::now();
            for _ in 0..EXCHANGES {
                exchange(tracer, headers);
            }
            started.elapsed().as_nanos() as f64 / f64::from(EXCHANGES)
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    rounds[ROUNDS / 2]
}

fn exchange(tracer: Option<&Tracer>, headers: &Headers) {
    let mut req = Request {
        headers: headers.clone(),
        ..Request::default()
    };
    let mut record = Record::default();
    if let Some(tracer) = tracer {
        record.trace = Some(Box::new(tracer.begin(&req.headers)));
    }
    record.note_request(&req);
    if record.trace.is_some() {
        let call = record.call("ReverseProxy", &mut req, "http", "127.0.0.1:80");
        record.leave(&call);
    }
    black_box((record, req));
}
