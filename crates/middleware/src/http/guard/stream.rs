//! A stream that is judged before the client sees it.
//!
//! Frames wait in a [`Hold`] until every guard has judged the text in them. Patterns judge as the text comes; who has to be
//! asked judges in windows, while reading goes on up to a bound. The head waits for the first text, so that an
//! answer that is refused from its beginning is answered like any other refusal.

mod event;
mod judging;
mod window;

use self::event::Event;
use self::judging::Judging;
use super::ask::Active;
use super::said::Said;
use super::{UNJUDGED, failure};
use bytes::{Bytes, BytesMut};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll};
use trilithon_ai::Query;
use trilithon_ai::dialect::Dialect;
use trilithon_ai::guard::ending::Told;
use trilithon_ai::guard::hold::Hold;
use trilithon_flow::limits::MAX_MODEL_EVENT;
use trilithon_flow::{
    Body, Connection, Exchange, Fault, FaultKind, Headers, Known, Response, SharedCall, Source,
};
use trilithon_wire::sse::{Frame, Frames, TooLong};

/// Bytes of frames that are held before reading stops until something was judged. Nothing of a tool call is judged before it is
/// whole, so this also bounds the arguments of one.
pub const MAX_HELD: usize = 4 << 20;
/// Texts that one stream may have: choices, blocks, tool calls, and what is told once more.
const MAX_TEXTS: usize = 2048;
/// Bytes that are held back with the head while no text came.
const MAX_OPENING: usize = 64 * 1024;

/// A body that gives out what was judged.
pub struct Guarded {
    body: Body,
    dialect: Option<Dialect>,
    /// Of the guards, for bodies without a dialect.
    queries: Vec<Query>,
    cut: Frames,
    /// The beginning of a frame whose end has not come.
    rest: BytesMut,
    hold: Hold,
    judging: Judging,
    told: Told,
    /// What the client is given next.
    out: Bytes,
    /// Text has gone to the client.
    spoken: bool,
    /// The head has not gone yet.
    opening: bool,
    state: State,
}

#[derive(Clone)]
enum State {
    Reading,
    /// The upstream has ended; what is held is judged to its end.
    Ended,
    /// A guard ended the stream: by its place, with what it said.
    Refused(usize, Box<Said>),
    Over,
}

impl Guarded {
    /// Puts itself around the body of a stream; the answer of the guard that refused it, if that was before any text.
    pub async fn begin(
        judging: Vec<Active>,
        dialect: Option<Dialect>,
        call: SharedCall,
        mut res: Response,
        cx: &mut Exchange,
    ) -> Response {
        res.headers.remove_known(Known::ContentLength);
        let client: Rc<Connection> = cx.connection.clone();
        let judging = Judging::new(judging, dialect, call, client);
        let mut guarded = Guarded {
            body: res.body.take(),
            dialect,
            queries: judging.queries(),
            cut: Frames::new(MAX_MODEL_EVENT),
            rest: BytesMut::new(),
            hold: Hold::new(judging.len(), dialect),
            judging,
            told: Told::default(),
            out: Bytes::new(),
            spoken: false,
            opening: true,
            state: State::Reading,
        };
        if let Err(fault) = poll_fn(|cx| guarded.open(cx)).await {
            return Response::from(fault);
        }
        if let State::Refused(guard, said) = &guarded.state
            && !guarded.spoken
        {
            let (guard, said) = (*guard, said.clone());
            return guarded.judging.answer(guard, &said, dialect);
        }
        guarded.opening = false;
        res.body = Body::from_source(guarded);
        res
    }

    /// Until text may go, or it is clear that none will.
    fn open(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        let mut opening = BytesMut::from(&std::mem::take(&mut self.out)[..]);
        let ready = loop {
            if self.spoken
                || opening.len() > MAX_OPENING
                || !matches!(self.state, State::Reading | State::Ended)
            {
                break Poll::Ready(Ok(()));
            }
            match self.step(cx) {
                Poll::Ready(Ok(())) => opening.extend_from_slice(&std::mem::take(&mut self.out)),
                Poll::Ready(Err(fault)) => return Poll::Ready(Err(fault)),
                Poll::Pending => break Poll::Pending,
            }
        };
        self.out = opening.freeze();
        ready
    }

    /// Goes on until there is something to give out, or nothing more will be.
    fn step(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        loop {
            if self.release() {
                return Poll::Ready(Ok(()));
            }
            match &self.state {
                State::Over => return Poll::Ready(Ok(())),
                State::Refused(..) if self.opening && !self.spoken => return Poll::Ready(Ok(())),
                State::Refused(..) => return Poll::Ready(self.refuse()),
                State::Ended if self.hold.is_empty() => {
                    self.judging.tell();
                    self.state = State::Over;
                    return Poll::Ready(Ok(()));
                }
                State::Reading | State::Ended => {}
            }
            let heard = self.judging.poll(&mut self.hold, cx);
            let read = self.read(cx)?;
            if let Some((guard, said)) = self.judging.refusal() {
                self.state = State::Refused(guard, Box::new(said));
                continue;
            }
            if !heard && !read {
                if self.hold.held() < MAX_HELD || self.judging.is_waiting() {
                    return Poll::Pending;
                }
                // Nothing is asked, nothing may be read: no more can become of it.
                self.judging
                    .fail(&mut self.hold, "more would have to be held than may be");
            }
        }
    }

