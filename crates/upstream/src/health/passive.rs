//! Passive checks: servers that fail the requests of clients are left out for a while.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use trilithon_flow::{Response, Side};
use trilithon_model::dynamic::http::PassiveHealthCheck;

/// When a server is taken out.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Failures that do it, within `window`. At least 1.
    pub attempts: usize,
    /// Also how long the server stays out.
    pub window: Duration,
}

impl Rule {
    pub fn of(config: &PassiveHealthCheck) -> Rule {
        let attempts = usize::try_from(config.max_failed_attempts).unwrap_or(0).max(1);
        Rule {
            attempts,
            window: config.failure_window.to_std(),
        }
    }
}

/// What an answer says of the server that gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Fine,
    Failed,
    /// It says nothing: the client went away, or the gateway refused.
    Nothing,
}

impl Verdict {
    /// A failure is a status of 500 or more, or no answer at all.
    pub fn of(res: &Response) -> Verdict {
        match res.fault.as_deref().map(|fault| fault.side()) {
            Some(Side::Client) => Verdict::Nothing,
            Some(Side::Upstream) => Verdict::Failed,
            _ if res.status >= 500 => Verdict::Failed,
            _ => Verdict::Fine,
        }
    }
}

/// The recent failures of one server.
#[derive(Default)]
pub struct Failures {
    times: Mutex<VecDeque<Instant>>,
    /// Their number, so that a server which never fails costs one read.
    count: AtomicUsize,
}

impl Failures {
    /// Adds a failure; says whether they are now too many.
    pub fn failed(&self, rule: Rule, now: Instant) -> bool {
        let mut times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        times.push_back(now);
        while times.len() > rule.attempts
            || times
                .front()
                .is_some_and(|&first| now.saturating_duration_since(first) >= rule.window && first != now)
        {
            times.pop_front();
        }
        self.count.store(times.len(), Ordering::Relaxed);
        times.len() >= rule.attempts
    }

    /// Forgets them: the server answered well.
    pub fn fine(&self) {
        if self.count.load(Ordering::Relaxed) > 0 {
            self.times.lock().unwrap_or_else(PoisonError::into_inner).clear();
            self.count.store(0, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use trilithon_flow::{Fault, FaultKind};

    /// Failures at seconds, `+` for a good answer -> at which of them the server is out.
    fn check(attempts: usize, window: u64, story: &[&str], want: &[u64]) {
        let (failures, start) = (Failures::default(), Instant::now());
        let rule = Rule {
            attempts,
            window: Duration::from_secs(window),
        };
        let mut out = Vec::new();
        for word in story {
            match word.parse::<u64>() {
                Ok(at) if failures.failed(rule, start + Duration::from_secs(at)) => out.push(at),
                Ok(_) => {}
                Err(_) => failures.fine(),
            }
        }
        assert_eq!(out, want, "{attempts} in {window}: {story:?}");
    }

    #[test]
    fn enough_failures_within_the_window() {
        check(1, 10, &["0", "50"], &[0, 50]);
        check(1, 0, &["0"], &[0]);
        check(2, 10, &["0", "9"], &[9]);
        check(2, 10, &["0", "10", "15"], &[15]);
        check(3, 10, &["0", "1", "fine", "2", "3", "4"], &[4]);
        check(3, 10, &["0", "1", "2", "3"], &[2, 3]);
    }

    #[test]
    fn verdicts() {
        let check = |res: Response, want: Verdict| assert_eq!(Verdict::of(&res), want, "{}", res.status);
        let fault = |kind| Response::from(Fault::new(kind, "x"));
        check(Response::new(200), Verdict::Fine);
        check(Response::new(404), Verdict::Fine);
        check(Response::new(500), Verdict::Failed);
        check(fault(FaultKind::Connect), Verdict::Failed);
        check(fault(FaultKind::ResponseTimeout), Verdict::Failed);
        check(fault(FaultKind::Unsupported), Verdict::Failed);
        check(fault(FaultKind::ClientGone), Verdict::Nothing);
        check(fault(FaultKind::TooLarge), Verdict::Fine);
    }
}
