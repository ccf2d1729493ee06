//! The gateway's own log as log records. Lines are written as well: a collector that is away must not make the gateway mute.

use crate::attribute::{json, named, scope, text};
use crate::collector::Collector;
use crate::exports::{Exports, Sender, export};
use crate::queue::Queue;
use crate::resource;
use crate::signal::Signal;
use crate::traces::nanos;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs, SeverityNumber};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;
use std::time::SystemTime;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer};
use trilithon_manage::log::Said;
use trilithon_model::install::OtlpLog;

/// Sends events to a collector.
pub struct Log {
    queue: Queue<LogRecord>,
}

impl Log {
    /// Starts sending.
    ///
    /// # Errors
    /// A collector that cannot be made of the configuration.
    pub fn start(config: &OtlpLog, exports: &Exports) -> Result<Log, String> {
        Ok(Log {
            queue: records(config, exports, |record| record)?,
        })
    }
}

/// A queue whose things are sent as log records.
///
/// # Errors
/// A collector that cannot be made of the configuration.
pub fn records<T: Send + 'static>(
    config: &OtlpLog,
    exports: &Exports,
    record: impl Fn(T) -> LogRecord + Send + 'static,
) -> Result<Queue<T>, String> {
    let collector = Collector::new(Signal::Logs, config.grpc.as_ref(), config.http.as_ref())?;
    let resource = resource::of(&config.service_name, &config.resource_attributes);
    let queue = Queue::new(Signal::Logs.dropped());
    let waiting = queue.clone();
    exports.spawn(move |stop| async move {
        let sender = Sender::new(Signal::Logs, collector, stop);
        let encode = |batch: Vec<T>| message(&resource, batch.into_iter().map(&record).collect());
        export(waiting, sender, encode).await;
    });
    Ok(queue)
}

fn message(resource: &Resource, log_records: Vec<LogRecord>) -> Vec<u8> {
    ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs {
            resource: Some(resource.clone()),
            scope_logs: vec![ScopeLogs {
                scope: scope(),
                log_records,
                ..ScopeLogs::default()
            }],
            ..ResourceLogs::default()
        }],
    }
    .encode_to_vec()
}

impl<S: Subscriber> Layer<S> for Log {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        // What is said of a collector is not told to it: each failure would make the next message.
        if event.metadata().target().starts_with(env!("CARGO_CRATE_NAME")) {
            return;
        }
        let record = record(*event.metadata().level(), Said::of(event), SystemTime::now());
        let bytes = record.encoded_len();
        self.queue.push(record, bytes);
    }
}

fn record(level: Level, said: Said, now: SystemTime) -> LogRecord {
    let (severity, name) = match level {
        Level::ERROR => (SeverityNumber::Error, "error"),
        Level::WARN => (SeverityNumber::Warn, "warn"),
        Level::INFO => (SeverityNumber::Info, "info"),
        Level::DEBUG => (SeverityNumber::Debug, "debug"),
        Level::TRACE => (SeverityNumber::Trace, "trace"),
    };
    let fields = said.fields.iter();
    LogRecord {
        time_unix_nano: nanos(now),
        observed_time_unix_nano: nanos(now),
        severity_number: severity as i32,
        severity_text: name.to_owned(),
        body: Some(text(&said.message)),
        attributes: fields
            .filter_map(|(key, value)| Some(named(*key, json(value)?)))
            .collect(),
        ..LogRecord::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing_subscriber::Registry;
    use tracing_subscriber::layer::SubscriberExt;

    #[test]
    fn events_become_records_but_those_about_collectors() {
        let queue = Queue::new(std::sync::Arc::default());
        let log = Log { queue: queue.clone() };
        tracing::subscriber::with_default(Registry::default().with(log), || {
            tracing::warn!(target: "trilithon", routerName = "a", n = 3, "what");
            tracing::warn!("about a collector");
        });
        let records = queue.take();
        assert_eq!(records.len(), 1);
        let record = &records[0];
        assert_eq!(
            (record.severity_number, record.severity_text.as_str()),
            (13, "warn")
        );
        assert_eq!(record.body, Some(text("what")));
        let keys: Vec<_> = record.attributes.iter().map(|a| a.key.as_str()).collect();
        assert_eq!(keys, ["routerName", "n"]);
    }
}
