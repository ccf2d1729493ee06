//! Everything wired together: providers to the engine, the engine to sockets, signals to all of them.

use crate::chronicle::Chronicle;
use crate::control::{self, Control};
use crate::export::Export;
use crate::undo::Undoer;
use crate::{prices, settings, store};
use anyhow::Context;
use std::net::{TcpListener, UdpSocket};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, mpsc, watch};
use trilithon_ai::price::Prices;
use trilithon_engine::drain::{Closing, Doors};
use trilithon_engine::entry_point::EntryPoint;
use trilithon_engine::live::{Live, Snapshot};
use trilithon_engine::merge::Message;
use trilithon_engine::reload::{self, Cause, Inlets, Journal, Ordered, Reloader, Words};
use trilithon_engine::report::Status;
use trilithon_engine::worker::Workers;
use trilithon_engine::{drain, listener, udp};
use trilithon_flow::model_call::BodyLimit;
use trilithon_flow::undo::Tickets;
use trilithon_flow::{Keep, Observer, Telemetry};
use trilithon_ledger::audit::entry::Other;
use trilithon_ledger::{AuditLog, Definitions, Folder};
use trilithon_limit::Book;
use trilithon_manage::{AccessLog, Context as Pages, Metrics, internals};
use trilithon_model::install::Static;
use trilithon_provider::file::{self, Place, Reading};
use trilithon_provider::internal;
use trilithon_provider::watch::FileWatch;

/// Readings and messages under way.
const CHANNEL: usize = 16;

/// A gateway that is ready to serve.
pub struct Gateway {
    config: Arc<Static>,
    live: Arc<Live>,
    workers: Workers,
    reloader: Reloader,
    access_log: Option<Arc<AccessLog>>,
    audit: Option<Arc<AuditLog>>,
    chronicle: Arc<Chronicle>,
    /// For Prometheus and for a collector, where configured.
    metrics: Vec<Arc<Metrics>>,
    sockets: Sockets,
    tickets: Arc<Tickets>,
    place: Option<Place>,
    first: Option<trilithon_model::dynamic::Configuration>,
    /// Held for as long as the gateway lives.
    _store: Option<Folder>,
    book: Arc<Book>,
    definitions: Arc<Definitions>,
    _prices: Arc<Prices>,
    _body_limit: Arc<BodyLimit>,
}

impl Gateway {
    /// Reads the routing configuration, builds the first snapshot and binds the sockets. Nothing is accepted yet. `more` is
    /// what else is to be routed (the samples of `quickstart`).
    ///
    /// # Errors
    /// A socket that cannot be bound, a thread that cannot be made, an audit log that is asked for and cannot be written.
    pub fn prepare(config: Static, more: Vec<Message>, export: &Export) -> anyhow::Result<Gateway> {
        let config = Arc::new(config);
        let store = store::open(&config);
        let audit = store::audit(store.as_ref(), &config)?;
        record(audit.as_deref(), "started");
        let history = store::history(store.as_ref(), &config);
        let chronicle = Arc::new(Chronicle::new(history, audit.clone(), &config));
        // Traefik serves without an access log that it cannot open, too.
        let access_log = config.access_log.as_ref().and_then(|c| {
            AccessLog::start(c, export.access_log(&config))
                .inspect_err(
                    |error| tracing::error!(%error, "there is no access log: its file cannot be opened"),
                )
                .ok()
        });
        let metrics = config
            .metrics
            .as_ref()
            .filter(|m| m.prometheus.is_some())
            .map(Metrics::new);
        let slot: Arc<OnceLock<Arc<Live>>> = Arc::default();
        let pages = Pages::new(config.clone(), slot.clone(), metrics.clone());
        let activity = pages.activity.clone();
        let metrics: Vec<_> = metrics
            .into_iter()
            .chain(export.metrics(&config, &pages))
            .collect();
        let settings = Arc::new(settings::settings(&config, internals(&pages), false)?);
        let keep = Arc::new(Keep::default());
        let book = Book::start(&keep, store::folder(store.as_ref()));
        let definitions = Definitions::start(&keep, store.as_ref().map(Folder::path));
        let table = prices::load(&config)?;
        prices::announce(&table);
        let prices = Prices::start(&keep, table);
        let body_limit = settings::body_limit(&config).start(&keep);
        let mut reloader = Reloader::new(settings, keep, settings::throttle(&config));

        let place = config
            .providers
            .as_ref()
            .and_then(|p| p.file.as_deref())
            .and_then(file::place);
        let reading = place.as_ref().map(Place::read);
        let first = reading.as_ref().and_then(|r| r.configuration.clone());
        if let Some(reading) = &reading {
            complain(reading);
        }
        let own = Message {
            provider: "internal".into(),
            configuration: internal::configuration(&config),
            sources: Vec::new(),
        };
        let from_file = first.clone().map(|configuration| Message {
            provider: "file".into(),
            configuration,
            sources: reading.map(|r| r.sources).unwrap_or_default(),
        });
        let messages = [own].into_iter().chain(from_file).chain(more);
        let snapshot = reloader.first(messages, chronicle.take_up());
        reload::count();
        tell(&snapshot, &metrics);
        chronicle.started(reloader.words(), reloader.said());
        let live = Live::new(snapshot);
        // The slot is empty until here, and filled once.
        let _ = slot.set(live.clone());

        let sockets = bind(&config)?;
        let mut observers: Vec<Box<dyn Observer>> = Vec::new();
        observers.extend(access_log.clone().map(|log| Box::new(log) as Box<dyn Observer>));
        observers.extend(audit.clone().map(|log| Box::new(log) as Box<dyn Observer>));
        observers.extend(metrics.iter().map(|m| Box::new(m.clone()) as Box<dyn Observer>));
        observers.extend(activity.map(|a| Box::new(a) as Box<dyn Observer>));
        let mut tracer = None;
        if let Some((how, observer)) = export.traces(&config, chronicle.told_version()) {
            tracer = Some(how);
            observers.push(observer);
        }
        let tickets = Arc::<Tickets>::default();
        let telemetry = Telemetry::new(observers)
            .traced(tracer)
            .with_tickets(tickets.clone());
        let workers =
            Workers::start(worker_count(), &live, &telemetry).context("cannot start the workers")?;
        Ok(Gateway {
            config,
            live,
            workers,
            reloader,
            access_log,
            audit,
            chronicle,
            metrics,
            sockets,
            tickets,
            place,
            first,
            _store: store,
            book,
            definitions,
            _prices: prices,
            _body_limit: body_limit,
        })
    }