    /// Takes out what may go.
    fn release(&mut self) -> bool {
        let mut all = BytesMut::new();
        let mut first = Bytes::new();
        while let Some((bytes, has_text)) = self.hold.pop() {
            self.spoken |= has_text;
            if let Some(dialect) = self.dialect {
                note(&mut self.told, dialect, &bytes);
            }
            if first.is_empty() {
                first = bytes;
            } else {
                if all.is_empty() {
                    all.extend_from_slice(&first);
                }
                all.extend_from_slice(&bytes);
            }
        }
        self.out = if all.is_empty() { first } else { all.freeze() };
        !self.out.is_empty()
    }

    /// Ends the stream in the client's dialect; where there is none, it breaks, so that nobody takes it for whole.
    fn refuse(&mut self) -> Result<(), Fault> {
        let State::Refused(_, said) = std::mem::replace(&mut self.state, State::Over) else {
            return Ok(());
        };
        self.judging.tell();
        self.body = Body::empty();
        let Some(dialect) = self.dialect else {
            return Err(Fault::new(FaultKind::Internal, "a guard refused the answer"));
        };
        let message = Judging::message(&said);
        self.out = self.told.ending(dialect, &message).into();
        Ok(())
    }

    /// Reads what is there, as far as it may be held.
    fn read(&mut self, cx: &mut Context<'_>) -> Result<bool, Fault> {
        if !matches!(self.state, State::Reading) || self.hold.held() >= MAX_HELD {
            return Ok(false);
        }
        let chunk = match self.body.poll_chunk(cx) {
            Poll::Pending => return Ok(false),
            Poll::Ready(chunk) => chunk?,
        };
        let ended = chunk.is_empty();
        self.rest.extend_from_slice(&chunk);
        while let Some(frame) = self.cut.next_or_rest(&self.rest, ended).map_err(too_large)? {
            self.take(&frame);
        }
        if ended {
            self.hold.close(|_| true);
            self.state = State::Ended;
        }
        self.judging.heard(&mut self.hold);
        Ok(true)
    }

    /// Takes a frame off what was read.
    fn take(&mut self, frame: &Frame) {
        let bytes = self.rest.split_to(frame.len).freeze();
        let data = frame.data(&bytes);
        let text = std::str::from_utf8(&data).unwrap_or_default();
        match Event::read(self.dialect, &self.queries, &data) {
            Ok(event)
                if !event.pieces.is_empty()
                    && self.hold.channels().len() + event.pieces.len() > MAX_TEXTS =>
            {
                self.hold.push(bytes.clone(), "", &[]);
                self.judging.fail(&mut self.hold, "the answer has too many texts");
            }
            Ok(event) => {
                self.hold.push(bytes.clone(), text, &event.pieces);
                self.hold.close(|channel| event.ends(channel));
            }
            Err(why) if frame.has_data() => {
                // Text may be in it that nobody can find.
                self.hold.push(bytes.clone(), "", &[]);
                self.judging.fail(&mut self.hold, why);
            }
            Err(_) => self.hold.push(bytes.clone(), "", &[]),
        }
    }
}

fn too_large(_: TooLong) -> Fault {
    Fault::new(FaultKind::Malformed, "an event of the answer is too large")
}

/// Takes note of what the client is told.
fn note(told: &mut Told, dialect: Dialect, bytes: &[u8]) {
    let mut frames = Frames::new(usize::MAX);
    if let Ok(Some(frame)) = frames.next_or_rest(bytes, true)
        && frame.has_data()
    {
        told.note(dialect, &frame.data(bytes));
    }
}

impl Source for Guarded {
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<&[u8], Fault>> {
        while self.out.is_empty() {
            match self.step(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(fault)) => {
                    self.state = State::Over;
                    return Poll::Ready(Err(fault));
                }
                Poll::Ready(Ok(())) if matches!(self.state, State::Over) => break,
                Poll::Ready(Ok(())) => {}
            }
        }
        Poll::Ready(Ok(&self.out))
    }

    fn consume(&mut self, n: usize) {
        bytes::Buf::advance(&mut self.out, n);
    }

    fn length(&self) -> Option<u64> {
        None
    }

    fn trailers(&mut self) -> Option<Headers> {
        self.body.trailers()
    }

    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Result<Bytes, Fault>> {
        match self.poll_fill(cx) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Err(fault)) => return Poll::Ready(Err(fault)),
            Poll::Ready(Ok(_)) => {}
        }
        Poll::Ready(Ok(std::mem::take(&mut self.out)))
    }
}

/// The answer for a stream that was refused before it began.
fn refusal(dialect: Option<Dialect>) -> Response {
    failure(dialect, 500, UNJUDGED)
}
