//! `parallel-llm-guard`

use trilithon_model_derive::Config;

use super::LlmGuard;

/// Asks several guards at once. The first that refuses ends the others.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct ParallelLlmGuard {
    /// The guards. Required.
    pub guards: Vec<ParallelGuard>,
}

/// One of several guards.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct ParallelGuard {
    /// The guard. Required.
    pub guard: Option<Box<LlmGuard>>,
}