    /// Serves until SIGTERM or SIGINT, then drains.
    ///
    /// # Errors
    /// The system refuses signal handlers.
    pub async fn serve(self) -> anyhow::Result<()> {
        let undoer = self
            .audit
            .clone()
            .map(|audit| Arc::new(Undoer::new(audit, self.tickets, &self.sockets.tcp)));
        let mut closings = Vec::new();
        for (entry_point, listener) in self.sockets.tcp {
            let doors = entry_point.doors.clone();
            let (closing, stopped) = closing(&self.config, &entry_point.name, doors);
            listener::accept(listener, entry_point, &self.workers, stopped);
            closings.push(closing);
        }
        for (entry_point, socket) in self.sockets.udp {
            let (closing, stopped) = closing(&self.config, &entry_point.name, Arc::default());
            udp::serve(socket, entry_point, &self.workers, stopped);
            closings.push(closing);
        }
        let routing = Arc::new(FileWatch::new());
        let named = Arc::new(FileWatch::new());
        let refresh = Arc::new(Notify::new());
        let (messages, received) = mpsc::channel(CHANNEL);
        let watch_files = self
            .config
            .providers
            .as_ref()
            .and_then(|p| p.file.as_ref())
            .is_some_and(|f| f.watch);
        if let Some(place) = self.place {
            tokio::spawn(follow(
                place,
                watch_files,
                routing.clone(),
                self.first,
                messages.clone(),
            ));
        }
        let watched = self.live.get().watched_files();
        named.set(watched.iter().map(|p| p.as_path()));
        tokio::spawn(follow_named(self.live.clone(), named.clone(), refresh.clone()));
        let (orders, ordered) = mpsc::channel(CHANNEL);
        command(self.chronicle.clone(), orders, self.definitions.clone(), undoer);
        let inlets = Inlets {
            messages: received,
            orders: ordered,
            refresh,
        };
        let told = Told {
            chronicle: self.chronicle,
            metrics: self.metrics,
            files: named,
        };
        tokio::spawn(self.reloader.run(self.live.clone(), inlets, told));
        notify_systemd("READY=1");
        if let Some(every) = watchdog() {
            tokio::spawn(feed_watchdog(every));
        }
        signals(&routing, self.access_log.as_deref()).await?;
        drop(messages);
        notify_systemd("STOPPING=1");
        drain::drain(&self.live, &self.workers, &closings).await;
        self.workers.end();
        if let Some(log) = &self.access_log {
            log.flush();
        }
        record(self.audit.as_deref(), "stopped");
        if let Some(log) = &self.audit {
            log.settle();
        }
        self.book.close();
        Ok(())
    }
}

