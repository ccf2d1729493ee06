//! What the policies on a request's way decide. They are compiled and asked as when serving; of the middlewares before them,
//! those that rewrite the path or the headers by fixed rules are run, so that a policy sees what it would see.

use super::Caller;
use std::sync::Arc;
use trilithon_engine::merge::qualify;
use trilithon_engine::report::Report;
use trilithon_flow::{Build, BuildError, Decision, Exchange, Keep, Request, Service, Services, Step};
use trilithon_middleware::http as mw;
use trilithon_model::dynamic::http::{Mcp, MiddlewareKind};

/// One policy's decision.
pub struct Decided {
    /// The middleware of the router that it is, or that leads to it through a chain.
    pub below: String,
    /// `None` when the policy is not asked for this caller.
    pub decision: Option<Decision>,
    pub policy: String,
}

/// The decisions of the policies before a router's service, in order.
pub fn decide(
    report: &Report,
    router: &str,
    req: &Request,
    cx: &mut Exchange,
    caller: &Caller,
) -> Vec<Decided> {
    let Some(entry) = report.routers.get(router) else {
        return Vec::new();
    };
    cx.record.router = Some(router.into());
    if let Some(identity) = caller.identity() {
        cx.identify(identity);
    }
    let mut walk = Walk {
        report,
        req: req.clone_head(),
        body: req.body.bytes().map(|body| body.to_vec()),
        cx,
        decided: Vec::new(),
        keep: Keep::default(),
    };
    for name in &entry.config.middlewares {
        let name = qualify(name, router);
        walk.pass(&name, &name, 0);
    }
    walk.decided
}

/// Chains in chains that are followed.
const MAX_DEPTH: usize = 16;

struct Walk<'a> {
    report: &'a Report,
    req: Request,
    body: Option<Vec<u8>>,
    cx: &'a mut Exchange,
    decided: Vec<Decided>,
    keep: Keep,
}

impl Walk<'_> {
    fn pass(&mut self, name: &str, below: &str, depth: usize) {
        let Some(entry) = self.report.middlewares.get(name) else {
            return;
        };
        let config = entry.config.value.clone();
        match config.kind() {
            Ok(MiddlewareKind::Chain(chain)) if depth < MAX_DEPTH => {
                for inner in &chain.middlewares {
                    self.pass(&qualify(inner, name), below, depth + 1);
                }
            }
            Ok(MiddlewareKind::Policy(policy)) => {
                let before = self.cx.record.decisions.len();
                self.run(name, |cx| mw::policy::build(policy, cx));
                self.tell(name, below, before);
            }
            // Without a message there is nothing to decide on.
            Ok(MiddlewareKind::Mcp(mcp)) if self.body.is_some() => {
                let before = self.cx.record.decisions.len();
                self.judge(name, mcp);
                self.tell(name, below, before);
            }
            Ok(kind) => self.rewrite(name, kind),
            Err(_) => {}
        }
    }

    /// Notes what was decided since there were `before` decisions.
    fn tell(&mut self, name: &str, below: &str, before: usize) {
        let decided = |decision| Decided {
            below: below.to_owned(),
            decision,
            policy: name.to_owned(),
        };
        let made = self.cx.record.decisions.iter().skip(before).cloned();
        let known = self.decided.len();
        self.decided.extend(made.map(|decision| decided(Some(decision))));
        if self.decided.len() == known {
            self.decided.push(decided(None));
        }
    }

    fn judge(&mut self, name: &str, mcp: &Mcp) {
        let mut warnings = Vec::new();
        let surroundings = &mut Build {
            name,
            owner: name,
            keep: &self.keep,
            services: &NoServices,
            warnings: &mut warnings,
        };
        let body = self.body.as_deref().unwrap_or_default();
        if let Err(why) = mw::mcp::judge(mcp, body, &self.req, self.cx, surroundings) {
            eprintln!("`{name}` cannot read the message: {why}");
        }
    }

    fn rewrite(&mut self, name: &str, kind: MiddlewareKind<'_>) {
        match kind {
            MiddlewareKind::AddPrefix(c) => self.run(name, |cx| mw::add_prefix::build(c, cx)),
            MiddlewareKind::StripPrefix(c) => self.run(name, |cx| mw::strip_prefix::build(c, cx)),
            MiddlewareKind::StripPrefixRegex(c) => self.run(name, |cx| mw::strip_prefix_regex::build(c, cx)),
            MiddlewareKind::ReplacePath(c) => self.run(name, |cx| mw::replace_path::build(c, cx)),
            MiddlewareKind::ReplacePathRegex(c) => self.run(name, |cx| mw::replace_path_regex::build(c, cx)),
            MiddlewareKind::Headers(c) => self.run(name, |cx| mw::headers::build(c, cx)),
            _ => {}
        }
    }

    /// Runs a middleware's way in. What it would answer is not of interest here.
    fn run(&mut self, name: &str, build: impl FnOnce(&mut Build<'_>) -> Result<Step, BuildError>) {
        let mut warnings = Vec::new();
        let built = build(&mut Build {
            name,
            owner: name,
            keep: &self.keep,
            services: &NoServices,
            warnings: &mut warnings,
        });
        if let Ok(Step::Edit(edit)) = built {
            let _ = edit.request(&mut self.req, self.cx);
        }
    }
}

struct NoServices;

impl Services for NoServices {
    fn service(&self, name: &str) -> Result<Arc<dyn Service>, BuildError> {
        Err(BuildError::new(format!("the service \"{name}\" is not asked")))
    }
}

impl Decided {
    /// Tells it, below its middleware.
    pub fn tell(&self, indent: &str) {
        let Some(decision) = &self.decision else {
            return say!("{indent}  `{}` is not asked for this caller", self.policy);
        };
        let verb = if decision.allowed { "allows" } else { "denies" };
        let obeyed = match decision.mode {
            trilithon_flow::Mode::Enforce => "",
            _ => ", in shadow: nothing changes",
        };
        say!(
            "{indent}  `{}` {verb} by `{}`{obeyed}",
            self.policy,
            decision.rule
        );
        for (name, value) in &decision.facts {
            say!("{indent}    {name} = {value}");
        }
    }
}
