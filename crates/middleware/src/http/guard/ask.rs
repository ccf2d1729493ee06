//! Asking guards side by side. A guard that ends the call ends the others: their questions are dropped, and with them the
//! connections that they are on.

use super::Guard;
use super::said::Said;
use super::texts::Texts;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};
use trilithon_flow::model_call::{Phase, Verdict};
use trilithon_flow::{Connection, Mode};

/// A guard, and how seriously it is taken for this caller.
#[derive(Clone)]
pub struct Active {
    pub guard: Arc<Guard>,
    pub mode: Mode,
}

/// What a guard said, and how long it took.
pub struct Heard {
    pub said: Said,
    pub took: Duration,
}

type Question<'a> = Pin<Box<dyn Future<Output = Said> + 'a>>;

/// Asks all at once, each about its texts. `is_known`: the body's format says where they are. In one round all that can say something do; where one ends the call, the rest are
/// [`Verdict::Cancelled`], and the first in the order of the guards is the one that counts.
pub async fn ask(
    judging: &[&Active],
    phase: Phase,
    is_known: bool,
    texts: &[Texts],
    client: &Rc<Connection>,
) -> Vec<Heard> {
    let start = Instant::now();
    let mut open: Vec<Option<Question<'_>>> = Vec::with_capacity(judging.len());
    for (active, texts) in judging.iter().zip(texts) {
        let guard: Arc<Guard> = active.guard.clone();
        open.push(Some(Box::pin(one(guard, phase, is_known, texts, client))));
    }
    let mut heard: Vec<Option<Heard>> = (0..judging.len()).map(|_| None).collect();
    poll_fn(|cx| {
        let mut over = false;
        for ((slot, heard), active) in open.iter_mut().zip(&mut heard).zip(judging) {
            if let Some(question) = slot
                && let Poll::Ready(said) = question.as_mut().poll(cx)
            {
                *slot = None;
                over |= active.guard.ends(&said, active.mode);
                *heard = Some(Heard {
                    said,
                    took: start.elapsed(),
                });
            }
        }
        if over || open.iter().all(Option::is_none) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
    drop(open);
    let cancelled = || Heard {
        said: Said::new(Verdict::Cancelled, "another guard ended the call"),
        took: start.elapsed(),
    };
    heard
        .into_iter()
        .map(|heard| heard.unwrap_or_else(cancelled))
        .collect()
}

async fn one(
    guard: Arc<Guard>,
    phase: Phase,
    is_known: bool,
    texts: &Texts,
    client: &Rc<Connection>,
) -> Said {
    let Some(engine) = guard.engine(phase) else {
        return Said::new(Verdict::NotRun, "");
    };
    if !is_known && !engine.reads_any() {
        return Said::error("neither a format nor `jsonQueries` nor a template says where the text is");
    }
    if !is_known && texts.is_foreign() {
        return Said::error("the body is no JSON");
    }
    let reads_any = matches!(engine, super::Engine::Llm(judge) if judge.has_template());
    if texts.list.is_empty() && !reads_any {
        return Said::new(Verdict::NotRun, "there is no text");
    }
    engine.judge(texts, client).await
}
