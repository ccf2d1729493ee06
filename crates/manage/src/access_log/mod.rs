//! The access log: one line per exchange, in Traefik's three formats.
//!
//! A worker writes its line into a buffer of its own and goes on; one thread collects the buffers of all workers and writes
//! them out ([`writer`]). Nothing here blocks a worker, and no line is cut or mixed with another.

mod clf;
mod clock;
mod decisions;
mod fields;
mod filter;
mod json;
mod text;
mod writer;

use clock::Clock;
use fields::{Field, Fields};
use filter::Filter;
use std::cell::RefCell;
use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use trilithon_flow::record::Wants;
use trilithon_flow::{Observer, Record};
use trilithon_model::install;
use trilithon_model::install::INTERNAL_ENTRY_POINT;
use writer::{Target, Writer};

/// The access log of the process.
pub struct AccessLog {
    format: Format,
    fields: Fields,
    filter: Filter,
    add_internals: bool,
    /// Exchanges seen, written or not.
    requests: AtomicU64,
    /// The file or standard output; `None` when lines go to the sink only.
    writer: Option<Writer>,
    sink: Option<Box<dyn Sink>>,
}

/// Where lines go beside the file, or instead of it.
pub trait Sink: Send + Sync {
    /// Takes the line of an exchange in JSON, whatever the format of the file. Runs on the worker: quick, no blocking.
    fn take(&self, record: &Record, line: Vec<u8>);
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Common,
    Generic,
    Json,
}

impl AccessLog {
    /// Opens the file (appending, its folder is made) or standard output, and starts the writing thread. With a sink
    /// there is a file only if `dualOutput` says so.
    ///
    /// An unknown format is the common one, and a status filter with a wrong range counts as none: both are Traefik's ways
    /// out, and both are said in the log.
    ///
    /// # Errors
    /// The file cannot be opened, or the thread cannot be started.
    pub fn start(config: &install::AccessLog, sink: Option<Box<dyn Sink>>) -> io::Result<Arc<AccessLog>> {
        let target = match config.file_path.as_str() {
            "" => Target::Stdout,
            path => Target::File(PathBuf::from(path)),
        };
        let writes = sink.is_none() || config.dual_output;
        Ok(Arc::new(AccessLog {
            format: Format::of(&config.format),
            fields: Fields::of(config.fields.as_ref()),
            filter: Filter::of(config.filters.as_ref()),
            add_internals: config.add_internals,
            requests: AtomicU64::new(0),
            writer: writes.then(|| Writer::start(target)).transpose()?,
            sink,
        }))
    }

    /// Closes the file and opens it anew by its name: what log rotation asks for with SIGUSR1. Lines written before go to
    /// the old file.
    pub fn reopen(&self) {
        if let Some(writer) = &self.writer {
            writer.reopen();
        }
    }

    /// Waits until all lines so far are written.
    pub fn flush(&self) {
        if let Some(writer) = &self.writer {
            writer.flush();
        }
    }
}

impl Observer for AccessLog {
    fn observe(&self, record: &Record) {
        let log = self;
        if !record.access_log || (!log.add_internals && is_internal(record)) {
            return;
        }
        let count = log.requests.fetch_add(1, Ordering::Relaxed) + 1;
        if !log.filter.keeps(record) {
            return;
        }
        let line = Line {
            record,
            fields: &log.fields,
            count,
        };
        if let Some(sink) = &log.sink {
            let mut out = Vec::with_capacity(1024);
            CLOCK.with_borrow_mut(|clock| json::write(&line, &mut out, clock));
            sink.take(record, out);
        }
        let Some(writer) = &log.writer else { return };
        writer.line(|out, clock| match log.format {
            Format::Common => clf::write(&line, out, clock, true),
            Format::Generic => clf::write(&line, out, clock, false),
            Format::Json => json::write(&line, out, clock),
        });
    }

    fn wants(&self) -> Wants {
        let fields = &self.fields;
        match self.format {
            _ if self.sink.is_some() || self.format == Format::Json => {
                let any = fields.any_header();
                Wants {
                    request_headers: any,
                    origin_headers: any,
                    response_headers: any,
                }
            }
            _ => {
                let named = ["Referer", "User-Agent"]
                    .iter()
                    .any(|h| fields.header(h.as_bytes()) != fields::Mode::Drop);
                Wants {
                    request_headers: named,
                    ..Wants::default()
                }
            }
        }
    }
}

thread_local! {
    /// The clock of lines that do not go to the file, which has its own.
    static CLOCK: RefCell<Clock> = RefCell::default();
}

impl Format {
    fn of(name: &str) -> Format {
        match name {
            "json" => Format::Json,
            "genericCLF" => Format::Generic,
            "" | "common" => Format::Common,
            other => {
                tracing::error!(
                    "unsupported access log format: `{other}`, defaulting to common format instead"
                );
                Format::Common
            }
        }
    }
}

/// Exchanges with the gateway's own pages. On their entry point that includes what no router takes.
fn is_internal(record: &Record) -> bool {
    record.internal
        || (record.router.is_none() && record.entry_point.as_deref() == Some(INTERNAL_ENTRY_POINT))
}

/// One line to be written.
struct Line<'a> {
    record: &'a Record,
    fields: &'a Fields,
    count: u64,
}

impl<'a> Line<'a> {
    fn has(&self, field: Field) -> bool {
        self.fields.has(field)
    }

    /// Path and query, without the query where it is dropped.
    fn path(&self) -> &'a str {
        let target = self.record.target.as_str();
        if self.fields.drop_query {
            target.split('?').next().unwrap_or(target)
        } else {
            target
        }
    }

    fn user(&self) -> &'a str {
        self.record.user.as_deref().unwrap_or("-")
    }

    fn peer_ip(&self) -> Option<IpAddr> {
        self.record.peer.map(|p| p.ip().to_canonical())
    }

    /// The service whose server was asked; none when no server was.
    fn service(&self) -> Option<&'a str> {
        let record = self.record;
        record.server_url.as_ref()?;
        record.balancer.as_deref().or(record.service.as_deref())
    }
}

#[cfg(test)]
mod tests;
