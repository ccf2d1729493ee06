//! A client that comes back: it is told what it has missed, and goes on.

use super::super::Federation;
use super::super::answer::lost_body;
use super::super::stream::{Channel, Out, Place, Teller};
use super::reader::Reader;
use std::rc::Rc;
use std::sync::Arc;
use trilithon_flow::{Exchange, Request, Response};
use trilithon_mcp::{EventId, Session, Stream};

impl Federation {
    /// The stream that a client left at `from`, if it is kept.
    pub fn reader(&self, from: &EventId, session: &Session) -> Option<Reader> {
        self.tapes.find(from.kept?.stream, &session.number)
    }

    /// Goes on with a stream that is kept. One that broke off is taken up again where servers can do that.
    pub fn replay(
        self: &Arc<Federation>,
        reader: Reader,
        from: &EventId,
        session: Arc<Session>,
        head: Rc<Request>,
        cx: &Exchange,
        place: Place,
    ) -> Response {
        let out = Out::new(reader.place());
        let number = from.kept.map_or(0, |kept| kept.event);
        let (federation, telling, side) = (self.clone(), out.clone(), cx.side());
        let teller = async move {
            let told = play(&reader, number, &telling).await;
            let mut place = reader.place();
            let Stream::Answer(id) = &place.stream else {
                return;
            };
            match reader.answer() {
                Some(answer) if answer <= told => {}
                // It was told, and is not kept.
                Some(_) => telling.event(None, &lost_body(id)),
                None => {
                    let id = id.clone();
                    place.kept = None;
                    telling.move_to(place.clone());
                    let tellers = federation.tellers(&place, &session, &head, &telling, &side);
                    if tellers.is_empty() {
                        telling.event(None, &lost_body(&id));
                    }
                    for teller in tellers {
                        teller.await;
                    }
                }
            }
        };
        let tellers = vec![Box::pin(teller) as Teller];
        Channel::new(out, tellers, self.keep_alive, place).response()
    }

    /// The end of an answer that nobody can take up again.
    pub fn lost(&self, id: &str, place: Place) -> Response {
        let out = Out::new(EventId::new(Stream::Answer(id.into())));
        out.event(None, &lost_body(id));
        Channel::new(out, Vec::new(), self.keep_alive, place).response()
    }
}

/// Tells what comes after event `told`, until there is nothing more; -> the last event that was told.
async fn play(reader: &Reader, mut told: u64, out: &Out) -> u64 {
    loop {
        out.room().await;
        let Some((number, text)) = reader.next(told).await else {
            return told;
        };
        out.again(&text);
        told = number;
    }
}
