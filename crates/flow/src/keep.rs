//! State that outlives a snapshot: buckets, breakers, counters, health, pools, sessions.
//!
//! A thing is kept while somebody uses it and while its configuration is the same. The registry holds weak references, so
//! state dies with the last snapshot that uses it.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// The registry of kept state; one per process.
#[derive(Default)]
pub struct Keep {
    entries: Mutex<HashMap<(TypeId, String), Entry>>,
}

struct Entry {
    config: u64,
    state: Weak<dyn Any + Send + Sync>,
}

impl Keep {
    /// The state of the thing called `name` with this configuration: the one that is in use, or a new one.
    pub fn get<T: Send + Sync + 'static>(
        &self,
        name: &str,
        config: &impl Hash,
        new: impl FnOnce() -> T,
    ) -> Arc<T> {
        let mut hasher = DefaultHasher::new();
        config.hash(&mut hasher);
        let config = hasher.finish();
        let key = (TypeId::of::<T>(), name.to_owned());
        if let Some(state) = self.find(&key, config) {
            return state;
        }
        // Made without the lock: making one thing may ask for another.
        let state = Arc::new(new());
        let weak: Weak<dyn Any + Send + Sync> =
            Arc::downgrade(&(state.clone() as Arc<dyn Any + Send + Sync>));
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.len() > 64 && entries.len().is_power_of_two() {
            entries.retain(|_, e| e.state.strong_count() > 0);
        }
        entries.insert(key, Entry { config, state: weak });
        state
    }

    fn find<T: Send + Sync + 'static>(&self, key: &(TypeId, String), config: u64) -> Option<Arc<T>> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = entries.get(key).filter(|e| e.config == config)?;
        entry.state.upgrade()?.downcast::<T>().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kept_while_used_and_unchanged() {
        let keep = Keep::default();
        let a = keep.get("x", &1, || 10u32);
        assert!(
            Arc::ptr_eq(&a, &keep.get("x", &1, || 11u32)),
            "same thing, same state"
        );
        assert_eq!(
            *keep.get("x", &2, || 12u32),
            12,
            "changed configuration, new state"
        );
        assert_eq!(*keep.get("y", &1, || 13u32), 13, "another name, another state");
        assert_eq!(*keep.get("x", &2, || 14u64), 14, "another type, another state");
        drop(a);
        assert_eq!(*keep.get("x", &1, || 15u32), 15, "unused state is gone");
    }
}
