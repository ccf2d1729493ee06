//! `circuitBreaker`: stops asking a service that answers badly, until it has recovered.
//!
//! The breaker looks only at answers that passed through it, and only at their heads: how long a body takes to download
//! says nothing about the service. The rules are in [`core`], which knows no clock.

mod core;
mod histogram;

use self::core::{Core, Limits, Verdict};
use super::predicate::{Call, Expression, Literal};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use trilithon_flow::{Build, BuildError, Exchange, Next, Reply, Request, Response, Step, Wrap};
use trilithon_model::dynamic::http::CircuitBreaker as Config;

/// Builds the middleware. Its state is kept over reloads that leave it as it is.
///
/// # Errors
/// An expression that cannot be read, and a `responseCode` that is no status.
pub fn build(config: &Config, cx: &mut Build<'_>) -> Result<Step, BuildError> {
    let expression = Expression::parse(&config.expression, term).map_err(|why| {
        BuildError::new(format!(
            "invalid circuit breaker expression `{}`: {why}",
            config.expression
        ))
        .help("for example `NetworkErrorRatio() > 0.30 || LatencyAtQuantileMS(50.0) > 100`")
    })?;
    let status = u16::try_from(config.response_code)
        .ok()
        .filter(|s| (100..1000).contains(s))
        .ok_or_else(|| {
            BuildError::new(format!(
                "`responseCode` is no status code: `{}`",
                config.response_code
            ))
        })?;
    let limits = Limits {
        check_period: config.check_period.to_std(),
        fallback: config.fallback_duration.to_std(),
        recovery: config.recovery_duration.to_std(),
    };
    let state = cx.keep.get(&cx.state_name(), config, || State {
        core: Mutex::new(Core::new(expression, limits)),
        origin: Instant::now(),
    });
    Ok(Step::wrap(CircuitBreaker {
        state,
        status,
        name: cx.name.into(),
    }))
}

/// What an expression can ask of the last answers.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Term {
    NetworkErrorRatio(Compares<f64>),
    ResponseCodeRatio {
        part: (i64, i64),
        whole: (i64, i64),
        compares: Compares<f64>,
    },
    LatencyAtQuantileMs {
        quantile: f64,
        compares: Compares<i64>,
    },
}

type Compares<T> = (super::predicate::Compare, T);

fn term(call: Call<'_>) -> Result<Term, String> {
    let Call {
        name,
        arguments,
        compared,
    } = call;
    let compared = compared.ok_or_else(|| format!("`{name}` is not compared with anything"))?;
    match (name, &arguments[..], compared) {
        ("NetworkErrorRatio", [], (compare, Literal::Float(value))) => {
            Ok(Term::NetworkErrorRatio((compare, value)))
        }
        (
            "ResponseCodeRatio",
            &[Literal::Int(a), Literal::Int(b), Literal::Int(c), Literal::Int(d)],
            (compare, Literal::Float(value)),
        ) => Ok(Term::ResponseCodeRatio {
            part: (a, b),
            whole: (c, d),
            compares: (compare, value),
        }),
        ("LatencyAtQuantileMS", &[Literal::Float(quantile)], (compare, Literal::Int(value))) => {
            Ok(Term::LatencyAtQuantileMs {
                quantile,
                compares: (compare, value),
            })
        }
        ("NetworkErrorRatio" | "ResponseCodeRatio" | "LatencyAtQuantileMS", ..) => Err(format!(
            "`{name}` has the wrong arguments: ratios compare with `0.5`, latency takes `50.0` and compares with `100`"
        )),
        _ => Err(format!("unsupported function `{name}`")),
    }
}

struct CircuitBreaker {
    state: Arc<State>,
    status: u16,
    name: Box<str>,
}

struct State {
    core: Mutex<Core>,
    origin: Instant,
}

impl State {
    fn admits(&self) -> bool {
        let now = self.origin.elapsed();
        self.core
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .admits(now)
    }
}

/// One request on its way. A client that leaves before the answer counts as what it gets: 499.
struct Trial<'a> {
    breaker: &'a CircuitBreaker,
    started: Instant,
    status: u16,
}

impl Drop for Trial<'_> {
    fn drop(&mut self) {
        let state = &self.breaker.state;
        let (now, latency) = (state.origin.elapsed(), self.started.elapsed());
        let verdict =
            state
                .core
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .record(now, self.status, latency);
        if verdict == Verdict::Tripped {
            tracing::warn!(middleware = %self.breaker.name, status = self.status, "circuit breaker tripped");
        }
    }
}

impl Wrap for CircuitBreaker {
    fn call<'a>(&'a self, req: Request, cx: &'a mut Exchange, next: Next<'a>) -> Reply<'a> {
        Box::pin(async move {
            if !self.state.admits() {
                return Response::status_text(self.status);
            }
            let mut trial = Trial {
                breaker: self,
                started: Instant::now(),
                status: 499,
            };
            let res = next.run(req, cx).await;
            trial.status = res.status;
            res
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::kit;

    #[test]
    fn expressions() {
        let check =
            |text: &str, good: bool| assert_eq!(Expression::parse(text, term).is_ok(), good, "{text}");
        check(
            "NetworkErrorRatio() > 0.5 && LatencyAtQuantileMS(50.0) > 1000",
            true,
        );
        check(
            "NetworkErrorRatio() >= 0.5 || (ResponseCodeRatio(500, 600, 0, 600) == 1.0)",
            true,
        );
        check(
            "LatencyAtQuantileMS(99.9) != 0 && LatencyAtQuantileMS(50.0) < 0",
            true,
        );
        check("LatencyAtQuantileMS(50) > 1000", false);
        check("NetworkErrorRatio() > 1", false);
        check("LatencyAtQuantileMS(50.0) > 50.5", false);
        check("!(NetworkErrorRatio() > 0.5)", false);
        check("Foo() > 0.5", false);
        check("", false);
        check("NetworkErrorRatio()", false);
        check("NetworkErrorRatio() > -0.5", false);
        check("ResponseCodeRatio(500, 600) > 0.5", false);
        check("0.5 < NetworkErrorRatio()", false);
        check("NetworkErrorRatio() > 0.5 and NetworkErrorRatio() < 0.9", false);
    }

    #[test]
    fn first_bad_answer_trips_and_the_fallback_is_bare() {
        let mut bench = kit::Bench::new(|_| Response::new(500));
        let config = Config {
            expression: "ResponseCodeRatio(500, 600, 0, 600) > 0.30".to_owned(),
            response_code: 429,
            ..Config::default()
        };
        let step = bench.build(|cx| build(&config, cx)).expect("valid");
        let chain = bench.chain(vec![step]);
        assert_eq!(bench.get(&chain, "/").status, 500);
        let refused = bench.get(&chain, "/");
        assert_eq!(
            (refused.status, refused.text(), refused.headers.len()),
            (429, "Too Many Requests".to_owned(), 0)
        );
        assert_eq!(bench.asked(), 1);
    }
}
