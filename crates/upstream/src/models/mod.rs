//! `models`: spreads calls of language models over services, and asks another one when one fails.
//!
//! A target is an ordinary service with its own middlewares, so each attempt has its own token, model and format. Another
//! one is asked until the first byte of an answer is there, or until all of it is where answers are held, and never after
//! that: from then on the answer is the client's.

mod again;
mod ask;
mod breaker;
mod class;
mod context;
mod hold;
mod pick;
mod told;

use crate::service::{Backend, Child};
use again::Again;
use breaker::Breaker;
use class::Classes;
use hold::Hold;
use pick::Turns;
use std::sync::Arc;
use std::time::Duration;
use told::Told;
use trilithon_flow::record::Name;
use trilithon_flow::{BuildError, Exchange, Keep, Reply, Request, Service};
use trilithon_model::dynamic::http::{ModelFailover, ModelTarget, Models as Config};

/// As many as bits in the set of those that were asked.
const MOST_TARGETS: usize = 64;

/// A `models` service.
pub struct Models {
    targets: Vec<Target>,
    /// Kept over reloads that leave the targets as they are.
    turns: Arc<Turns>,
    on: Classes,
    attempts: u32,
    again: Option<Again>,
    /// Until the first byte of the answer's body.
    first_byte: Option<Duration>,
    max_body: u64,
    hold: Hold,
}

struct Target {
    /// As the configuration writes it.
    name: Name,
    backend: Arc<dyn Backend>,
    /// The failures after which it is asked; `None`: it is one of those that are asked first.
    after: Option<Classes>,
    /// Kept over reloads that leave its numbers as they are.
    breaker: Arc<Breaker>,
    told: Told,
}

impl Models {
    /// The service with the qualified name `name`. `targets` are those of the configuration, in order.
    ///
    /// # Errors
    /// No target or too many, none that is asked first, an unknown class of failure, numbers that are none.
    pub fn build(
        name: &str,
        config: &Config,
        targets: Vec<Child>,
        keep: &Keep,
    ) -> Result<Models, BuildError> {
        let failover = config.failover.clone().unwrap_or_default();
        let breaker = config.breaker.clone().unwrap_or_default();
        let attempts = number("failover.attempts", failover.attempts, 1)?;
        let max_body = number("failover.maxRequestBodyBytes", failover.max_request_body_bytes, 0)?;
        let failures = number("breaker.failures", breaker.failures, 0)?;
        check_targets(config, &targets)?;
        let turns = keep.get(name, &config.targets, || Turns::of(config, &targets));
        let named = |(as_written, child): (&ModelTarget, Child)| {
            Ok(Target {
                name: as_written.service.as_str().into(),
                backend: child.backend,
                after: after(as_written)?,
                breaker: keep.get(
                    &format!("{name} {}", as_written.service),
                    &(failures, breaker.open_for),
                    || Breaker::new(failures, breaker.open_for.to_std()),
                ),
                told: Told::of(name, &as_written.service),
            })
        };
        let targets: Result<Vec<Target>, BuildError> =
            config.targets.iter().zip(targets).map(named).collect();
        Ok(Models {
            targets: targets?,
            turns,
            on: Classes::of("failover.on", &failover.on)?.unwrap_or(Classes::USUAL),
            attempts,
            again: failover.retry.as_ref().map(Again::build).transpose()?,
            first_byte: Some(failover.first_byte_timeout.to_std()).filter(|limit| !limit.is_zero()),
            max_body: max_body.into(),
            hold: hold(&failover)?,
        })
    }
}

fn check_targets(config: &Config, children: &[Child]) -> Result<(), BuildError> {
    let count = children.len();
    if count == 0 || count > MOST_TARGETS {
        return Err(
            BuildError::new(format!("`models` has {count} targets, not 1 to {MOST_TARGETS}"))
                .help("name the services to ask in `targets`"),
        );
    }
    if config.targets.iter().all(|target| !target.on.is_empty()) {
        return Err(
            BuildError::new("every target of `models` has an `on`, and none is asked first")
                .help("leave `on` out of the targets that calls go to when nothing has failed yet"),
        );
    }
    Ok(())
}

fn after(target: &ModelTarget) -> Result<Option<Classes>, BuildError> {
    Classes::of("targets.on", &target.on)
}

fn hold(config: &ModelFailover) -> Result<Hold, BuildError> {
    let max = number("failover.maxResponseBodyBytes", config.max_response_body_bytes, 0)?;
    Ok(Hold {
        answers: config.hold_answers,
        streams: config.hold_streams,
        max: max as usize,
    })
}

fn number(option: &str, value: i64, least: u32) -> Result<u32, BuildError> {
    let fits = u32::try_from(value).ok().filter(|n| *n >= least);
    fits.ok_or_else(|| {
        BuildError::new(format!("`{option}` is {value}")).help(format!("write a number from {least} on"))
    })
}

impl Service for Models {
    fn call<'a>(&'a self, req: Request, cx: &'a mut Exchange) -> Reply<'a> {
        Box::pin(self.ask(req, cx))
    }
}

impl Backend for Models {
    fn status_refusal(&self) -> String {
        "a `models` service does not report its health".to_owned()
    }
}

#[cfg(test)]
mod tests;
