//! The gateway's own log: Traefik's level names, its two formats, a file with rotation.
//!
//! Nothing here concerns the access log.

mod format;
mod rotate;

use format::Format;
pub use format::Said;
use rotate::Rotating;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use tracing::metadata::LevelFilter;
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::Registry;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use trilithon_model::install;

/// What the gateway's own crates call their events.
const OWN: &str = "trilithon";

/// One who is told of the same events, after the lines are written.
pub type Listener = Box<dyn Layer<Registry> + Send + Sync>;

/// Starts the log of the process; without configuration, errors go to standard output. A listener hears what is written.
///
/// # Errors
/// The file cannot be opened, or the process has a log already.
pub fn start(config: Option<&install::Log>, listener: Option<Listener>) -> io::Result<()> {
    let lines = Lines::new(&config.cloned().unwrap_or_default())?;
    tracing::subscriber::set_global_default(Registry::default().with(listener).with(lines))
        .map_err(io::Error::other)
}

/// Writes events as lines.
struct Lines {
    level: LevelFilter,
    format: Format,
    out: Mutex<Out>,
}

enum Out {
    Stdout(io::Stdout),
    File(Rotating),
    #[cfg(test)]
    Memory(std::sync::Arc<Mutex<Vec<u8>>>),
}

impl Lines {
    fn new(config: &install::Log) -> io::Result<Lines> {
        let level = level(&config.level);
        let out = match config.file_path.as_str() {
            "" => Out::Stdout(io::stdout()),
            path => Out::File(Rotating::open(Path::new(path), config)?),
        };
        let colour = !config.no_color && matches!(&out, Out::Stdout(out) if out.is_terminal());
        let callers = level >= LevelFilter::DEBUG;
        let format = if config.format == "json" {
            Format::Json { callers }
        } else {
            Format::Console { colour, callers }
        };
        Ok(Lines {
            level,
            format,
            out: Mutex::new(out),
        })
    }
}

/// A level by Traefik's name. An unknown one is `ERROR`, as there; nothing of ours is worse than an error, so that `FATAL`
/// and `PANIC` leave nothing.
fn level(name: &str) -> LevelFilter {
    match name.to_ascii_uppercase().as_str() {
        "TRACE" => LevelFilter::TRACE,
        "DEBUG" => LevelFilter::DEBUG,
        "INFO" => LevelFilter::INFO,
        "WARN" => LevelFilter::WARN,
        "FATAL" | "PANIC" => LevelFilter::OFF,
        _ => LevelFilter::ERROR,
    }
}

impl<S: Subscriber> Layer<S> for Lines {
    /// Libraries are heard from `WARN` on: what they say below is for their authors.
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        let limit = if metadata.target().starts_with(OWN) {
            self.level
        } else {
            self.level.min(LevelFilter::WARN)
        };
        *metadata.level() <= limit
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.level)
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let line = self.format.line(event, std::time::SystemTime::now());
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        // There is no place left to complain to.
        let _ = out.write(line.as_bytes());
    }
}

impl Out {
    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        match self {
            Out::Stdout(out) => {
                let mut out = out.lock();
                out.write_all(line)?;
                out.flush()
            }
            Out::File(file) => file.write(line),
            #[cfg(test)]
            Out::Memory(all) => {
                all.lock().unwrap().extend_from_slice(line);
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    /// What `say` leaves in a log with this level and format; times are cut off.
    fn logged(name: &str, format: Format, say: impl FnOnce()) -> Vec<String> {
        let all = Arc::<Mutex<Vec<u8>>>::default();
        let lines = Lines {
            level: level(name),
            format,
            out: Mutex::new(Out::Memory(all.clone())),
        };
        tracing::subscriber::with_default(Registry::default().with(lines), say);
        let text = String::from_utf8(all.lock().unwrap().clone()).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    const PLAIN: Format = Format::Console {
        colour: false,
        callers: false,
    };

    #[test]
    fn levels() {
        let say = || {
            tracing::error!("e");
            tracing::warn!("w");
            tracing::info!("i");
            tracing::info!(target: "h2", "library");
        };
        let check = |name: &str, want: &[&str]| {
            let got = logged(name, PLAIN, say);
            assert_eq!(got.iter().map(|l| &l[21..]).collect::<Vec<_>>(), want, "{name}");
        };
        check("ERROR", &["ERR e"]);
        check("info", &["ERR e", "WRN w", "INF i"]);
        check("nonsense", &["ERR e"]);
        check("FATAL", &[]);
    }

    #[test]
    fn console_lines() {
        let check = |say: fn(), want: &str| assert_eq!(logged("TRACE", PLAIN, say)[0][21..], *want);
        check(
            || {
                tracing::info!(
                    routerName = "a@file",
                    error = "no luck",
                    n = 3,
                    ok = true,
                    "all done"
                )
            },
            "INF all done error=\"no luck\" n=3 ok=true routerName=a@file",
        );
        check(
            || tracing::debug!(path = %"/a\nb", "x\ny"),
            "DBG x\\ny path=\"/a\\nb\"",
        );
        check(
            || tracing::trace!(list = ?["a"], "t"),
            "TRC t list=\"[\\\"a\\\"]\"",
        );
    }

    #[test]
    fn json_lines() {
        let got = logged(
            "INFO",
            Format::Json { callers: false },
            || tracing::warn!(routerName = "a", n = 1.5, error = %"x\"", "say"),
        );
        let v: serde_json::Value = serde_json::from_str(&got[0]).unwrap();
        assert_eq!((&v["level"], &v["message"]), (&"warn".into(), &"say".into()));
        assert_eq!(
            (&v["routerName"], &v["n"], &v["error"]),
            (&"a".into(), &1.5.into(), &"x\"".into())
        );
        let time = v["time"].as_str().unwrap();
        assert!(time.len() >= 20 && time.as_bytes()[10] == b'T', "{time}");
        assert!(got[0].starts_with("{\"level\":\"warn\","));
    }
}
