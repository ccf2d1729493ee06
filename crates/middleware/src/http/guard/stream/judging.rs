//! The guards of one stream: what they say together, and what is told of it.

mod one;
mod patterns;
mod questions;

use self::one::One;
use self::questions::Out;
use crate::http::guard::ask::Active;
use crate::http::guard::said::Said;
use crate::http::guard::telling::{Told, cover};
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;
use tokio::time::Sleep;
use trilithon_ai::Query;
use trilithon_ai::dialect::Dialect;
use trilithon_ai::guard::hidden::Stretch;
use trilithon_ai::guard::hold::{Channel, Hold};
use trilithon_flow::Channel as Kind;
use trilithon_flow::model_call::{Phase, Verdict};
use trilithon_flow::{Connection, Response, SharedCall};

/// The guards of one stream.
pub struct Judging {
    guards: Vec<One>,
    dialect: Option<Dialect>,
    call: SharedCall,
    client: Rc<Connection>,
    out: Vec<Out>,
    timer: Option<Pin<Box<Sleep>>>,
    refusal: Option<(usize, Said)>,
}

impl Judging {
    pub fn new(
        active: Vec<Active>,
        dialect: Option<Dialect>,
        call: SharedCall,
        client: Rc<Connection>,
    ) -> Judging {
        Judging {
            guards: active.into_iter().map(One::new).collect(),
            dialect,
            call,
            client,
            out: Vec::new(),
            timer: None,
            refusal: None,
        }
    }

    pub fn len(&self) -> usize {
        self.guards.len()
    }

    /// The queries of the first guard that has some: a middleware's guards look at the same text.
    pub fn queries(&self) -> Vec<Query> {
        let mut rules = self.guards.iter().filter_map(One::rules);
        rules
            .find(|rules| !rules.queries.is_empty())
            .map(|rules| rules.queries.clone())
            .unwrap_or_default()
    }

    /// The guard that ends the stream, and what it said.
    pub fn refusal(&self) -> Option<(usize, Said)> {
        self.refusal.clone()
    }

    /// Whether something may come of waiting.
    pub fn is_waiting(&self) -> bool {
        !self.out.is_empty() || self.timer.is_some()
    }

    pub fn answer(&self, guard: usize, said: &Said, dialect: Option<Dialect>) -> Response {
        match self.guards.get(guard) {
            Some(one) => one.active.guard.answer(said, dialect, &self.call.borrow()),
            None => super::refusal(dialect),
        }
    }

    /// What a client is told where a stream ends in the middle.
    pub fn message(said: &Said) -> String {
        match &said.deny {
            Some(_) if said.tell_reason => said.reason.to_string(),
            Some(deny) => deny.message().to_owned(),
            None => crate::http::guard::UNJUDGED.to_owned(),
        }
    }

    /// Tells the record what was judged, once.
    pub fn tell(&mut self) {
        for mut one in std::mem::take(&mut self.guards) {
            let sums = [
                (Phase::Response, std::mem::take(&mut one.text)),
                (Phase::Tool, std::mem::take(&mut one.tools)),
            ];
            for (phase, sum) in sums {
                let said = match (sum.said, phase) {
                    (Some(said), _) => said,
                    (None, Phase::Response) => Said::new(Verdict::NotRun, "there was no text to judge"),
                    (None, _) => continue,
                };
                let told = Told {
                    phase,
                    verdict: said.verdict,
                    judged: sum.judged,
                    unjudged: sum.unjudged,
                    reason: said.reason,
                    took: sum.took,
                };
                cover(&one.active, told, &self.call);
            }
        }
    }

    /// Tells the call what is hidden, and that it is: what was said may be for traces.
    fn hidden(&self, channel: &Channel, masks: &[Stretch]) {
        if let Some(content) = &mut self.call.borrow_mut().content {
            let (text, base) = channel.text();
            for (range, with) in masks {
                let part = range.start.saturating_sub(base)..range.end.saturating_sub(base);
                content.hide(text.get(part).unwrap_or_default(), *with);
            }
        }
    }

    /// Takes note of what was said; true if it ends the stream.
    fn note(
        &mut self,
        guard: usize,
        place: usize,
        hold: &Hold,
        said: &Said,
        judged: u64,
        took: Duration,
    ) -> bool {
        let kind = hold.channels()[place].key.kind;
        self.guards[guard].sum(kind).add(said, judged, took);
        self.ends(guard, said)
    }

    /// Whether what was said ends the stream. Of several refusals the first counts.
    fn ends(&mut self, guard: usize, said: &Said) -> bool {
        let mut call = self.call.borrow_mut();
        if let Some(content) = &mut call.content
            && said.is_severe()
        {
            content.withhold(Phase::Response);
        }
        let active = &self.guards[guard].active;
        let ends = active.guard.ends(said, active.mode);
        if ends && self.refusal.is_none() {
            self.refusal = Some((guard, said.clone()));
            call.denied_by = Some(active.guard.name.clone());
        }
        ends
    }

    /// No guard can judge what is held: closed ones end the stream, open ones let it go.
    pub fn fail(&mut self, hold: &mut Hold, why: &'static str) {
        hold.part();
        for guard in 0..self.guards.len() {
            let said = Said::error(why);
            self.guards[guard].text.add(&said, 0, Duration::ZERO);
            if self.ends(guard, &said) {
                continue;
            }
            for place in 0..hold.channels().len() {
                let channel = &hold.channels()[place];
                let received = channel.received();
                let missed = received.saturating_sub(channel.judged(guard));
                let one = &mut self.guards[guard];
                one.text.unjudged += missed as u64;
                if let Some(Some(scan)) = one.scans.get_mut(place) {
                    scan.settled = received;
                }
                hold.judge(place, guard, received, &[]);
            }
        }
    }
}

/// Whether a channel is judged only when it is complete.
fn is_whole(channel: &Channel) -> bool {
    channel.key.kind == Kind::ToolArguments
}

/// However a stream ends, the record learns what was judged.
impl Drop for Judging {
    fn drop(&mut self) {
        self.tell();
    }
}
