//! The book: what all limits of the process share, and where the durable ones are kept.

use crate::lease::Leases;
use crate::{Store, Window, clock};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use trilithon_flow::Keep;

/// The file in the store folder.
const FILE: &str = "limits.redb";

/// The limit book of the process. It opens its store when the first durable limit asks for it.
#[derive(Default)]
pub struct Book {
    /// Where the store is, or why there is none; absent where nothing is served (`check`), and nothing to be kept.
    folder: Option<Result<PathBuf, String>>,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    store: Option<Arc<Store>>,
    /// Why the store could not be opened at once.
    error: Option<String>,
    leases: Vec<Weak<Leases>>,
}

impl Book {
    /// The name under which the process keeps its book.
    const NAME: &str = "limit book";

    /// Makes the book of the process, with its store in `folder`; `Err` says why there is none. Whoever holds it keeps it.
    pub fn start(keep: &Keep, folder: Result<PathBuf, String>) -> Arc<Book> {
        keep.get(Book::NAME, &(), || Book {
            folder: Some(folder),
            open: Mutex::default(),
        })
    }

    /// The book of the process; where none was started, one that is kept in memory.
    pub fn of(keep: &Keep) -> Arc<Book> {
        keep.get(Book::NAME, &(), Book::default)
    }

    /// Leases for a durable limit, if there is a store; and what is wrong with that.
    pub(crate) fn lease(&self, window: Window) -> (Option<Arc<Leases>>, Option<String>) {
        let folder = match &self.folder {
            None => return (None, None),
            Some(Err(why)) => return (None, Some(why.clone())),
            Some(Ok(folder)) => folder,
        };
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let store = match &open.store {
            Some(store) => store.clone(),
            None => {
                let (store, error) = Store::open(&folder.join(FILE));
                open.error = error.map(|e| e.to_string());
                open.store = Some(store.clone());
                store
            }
        };
        open.leases.retain(|l| l.strong_count() > 0);
        let leases = Leases::new(window, store);
        open.leases.push(Arc::downgrade(&leases));
        (Some(leases), open.error.clone())
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
