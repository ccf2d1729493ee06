//! Patterns judge a stream as it comes.

use super::{Judging, is_whole};
use crate::http::guard::content::{Finder, Rules};
use crate::http::guard::said::Said;
use crate::http::guard::{Engine, Guard};
use std::sync::Arc;
use std::time::Instant;
use trilithon_ai::guard::hidden::Stretch;
use trilithon_ai::guard::hold::{Channel, Hold};
use trilithon_ai::guard::{Detector, Finding};
use trilithon_flow::model_call::{Phase, Verdict};
use trilithon_flow::{Channel as Kind, Mode};
use trilithon_wire::json::Text;

impl Judging {
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
