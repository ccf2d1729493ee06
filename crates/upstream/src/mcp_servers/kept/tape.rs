//! What was told in one stream, kept for a client that comes back for it (revision 2025-11-25, "Resumability and Redelivery"). It is
//! written where the stream is told, and played to whoever comes back, on whichever worker that is.

use super::super::ask::is_answer;
use super::super::room::{Room, Taken};
use super::super::table::Number;
use super::reader::Reader;
use bytes::Bytes;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;
use trilithon_mcp::{EventId, Stream};

/// One stream, as far as it is kept.
pub struct Tape {
    /// The session that it is told in.
    session: Number,
    /// A hash of whose session that is.
    pub caller: u64,
    /// Bytes of it that are kept.
    most: usize,
    /// Of those of all.
    room: Arc<Room>,
    state: Mutex<State>,
    /// There is something new.
    pub news: Notify,
}

pub struct State {
    pub events: VecDeque<Event>,
    bytes: usize,
    /// Where the last event is, kept or not.
    pub place: EventId,
    /// Which event is the answer that the stream is for.
    pub answer: Option<u64>,
    /// Whether more may come, and since when not.
    pub ended: Option<Instant>,
    /// Clients that read it: the one that it is told to, and those that came back.
    readers: usize,
    /// Since when nobody does.
    left: Option<Instant>,
    /// Nobody comes back any more.
    let_go: bool,
}

pub struct Event {
    pub number: u64,
    pub text: Bytes,
    _taken: Taken,
}

impl Tape {
    /// A tape for the stream in `place`, whom one client reads as it is told.
    pub fn new(session: Number, caller: u64, place: EventId, most: usize, room: Arc<Room>) -> Tape {
        Tape {
            session,
            caller,
            most,
            room,
            state: Mutex::new(State {
                events: VecDeque::new(),
                bytes: 0,
                place,
                answer: None,
                ended: None,
                readers: 1,
                left: None,
                let_go: false,
            }),
            news: Notify::new(),
        }
    }

    /// Keeps an event with this `message`, which brings the client to `place`; the oldest go for it. One that is too large is not kept.
    pub fn keep(&self, place: &EventId, text: &[u8], message: &[u8]) {
        let number = place.kept.map_or(0, |kept| kept.event);
        let is_answer = is_answer(message);
        let mut state = self.lock();
        state.place.clone_from(place);
        state.answer = state.answer.or(is_answer.then_some(number));
        let taken = loop {
            if text.len() > self.most {
                break None;
            }
            let fits = state.bytes + text.len() <= self.most;
            if let Some(taken) = fits.then(|| self.room.take(text.len())).flatten() {
                break Some(taken);
            }
            let Some(oldest) = state.events.pop_front() else {
                break None;
            };
            state.bytes -= oldest.text.len();
        };
        if let Some(taken) = taken {
            state.bytes += text.len();
            state.events.push_back(Event {
                number,
                text: Bytes::copy_from_slice(text),
                _taken: taken,
            });
        }
        drop(state);
        self.news.notify_waiters();
    }

    /// Nothing more will come.
    pub fn end(&self) {
        self.lock().ended.get_or_insert_with(Instant::now);
        self.news.notify_waiters();
    }

    /// Whether it can go: nobody reads it, and it has ended, or was left, for `age`.
    pub fn is_stale(&self, age: Duration) -> bool {
        let state = self.lock();
        let since = state.ended.or(state.left);
        state.readers == 0 && (state.let_go || since.is_some_and(|since| since.elapsed() >= age))
    }

    /// Whether it is told though its client has left.
    pub fn is_told_to_nobody(&self) -> bool {
        let state = self.lock();
        state.readers == 0 && state.ended.is_none() && !state.let_go
    }

    pub fn has_ended(&self) -> bool {
        self.lock().ended.is_some()
    }

    /// Nobody comes back to it any more: it is told until it is left.
    pub fn let_go(&self) {
        self.lock().let_go = true;
        self.news.notify_waiters();
    }

    /// Whether all was told that its client waits for, and nobody reads it.
    pub fn is_done(&self) -> bool {
        let state = self.lock();
        state.readers == 0 && state.answer.is_some()
    }

