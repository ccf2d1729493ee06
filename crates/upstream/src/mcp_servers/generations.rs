//! A map of bounded size: what was not looked at for longest goes first.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;

/// Two generations. What is looked at belongs to the young one; when that is full it becomes the old one, whose rest is forgotten.
pub struct Generations<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
    most: usize,
}

impl<K: Hash + Eq, V: Clone> Generations<K, V> {
    /// With `most` entries in each of the two.
    pub fn new(most: usize) -> Generations<K, V> {
        Generations {
            young: HashMap::new(),
            old: HashMap::new(),
            most,
        }
    }

    /// What is known of a key.
    pub fn get<Q: Hash + Eq + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        if let Some(value) = self.young.get(key) {
            return Some(value.clone());
        }
        let (key, value) = self.old.remove_entry(key)?;
        self.put(key, value.clone());
        Some(value)
    }

    /// Something new is known.
    pub fn put(&mut self, key: K, value: V) {
        if self.young.len() >= self.most {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_looked_at_stays() {
        let mut all = Generations::new(4);
        for n in 0..100 {
            all.put(n, n * 2);
            assert_eq!(all.get(&0), Some(0), "{n}");
            assert!(all.young.len() <= 4 && all.old.len() <= 4);
        }
        assert_eq!((all.get(&1), all.get(&99)), (None, Some(198)));
    }
}