/// Records what becomes of the process itself.
fn record(audit: Option<&AuditLog>, event: &str) {
    let what = serde_json::json!({
        "event": event,
        "version": env!("CARGO_PKG_VERSION"),
        "process": std::process::id(),
    });
    if let Some(log) = audit {
        log.record(Other::now("process", serde_json::json!({}), what));
    }
}

/// The number of workers: one for each processor this process may use, or `TRILITHON_WORKERS`.
fn worker_count() -> usize {
    let given = std::env::var("TRILITHON_WORKERS")
        .ok()
        .and_then(|n| n.parse().ok());
    given
        .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from))
        .clamp(1, 1024)
}

/// The sockets of all entry points.
struct Sockets {
    tcp: Vec<(Arc<EntryPoint>, TcpListener)>,
    udp: Vec<(Arc<udp::EntryPoint>, UdpSocket)>,
}

/// One socket for each entry point: systemd's where it has one of that name.
fn bind(config: &Static) -> anyhow::Result<Sockets> {
    let mut inherited = listener::inherited();
    let address = |name: &str| {
        let said = &config.entry_points[name];
        let address = said.parsed_address().map_err(anyhow::Error::msg)?.host_port();
        Ok::<_, anyhow::Error>((address, said.reuse_port))
    };
    let cannot = |address: &str, name: &str| format!("cannot listen on `{address}` for entry point `{name}`");
    let mut sockets = Sockets {
        tcp: Vec::new(),
        udp: Vec::new(),
    };
    for entry_point in settings::entry_points(config)? {
        let listener = match listener::take(&mut inherited.tcp, &entry_point.name) {
            Some(given) => given,
            None => {
                let (address, reuse) = address(&entry_point.name)?;
                listener::bind(&address, reuse).with_context(|| cannot(&address, &entry_point.name))?
            }
        };
        sockets.tcp.push((entry_point, listener));
    }
    for entry_point in settings::udp_entry_points(config)? {
        let socket = match listener::take(&mut inherited.udp, &entry_point.name) {
            Some(given) => given,
            None => {
                let (address, reuse) = address(&entry_point.name)?;
                udp::bind(&address, reuse).with_context(|| cannot(&address, &entry_point.name))?
            }
        };
        sockets.udp.push((entry_point, socket));
    }
    Ok(sockets)
}

/// How an entry point will end, and what tells it to.
fn closing(config: &Static, name: &Arc<str>, doors: Arc<Doors>) -> (Closing, watch::Receiver<bool>) {
    let cycle = &config.entry_points[&**name].transport.life_cycle;
    let (stop, stopped) = watch::channel(false);
    let closing = Closing {
        name: name.clone(),
        doors,
        stop,
        accept_grace: cycle.request_accept_grace_timeout.to_std(),
        grace: cycle.grace_time_out.to_std(),
    };
    (closing, stopped)
}

/// Obeys commands, where there is a history that they could be about.
fn command(
    chronicle: Arc<Chronicle>,
    orders: mpsc::Sender<Ordered>,
    definitions: Arc<Definitions>,
    undoer: Option<Arc<Undoer>>,
) {
    let Some(history) = chronicle.history() else {
        return;
    };
    match control::bind(history) {
        Ok(listener) => {
            let control = Control {
                chronicle,
                orders,
                definitions,
                undoer,
            };
            drop(tokio::spawn(control.serve(listener)));
        }
        Err(error) => {
            tracing::error!(%error, path = %history.socket().display(), "`trilithon rollback`, `undo` and `tools approve` cannot reach this gateway");
        }
    }
}

/// All who are told of a new snapshot.
struct Told {
    chronicle: Arc<Chronicle>,
    metrics: Vec<Arc<Metrics>>,
    files: Arc<FileWatch>,
}

impl Journal for Told {
    fn applied(&mut self, words: &Words, cause: &Cause, snapshot: &Snapshot) {
        tell(snapshot, &self.metrics);
        let watched = snapshot.watched_files();
        self.files.set(watched.iter().map(|p| p.as_path()));
        self.chronicle.applied(words, cause);
    }

    fn held(&mut self, said: &Words, providers: &[String]) {
        self.chronicle.held(said, providers);
    }
}

/// Follows the routing files: by change events, or by SIGHUP alone.
async fn follow(
    place: Place,
    watch_files: bool,
    changes: Arc<FileWatch>,
    first: Option<trilithon_model::dynamic::Configuration>,
    out: mpsc::Sender<Message>,
) {
    let (send, mut readings) = mpsc::channel::<Reading>(CHANNEL);
    tokio::spawn(file::follow(place, watch_files, changes, first, send));
    while let Some(reading) = readings.recv().await {
        complain(&reading);
        let Some(configuration) = reading.configuration else {
            continue;
        };
        if out
            .send(Message {
                provider: "file".into(),
                configuration,
                sources: reading.sources,
            })
            .await
            .is_err()
        {
            return;
        }
    }
}

