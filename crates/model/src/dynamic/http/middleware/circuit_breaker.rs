//! `circuitBreaker`

use trilithon_model_derive::Config;

use crate::duration::Duration;

/// Stops asking a service that answers badly, until it has recovered.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct CircuitBreaker {
    /// When to stop, such as `NetworkErrorRatio() > 0.30`. Required.
    pub expression: String,
    /// Time between looks at the expression.
    #[config(default = Duration::from_millis(100))]
    pub check_period: Duration,
    /// How long nothing is passed on after stopping.
    #[config(default = Duration::from_secs(10))]
    pub fallback_duration: Duration,
    /// Over how long traffic is let back in, growing linearly.
    #[config(default = Duration::from_secs(10))]
    pub recovery_duration: Duration,
    /// Status of the answers given instead.
    #[config(default = 503)]
    pub response_code: i64,
}
