//! `grpcWeb`

use trilithon_model_derive::Config;

/// Lets gRPC-Web calls of browsers reach gRPC servers.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct GrpcWeb {
    /// Origins that may call; `*` means any.
    pub allow_origins: Vec<String>,
}
