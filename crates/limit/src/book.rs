//! The book: what all limits of the process share, and where the durable ones are kept.

use crate::lease::Leases;
use crate::{Store, StoreError, Window, clock};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use trilithon_flow::Keep;

/// The file in the store folder.
const FILE: &str = "limits.redb";

/// The limit book of the process. It opens its store when the first durable limit asks for it.
#[derive(Default)]
pub struct Book {
    /// Where the store is; `None` for a book that is kept in memory.
    folder: Option<PathBuf>,
    /// Why there is no folder.
    without: String,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    store: Option<Arc<Store>>,
    leases: Vec<Weak<Leases>>,
}

impl Book {
    /// The name under which the process keeps its book.
    const NAME: &str = "limit book";

    /// Makes the book of the process, with its store in `folder`; `Err` says why there is none. Whoever holds it keeps it.
    pub fn start(keep: &Keep, folder: Result<PathBuf, String>) -> Arc<Book> {
        keep.get(Book::NAME, &(), || {
            let (folder, without) = match folder {
                Ok(folder) => (Some(folder), String::new()),
                Err(why) => (None, why),
            };
            Book {
                folder,
                without,
                open: Mutex::default(),
            }
        })
    }

    /// The book of the process; where none was started (`check`, tests) one that is kept in memory.
    pub fn of(keep: &Keep) -> Arc<Book> {
        Book::start(keep, Err("this process has no store".into()))
    }

    /// Leases for a durable limit.
    ///
    /// # Errors
    /// There is no store: the limit has to count in memory. The second value of `Ok` says that there is one and it cannot be
    /// used now.
    pub(crate) fn lease(&self, window: Window) -> Result<(Arc<Leases>, Option<StoreError>), String> {
        let Some(folder) = &self.folder else {
            return Err(self.without.clone());
        };
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let (store, error) = match &open.store {
            Some(store) => (store.clone(), None),
            None => Store::open(&folder.join(FILE)),
        };
        open.store = Some(store.clone());
        open.leases.retain(|l| l.strong_count() > 0);
        let leases = Leases::new(window, store);
        open.leases.push(Arc::downgrade(&leases));
        Ok((leases, error))
    }

    /// Writes everything down that was leased and not spent: for the end of the process.
    pub fn close(&self) {
        let (store, leases) = {
            let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            (open.store.clone(), open.leases.clone())
        };
        let Some(store) = store else { return };
        // Twice: what was asked for before is answered by the first round.
        for _ in 0..2 {
            for leases in leases.iter().filter_map(Weak::upgrade) {
                leases.retire(clock::now());
            }
            store.close();
        }
    }
}
