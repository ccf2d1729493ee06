//! The whole configuration without serving it, for `check` and `explain`: the same path as a start, up to the sockets.

use super::locate;
use crate::{install, prices, settings};
use std::sync::Arc;
use trilithon_ai::price::Table;
use trilithon_engine::assemble::Internals;
use trilithon_engine::live::Snapshot;
use trilithon_engine::merge::Message;
use trilithon_engine::reload::Reloader;
use trilithon_engine::report::Status;
use trilithon_flow::{Exchange, Keep, Reply, Request, Response, Service};
use trilithon_ledger::audit::redact::Redactor;
use trilithon_model::install::Static;
use trilithon_model::problem::{Problem, Problems, code};
use trilithon_provider::{file, internal};

/// An object that cannot be served.
const DISABLED: &str = "TRI0401";
/// An object that is served otherwise than written.
const CHANGED: &str = "TRI0402";
/// What concerns no single object.
const NOTE: &str = "TRI0403";

/// What the configuration amounts to.
pub struct State {
    pub config: Static,
    pub problems: Problems,
    /// `None` when the install configuration has errors.
    pub snapshot: Option<Snapshot>,
    /// `None` when they cannot be read.
    pub prices: Option<Arc<Table>>,
}

/// Loads and compiles everything that `args` lead to.
pub fn load(args: &[String]) -> State {
    let loaded = install::from_process(args);
    let (config, mut problems) = (loaded.config, loaded.problems);
    if problems.has_errors() {
        problems = problems.into_iter().map(refined).collect::<Vec<_>>().into();
        return State {
            config,
            problems,
            snapshot: None,
            prices: None,
        };
    }
    let mut messages = vec![Message {
        provider: "internal".into(),
        configuration: internal::configuration(&config),
        sources: Vec::new(),
    }];
    if let Some(place) = config
        .providers
        .as_ref()
        .and_then(|p| p.file.as_deref())
        .and_then(file::place)
    {
        let reading = place.read();
        problems.extend(reading.problems);
        // A broken file would not be applied; what can be read of it may have more faults to tell.
        let readable = reading.configuration.or(reading.partial);
        messages.extend(readable.map(|configuration| Message {
            provider: "file".into(),
            configuration,
            sources: reading.sources,
        }));
    }
    let snapshot = match settings::settings(&config, internals(), true) {
        Ok(settings) => {
            let keep = Arc::new(Keep::default());
            let _limit = settings::body_limit(&config).start(&keep);
            let mut reloader = Reloader::new(settings.into(), keep, settings::throttle(&config));
            Some(reloader.first(messages, None))
        }
        Err(error) => {
            problems.push(Problem::error(
                NOTE,
                trilithon_model::Span::none(),
                format!("{error:#}"),
            ));
            None
        }
    };
    if let Err(error) = Redactor::new(&config.audit.clone().unwrap_or_default()) {
        problems.push(Problem::error(NOTE, trilithon_model::Span::none(), error));
    }
    let prices = prices::load(&config).map_err(|error| {
        problems.push(Problem::error(
            NOTE,
            trilithon_model::Span::none(),
            format!("{error:#}"),
        ));
    });
    if let Err(error) = settings::entry_points(&config) {
        problems.push(Problem::error(
            NOTE,
            trilithon_model::Span::none(),
            format!("{error:#}"),
        ));
    }
    problems = problems.into_iter().map(refined).collect::<Vec<_>>().into();
    if let Some(snapshot) = &snapshot {
        problems.extend(complaints(snapshot));
        problems.extend(snapshot.tls.problems().iter().cloned().map(refined));
    }
    State {
        config,
        problems,
        snapshot,
        prices: prices.ok(),
    }
}

/// An invalid value is shown where it stands, not where its option starts.
fn refined(mut problem: Problem) -> Problem {
    if problem.code == code::INVALID {
        problem.span = locate::refine(&problem.span, &problem.message, "");
    }
    problem
}

/// Where the objects of this noun stand: `http.routers` for `router`, `tcp.services` for `TCP service`.
fn section(noun: &str) -> String {
    match noun.split_once(' ') {
        Some((protocol, noun)) => format!("{}.{noun}s", protocol.to_ascii_lowercase()),
        None => format!("http.{noun}s"),
    }
}

fn complaints(snapshot: &Snapshot) -> Vec<Problem> {
    let mut found: Vec<Problem> = Vec::new();
    for complaint in snapshot.report.complaints() {
        let (span, noun, name, text) = (
            locate::place(&complaint),
            complaint.noun,
            complaint.name,
            complaint.text,
        );
        let mut problem = match complaint.status {
            Status::Disabled => Problem::error(
                DISABLED,
                span,
                format!("{noun} `{name}` cannot be served: {text}"),
            ),
            _ => Problem::warning(CHANGED, span, format!("{noun} `{name}`: {text}")),
        };
        problem.help = complaint.help.map(str::to_owned);
        found.push(problem.of(&section(noun), name.split('@').next().unwrap_or(name)));
    }
    let notes = snapshot.report.notes.iter();
    found.extend(notes.map(|note| Problem::warning(NOTE, trilithon_model::Span::none(), note.clone())));
    found
}

/// The gateway's own services by name only: a check asks whether they exist, not what they answer.
fn internals() -> Internals {
    let names = [
        "api",
        "dashboard",
        "ping",
        "prometheus",
        "rest",
        "noop",
        "acme-http",
    ];
    names
        .iter()
        .map(|n| (format!("{n}@internal"), Arc::new(Named) as Arc<dyn Service>))
        .collect()
}

struct Named;

impl Service for Named {
    fn call<'a>(&'a self, _: Request, _: &'a mut Exchange) -> Reply<'a> {
        Box::pin(async { Response::status_text(503) })
    }
}
