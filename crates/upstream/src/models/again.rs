//! Asking the same target once more: how often, and after what wait.

use super::class::Class;
use super::number;
use std::time::Duration;
use trilithon_flow::BuildError;
use trilithon_model::dynamic::http::ModelRetry as Config;

/// `failover.retry`.
pub struct Again {
    attempts: u32,
    initial: Duration,
    /// The longest wait; who wants to be left alone for longer is not asked again.
    longest: Duration,
}

impl Again {
    /// # Errors
    /// A number of attempts that is none.
    pub fn build(config: &Config) -> Result<Again, BuildError> {
        Ok(Again {
            attempts: number("failover.retry.attempts", config.attempts, 1)?,
            initial: config.initial_interval.to_std(),
            longest: config.max_wait.to_std(),
        })
    }

    /// How long to wait before a target that failed is asked again, which happened `before` times; `None`: it is not. Who
    /// was silent would be again, and what is too long stays so.
    pub fn wait(&self, before: u32, class: Class, retry_after: Option<Duration>) -> Option<Duration> {
        if before >= self.attempts || matches!(class, Class::Timeout | Class::ContextLength) {
            return None;
        }
        let doubled = self.initial.saturating_mul(1 << before.min(16)).min(self.longest);
        // Many that failed together are not to come back together.
        let jitter = doubled.mul_f64(fastrand::f64() / 2.0);
        match retry_after {
            Some(asked) if asked > self.longest => None,
            Some(asked) => Some((asked + jitter).max(doubled - jitter)),
            None => Some(doubled - jitter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits() {
        let again = Again {
            attempts: 2,
            initial: Duration::from_millis(400),
            longest: Duration::from_secs(5),
        };
        let check = |before, class, after: Option<u64>, want: Option<(u64, u64)>| {
            for _ in 0..50 {
                let wait = again.wait(before, class, after.map(Duration::from_secs));
                let wait = wait.map(|wait| wait.as_millis() as u64);
                let fits = match (wait, want) {
                    (Some(wait), Some((least, most))) => (least..=most).contains(&wait),
                    (wait, want) => wait.is_none() && want.is_none(),
                };
                assert!(fits, "{before} {class:?} {after:?}: {wait:?}");
            }
        };
        check(0, Class::ServerError, None, Some((200, 400)));
        check(1, Class::ServerError, None, Some((400, 800)));
        check(2, Class::ServerError, None, None);
        check(0, Class::RateLimited, Some(2), Some((2000, 2200)));
        check(0, Class::RateLimited, Some(0), Some((200, 400)));
        check(0, Class::RateLimited, Some(6), None);
        check(0, Class::Timeout, None, None);
        check(0, Class::ContextLength, None, None);
    }
}
