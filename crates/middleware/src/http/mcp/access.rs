//! Who may send which message: the rules of `policies` and `listPolicies`, compiled once for all routers that use them.

use super::super::policy::{Counters, recorded, seconds};
use std::sync::Arc;
use std::time::SystemTime;
use trilithon_flow::{Build, BuildError, Exchange, Mode, Request};
use trilithon_model::dynamic::http::{Effect, Mcp as Config, Visibility};
use trilithon_policy::decide::{Mistake, Ordered, Policy};
use trilithon_policy::fact::Facts;

/// The rules of one middleware.
pub struct Access {
    name: Arc<str>,
    rules: Arc<Rules>,
    counters: Counters,
}

/// The compiled rules. What is `None` decides nothing.
pub struct Rules {
    calls: Option<Policy>,
    pub lists: Option<Policy>,
}

impl Access {
    /// Compiles the rules.
    ///
    /// # Errors
    /// They do not compile.
    pub fn build(config: &Config, cx: &mut Build<'_>) -> Result<Access, BuildError> {
        let of = (
            &config.policies,
            config.default_action,
            &config.list_policies,
            config.list_default_action,
        );
        let compiled = cx.keep.get(cx.name, &of, || Rules::compile(config).map(Arc::new));
        let rules = compiled.as_ref().as_ref().map_err(|mistake| BuildError {
            message: mistake.message.clone(),
            help: mistake.help.clone(),
            at: mistake.at.clone(),
        })?;
        let places = rules.calls.as_ref().map_or(0, Policy::places);
        Ok(Access {
            name: cx.name.into(),
            rules: rules.clone(),
            counters: Counters::new(cx.name, places),
        })
    }

    /// The middleware's name, as records have it.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Whether there is anything to decide.
    pub fn governs(&self) -> bool {
        self.rules.calls.is_some() || self.rules.lists.is_some()
    }

    /// The rules, where some are for lists.
    pub fn lists(&self) -> Option<Arc<Rules>> {
        self.rules.lists.is_some().then(|| self.rules.clone())
    }

    /// Whether the message that was read may pass. Answers to what the server asked do nothing by themselves: they pass.
    pub fn admits(&self, mode: Mode, req: &Request, cx: &mut Exchange) -> bool {
        let asked = cx.mcp.as_deref().filter(|asked| !asked.method.is_empty());
        let (Some(policy), Some(asked)) = (&self.rules.calls, asked) else {
            return true;
        };
        if mode == Mode::Off {
            return true;
        }
        let facts = Facts {
            request: req,
            exchange: cx,
            client_ip: &cx.connection.peer_ip,
            now: seconds(cx.record.started_at.unwrap_or_else(SystemTime::now)),
            mcp: Some(asked),
        };
        let verdict = policy.decide(&facts);
        self.counters.count(&verdict, mode);
        let decision = recorded(&self.name, policy, &verdict, mode, &facts);
        let refused = decision.refuses();
        cx.record.decisions.push(decision);
        !refused
    }
}

impl Rules {
    fn compile(config: &Config) -> Result<Rules, Mistake> {
        let in_option = |option: &str, mistake: Mistake| Mistake {
            message: format!("`{option}`: {}", mistake.message),
            ..mistake
        };
        let calls: Vec<Ordered<'_>> = config
            .policies
            .iter()
            .map(|rule| Ordered {
                name: &rule.name,
                effect: rule.action,
                matches: &rule.matches,
                expression: &rule.expression,
                words: ["action", "allow", "deny"],
            })
            .collect();
        let lists: Vec<Ordered<'_>> = config
            .list_policies
            .iter()
            .map(|rule| Ordered {
                name: &rule.name,
                effect: rule.action.map(effect),
                matches: &rule.matches,
                expression: &rule.expression,
                words: ["action", "show", "hide"],
            })
            .collect();
        let otherwise = config.default_action.unwrap_or(match calls.is_empty() {
            true => Effect::Allow,
            false => Effect::Deny,
        });
        let policy = |rules: &[Ordered<'_>], otherwise, option| {
            let decides = !rules.is_empty() || otherwise == Effect::Deny;
            let policy = decides.then(|| Policy::in_order(rules, otherwise));
            policy.transpose().map_err(|mistake| in_option(option, mistake))
        };
        Ok(Rules {
            calls: policy(&calls, otherwise, "policies")?,
            lists: policy(&lists, effect(config.list_default_action), "listPolicies")?,
        })
    }
}

/// To show is to allow somebody to see.
fn effect(visibility: Visibility) -> Effect {
    match visibility {
        Visibility::Show => Effect::Allow,
        Visibility::Hide => Effect::Deny,
    }
}
