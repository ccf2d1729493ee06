//! Sessions whose ids were opened lately: nearly every message comes with one of those, and need not be decrypted again.

use super::generations::Generations;
use std::sync::{Arc, Mutex, PoisonError};
use trilithon_mcp::Session;

/// Ids in each of the two generations. One takes a kilobyte, and seven at most.
const MOST: usize = 1024;

/// Sessions by the end of their ids, with the id. Belongs to one service and its key: an id of another is none here.
pub struct Opened(Mutex<Generations<End, Arc<Known>>>);

struct Known {
    id: Box<str>,
    session: Arc<Session>,
}

/// The last bytes of an id: they are of the code that proves it, and tell ids apart as well as all of it does.
type End = [u8; 16];

fn end(id: &str) -> End {
    id.as_bytes().last_chunk().copied().unwrap_or_default()
}

impl Default for Opened {
    fn default() -> Opened {
        Opened(Mutex::new(Generations::new(MOST)))
    }
}

impl Opened {
    /// The session of an id: remembered, or opened by `open`. What cannot be opened is not remembered.
    pub fn get(&self, id: &str, open: impl FnOnce() -> Option<Session>) -> Option<Arc<Session>> {
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = lock().get(&end(id)).filter(|known| *known.id == *id);
        if let Some(known) = known {
            return Some(known.session.clone());
        }
        let session = Arc::new(open()?);
        let known = Known {
            id: id.into(),
            session: session.clone(),
        };
        lock().put(end(id), Arc::new(known));
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
        assert_eq!(
            opened.get(&format!("x{id}"), || None),
            None,
            "its end is no proof"
        );
        let other = session.seal(&seal, "other");
        assert_eq!((get(&other), get(&other)), (None, None));
    }
}
