//! A set of keys that an issuer publishes, fetched beside the workers and kept fresh.
//!
//! It is fetched again before it is stale, and when a token names a key that is not in it. While the issuer is away the
//! last set is used on, but not for ever.

use super::freshness::lifetime;
use crate::http::remembered;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use trilithon_flow::limits::{JWKS_REFETCH_SECONDS, JWKS_STALE_SECONDS, MAX_JWKS};
use trilithon_flow::metrics::registry;
use trilithon_flow::{BuildError, Connection, Exchange, Headers, Known, Method, Request, Target, Task};
use trilithon_policy::token::{KeySet, Origin as From};
use trilithon_upstream::tls::TlsSettings;
use trilithon_upstream::{Origin, Scheme, Transport, send};

/// The set of one URL.
pub struct Remote {
    state: watch::Receiver<State>,
    again: Arc<Notify>,
    version: Arc<AtomicU64>,
    /// How long a request waits for keys.
    patience: Duration,
    _task: Task,
}

#[derive(Clone, Default)]
struct State {
    keys: Option<Arc<KeySet>>,
    /// Fetches that ended, well or not, with all their retries.
    fetches: u64,
    /// When the last of them ended.
    last: Option<Instant>,
}

/// The keys of a set at one time.
pub struct Version {
    current: Arc<AtomicU64>,
    then: u64,
}

impl Version {
    /// Whether the set has the same keys still.
    pub fn is_current(&self) -> bool {
        self.current.load(Ordering::Acquire) == self.then
    }
}

/// The version of a set that is no longer kept.
const GONE: u64 = u64::MAX;

impl Drop for Remote {
    fn drop(&mut self) {
        self.version.store(GONE, Ordering::Release);
    }
}

impl Remote {
    /// Starts to fetch.
    pub fn start(fetch: Fetch) -> Remote {
        let (set, state) = watch::channel(State::default());
        let (again, version) = (Arc::new(Notify::new()), Arc::new(AtomicU64::new(0)));
        let patience = fetch.timeout;
        let keeper = Keeper {
            fetch,
            set,
            again: again.clone(),
            version: version.clone(),
            text: Vec::new(),
            good_until: Instant::now(),
            failures: 0,
        };
        Remote {
            state,
            again,
            version,
            patience,
            _task: Task::spawn(move || keeper.run()),
        }
    }

    pub fn version(&self) -> Version {
        Version {
            current: self.version.clone(),
            then: self.version.load(Ordering::Acquire),
        }
    }

    /// Whether it was asked for and there is nothing.
    pub fn is_dead(&self) -> bool {
        let state = self.state.borrow();
        state.fetches > 0 && state.keys.is_none()
    }

    /// The keys; waits for the first fetch, for as long as an attempt may take.
    pub async fn keys(&self) -> Option<Arc<KeySet>> {
        self.after(0).await
    }

    /// The keys as a new fetch finds them; nothing if the last one is too short a time ago.
    pub async fn newer_keys(&self) -> Option<Arc<KeySet>> {
        let (fetches, last) = {
            let state = self.state.borrow();
            (state.fetches, state.last)
        };
        if last.is_some_and(is_recent) {
            return None;
        }
        self.again.notify_one();
        self.after(fetches).await
    }

    /// The keys after more than so many fetches.
    async fn after(&self, fetches: u64) -> Option<Arc<KeySet>> {
        let mut state = self.state.clone();
        let waiting = state.wait_for(|state| state.fetches > fetches);
        let found = timeout(self.patience, waiting).await.ok()?.ok()?;
        found.keys.clone()
    }
}

fn is_recent(fetch: Instant) -> bool {
    fetch.elapsed() < Duration::from_secs(JWKS_REFETCH_SECONDS)
}

/// Keeps one set fresh, on the background thread.
struct Keeper {
    fetch: Fetch,
    set: watch::Sender<State>,
    again: Arc<Notify>,
    version: Arc<AtomicU64>,
    /// What the keys were made of.
    text: Vec<u8>,
    good_until: Instant,
    /// In a row.
    failures: u32,
}

impl Keeper {
    async fn run(mut self) {
        loop {
            let outcome = self.fetch.patiently().await;
            let pause = match outcome {
                Ok(fetched) => self.take(fetched),
                Err(error) => self.miss(&error),
            };
            let now = Instant::now();
            self.set.send_modify(|state| {
                state.fetches += 1;
                state.last = Some(now);
            });
            self.wait(now, pause).await;
        }
    }

    /// Until `pause` is over, or somebody needs a new fetch and may have one.
    async fn wait(&self, since: Instant, pause: Duration) {
        let over = sleep_until(since + pause);
        tokio::pin!(over);
        loop {
            tokio::select! {
                () = &mut over => return,
                () = self.again.notified() => if !is_recent(since) { return },
            }
        }
    }

    /// Gives out new keys. Says when to fetch again: before they are stale.
    fn take(&mut self, fetched: Fetched) -> Duration {
        self.failures = 0;
        self.good_until = Instant::now() + fetched.lifetime + Duration::from_secs(JWKS_STALE_SECONDS);
        if self.text != fetched.text {
            let keys = fetched.keys.keys.len();
            tracing::info!(url = %self.fetch.shown(), keys, skipped = ?fetched.keys.skipped, "keys of an issuer fetched");
            self.text = fetched.text;
            self.give(Some(Arc::new(fetched.keys)));
        }
        fetched.lifetime * 4 / 5
    }

