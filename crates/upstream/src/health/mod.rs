//! Health of servers: what is known of each, and the checks that find it out.
//!
//! A server starts up. Active checks ([`Checks`]) ask it now and then; passive ones ([`passive`]) watch its answers. What is
//! known belongs to the server and outlives a reload that does not change its checks.

pub mod grpc;
pub mod http;
#[cfg(test)]
mod loopback;
pub mod passive;

use crate::service::Status;
use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;
use trilithon_flow::metrics::{Value, registry};
use trilithon_flow::{Exchange, Task};

/// What is known of one server of one service.
pub struct Server {
    service: String,
    url: String,
    status: Arc<Status>,
    /// What the last active check said.
    well: AtomicBool,
    /// When that was; at first, when the server became known.
    asked: Mutex<Instant>,
    gauge: OnceLock<Arc<Value>>,
    pub failures: passive::Failures,
    /// Puts the server back after its failures.
    recovery: Mutex<Option<Task>>,
}

const GAUGE: &str = "traefik_service_server_up";

impl Server {
    /// A server that is up. `service` is the qualified name of its service.
    pub fn new(service: &str, url: &str) -> Server {
        Server {
            service: service.to_owned(),
            url: url.to_owned(),
            status: Status::flag(),
            well: AtomicBool::new(true),
            asked: Mutex::new(Instant::now()),
            gauge: OnceLock::new(),
            failures: passive::Failures::default(),
            recovery: Mutex::new(None),
        }
    }

    /// Its URL as it was written.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Whether it may be given requests.
    pub fn is_up(&self) -> bool {
        self.status.is_up()
    }

    /// The same, for parents.
    pub fn status(&self) -> &Arc<Status> {
        &self.status
    }

    /// What active checks say of it; passive ones do not count.
    pub fn is_well(&self) -> bool {
        self.well.load(Ordering::Relaxed)
    }

    /// An active check is done.
    pub fn checked(&self, well: bool) {
        self.well.store(well, Ordering::Relaxed);
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        self.set(well);
    }

    fn asked(&self) -> Instant {
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether anything was found out about it yet.
    #[cfg(test)]
    pub(crate) fn is_known(&self) -> bool {
        self.gauge.get().is_some()
    }

    fn set(&self, up: bool) {
        if self.status.is_up() != up {
            tracing::info!(service = %self.service, url = %self.url, up, "Server status changed.");
        }
        self.status.set(up);
        self.gauge().set(i64::from(up));
    }

    fn gauge(&self) -> &Arc<Value> {
        self.gauge.get_or_init(|| {
            let labels = [("service", self.service.as_str()), ("url", self.url.as_str())];
            registry().gauge(
                GAUGE,
                "service server is up, described by gauge value of 0 or 1.",
                &labels,
            )
        })
    }

    /// Takes the server out because of its failures: for `window`, or until an active check finds it well.
    pub fn take_out(self: &Arc<Server>, window: Duration, has_active_check: bool) {
        let mut recovery = self.recovery.lock().unwrap_or_else(PoisonError::into_inner);
        if recovery.is_some() {
            return;
        }
        self.set(false);
        if has_active_check {
            return;
        }
        let server = Arc::downgrade(self);
        *recovery = Some(Task::spawn(move || async move {
            tokio::time::sleep(window).await;
            if let Some(server) = server.upgrade() {
                server.put_back();
            }
        }));
    }

    fn put_back(&self) {
        let mut recovery = self.recovery.lock().unwrap_or_else(PoisonError::into_inner);
        self.set(true);
        // Dropping the handle ends the task that this runs in, which is at its end anyway.
        *recovery = None;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The registry holds one handle and this another; a third belongs to the server's successor after a reload.
        if self
            .gauge
            .get()
            .is_some_and(|gauge| Arc::strong_count(gauge) <= 2)
        {
            let own = |labels: &[(&'static str, String)]| matches!(labels, [(_, service), (_, url)] if *service == self.service && *url == self.url);
            registry().remove(GAUGE, own);
        }
    }
}

/// How one server is asked, and which.
pub struct Probe {
    pub server: Arc<Server>,
    pub ask: Ask,
}

/// The ways to ask.
pub enum Ask {
    Http(http::Ask),
    Grpc(grpc::Ask),
    Tcp(crate::tcp::Check),
    /// The configuration does not allow to ask at all: the server counts as unwell.
    Never(String),
}

/// Times of the active checks of one service.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    pub interval: Duration,
    pub unhealthy_interval: Duration,
    pub timeout: Duration,
}

const DEFAULT_INTERVAL: Duration = Duration::from_secs(30);
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);
/// Servers of one service that are asked at the same time: a hanging one must not hold up the others.
const AT_ONCE: usize = 16;

impl Times {
    /// Values that cannot be used are replaced by the defaults, as in Traefik.
    pub fn of(config: &trilithon_model::dynamic::http::HealthCheck) -> Times {
        Times::usable(config.interval, config.unhealthy_interval, config.timeout)
    }

