//! What stands for the exporters in a build without the feature `otlp`.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use trilithon_flow::{Observer, Tracer};
use trilithon_manage::access_log::Sink;
use trilithon_manage::log::Listener;
use trilithon_manage::{Context, Metrics};
use trilithon_model::install::Static;

/// No exporters, and who asks for one.
#[derive(Default)]
pub struct Export {
    wanted: Vec<&'static str>,
}

impl Export {
    pub fn start(config: &Static) -> Export {
        let log = config.log.as_ref().is_some_and(|l| l.otlp.is_some());
        let access_log = config.access_log.as_ref().is_some_and(|l| l.otlp.is_some());
        let metrics = config.metrics.as_ref().is_some_and(|m| m.otlp.is_some());
        let all = [
            ("log.otlp", log),
            ("accessLog.otlp", access_log),
            ("metrics.otlp", metrics),
            ("tracing", config.tracing.is_some()),
        ];
        Export {
            wanted: all
                .into_iter()
                .filter(|(_, used)| *used)
                .map(|(name, _)| name)
                .collect(),
        }
    }

    pub fn log(&mut self, _: &Static) -> Option<Listener> {
        None
    }

    pub fn complain(&mut self) {
        for option in self.wanted.drain(..) {
            tracing::error!("`{option}` is not used: this build is without the feature `otlp`");
        }
    }

    pub fn access_log(&self, _: &Static) -> Option<Box<dyn Sink>> {
        None
    }

    pub fn traces(&self, _: &Static, _: Option<Arc<AtomicU64>>) -> Option<(Arc<Tracer>, Box<dyn Observer>)> {
        None
    }

    pub fn metrics(&self, _: &Static, _: &Context) -> Option<Arc<Metrics>> {
        None
    }

    pub fn finish(self) {}
}
