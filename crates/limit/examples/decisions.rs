//! Nanoseconds per decision of each kind of limit, over one and over many partitions.
//!
//!     cargo run --release -p trilithon-limit --example decisions

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};
use trilithon_limit::{
    Algorithm, Caller, Charges, Gcra, InFlight, Limit, Partition, Policy, Slot, Span, TokenBuckets, Window,
    clock,
};

const ROUNDS: u32 = 1_000_000;
const SECOND: u64 = 1_000_000_000;

fn measure(what: &str, names: &[String], mut decide: impl FnMut(&str)) {
    let mut best = Duration::MAX;
    for _ in 0..5 {
        let start = Instant::now();
        for n in 0..ROUNDS {
            decide(&names[n as usize % names.len()]);
        }
        best = best.min(start.elapsed());
    }
    println!(
        "{what:<28} {:>6} partitions {:>6.0} ns",
        names.len(),
        best.as_secs_f64() * 1e9 / f64::from(ROUNDS)
    );
}

fn limit(algorithm: Algorithm) -> Arc<Limit> {
    let policy = Policy {
        tenant: "".into(),
        policy: "p@file".into(),
        rule: "r".into(),
    };
    Arc::new(Limit::new(policy, algorithm))
}

fn main() {
    for partitions in [1, 10_000] {
        let names: Vec<String> = (0..partitions).map(|n| format!("caller-{n}")).collect();
        measure("the clock", &names, |_| _ = black_box(clock::now()));
        let buckets = TokenBuckets::new(1_000_000_000, Duration::from_secs(1), 1_000_000_000);
        measure("rateLimit", &names, |name| {
            _ = black_box(buckets.take(Partition::of(name.as_bytes()), clock::now()));
        });
        let counts = Arc::new(InFlight::default());
        measure("inFlightReq", &names, |name| {
            drop(black_box(Slot::take(&counts, Partition::of(name.as_bytes()), 10)));
        });
        let gcra = Gcra::new(1 << 40, SECOND, 1 << 40).expect("numbers above 0");
        let fixed = Window::new(1 << 40, Span::Fixed(SECOND)).expect("numbers above 0");
        let sliding = Window::new(1 << 40, Span::Sliding(SECOND)).expect("numbers above 0");
        for (what, algorithm) in [
            ("gcra", Algorithm::Gcra(gcra)),
            ("fixedWindow", Algorithm::Window(fixed)),
            ("slidingWindow", Algorithm::Window(sliding)),
            ("inFlight", Algorithm::InFlight(10)),
        ] {
            let limits = [limit(algorithm)];
            measure(&format!("limit: {what}"), &names, |name| {
                let caller = Caller::new(name.as_bytes());
                drop(black_box(Charges::reserve_now(&limits, caller, 1, clock::now())));
            });
        }
    }
}
