//! What a middleware's or a service's `build` is given, and what it says when it cannot.

use crate::{Keep, Service};
use std::fmt;
use std::sync::Arc;

/// Why a thing of the configuration cannot be built. The assembler adds where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildError {
    /// What and why, in Traefik's words where its API shows them.
    pub message: String,
    /// How to mend it.
    pub help: Option<String>,
    /// The text in the object's configuration that is at fault, as it is written there; where in it, in bytes.
    pub at: Option<(String, usize)>,
}

impl BuildError {
    pub fn new(message: impl Into<String>) -> BuildError {
        BuildError {
            message: message.into(),
            help: None,
            at: None,
        }
    }
    /// Says which written text is at fault.
    pub fn at(mut self, text: impl Into<String>, offset: usize) -> BuildError {
        self.at = Some((text.into(), offset));
        self
    }
    pub fn help(mut self, help: impl Into<String>) -> BuildError {
        self.help = Some(help.into());
        self
    }
}

impl From<&str> for BuildError {
    fn from(message: &str) -> BuildError {
        BuildError::new(message)
    }
}

impl From<String> for BuildError {
    fn from(message: String) -> BuildError {
        BuildError::new(message)
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for BuildError {}

/// Services by qualified or local name, for middlewares that call one (`errors`).
pub trait Services {
    fn service(&self, name: &str) -> Result<Arc<dyn Service>, BuildError>;
}

/// The surroundings of one middleware that is being built.
pub struct Build<'a> {
    /// Qualified name of the middleware (`auth@file`).
    pub name: &'a str,
    /// Qualified name of the router or service it is built for. State is per owner, as in Traefik: the same rate limit on
    /// two routers is two buckets.
    pub owner: &'a str,
    pub keep: &'a Keep,
    pub services: &'a dyn Services,
    /// Warnings of this build, for the report.
    pub warnings: &'a mut Vec<String>,
}

impl Build<'_> {
    /// Name under which this middleware's state is kept.
    pub fn state_name(&self) -> String {
        format!("{} {}", self.owner, self.name)
    }
}