    /// The same for the times themselves.
    pub fn usable(
        interval: trilithon_model::Duration,
        unhealthy_interval: Option<trilithon_model::Duration>,
        timeout: trilithon_model::Duration,
    ) -> Times {
        let interval = interval.to_std_opt().unwrap_or(DEFAULT_INTERVAL);
        let unhealthy_interval = match unhealthy_interval {
            None => interval,
            Some(given) => given.to_std_opt().unwrap_or(DEFAULT_INTERVAL),
        };
        Times {
            interval,
            unhealthy_interval,
            timeout: timeout.to_std_opt().unwrap_or(DEFAULT_TIMEOUT),
        }
    }
}

/// Starts the active checks of one service: the well and the unwell in turns of their own, each first when its interval is
/// over for one of them. A service that is changed more often than that is checked all the same.
pub fn start(probes: Vec<Probe>, times: Times) -> Task {
    Task::spawn(move || async move {
        let (up, down) = probes.into_iter().partition(|p: &Probe| p.server.is_well());
        let (up, down) = (Group::new(up), Group::new(down));
        tokio::join!(
            rounds(&up, &down, times.interval, times, true),
            rounds(&up, &down, times.unhealthy_interval, times, false)
        );
    })
}

/// Probes whose servers were last found in the same state.
struct Group(RefCell<Vec<Probe>>);

impl Group {
    fn new(probes: Vec<Probe>) -> Group {
        Group(RefCell::new(probes))
    }

    /// When the first of them is to be asked.
    fn due(&self, every: Duration) -> Instant {
        let last = self.0.borrow().iter().map(|p| p.server.asked()).min();
        last.unwrap_or_else(Instant::now) + every
    }
}

async fn rounds(well: &Group, unwell: &Group, every: Duration, times: Times, of_well: bool) {
    let group = if of_well { well } else { unwell };
    let mut ticks = tokio::time::interval_at(group.due(every), every);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        // Taken all at once, so that a server which changes its group is not asked twice.
        let mut waiting = group.0.take().into_iter();
        let mut asked = JoinSet::new();
        loop {
            while asked.len() < AT_ONCE
                && let Some(probe) = waiting.next()
            {
                asked.spawn_local(ask(probe, times.timeout));
            }
            match asked.join_next().await {
                Some(Ok((probe, is_well))) => {
                    (if is_well { well } else { unwell }).0.borrow_mut().push(probe)
                }
                Some(Err(error)) => tracing::error!(%error, "A health check broke off."),
                None => break,
            }
        }
    }
}

async fn ask(probe: Probe, timeout: Duration) -> (Probe, bool) {
    let asking = async {
        match &probe.ask {
            Ask::Http(ask) => ask.run().await,
            Ask::Grpc(ask) => ask.run().await,
            Ask::Tcp(check) => check.run().await,
            Ask::Never(why) => Err(why.clone()),
        }
    };
    let found = tokio::time::timeout(timeout, asking)
        .await
        .unwrap_or_else(|_| Err("timed out".to_owned()));
    if let Err(error) = &found {
        tracing::warn!(service = %probe.server.service, targetURL = %probe.server.url, error, "Health check failed.");
    }
    probe.server.checked(found.is_ok());
    (probe, found.is_ok())
}

