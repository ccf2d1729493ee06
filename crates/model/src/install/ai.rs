//! `ai`

use trilithon_model_derive::Config;

/// What the gateway knows of language models. Trilithon's own; Traefik has no such section.
#[derive(Clone, Debug, PartialEq, Config)]
pub struct Ai {
    /// A JSON file of prices in place of the built-in ones:
    /// `{"date": "2025-11-01", "models": {"gpt-4o": {"input": 2.5, "output": 10}}}`, in US dollars for a million tokens. Read
    /// at the start; a gateway that cannot read it does not start. When empty: list prices as of the day that `/metrics` shows.
    pub prices: String,
}
