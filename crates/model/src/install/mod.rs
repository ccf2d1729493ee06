//! The install ("static") configuration.
