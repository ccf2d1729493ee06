//! Rendezvous hashing (highest random weight): every client address has its own order of the candidates.
//!
//! A candidate that comes or goes moves only the clients it takes or leaves.

/// One of `candidates` (name and weight), for the client at `source`.
pub fn pick<'a>(
    source: &[u8],
    candidates: impl Iterator<Item = (&'a str, f64)>,
    up: impl Fn(usize) -> bool,
) -> Option<usize> {
    let mut best: Option<(usize, f64)> = None;
    for (index, (name, weight)) in candidates.enumerate() {
        if weight <= 0.0 || !up(index) {
            continue;
        }
        let score = score(source, name.as_bytes(), weight);
        if best.is_none_or(|(_, highest)| score > highest) {
            best = Some((index, score));
        }
    }
    best.map(|(index, _)| index)
}

/// `weight / -ln(hash / 2^64)` over client address and name.
fn score(source: &[u8], name: &[u8], weight: f64) -> f64 {
    let hash = fnv1a([source, name]) as f64 / 2f64.powi(64);
    weight / -hash.ln()
}

/// FNV-1a, 64 bits, over the parts one after the other.
fn fnv1a(parts: [&[u8]; 2]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    parts
        .iter()
        .flat_map(|part| part.iter())
        .fold(0xcbf2_9ce4_8422_2325, step)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::balancer::simulation::check_shares;

    const ALL: [(&str, f64); 3] = [("s1", 1.0), ("s2", 1.0), ("s3", 1.0)];

    fn check(candidates: &[(&str, f64)], want: [&str; 8]) {
        let got = (1..9).map(|n| {
            let source = format!("127.0.0.{n}");
            candidates[pick(source.as_bytes(), candidates.iter().copied(), |_| true).unwrap()].0
        });
        assert_eq!(got.collect::<Vec<_>>(), want);
    }

    #[test]
    fn as_measured() {
        check(&ALL, ["s1", "s3", "s2", "s1", "s1", "s3", "s2", "s1"]);
        let weighted = [("alpha", 2.0), ("beta", 1.0), ("s3", 0.0)];
        check(
            &weighted,
            [
                "beta", "alpha", "alpha", "alpha", "alpha", "beta", "alpha", "beta",
            ],
        );
    }

    #[test]
    fn weights_are_shares_of_the_clients() {
        let names = [
            "http://alpha.example:80",
            "http://b.test",
            "https://10.11.12.13:8443/x",
        ];
        let weights = [5.0, 3.0, 2.0];
        let mut random = fastrand::Rng::with_seed(1);
        let mut counts = [0usize; 3];
        for _ in 0..40_000 {
            let source = std::net::Ipv4Addr::from(random.u32(..)).to_string();
            let candidates = names.iter().copied().zip(weights);
            counts[pick(source.as_bytes(), candidates, |_| true).unwrap()] += 1;
        }
        check_shares(&counts.map(|n| n as f64 / 40_000.0), &weights);
    }

    #[test]
    fn only_the_clients_of_a_lost_server_move() {
        for n in 0..=255 {
            let source = format!("10.0.0.{n}");
            let with = pick(source.as_bytes(), ALL.into_iter(), |_| true);
            let without = pick(source.as_bytes(), ALL.into_iter(), |i| i != 1);
            assert_ne!(without, Some(1));
            assert!(with == Some(1) || with == without, "{source}");
        }
        assert_eq!(pick(b"x", ALL.into_iter(), |_| false), None);
    }
}