    /// Waits until nobody has read it for `age` or nobody may, or nobody reads on when all was told.
    pub async fn abandoned(&self, age: Duration) {
        loop {
            let news = self.news.notified();
            if self.is_stale(age) || self.is_done() {
                return;
            }
            let left = self.lock().left;
            let rest = left.map_or(age, |left| age.saturating_sub(left.elapsed()));
            drop(tokio::time::timeout(rest, news).await);
        }
    }

    /// The client that it was told to has left.
    pub fn leave(&self) {
        let mut state = self.lock();
        state.readers = state.readers.saturating_sub(1);
        if state.readers == 0 {
            state.left = Some(Instant::now());
            drop(state);
            self.news.notify_waiters();
        }
    }

    /// A client of `session` comes back; `None` for another's, and when it is too late.
    pub fn read(self: &Arc<Tape>, session: &Number) -> Option<Reader> {
        let mut state = self.lock();
        if state.let_go || self.session != *session {
            return None;
        }
        state.readers += 1;
        state.left = None;
        drop(state);
        Some(Reader::new(self.clone()))
    }

    pub fn is_of(&self, session: &Number) -> bool {
        self.session == *session
    }

    /// Whether it is no answer to a message.
    pub fn is_listening(&self) -> bool {
        self.lock().place.stream == Stream::Listening
    }

    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::super::reader::Next;
    use super::*;
    use trilithon_mcp::Kept;

    const SESSION: Number = [7; 16];

    fn tape(most: usize, room: usize) -> Arc<Tape> {
        let place = EventId::new(Stream::Answer("1".into()));
        Arc::new(Tape::new(SESSION, 1, place, most, Arc::new(Room::new(room))))
    }

    fn keep(tape: &Tape, event: u64, text: &str) {
        let mut place = EventId::new(Stream::Answer("1".into()));
        place.kept = Some(Kept { stream: 9, event });
        tape.keep(&place, text.as_bytes(), text.as_bytes());
    }

    /// The numbers of what is kept after `number`.
    fn after(reader: &Reader, mut number: u64) -> Vec<u64> {
        let mut numbers = Vec::new();
        while let Next::Event(next, _) = reader.after(number) {
            numbers.push(next);
            number = next;
        }
        numbers
    }

    #[test]
    fn the_last_events_are_kept() {
        let tape = tape(10, 100);
        let reader = tape.read(&SESSION).unwrap();
        assert!(tape.read(&[8; 16]).is_none(), "it is another's");
        for event in 0..5 {
            keep(&tape, event, "four");
        }
        assert_eq!(after(&reader, 0), [3, 4], "ten bytes of it");
        assert_eq!(after(&reader, 3), [4]);
        assert!(matches!(reader.after(4), Next::Wait));
        keep(&tape, 5, "more than ten bytes");
        keep(&tape, 6, "six");
        assert_eq!(after(&reader, 3), [4, 6], "what is too large is passed over");
        assert_eq!((reader.answer(), reader.place().kept.unwrap().event), (None, 6));
        keep(&tape, 7, r#"{"id":1,"result":{}}"#);
        assert_eq!(
            (reader.answer(), after(&reader, 6)),
            (Some(7), vec![]),
            "and known"
        );
        tape.end();
        assert!(matches!(reader.after(7), Next::Over));
    }

    #[test]
    fn all_have_so_much_room() {
        let (one, other) = (tape(10, 100), tape(10, 5));
        keep(&one, 0, "four");
        for event in 0..3 {
            keep(&other, event, "four");
        }
        assert_eq!(after(&other.read(&SESSION).unwrap(), 0), [2]);
    }

    #[test]
    fn it_goes_when_nobody_comes_back() {
        let tape = tape(10, 100);
        let now = Duration::ZERO;
        assert!(!tape.is_stale(now), "it is told");
        tape.end();
        assert!(!tape.is_stale(now), "and read to its end");
        let reader = tape.read(&SESSION).unwrap();
        tape.leave();
        assert!(!tape.is_stale(now), "somebody reads it");
        drop(reader);
        assert!(tape.is_stale(now) && !tape.is_stale(Duration::from_secs(60)));
        assert!(!tape.is_done());
        keep(&tape, 1, r#"{"result":{}}"#);
        assert!(tape.is_done(), "nobody waits for more");
        tape.let_go();
        assert!(tape.is_stale(Duration::from_secs(60)) && tape.read(&SESSION).is_none());
    }
}