/// An exchange that no client began.
pub fn own_exchange() -> Exchange {
    let nobody = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
    let connection = trilithon_flow::Connection::new(nobody, nobody, "".into(), None);
    Exchange::new(std::rc::Rc::new(connection), std::rc::Rc::default())
}

#[cfg(test)]
pub(crate) mod waiting {
    //! Waiting for what another thread does.

    /// Until `done`, or a failure after five seconds.
    pub fn until(what: &str, mut done: impl FnMut() -> bool) {
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(5);
        while !done() {
            assert!(std::time::Instant::now() < deadline, "{what}");
            std::thread::yield_now();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::waiting::until;
    use super::*;

    fn gauge(service: &str) -> Option<i64> {
        let mut found = None;
        registry().visit(|name, _, _, labels, value| {
            if name == GAUGE && labels[0].1 == service {
                found = Some(value);
            }
        });
        found
    }

    #[test]
    fn the_gauge_appears_with_the_first_finding_and_goes_with_the_server() {
        let server = Server::new("gauge@test", "http://a");
        assert_eq!(gauge("gauge@test"), None);
        server.checked(false);
        assert_eq!(
            (gauge("gauge@test"), server.is_up(), server.is_well()),
            (Some(0), false, false)
        );
        server.checked(true);
        assert_eq!(
            (gauge("gauge@test"), server.is_up(), server.is_well()),
            (Some(1), true, true)
        );
        let successor = Server::new("gauge@test", "http://a");
        successor.checked(false);
        drop(server);
        assert_eq!(gauge("gauge@test"), Some(0), "the successor's");
        drop(successor);
        assert_eq!(gauge("gauge@test"), None);
    }

    #[test]
    fn taken_out_for_a_while_or_until_an_active_check() {
        let server = Arc::new(Server::new("out@test", "http://a"));
        server.take_out(Duration::from_millis(20), false);
        assert!(
            !server.is_up() && server.is_well(),
            "passive findings are not in the API"
        );
        until("it comes back", || server.is_up());
        server.take_out(Duration::from_millis(1), true);
        assert!(
            !server.is_up() && server.recovery.lock().unwrap().is_none(),
            "no timer beside active checks"
        );
        server.checked(true);
        assert!(server.is_up());
    }

    #[test]
    fn a_reload_does_not_put_off_the_next_check() {
        let check = |asked_before: &[u64], want: u64| {
            let now = Instant::now();
            let probe = |seconds: &u64| {
                let server = Arc::new(Server::new("due@test", "http://a"));
                *server.asked.lock().unwrap() = now.checked_sub(Duration::from_secs(*seconds)).unwrap();
                let ask = Ask::Never(String::new());
                Probe { server, ask }
            };
            let group = Group::new(asked_before.iter().map(probe).collect());
            let wait = group.due(Duration::from_secs(30)).duration_since(now);
            assert_eq!(wait.as_secs(), want, "{asked_before:?}");
        };
        check(&[], 30);
        check(&[0], 30);
        check(&[12], 18);
        check(&[0, 29, 3], 1);
        check(&[40], 0);
    }

    #[test]
    fn unusable_times_are_replaced() {
        use trilithon_model::Duration as D;
        let check = |interval: i64, unhealthy: Option<i64>, timeout: i64, want: [u64; 3]| {
            let times = Times::of(&trilithon_model::dynamic::http::HealthCheck {
                interval: D::from_secs(interval),
                unhealthy_interval: unhealthy.map(D::from_secs),
                timeout: D::from_secs(timeout),
                ..Default::default()
            });
            let got = [times.interval, times.unhealthy_interval, times.timeout].map(|d| d.as_secs());
            assert_eq!(got, want);
        };
        check(3, None, 1, [3, 3, 1]);
        check(3, Some(7), 1, [3, 7, 1]);
        check(0, Some(-1), 0, [30, 30, 5]);
    }
}
