//! Who judges a stream, and how far each has come.

use super::window::{OVERLAP, PAUSE, Place, settled};
use crate::http::guard::ask::Active;
use crate::http::guard::content::{Finder, Rules};
use crate::http::guard::said::Said;
use crate::http::guard::telling::{Told, cover};
use crate::http::guard::texts::Texts;
use crate::http::guard::{Engine, Guard};
use std::future::Future;
use std::ops::Range;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::time::Sleep;
use trilithon_ai::Query;
use trilithon_ai::dialect::{Denial, Dialect};
use trilithon_ai::guard::hidden::Stretch;
use trilithon_ai::guard::hold::{Channel, Hold};
use trilithon_ai::guard::{Detector, Finding, Scan};
use trilithon_flow::Channel as Kind;
use trilithon_flow::model_call::{Phase, Verdict};
use trilithon_flow::{Connection, Mode, Response, SharedCall};
use trilithon_wire::json::Text;

type Question = Pin<Box<dyn Future<Output = Said>>>;

/// A question that is out.
struct Out {
    guard: usize,
    channel: usize,
    text: Range<usize>,
    /// The channel was complete when it was asked.
    last: bool,
    since: Instant,
    question: Question,
}

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

struct One {
    active: Active,
    /// By channel.
    scans: Vec<Option<Scan>>,
    places: Vec<Place>,
    /// What was said so far: of text, and of tool calls.
    text: Sum,
    tools: Sum,
}

#[derive(Default)]
struct Sum {
    said: Option<Said>,
    judged: u64,
    unjudged: u64,
    took: Duration,
}

impl Sum {
    fn add(&mut self, said: &Said, took: Duration) {
        self.took += took;
        if self
            .said
            .as_ref()
            .is_none_or(|before| before.verdict.severity() < said.verdict.severity())
        {
            self.said = Some(Said {
                masks: Vec::new(),
                ..said.clone()
            });
        }
    }
}

impl One {
    fn sum(&mut self, kind: Kind) -> &mut Sum {
        match kind {
            Kind::ToolArguments => &mut self.tools,
            _ => &mut self.text,
        }
    }

    fn rules(&self) -> Option<&Rules> {
        match self.active.guard.engine(Phase::Response) {
            Some(Engine::Content(rules)) => Some(rules),
            _ => None,
        }
    }
}

/// Whether a channel is judged only when it is complete.
fn is_whole(channel: &Channel) -> bool {
    channel.key.kind == Kind::ToolArguments
}

