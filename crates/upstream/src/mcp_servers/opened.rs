//! Sessions whose ids were opened lately: nearly every message comes with one of those, and need not be decrypted again.

use super::generations::Generations;
use std::sync::{Arc, Mutex, PoisonError};
use trilithon_mcp::Session;

/// Ids in each of the two generations. One takes a kilobyte, and seven at most.
const MOST: usize = 1024;

/// Sessions by id. Belongs to one service and its key: an id of another is none here.
pub struct Opened(Mutex<Generations<Box<str>, Arc<Session>>>);

impl Default for Opened {
    fn default() -> Opened {
        Opened(Mutex::new(Generations::new(MOST)))
    }
}

impl Opened {
    /// The session of an id: remembered, or opened by `open`. What cannot be opened is not remembered.
    pub fn get(&self, id: &str, open: impl FnOnce() -> Option<Session>) -> Option<Arc<Session>> {
        if let Some(session) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(id) {
            return Some(session);
        }
        let session = Arc::new(open()?);
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.put(id.into(), session.clone());
        Some(session)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use trilithon_mcp::Seal;

    #[test]
    fn an_id_is_opened_once() {
        let (seal, opened) = (Seal::new([]), Opened::default());
        let mut session = Session {
            number: [1; 16],
            principal: [2; 16],
            created: 3,
            hello: "{}".into(),
            legs: Vec::new(),
        };
        let id = session.seal(&seal, "s");
        let get = |id: &str| opened.get(id, || Session::open(&seal, "s", id));
        assert_eq!(get(&id).as_deref(), Some(&session));
        assert_eq!(opened.get(&id, || None).as_deref(), Some(&session));
        assert_eq!(get(&id[1..]), None);
        let other = session.seal(&seal, "other");
        assert_eq!((get(&other), get(&other)), (None, None));
    }
}
