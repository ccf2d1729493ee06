//! What one guard has seen of a stream, and said of it.

use super::super::window::Place;
use crate::http::guard::Engine;
use crate::http::guard::ask::Active;
use crate::http::guard::content::{Finder, Rules};
use crate::http::guard::said::Said;
use std::time::Duration;
use trilithon_ai::guard::Scan;
use trilithon_flow::Channel as Kind;
use trilithon_flow::model_call::{Phase, Verdict};

/// A guard of a stream.
pub(super) struct One {
    pub active: Active,
    /// How far its patterns are, by channel.
    pub scans: Vec<Option<Scan>>,
    /// How far it was asked, by channel.
    pub places: Vec<Place>,
    /// What was said so far: of text, and of tool calls.
    pub text: Sum,
    pub tools: Sum,
}

/// What was said of several texts, and of how many bytes.
#[derive(Default)]
pub(super) struct Sum {
    pub said: Option<Said>,
    pub judged: u64,
    pub unjudged: u64,
    pub took: Duration,
}

impl Sum {
    /// The severest of what was said counts.
    pub fn add(&mut self, said: &Said, judged: u64, took: Duration) {
        match said.verdict {
            Verdict::Error => self.unjudged += judged,
            _ => self.judged += judged,
        }
        self.took += took;
        let before = self.said.as_ref().map(|before| before.verdict.severity());
        if before.is_none_or(|before| before < said.verdict.severity()) {
            self.said = Some(Said {
                masks: Vec::new(),
                ..said.clone()
            });
        }
    }
}

impl One {
    pub fn new(active: Active) -> One {
        One {
            active,
            scans: Vec::new(),
            places: Vec::new(),
            text: Sum::default(),
            tools: Sum::default(),
        }
    }

    pub fn sum(&mut self, kind: Kind) -> &mut Sum {
        match kind {
            Kind::ToolArguments => &mut self.tools,
            _ => &mut self.text,
        }
    }

    pub fn rules(&self) -> Option<&Rules> {
        match self.active.guard.engine(Phase::Response) {
            Some(Engine::Content(rules)) => Some(rules),
            _ => None,
        }
    }

    /// Whether it judges without being asked.
    pub fn is_instant(&self) -> bool {
        self.rules()
            .is_some_and(|rules| matches!(rules.finder, Finder::Patterns(..)))
    }
}
