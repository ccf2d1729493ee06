//! What the record and the metrics are told of guards.

use super::ask::{Active, Heard};
use super::texts::Texts;
use std::borrow::Cow;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use trilithon_flow::model_call::{Coverage, Phase, Verdict};
use trilithon_flow::{Decision, Mode, SharedCall, SharedMcpCall, metrics};

const NAME: &str = "trilithon_guard_verdicts_total";
const HELP: &str = "What guards said, by guard, phase, verdict and mode.";

/// The counters of one guard. A series is there from its first verdict on; after that, counting is one addition.
pub struct Counters([OnceLock<Arc<metrics::Value>>; 42]);

impl Default for Counters {
    fn default() -> Counters {
        Counters(std::array::from_fn(|_| OnceLock::new()))
    }
}

impl Counters {
    fn count(&self, guard: &str, phase: Phase, verdict: Verdict, mode: Mode) {
        let which = phase as usize * 14 + verdict as usize * 2 + usize::from(mode == Mode::Enforce);
        let series = || {
            let labels = [
                ("guard", guard),
                ("phase", phase.as_str()),
                ("verdict", verdict.as_str()),
                ("mode", mode.as_str()),
            ];
            metrics::registry().counter(NAME, HELP, &labels)
        };
        if let Some(cell) = self.0.get(which) {
            cell.get_or_init(series).inc();
        }
    }
}

/// What is told of one guard in one phase.
pub struct Told {
    pub phase: Phase,
    pub verdict: Verdict,
    pub judged: u64,
    pub unjudged: u64,
    pub reason: Cow<'static, str>,
    pub took: Duration,
}

/// Where it is noted what guards saw.
pub trait Notes {
    fn note(&self, coverage: Coverage);
}

impl Notes for SharedCall {
    fn note(&self, coverage: Coverage) {
        self.borrow_mut().coverage.push(coverage);
    }
}

impl Notes for SharedMcpCall {
    fn note(&self, coverage: Coverage) {
        self.borrow_mut().cover(coverage);
    }
}

/// Tells the call and the metrics.
pub fn cover(active: &Active, told: Told, call: &impl Notes) {
    let guard = &active.guard;
    guard
        .counters
        .count(&guard.name, told.phase, told.verdict, active.mode);
    tracing::debug!(
        guard = &*guard.name,
        phase = told.phase.as_str(),
        verdict = told.verdict.as_str(),
        mode = active.mode.as_str(),
        reason = &*told.reason,
        "guard judged"
    );
    call.note(Coverage {
        guard: guard.name.clone(),
        engine: guard.engine,
        phase: told.phase,
        channel: None,
        verdict: told.verdict,
        judged: told.judged,
        unjudged: told.unjudged,
        reason: told.reason,
        duration: told.took,
        mode: active.mode,
    });
}

/// Tells of a whole body; the decision for the record.
pub fn tell(
    active: &Active,
    heard: &Heard,
    phase: Phase,
    texts: &Texts,
    call: &impl Notes,
) -> Option<Decision> {
    let said = &heard.said;
    let is_judged = !matches!(
        said.verdict,
        Verdict::Error | Verdict::NotRun | Verdict::Cancelled
    );
    let (judged, missed) = if is_judged {
        (texts.bytes(), 0)
    } else {
        (0, texts.bytes())
    };
    let left = texts.opaque + texts.earlier;
    let reason = match (&*said.reason, texts.opaque, texts.earlier) {
        ("", 1.., _) => "content that is no text".into(),
        ("", _, 1..) => "earlier messages".into(),
        _ => said.reason.clone(),
    };
    let told = Told {
        phase,
        verdict: said.verdict,
        judged,
        unjudged: missed + left,
        reason,
        took: heard.took,
    };
    cover(active, told, call);
    let asked = !matches!(said.verdict, Verdict::NotRun | Verdict::Cancelled);
    asked.then(|| Decision {
        policy: active.guard.name.clone(),
        rule: if said.reason.is_empty() {
            said.verdict.as_str().into()
        } else {
            (&*said.reason).into()
        },
        allowed: !active.guard.ends(said, Mode::Enforce),
        mode: active.mode,
        facts: Vec::new(),
    })
}

/// Tells that there was nothing to judge.
pub fn skipped(active: &Active, phase: Phase, reason: &str, call: &impl Notes) {
    plain(active, phase, Verdict::NotRun, reason.to_owned().into(), call);
}

/// Tells that something could not be judged.
pub fn failed(active: &Active, phase: Phase, reason: &'static str, call: &impl Notes) {
    plain(active, phase, Verdict::Error, reason.into(), call);
}

fn plain(active: &Active, phase: Phase, verdict: Verdict, reason: Cow<'static, str>, call: &impl Notes) {
    let told = Told {
        phase,
        verdict,
        judged: 0,
        unjudged: 0,
        reason,
        took: Duration::ZERO,
    };
    cover(active, told, call);
}