    /// Nothing new: the old keys stay while they are good. Says when to try again.
    fn miss(&mut self, error: &str) -> Duration {
        self.failures += 1;
        let name = "trilithon_jwks_fetch_failures_total";
        registry()
            .counter(
                name,
                "Fetches of an issuer's keys that failed.",
                &[("issuer", &self.fetch.origin.authority)],
            )
            .inc();
        let has_keys = self.set.borrow().keys.is_some();
        tracing::warn!(url = %self.fetch.shown(), %error, inUse = has_keys, "cannot fetch the keys of an issuer");
        if has_keys && Instant::now() >= self.good_until {
            tracing::error!(url = %self.fetch.shown(), "the keys of an issuer are too old: its tokens are refused");
            self.text.clear();
            self.give(None);
        }
        Duration::from_secs(1 << self.failures.min(6)).min(Duration::from_secs(60))
    }

    /// The keys before the version: whoever sees the new version sees the new keys.
    fn give(&self, keys: Option<Arc<KeySet>>) {
        self.set.send_modify(|state| state.keys = keys);
        self.version.fetch_add(1, Ordering::AcqRel);
    }
}

/// How one set is fetched.
pub struct Fetch {
    origin: Origin,
    target: Target,
    headers: Headers,
    tls: TlsSettings,
    timeout: Duration,
    retries: u32,
}

struct Fetched {
    keys: KeySet,
    text: Vec<u8>,
    lifetime: Duration,
}

impl Fetch {
    /// # Errors
    /// `url` is no `http` or `https` URL.
    pub fn new(
        url: &str,
        tls: TlsSettings,
        timeout: Duration,
        retries: u32,
        more: &[(String, String)],
    ) -> Result<Fetch, BuildError> {
        let origin = Origin::parse(url).map_err(|error| error.at(url, 0))?;
        if !matches!(origin.scheme, Scheme::Http | Scheme::Https) {
            let help = "write `https://host/path`";
            return Err(BuildError::new(format!("`{url}` is no address of keys"))
                .at(url, 0)
                .help(help));
        }
        let path = if origin.path.is_empty() {
            "/"
        } else {
            &*origin.path
        };
        let query = origin
            .query
            .as_deref()
            .map(|q| format!("?{q}"))
            .unwrap_or_default();
        let mut headers = Headers::new();
        headers.set_known(Known::Host, &*origin.authority);
        headers.append("Accept", "application/jwk-set+json, application/json");
        headers.append("User-Agent", "trilithon");
        more.iter().for_each(|(name, value)| headers.set(name, value));
        Ok(Fetch {
            target: Target::new(&format!("{path}{query}")),
            origin,
            headers,
            tls,
            timeout,
            retries,
        })
    }

    /// Whether nobody on the way can change the answer: HTTPS, or this host itself.
    pub fn is_private(&self) -> bool {
        let is_loopback = || {
            let ip = self.origin.host.parse::<std::net::IpAddr>();
            &*self.origin.host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback())
        };
        self.origin.scheme == Scheme::Https || is_loopback()
    }

    /// Without query, which may hold a secret.
    fn shown(&self) -> String {
        format!("{}{}", self.origin.authority, self.origin.path)
    }

    async fn patiently(&self) -> Result<Fetched, String> {
        let transport = Arc::new(Transport::simple(self.tls.clone(), Some(self.timeout)));
        let mut attempt = 0;
        loop {
            let once = timeout(self.timeout, self.once(&transport)).await;
            let error = match once.unwrap_or_else(|_| Err("timed out".to_owned())) {
                Ok(fetched) => return Ok(fetched),
                Err(error) => error,
            };
            if attempt >= self.retries {
                return Err(error);
            }
            sleep(Duration::from_millis(100 << attempt.min(5))).await;
            attempt += 1;
        }
    }

    async fn once(&self, transport: &Arc<Transport>) -> Result<Fetched, String> {
        let req = Request {
            method: Method::Get,
            target: self.target.clone(),
            headers: self.headers.clone(),
            ..Request::default()
        };
        let nobody = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
        let connection = Rc::new(Connection::new(nobody, nobody, "".into(), None));
        let mut cx = Exchange::new(connection, Rc::default());
        let mut res = send(transport, &self.origin, req, &mut cx)
            .await
            .map_err(|fault| fault.to_string())?;
        match res.status {
            200 => {}
            300..=399 => return Err(format!("status {}: redirections are not followed", res.status)),
            status => return Err(format!("status {status}")),
        }
        let lifetime = lifetime(&res.headers, remembered::now());
        let text = res
            .body
            .collect(MAX_JWKS)
            .await
            .map_err(|fault| fault.to_string())?;
        let keys = KeySet::parse(&text, From::Remote)?;
        Ok(Fetched {
            keys,
            text: text.to_vec(),
            lifetime,
        })
    }
}
