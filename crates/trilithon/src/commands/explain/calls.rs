//! What becomes of a call of a language model on its way: who judges it, what limits it, which model is asked. All is said
//! from the configuration; nobody is asked.

mod guards;
mod limits;

use super::State;
use serde_json::{Value, json};
use std::sync::Arc;
use trilithon_ai::price::Table;
use trilithon_engine::merge::qualify;
use trilithon_engine::report::Report;
use trilithon_model::dynamic::http::{
    McpDefinitions, MiddlewareKind, ModelApi, OnDefinition, ServiceKind, TokenLimits, UpstreamFormat,
};
use trilithon_model::rollout::{Mode, Percent};

/// Chains in chains, and services below services, that are followed.
const MAX_DEPTH: usize = 16;

/// What one middleware does with a call.
pub struct Note {
    pub middleware: String,
    pub kind: &'static str,
    /// A sentence without its subject, which is the middleware.
    pub text: String,
}

/// A call on its way.
#[derive(Clone)]
pub struct Calls<'a> {
    report: &'a Report,
    /// The model that is asked from here on; `None` where only the client knows.
    model: Option<String>,
    /// The prices that a budget would go by.
    prices: Option<Arc<Table>>,
}

impl<'a> Calls<'a> {
    /// A call for `model`, if that is known.
    pub fn new(state: &State, report: &'a Report, model: Option<&str>) -> Calls<'a> {
        Calls {
            report,
            model: model.map(str::to_owned),
            prices: state.prices.clone(),
        }
    }

    /// Takes the call through a middleware, and through what a chain leads to.
    pub fn through(&mut self, name: &str) -> Vec<Note> {
        let mut notes = Vec::new();
        self.pass(name, 0, &mut notes);
        notes
    }

    fn pass(&mut self, name: &str, depth: usize, notes: &mut Vec<Note>) {
        let report = self.report;
        let Some(kind) = report.middlewares.get(name).and_then(|m| m.config.kind().ok()) else {
            return;
        };
        if let MiddlewareKind::Chain(chain) = kind {
            for inner in chain.middlewares.iter().filter(|_| depth < MAX_DEPTH) {
                self.pass(&qualify(inner, name), depth + 1, notes);
            }
        }
        notes.extend(self.note(&kind).map(|text| Note {
            middleware: name.to_owned(),
            kind: kind.name(),
            text,
        }));
    }

    fn note(&mut self, kind: &MiddlewareKind<'_>) -> Option<String> {
        let text = match kind {
            MiddlewareKind::ChatCompletion(c) => self.asks(&c.api, UpstreamFormat::Ccr, c.upstream_format),
            MiddlewareKind::ResponsesApi(c) => self.asks(&c.api, UpstreamFormat::Ccr, None),
            MiddlewareKind::MessagesApi(c) => {
                self.asks(&c.api, UpstreamFormat::MessagesApi, c.upstream_format)
            }
            MiddlewareKind::ContentGuard(c) | MiddlewareKind::ChatCompletionContentGuard(c) => {
                guards::content(c)
            }
            MiddlewareKind::LlmGuard(c)
            | MiddlewareKind::LlmGuardCustom(c)
            | MiddlewareKind::ChatCompletionLlmGuard(c)
            | MiddlewareKind::ChatCompletionLlmGuardCustom(c) => guards::llm(c),
            MiddlewareKind::ParallelLlmGuard(c) => guards::parallel(c),
            MiddlewareKind::Mcp(c) => definitions(c.definitions.as_ref()?),
            MiddlewareKind::AiRateLimit(c) => limits::tell(&c.limits) + &self.unpriced(&c.limits),
            MiddlewareKind::AiQuota(c) => limits::tell(&c.limits) + &self.unpriced(&c.limits),
            _ => return None,
        };
        Some(text)
    }

    /// What a format middleware asks, and in which format where that is not its `own`; it may change the model.
    fn asks(&mut self, api: &ModelApi, own: UpstreamFormat, upstream: Option<UpstreamFormat>) -> String {
        if !api.model.is_empty() && (api.allow_model_override != Some(true) || self.model.is_none()) {
            self.model = Some(api.model.clone());
        }
        let whom = match &self.model {
            Some(model) => format!("`{model}`"),
            None => "the model that the client names".to_owned(),
        };
        let spoken = upstream.unwrap_or(own);
        let provider = match &*api.provider {
            "" => spoken.maker(),
            provider => provider,
        };
        let translated = match spoken == own {
            true => String::new(),
            false => format!(" in the format `{}`", spoken.as_str()),
        };
        let whose = if api.token.is_empty() { "client" } else { "gateway" };
        format!("asks {whom} of {provider}{translated}, with the {whose}'s key")
    }

    /// A budget of money lets nothing through that has no price.
    fn unpriced(&self, limits: &TokenLimits) -> String {
        let (Some(model), Some(prices)) = (&self.model, &self.prices) else {
            return String::new();
        };
        let refuses = limits::counts_money(limits) && limits.unpriced != "allow";
        if refuses && prices.find(model).is_none() {
            format!("; `{model}` has no price, so it refuses this call")
        } else {
            String::new()
        }
    }

    /// The way through a router's middlewares and its service, for programs; `None` where nothing on it knows of models.
    pub fn json(mut self, middlewares: &[String], service: Option<&str>) -> Option<Value> {
        let asked = self.model.clone();
        let mut notes = Vec::new();
        middlewares
            .iter()
            .for_each(|name| notes.extend(self.through(name)));
        let mut targets = Vec::new();
        if let Some(service) = service {
            self.target(service, 0, &mut notes, &mut targets);
        }
        let notes: Vec<Value> = notes
            .iter()
            .map(|n| json!({ "middleware": n.middleware, "kind": n.kind, "does": n.text }))
            .collect();
        let is_call = asked.is_some() || !notes.is_empty();
        is_call.then(|| json!({ "model": asked, "does": notes, "targets": targets }))
    }

    /// Who is asked at the end, with which model: one service, or several of which one is asked.
    fn target(&self, service: &str, depth: usize, notes: &mut Vec<Note>, targets: &mut Vec<Value>) {
        let Some(entry) = self.report.services.get(service) else {
            return;
        };
        let mut below = self.clone();
        for middleware in &entry.config.middlewares {
            notes.extend(below.through(&qualify(middleware, service)));
        }
        match entry.config.kind() {
            Ok(ServiceKind::Models(models)) if depth < MAX_DEPTH => {
                let mut all: Vec<_> = models.targets.iter().collect();
                all.sort_by_key(|target| std::cmp::Reverse(target.priority));
                for target in all {
                    below.target(&qualify(&target.service, service), depth + 1, notes, targets);
                }
            }
            _ => targets.push(json!({ "service": service, "model": below.model })),
        }
    }
}

/// What becomes of what a server of tools says otherwise than it is trusted for.
fn definitions(config: &McpDefinitions) -> String {
    let trusted = match config.lock.is_empty() {
        true => "what was seen first or approved (`trilithon tools list`)",
        false => "its lock",
    };
    let [changed, new] = [config.on_change, config.on_new].map(|choice| match choice {
        OnDefinition::Report => "reports",
        OnDefinition::Hide => "hides and refuses",
    });
    format!("holds definitions against {trusted}: {changed} what changed, {new} what is new")
}

/// How seriously something is taken, behind what it does.
fn seriousness(mode: Mode, percent: Percent) -> String {
    let share = match percent {
        Percent::WHOLE => String::new(),
        percent => format!(", for {} % of callers", f64::from(percent.hundredths()) / 100.0),
    };
    match mode {
        Mode::Enforce => share,
        Mode::Shadow => format!(", in shadow: nothing changes{share}"),
        Mode::Off => ", but is off".to_owned(),
    }
}
