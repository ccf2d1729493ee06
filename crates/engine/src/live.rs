//! Where the two rivers meet: the snapshot that requests are served from, swapped as a whole.

use crate::report::Entry;
use crate::route::Routes;
use arc_swap::{ArcSwap, Guard};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use trilithon_model::dynamic::http::{Service, ServiceKind};
use trilithon_tls::Tls;
use trilithon_upstream::open_api;

/// Everything compiled from one state of the configuration; immutable.
pub struct Snapshot {
    /// By [`EntryPoint::index`](crate::entry_point::EntryPoint::index).
    pub entry_points: Vec<Routes>,
    /// The routers of the UDP entry points, by their own [index](crate::udp::EntryPoint::index).
    pub udp: Vec<Option<Arc<crate::udp::Route>>>,
    pub tls: Tls,
    /// What became of each object of the configuration.
    pub report: Arc<crate::report::Report>,
}

impl Snapshot {
    /// Every file beside the routing files that the configuration names, whether it exists or not: a change of one calls for a new
    /// build.
    pub fn watched_files(&self) -> Vec<PathBuf> {
        let document = |service: &Entry<Service>| match service.config.value.kind() {
            Ok(ServiceKind::OpenApi(config)) => open_api::file(config),
            _ => None,
        };
        let documents = self.report.services.values().filter_map(document);
        self.tls
            .watched_files()
            .iter()
            .cloned()
            .chain(documents)
            .collect()
    }
}

/// The current snapshot.
pub struct Live {
    snapshot: ArcSwap<Snapshot>,
    ending: AtomicBool,
}

impl Live {
    pub fn new(first: Snapshot) -> Arc<Live> {
        Arc::new(Live {
            snapshot: ArcSwap::from_pointee(first),
            ending: AtomicBool::new(false),
        })
    }

    /// The snapshot for one exchange. Cheap: no lock, and no shared counter is touched.
    #[inline]
    pub fn load(&self) -> Guard<Arc<Snapshot>> {
        self.snapshot.load()
    }

    /// The snapshot, to keep.
    pub fn get(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// Puts a new snapshot in the place of the current one; exchanges under way end on the old one.
    pub fn swap(&self, next: Snapshot) {
        self.snapshot.store(Arc::new(next));
    }

    /// Says that the process is about to end; requests are still served.
    pub fn announce_end(&self) {
        self.ending.store(true, Ordering::Relaxed);
    }

    /// Whether the end was announced: what `ping` answers depends on it.
    pub fn is_ending(&self) -> bool {
        self.ending.load(Ordering::Relaxed)
    }
}
