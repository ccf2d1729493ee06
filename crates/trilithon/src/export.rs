//! Telemetry that leaves the process over OTLP: what the install configuration wants of it.
//!
//! What cannot be set up is said and left out, as Traefik does: no telemetry is no reason not to serve.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use trilithon_flow::{Observer, Tracer};
use trilithon_manage::access_log::Sink;
use trilithon_manage::log::Listener;
use trilithon_manage::{Context, Metrics};
use trilithon_model::install::Static;
use trilithon_otlp::Exports;

/// The exporters of the process.
#[derive(Default)]
pub struct Export {
    exports: Option<Exports>,
    /// What went wrong before there was a log.
    early: Vec<String>,
}

impl Export {
    /// Starts the exporting thread if anything is to be exported.
    pub fn start(config: &Static) -> Export {
        let log = config.log.as_ref().and_then(|l| l.otlp.as_ref());
        let access_log = config.access_log.as_ref().and_then(|l| l.otlp.as_ref());
        let metrics = config.metrics.as_ref().and_then(|m| m.otlp.as_ref());
        let any = log.is_some() || access_log.is_some() || metrics.is_some() || config.tracing.is_some();
        let mut export = Export::default();
        if any {
            match Exports::start() {
                Ok(exports) => export.exports = Some(exports),
                Err(error) => export
                    .early
                    .push(format!("nothing is exported over OTLP: {error}")),
            }
        }
        export
    }

    /// What the gateway's log is told to.
    pub fn log(&mut self, config: &Static) -> Option<Listener> {
        let otlp = config.log.as_ref()?.otlp.as_ref()?;
        let listener = self.exports.as_ref()?.log(otlp);
        listener
            .map_err(|why| self.early.push(format!("`log.otlp` is not used: {why}")))
            .ok()
    }

    /// Says what went wrong before there was a log.
    pub fn complain(&mut self) {
        self.early.drain(..).for_each(|why| tracing::error!("{why}"));
    }

    /// Where lines of the access log go.
    pub fn access_log(&self, config: &Static) -> Option<Box<dyn Sink>> {
        let otlp = config.access_log.as_ref()?.otlp.as_ref()?;
        said("accessLog.otlp", self.exports.as_ref()?.access_log(otlp))
    }

    /// How exchanges become traces, and who sends them. `version` is that of the configuration in force, where versions are kept.
    pub fn traces(
        &self,
        config: &Static,
        version: Option<Arc<AtomicU64>>,
    ) -> Option<(Arc<Tracer>, Box<dyn Observer>)> {
        let tracing = config.tracing.as_ref()?;
        let observer = said("tracing", self.exports.as_ref()?.traces(tracing))?;
        let tracer = trilithon_otlp::tracer(tracing, config.hub.as_ref()).versioned(version);
        Some((Arc::new(tracer), observer))
    }

    /// Pushes what is counted for a collector.
    pub fn metrics(&self, config: &Static, pages: &Context) -> Option<Arc<Metrics>> {
        let said_of_metrics = config.metrics.as_ref()?;
        let otlp = said_of_metrics.otlp.as_ref()?;
        let metrics = Metrics::for_collector(said_of_metrics);
        let (pages, counted) = (pages.clone(), metrics.clone());
        let collect = Box::new(move || pages.families(&counted));
        said("metrics.otlp", self.exports.as_ref()?.metrics(otlp, collect))?;
        Some(metrics)
    }

    /// Sends what is left.
    pub fn finish(self) {
        if let Some(exports) = self.exports {
            exports.finish();
        }
    }
}

fn said<T>(option: &str, outcome: Result<T, String>) -> Option<T> {
    outcome
        .inspect_err(|why| tracing::error!("`{option}` is not used: {why}"))
        .ok()
}