/// Asks for a refresh when a file that the configuration names (a certificate, a document of an API) has other contents.
async fn follow_named(live: Arc<Live>, changes: Arc<FileWatch>, refresh: Arc<Notify>) {
    let mut last = fingerprint(&live);
    loop {
        changes.changed().await;
        let now = fingerprint(&live);
        if now != last {
            last = now;
            refresh.notify_one();
        }
    }
}

fn fingerprint(live: &Live) -> Vec<(std::path::PathBuf, Option<(u64, std::time::SystemTime)>)> {
    let look = |path: &std::path::PathBuf| {
        let meta = std::fs::metadata(path).ok()?;
        Some((meta.len(), meta.modified().ok()?))
    };
    let watched = live.get().watched_files().into_iter();
    watched
        .map(|path| {
            let seen = look(&path);
            (path, seen)
        })
        .collect()
}

/// Logs what is wrong with the routing files.
fn complain(reading: &Reading) {
    for problem in &reading.problems {
        if problem.is_error() {
            tracing::error!(providerName = "file", "{problem}");
        } else {
            tracing::warn!(providerName = "file", "{problem}");
        }
    }
    if reading.configuration.is_none() {
        tracing::error!(
            providerName = "file",
            "the routing files are not applied; the last good state stays"
        );
    }
}

/// Logs what became of the objects of a snapshot.
fn tell(snapshot: &Snapshot, metrics: &[Arc<Metrics>]) {
    for complaint in snapshot.report.complaints() {
        let (noun, name, place) = (complaint.noun, complaint.name, complaint.span.to_string());
        let about = |kind: &str| noun.ends_with(kind).then_some(name);
        // Traefik's fields; absent ones are not written.
        let (router, service, middleware) = (about("router"), about("service"), about("middleware"));
        match complaint.status {
            Status::Disabled => tracing::error!(
                routerName = router,
                serviceName = service,
                middlewareName = middleware,
                %place,
                "{noun} `{name}` is disabled: {}",
                complaint.text
            ),
            _ => tracing::warn!(
                routerName = router,
                serviceName = service,
                middlewareName = middleware,
                %place,
                "{noun} `{name}`: {}",
                complaint.text
            ),
        }
    }
    for problem in snapshot.tls.problems() {
        tracing::error!("{problem}");
    }
    for note in &snapshot.report.notes {
        tracing::warn!("{note}");
    }
    metrics.iter().for_each(|m| m.retain(&snapshot.report));
    tracing::info!(
        routers = snapshot.report.router_count(),
        services = snapshot.report.service_count(),
        "configuration applied"
    );
}

/// Handles signals until one ends the process.
async fn signals(routing: &FileWatch, access_log: Option<&AccessLog>) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut reopen = signal(SignalKind::user_defined1())?;
    let mut reload = signal(SignalKind::hangup())?;
    loop {
        tokio::select! {
            _ = terminate.recv() => return Ok(()),
            _ = interrupt.recv() => return Ok(()),
            _ = reload.recv() => routing.tell(),
            _ = reopen.recv() => if let Some(log) = access_log {
                log.reopen();
            },
        }
    }
}

/// How often systemd's watchdog wants to hear of this process, twice within its time; nothing where there is none.
fn watchdog() -> Option<Duration> {
    let number = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
    let is_ours = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
    let micros = number("WATCHDOG_USEC").filter(|n| is_ours && *n > 1)?;
    Some(Duration::from_micros(micros / 2))
}

async fn feed_watchdog(every: Duration) {
    let mut ticks = tokio::time::interval(every);
    loop {
        ticks.tick().await;
        notify_systemd("WATCHDOG=1");
    }
}

/// Tells systemd how the process is, where it wants to know (`NOTIFY_SOCKET`).
fn notify_systemd(state: &str) {
    let Some(path) = std::env::var_os("NOTIFY_SOCKET") else {
        return;
    };
    let sent = std::os::unix::net::UnixDatagram::unbound().and_then(|s| {
        if let Some(name) = path.to_str().and_then(|p| p.strip_prefix('@')) {
            use std::os::linux::net::SocketAddrExt;
            s.send_to_addr(
                state.as_bytes(),
                &std::os::unix::net::SocketAddr::from_abstract_name(name)?,
            )
        } else {
            s.send_to(state.as_bytes(), &path)
        }
    });
    if let Err(error) = sent {
        tracing::warn!(%error, "systemd cannot be told");
    }
}
