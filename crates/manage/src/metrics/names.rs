//! Names as small numbers, per worker.

use rustc_hash::FxHashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use trilithon_flow::record::Name;

/// Values of one header label that are told apart, in the whole process; further ones are [`OTHER`].
pub const MAX_VALUES: usize = 1_000;
/// The value that stands for all beyond [`MAX_VALUES`].
pub const OTHER: &str = "__other__";

/// Names of one worker. 0 is no name.
#[derive(Default)]
pub struct Names {
    by_text: FxHashMap<Name, u32>,
    /// Names of the snapshot are found by where they are. Holding them keeps their place from being used again.
    by_place: FxHashMap<usize, (Name, u32)>,
}

impl Names {
    /// The number of a name that may be there.
    #[inline]
    pub fn of(&mut self, name: Option<&Name>) -> u32 {
        let Some(name) = name else { return 0 };
        let place = Arc::as_ptr(name).cast::<u8>().addr();
        match self.by_place.get(&place) {
            Some((_, number)) => *number,
            None => self.find(name, place),
        }
    }

    fn find(&mut self, name: &Name, place: usize) -> u32 {
        // A name that nobody else holds was made for this exchange; its place means nothing afterwards.
        let lasting = Arc::strong_count(name) > 1;
        let next = self.by_text.len() as u32 + 1;
        let number = match self.by_text.get(name) {
            Some(number) => *number,
            None => *self.by_text.entry(name.clone()).or_insert(next),
        };
        if lasting {
            self.by_place.insert(place, (name.clone(), number));
        }
        number
    }
}

/// The values seen of each header label, shared by all workers.
pub struct Values {
    labels: Box<[Label]>,
}

#[derive(Default)]
struct Label {
    values: Mutex<FxHashMap<Box<str>, Name>>,
    full: AtomicBool,
}

impl Values {
    pub fn new(labels: usize) -> Values {
        Values {
            labels: (0..labels).map(|_| Label::default()).collect(),
        }
    }

    /// The shared spelling of a value; [`OTHER`] when there are too many.
    pub fn share(&self, label: usize, value: &str) -> Name {
        let Some(label) = self.labels.get(label) else {
            return OTHER.into();
        };
        let mut values = label.values.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = values.get(value) {
            return known.clone();
        }
        if values.len() >= MAX_VALUES {
            label.full.store(true, Ordering::Relaxed);
            return OTHER.into();
        }
        let name: Name = value.into();
        values.insert(value.into(), name.clone());
        name
    }

    /// Whether unknown values of a label need not be asked for.
    pub fn is_full(&self, label: usize) -> bool {
        self.labels
            .get(label)
            .is_none_or(|l| l.full.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_keeps_its_number_wherever_it_is() {
        let mut names = Names::default();
        let (a, b): (Name, Name) = ("a".into(), "b".into());
        let held = (a.clone(), b.clone());
        assert_eq!(names.of(None), 0);
        let first = names.of(Some(&a));
        assert_ne!(first, names.of(Some(&b)));
        for _ in 0..3 {
            let again: Name = "a".into();
            assert_eq!(names.of(Some(&again)), first);
        }
        assert_eq!(names.of(Some(&held.0)), first);
        assert!(
            names.by_place.len() <= 2,
            "names made for one exchange are not kept"
        );
    }

    #[test]
    fn values_are_bounded() {
        let values = Values::new(1);
        for i in 0..MAX_VALUES {
            assert_eq!(&*values.share(0, &i.to_string()), i.to_string());
        }
        assert!(!values.is_full(0));
        assert_eq!(&*values.share(0, "one more"), OTHER);
        assert!(values.is_full(0));
        assert_eq!(&*values.share(0, "7"), "7");
    }
}
