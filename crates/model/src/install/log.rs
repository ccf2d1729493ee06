//! The gateway's own log and the access log.

use std::collections::BTreeMap;

use trilithon_model_derive::Config;

use super::otlp::OtlpLog;
use crate::duration::Duration;

/// The gateway's own log.
#[derive(Clone, Debug, PartialEq, Config)]
pub struct Log {
    /// The least important lines written.
    #[config(
        default = "ERROR".to_owned(),
        one_of("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL", "PANIC"),
        any_case
    )]
    pub level: String,
    /// For people (`common`) or for programs (`json`).
    #[config(default = "common".to_owned(), one_of("common", "json"))]
    pub format: String,
    /// Do not colour lines.
    pub no_color: bool,
    /// File written to; the standard output when empty.
    pub file_path: String,
    /// Megabytes after which a new file is begun; 0 means 100.
    pub max_size: i64,
    /// Days former files are kept; 0 means for ever.
    pub max_age: i64,
    /// Former files kept; 0 means all.
    pub max_backups: i64,
    /// Compress former files. They always are.
    pub compress: bool,
    /// Send lines in the OpenTelemetry protocol as well.
    #[config(allow_empty)]
    pub otlp: Option<OtlpLog>,
}

/// One line per request.
#[derive(Clone, Debug, PartialEq, Config)]
pub struct AccessLog {
    /// File written to; the standard output when empty.
    pub file_path: String,
    /// Common Log Format with additions (`common`), one JSON object per line (`json`), or the bare format
    /// (`genericCLF`).
    #[config(default = "common".to_owned(), one_of("common", "json", "genericCLF"))]
    pub format: String,
    /// Which requests are written; any of the filters is enough.
    pub filters: Option<AccessLogFilters>,
    /// Which fields are written.
    #[config(default = Some(AccessLogFields::default()))]
    pub fields: Option<AccessLogFields>,
    /// Lines kept in memory before they are written; 0 writes each at once.
    pub buffering_size: i64,
    /// Write requests to the gateway's own services, too.
    pub add_internals: bool,
    /// Write to the file or standard output also when `otlp` is set.
    pub dual_output: bool,
    /// Send lines in the OpenTelemetry protocol, in place of writing them.
    #[config(allow_empty)]
    pub otlp: Option<OtlpLog>,
}

/// Which requests are written.
#[derive(Clone, Debug, PartialEq, Config)]
pub struct AccessLogFilters {
    /// Those whose answer has one of these statuses or ranges, such as `300-399`.
    pub status_codes: Vec<String>,
    /// Those that were retried.
    pub retry_attempts: bool,
    /// Those that took at least this long.
    pub min_duration: Duration,
}

/// Which fields are written.
#[derive(Clone, Debug, PartialEq, Config)]
pub struct AccessLogFields {
    /// What happens to fields not named below.
    #[config(default = "keep".to_owned(), one_of("keep", "drop"))]
    pub default_mode: String,
    /// What happens to single fields.
    #[config(one_of("keep", "drop", "redact"))]
    pub names: BTreeMap<String, String>,
    /// Headers.
    #[config(default = Some(FieldHeaders::default()))]
    pub headers: Option<FieldHeaders>,
    /// Query parameters.
    #[config(default = Some(FieldQuery::default()))]
    pub query_parameters: Option<FieldQuery>,
}

/// Which headers are written.
#[derive(Clone, Debug, PartialEq, Config)]
pub struct FieldHeaders {
    /// What happens to headers not named below.
    #[config(default = "drop".to_owned(), one_of("keep", "drop", "redact"))]
    pub default_mode: String,
    /// What happens to single headers.
    #[config(one_of("keep", "drop", "redact"))]
    pub names: BTreeMap<String, String>,
}

/// How query parameters are written.
#[derive(Clone, Debug, PartialEq, Config)]
pub struct FieldQuery {
    /// What happens to query parameters.
    #[config(default = "keep".to_owned(), one_of("keep", "drop", "redact"))]
    pub default_mode: String,
}
