//! Guards that have to be asked about a stream: a model, a service, Presidio.

use super::super::window::{OVERLAP, PAUSE, Place, settled};
use super::{Judging, is_whole};
use crate::http::guard::Guard;
use crate::http::guard::said::Said;
use crate::http::guard::texts::Texts;
use std::future::Future;
use std::ops::Range;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;
use trilithon_ai::dialect::{Denial, Dialect};
use trilithon_ai::guard::hold::Hold;
use trilithon_flow::model_call::Phase;
use trilithon_flow::{Channel as Kind, Connection, Mode};

type Question = Pin<Box<dyn Future<Output = Said>>>;

/// A question that is out.
pub(super) struct Out {
    asked: Asked,
    question: Question,
}

/// What was asked.
#[derive(Clone)]
struct Asked {
    guard: usize,
    channel: usize,
    text: Range<usize>,
    /// The channel was complete when it was asked.
    last: bool,
    since: Instant,
}

impl Judging {
    /// Hears what was answered and asks what is due; true if something was heard.
    pub fn poll(&mut self, hold: &mut Hold, cx: &mut Context<'_>) -> bool {
        let heard = self.answers(hold, cx);
        let paused = self
            .timer
            .as_mut()
            .is_some_and(|timer| timer.as_mut().poll(cx).is_ready());
        if paused {
            self.timer = None;
        }
        let asked = self.ask(hold, paused);
        if asked {
            // A question begins when it is polled.
            return self.answers(hold, cx) | heard;
        }
        if self.timer.is_none() && self.is_unasked(hold) {
            let mut timer = Box::pin(tokio::time::sleep(PAUSE));
            let _ = timer.as_mut().poll(cx);
            self.timer = Some(timer);
        }
        heard
    }

    fn answers(&mut self, hold: &mut Hold, cx: &mut Context<'_>) -> bool {
        let mut done = Vec::new();
        self.out.retain_mut(|out| match out.question.as_mut().poll(cx) {
            Poll::Pending => true,
            Poll::Ready(said) => {
                done.push((out.asked.clone(), said));
                false
            }
        });
        let heard = !done.is_empty();
        // In the order of the guards: which of two refusals counts does not hang on who answered first.
        done.sort_by_key(|(asked, _)| (asked.guard, asked.channel));
        for (asked, said) in done {
            self.answered(hold, asked, &said);
        }
        heard
    }

    fn answered(&mut self, hold: &mut Hold, asked: Asked, said: &Said) {
        let Asked {
            guard,
            channel: place,
            text,
            last,
            since,
        } = asked;
        let one = &mut self.guards[guard];
        one.places[place].busy = false;
        let spans = one.rules().is_some();
        let before = hold.channels()[place].judged(guard);
        let whole = hold.channels()[place].key.kind == Kind::ToolArguments;
        let upto = settled(text.end, last, spans && !whole).max(before);
        let ends = self.note(
            guard,
            place,
            hold,
            said,
            upto.saturating_sub(before) as u64,
            since.elapsed(),
        );
        if ends {
            return;
        }
        let mut masks = Vec::new();
        let held = hold.channels()[place].text();
        let boundary = |at: usize| held.0.is_char_boundary(at.saturating_sub(held.1));
        for (_, range, with) in &said.masks {
            // What has gone already cannot be hidden any more.
            let range = (range.start + text.start).max(before)..range.end + text.start;
            if !range.is_empty() && boundary(range.start) && boundary(range.end) {
                masks.push((range, *with));
            }
        }
        self.hidden(&hold.channels()[place], &masks);
        if self.guards[guard].active.mode != Mode::Enforce {
            masks.clear();
        }
        hold.judge(place, guard, upto, &masks);
    }

    /// Asks what is due; true if something was asked.
    fn ask(&mut self, hold: &Hold, paused: bool) -> bool {
        let mut asked = false;
        for guard in 0..self.guards.len() {
            if self.guards[guard].is_instant() || self.refusal.is_some() {
                continue;
            }
            for place in 0..hold.channels().len() {
                asked |= self.ask_of(guard, place, hold, paused);
            }
        }
        asked
    }

    /// Asks a guard about what is new of a channel, if that is due.
    fn ask_of(&mut self, guard: usize, place: usize, hold: &Hold, paused: bool) -> bool {
        let one = &mut self.guards[guard];
        one.places
            .resize(one.places.len().max(place + 1), Place::default());
        let channel = &hold.channels()[place];
        let (judged, received) = (channel.judged(guard), channel.received());
        let whole = is_whole(channel);
        if !one.places[place].is_due(received, channel.complete, judged, whole, paused) {
            return false;
        }
        one.places[place] = Place {
            asked: received,
            busy: true,
        };
        let (held, base) = channel.text();
        let mut from = judged.saturating_sub(OVERLAP).max(base) - base;
        while !held.is_char_boundary(from) {
            from += 1;
        }
        let owned = one.active.guard.clone();
        let text = held[from..].to_owned();
        self.out.push(Out {
            asked: Asked {
                guard,
                channel: place,
                text: base + from..received,
                last: channel.complete,
                since: Instant::now(),
            },
            question: question(owned, channel.key.kind, text, self.dialect, self.client.clone()),
        });
        true
    }

    /// Whether there is text that a guard was not asked about yet.
    fn is_unasked(&self, hold: &Hold) -> bool {
        let mut asked = self.guards.iter().filter(|one| !one.is_instant());
        asked.any(|one| {
            hold.channels()
                .iter()
                .zip(&one.places)
                .any(|(channel, place)| !is_whole(channel) && !place.busy && channel.received() > place.asked)
        })
    }
}

/// Judges part of a stream's text as if it were all of an answer.
fn question(
    guard: Arc<Guard>,
    kind: Kind,
    text: String,
    dialect: Option<Dialect>,
    client: Rc<Connection>,
) -> Question {
    let denial = Denial {
        message: &text,
        model: "",
        stream: false,
        created: 0,
        nonce: 0,
    };
    let data = match dialect {
        Some(dialect) => dialect.denial(&denial),
        None => serde_json::json!({"text": text}).to_string().into_bytes(),
    };
    let texts = Texts::of_text(kind, text, data);
    Box::pin(async move {
        let Some(engine) = guard.engine(Phase::Response) else {
            return Said::pass();
        };
        let mut said = engine.judge(&texts, &client).await;
        said.masks = std::mem::take(&mut said.masks)
            .into_iter()
            .map(|(text, range, with)| {
                let (text, range) = texts.outer(text, range);
                (text, range, with)
            })
            .collect();
        said
    })
}
