//! Power of two choices: of two candidates drawn at random, the one with fewer requests under way. Weights do not matter.

use super::nth_up;

/// One of `candidates`. `load` counts requests under way; `random(n)` draws from `0..n`.
pub fn pick(
    candidates: usize,
    up: impl Fn(usize) -> bool,
    load: impl Fn(usize) -> u64,
    mut random: impl FnMut(usize) -> usize,
) -> Option<usize> {
    match (0..candidates).filter(|&i| up(i)).count() {
        0 => None,
        1 => nth_up(candidates, 0, &up),
        n => {
            let first = random(n);
            // Drawn from the others, so that the two differ.
            let second = random(n - 1);
            let second = second + usize::from(second >= first);
            let (first, second) = (nth_up(candidates, first, &up)?, nth_up(candidates, second, &up)?);
            Some(if load(second) < load(first) { second } else { first })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::balancer::simulation::{check_shares, shares};

    fn check(up: &[bool], load: &[u64], draws: [usize; 2], want: Option<usize>) {
        let mut draws = draws.into_iter();
        let got = pick(up.len(), |i| up[i], |i| load[i], |n| draws.next().unwrap() % n);
        assert_eq!(got, want, "{up:?} {load:?}");
    }

    #[test]
    fn the_less_busy_of_two() {
        let all = &[true, true, true];
        check(&[], &[], [0, 0], None);
        check(&[false, false], &[0, 0], [0, 0], None);
        check(&[false, true], &[0, 9], [0, 0], Some(1));
        check(all, &[0, 0, 0], [1, 0], Some(1));
        check(all, &[0, 5, 4], [1, 1], Some(2));
        check(all, &[0, 5, 4], [2, 1], Some(2));
        check(&[true, false, true], &[3, 0, 2], [0, 0], Some(2));
    }

    #[test]
    fn alike_servers_share_alike_and_those_down_get_nothing() {
        let mut random = fastrand::Rng::with_seed(7);
        let mut run =
            |down: usize| shares(4, 40_000, || pick(4, |i| i != down, |_| 0, |n| random.usize(..n)));
        check_shares(&run(9), &[1.0; 4]);
        check_shares(&run(2), &[1.0, 1.0, 0.0, 1.0]);
        check_shares(&run(9), &[1.0; 4]);
    }
}