impl Judging {
    pub fn new(
        active: Vec<Active>,
        dialect: Option<Dialect>,
        call: SharedCall,
        client: Rc<Connection>,
    ) -> Judging {
        let guards = active.into_iter().map(|active| One {
            active,
            scans: Vec::new(),
            places: Vec::new(),
            text: Sum::default(),
            tools: Sum::default(),
        });
        Judging {
            guards: guards.collect(),
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

    /// New text came, or channels were closed: patterns judge at once.
    pub fn heard(&mut self, hold: &mut Hold) {
        for guard in 0..self.guards.len() {
            for channel in 0..hold.channels().len() {
                self.scan(guard, channel, hold);
            }
        }
    }

    fn scan(&mut self, guard: usize, place: usize, hold: &mut Hold) {
        let one = &mut self.guards[guard];
        let owned: Arc<Guard> = one.active.guard.clone();
        let Some(Engine::Content(rules)) = owned.engine(Phase::Response) else {
            return;
        };
        let Finder::Patterns(detector, _) = &rules.finder else {
            return;
        };
        let channel = &hold.channels()[place];
        let before = channel.judged(guard);
        if channel.is_done(guard)
            || (is_whole(channel) && !channel.complete)
            || (!channel.complete && before >= channel.received())
        {
            return;
        }
        let start = Instant::now();
        one.scans.resize(one.scans.len().max(place + 1), None);
        let scan = one.scans[place].get_or_insert_with(|| detector.start());
        let mut found = Vec::new();
        let (text, base) = channel.text();
        if channel.complete {
            detector.finish(scan, text, base, &mut found);
            if is_whole(channel) {
                found.extend(nested(detector, text, base));
            }
        } else {
            detector.advance(scan, text, base, &mut found);
        }
        let upto = scan.settled;
        let (masks, said) = effects(rules, channel, &found);
        let ends = self.note(guard, place, hold, &said, (upto - before) as u64, start.elapsed());
        self.hidden(&hold.channels()[place], &masks);
        let masks = if self.guards[guard].active.mode == Mode::Enforce {
            masks
        } else {
            Vec::new()
        };
        if !ends {
            hold.judge(place, guard, upto, &masks);
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
        let one = &mut self.guards[guard];
        let kind = hold.channels()[place].key.kind;
        let sum = one.sum(kind);
        match said.verdict {
            Verdict::Error => sum.unjudged += judged,
            _ => sum.judged += judged,
        }
        sum.add(said, took);
        if let Some(content) = &mut self.call.borrow_mut().content
            && said.is_severe()
        {
            content.withhold(Phase::Response);
        }
        let ends = one.active.guard.ends(said, one.active.mode);
        if ends && self.refusal.is_none() {
            self.refusal = Some((guard, said.clone()));
            self.call.borrow_mut().denied_by = Some(one.active.guard.name.clone());
        }
        ends
    }

    /// No guard can judge what is held: closed ones end the stream, open ones let it go.
    pub fn fail(&mut self, hold: &mut Hold, why: &'static str) {
        for guard in 0..self.guards.len() {
            let said = Said::error(why);
            if let Some(content) = &mut self.call.borrow_mut().content {
                content.withhold(Phase::Response);
            }
            let one = &mut self.guards[guard];
            one.text.add(&said, Duration::ZERO);
            if one.active.guard.ends(&said, one.active.mode) && self.refusal.is_none() {
                self.refusal = Some((guard, said));
                self.call.borrow_mut().denied_by = Some(one.active.guard.name.clone());
                continue;
            }
            for place in 0..hold.channels().len() {
                let (judged, received) = (
                    hold.channels()[place].judged(guard),
                    hold.channels()[place].received(),
                );
                self.guards[guard].text.unjudged += received.saturating_sub(judged) as u64;
                if let Some(Some(scan)) = self.guards[guard].scans.get_mut(place) {
                    scan.settled = received;
                }
                hold.judge(place, guard, received, &[]);
            }
        }
    }

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
                done.push((
                    out.guard,
                    out.channel,
                    out.text.clone(),
                    out.last,
                    out.since,
                    said,
                ));
                false
            }
        });
        let heard = !done.is_empty();
        // In the order of the guards: which of two refusals counts does not hang on who answered first.
        done.sort_by_key(|(guard, channel, ..)| (*guard, *channel));
        for (guard, place, text, last, since, said) in done {
            self.answered(hold, (guard, place), text, last, since.elapsed(), &said);
        }
        heard
    }

    fn answered(
        &mut self,
        hold: &mut Hold,
        (guard, place): (usize, usize),
        text: Range<usize>,
        last: bool,
        took: Duration,
        said: &Said,
    ) {
        let one = &mut self.guards[guard];
        one.places[place].busy = false;
        let spans = one.rules().is_some();
        let before = hold.channels()[place].judged(guard);
        let whole = hold.channels()[place].key.kind == Kind::ToolArguments;
        let upto = settled(text.end, last, spans && !whole).max(before);
        let ends = self.note(guard, place, hold, said, upto.saturating_sub(before) as u64, took);
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
            if self.is_instant(guard) || self.refusal.is_some() {
                continue;
            }
            for (place, channel) in hold.channels().iter().enumerate() {
                let one = &mut self.guards[guard];
                one.places
                    .resize(one.places.len().max(place + 1), Place::default());
                let at = one.places[place];
                let judged = channel.judged(guard);
                if !at.is_due(
                    channel.received(),
                    channel.complete,
                    judged,
                    is_whole(channel),
                    paused,
                ) {
                    continue;
                }
                one.places[place] = Place {
                    asked: channel.received(),
                    busy: true,
                };
                let owned = one.active.guard.clone();
                let (held, base) = channel.text();
                let mut from = judged.saturating_sub(OVERLAP).max(base) - base;
                while !held.is_char_boundary(from) {
                    from += 1;
                }
                let text = held[from..].to_owned();
                let range = base + from..channel.received();
                let question = question(owned, channel.key.kind, text, self.dialect, self.client.clone());
                self.out.push(Out {
                    guard,
                    channel: place,
                    text: range,
                    last: channel.complete,
                    since: Instant::now(),
                    question,
                });
                asked = true;
            }
        }
        asked
    }

    /// Whether a guard judges without being asked.
    fn is_instant(&self, guard: usize) -> bool {
        self.guards[guard]
            .rules()
            .is_some_and(|rules| matches!(rules.finder, Finder::Patterns(..)))
    }

    /// Whether there is text that a guard was not asked about yet.
    fn is_unasked(&self, hold: &Hold) -> bool {
        (0..self.guards.len())
            .filter(|guard| !self.is_instant(*guard))
            .any(|guard| {
                let places = &self.guards[guard].places;
                hold.channels().iter().zip(places).any(|(channel, place)| {
                    !is_whole(channel) && !place.busy && channel.received() > place.asked
                })
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

/// What is found once the escapes within a tool's arguments are resolved, in places of the arguments as they are.
fn nested(detector: &Detector, text: &str, base: usize) -> Vec<Finding> {
    if !text.contains('\\') {
        return Vec::new();
    }
    let decoded = Text::at(text, 0..text.len()).decode();
    let found = detector.find(&decoded.text).into_iter().map(|finding| {
        let raw = decoded.raw(finding.range);
        Finding {
            range: base + raw.start..base + raw.end,
            rule: finding.rule,
        }
    });
    found.collect()
}

/// What findings come to: what is hidden, and what is said.
fn effects(rules: &Rules, channel: &Channel, found: &[Finding]) -> (Vec<Stretch>, Said) {
    let query = (channel.key.kind == Kind::Query).then_some(channel.key.index as usize);
    let (text, base) = channel.text();
    let (mut masks, mut said) = (Vec::new(), Said::pass());
    for finding in found {
        let Some((mask, reason)) = rules.effect(finding, query) else {
            continue;
        };
        let Some(mask) = mask else {
            return (Vec::new(), rules.block(reason));
        };
        let hidden = mask.hidden(text, finding.range.start - base..finding.range.end - base);
        masks.push((base + hidden.start..base + hidden.end, mask.with));
        if said.verdict == Verdict::Pass {
            said = Said::new(Verdict::Mask, reason.to_string());
        }
    }
    (masks, said)
}

/// However a stream ends, the record learns what was judged.
impl Drop for Judging {
    fn drop(&mut self) {
        self.tell();
    }
}
