//! The service that spreads calls of language models over vendors. Not in Traefik.

use trilithon_model_derive::Config;

use crate::duration::Duration;

/// Spreads calls of language models over services, and asks another one when one fails. Each service has its own
/// middlewares, such as `chat-completion` with the vendor's token and model.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct Models {
    /// Who can be asked; at most 64.
    pub targets: Vec<ModelTarget>,
    /// When another target is asked.
    #[config(default = Some(ModelFailover::default()), allow_empty)]
    pub failover: Option<ModelFailover>,
    /// When a target is put aside.
    #[config(default = Some(ModelBreaker::default()), allow_empty)]
    pub breaker: Option<ModelBreaker>,
}

/// One target.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct ModelTarget {
    /// Name of the service.
    pub service: String,
    /// Its share among the targets of the same priority; 0 takes it out.
    #[config(default = Some(1))]
    pub weight: Option<i64>,
    /// Targets of a higher priority are asked first; those below only when none above is left.
    pub priority: i64,
    /// Failures of another target after which this one is asked, as `failover.on` names them; it then is not asked first, nor
    /// after others. One that names `contextLength` is the larger model that calls go to which are too long for another.
    pub on: Vec<String>,
}

/// When another target is asked. It never is after the first byte of an answer went to the client.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct ModelFailover {
    /// Failures that make another target be asked: `connect` (no connection: name, TCP or TLS), `timeout`,
    /// `rateLimited` (429), `overloaded` (503, 529), `serverError` (any other 5xx), `broken` (no valid answer, or a stream
    /// that breaks off before its first byte), `errorEvent` (a stream that begins with an error), `malformed` (an answer that
    /// was held and is no valid one), `contextLength` (the call is too long for the model). All but the last when empty.
    pub on: Vec<String>,
    /// Targets that are asked at most for one call.
    #[config(default = 3)]
    pub attempts: i64,
    /// Asking the same target once more before another; not when absent.
    #[config(allow_empty)]
    pub retry: Option<ModelRetry>,
    /// How long a target may take until the first byte of its answer's body; 0 means no limit.
    pub first_byte_timeout: Duration,
    /// Largest body, in bytes, that is kept for asking again; a call with a larger one is sent once.
    #[config(default = 4_194_304)]
    pub max_request_body_bytes: i64,
    /// Keep whole answers (those that are no streams) until they have come to their end, and ask another target when one is
    /// empty, cut short, no JSON, or an error.
    #[config(default = true)]
    pub hold_answers: bool,
    /// Keep streams too. The client then sees nothing before the end of the answer.
    pub hold_streams: bool,
    /// Largest answer, in bytes, that is kept; a larger one passes from there on.
    #[config(default = 4_194_304)]
    pub max_response_body_bytes: i64,
}

/// How the same target is asked once more. One that was silent (`timeout`) or whose model is too small (`contextLength`) is
/// not.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct ModelRetry {
    /// Further attempts at one target.
    #[config(default = 1)]
    pub attempts: i64,
    /// Wait before the first of them, doubled for each further one; up to half of it is taken off by chance.
    #[config(default = Duration::from_millis(500))]
    pub initial_interval: Duration,
    /// Longest wait. The target's `Retry-After` is waited for up to this; if it is longer, another target is asked.
    #[config(default = Duration::from_secs(5))]
    pub max_wait: Duration,
}

/// When a target is put aside. One that answers with `Retry-After` is put aside for at least that long, but no longer
/// than an hour.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct ModelBreaker {
    /// Failures in a row that put a target aside.
    #[config(default = 5)]
    pub failures: i64,
    /// How long it stays aside. Then one call tries it, and the others wait for what comes of that.
    #[config(default = Duration::from_secs(30))]
    pub open_for: Duration,
}
