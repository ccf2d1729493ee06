//! `content-guard`'s rules: entities found by patterns, recognisers or Presidio, and what is done with them.

use super::remote::Remote;
use super::said::Said;
use super::texts::Texts;
use crate::http::model_call::OnDeny;
use std::rc::Rc;
use std::sync::Arc;
use trilithon_ai::Query;
use trilithon_ai::guard::recogniser;
use trilithon_ai::guard::{Detector, Finding, Mask, Rule as Pattern, presidio};
use trilithon_flow::model_call::Verdict;
use trilithon_flow::{Build, BuildError, Connection};
use trilithon_model::dynamic::http::{ContentEngine, ContentGuard, ContentPhase, ContentRule};

/// The rules of one phase.
pub struct Rules {
    pub finder: Finder,
    rules: Vec<Rule>,
    pub queries: Vec<Query>,
    pub deny: Arc<OnDeny>,
}

/// What finds entities.
pub enum Finder {
    /// In process; which rule each pattern belongs to.
    Patterns(Detector, Vec<usize>),
    Presidio(Presidio),
}

/// A Presidio analyzer, and what it is asked for.
pub struct Presidio {
    remote: Arc<Remote>,
    language: Box<str>,
    /// Entities, each with the rules about it.
    entities: Vec<(Box<str>, Vec<usize>)>,
}

struct Rule {
    /// Hidden when given, else refused.
    mask: Option<Mask>,
    reason: Arc<str>,
    /// Queries of the phase that are its own.
    queries: Vec<usize>,
}

/// The name of the engine in records.
pub fn engine(config: &ContentGuard) -> &'static str {
    match &config.engine {
        Some(engine) if engine.regex.is_some() => "regex",
        Some(engine) if engine.presidio.is_some() => "presidio",
        _ => "builtin",
    }
}

/// The analyzer of a guard, if it has one.
///
/// # Errors
/// Not exactly one engine; an analyzer that cannot be asked.
pub fn analyzer(config: &ContentGuard, cx: &mut Build<'_>) -> Result<Option<Arc<Remote>>, BuildError> {
    let engine = config.engine.clone().unwrap_or_default();
    let engines = [
        engine.regex.is_some(),
        engine.presidio.is_some(),
        engine.builtin.is_some(),
    ]
    .into_iter()
    .filter(|e| *e);
    if engines.count() != 1 {
        return Err(BuildError::new(
            "`engine` must have exactly one of `regex`, `presidio` and `builtin`",
        ));
    }
    if engine.presidio.is_none() && config.client_config.is_some() {
        return Err(
            BuildError::new("`clientConfig` is for `engine.presidio`: this engine asks nobody")
                .help("remove it"),
        );
    }
    let Some(presidio) = &engine.presidio else {
        return Ok(None);
    };
    let remote = Remote::build(
        "engine.presidio.host",
        &presidio.host,
        "/analyze",
        config.client_config.as_ref(),
        cx,
    )?;
    Ok(Some(Arc::new(remote)))
}

impl Rules {
    /// # Errors
    /// A phase without rules; rules without entities, or that do nothing; what does not compile.
    pub fn build(
        phase: &ContentPhase,
        config: &ContentGuard,
        analyzer: Option<&Arc<Remote>>,
    ) -> Result<Rules, BuildError> {
        if phase.rules.is_empty() {
            return Err(BuildError::new("`rules` is empty"));
        }
        let engine = config.engine.clone().unwrap_or_default();
        let mut queries = Vec::new();
        let (mut rules, mut patterns, mut owners, mut entities) = (vec![], vec![], vec![], vec![]);
        for (place, written) in phase.rules.iter().enumerate() {
            let reason: Arc<str> = match &*written.reason {
                "" => format!("rule-{}", place + 1).into(),
                reason => reason.into(),
            };
            let own = compile_queries(written, &mut queries)?;
            if written.entities.is_empty() {
                return Err(BuildError::new(format!("`entities` of rule `{reason}` is empty")));
            }
            for entity in &written.entities {
                match &engine {
                    ContentEngine { regex: Some(_), .. } => patterns.push((pattern(entity)?, entity.clone())),
                    ContentEngine { builtin: Some(_), .. } => {
                        patterns.push((recognised(entity)?, entity.clone()))
                    }
                    _ => note_entity(&mut entities, entity, place),
                }
                owners.push(place);
            }
            rules.push(Rule {
                mask: effect(written, &reason)?,
                reason,
                queries: own,
            });
        }
        let finder = match analyzer {
            Some(remote) => Finder::Presidio(Presidio {
                remote: remote.clone(),
                language: engine.presidio.as_ref().map_or("en", |p| &*p.language).into(),
                entities,
            }),
            None => {
                let (patterns, written): (Vec<_>, Vec<_>) = patterns.into_iter().unzip();
                let detector = Detector::new(patterns).map_err(|bad| {
                    let text = written.get(bad.rule).cloned().unwrap_or_default();
                    BuildError::new(format!("pattern `{text}`: {}", bad.reason)).at(text, bad.at)
                })?;
                Finder::Patterns(detector, owners)
            }
        };
        Ok(Rules {
            finder,
            rules,
            queries,
            deny: Arc::new(OnDeny::build(
                phase.on_deny_response.as_ref(),
                super::STATUS,
                super::MESSAGE,
            )?),
        })
    }

    /// Whether a rule is about the texts that a query found.
    fn is_about(&self, rule: usize, query: Option<usize>) -> bool {
        query.is_none_or(|query| self.rules[rule].queries.contains(&query))
    }

    /// What a finding comes to: `None` where its rule is not about such text, else what is hidden, or nothing for a block.
    pub fn effect(&self, finding: &Finding, query: Option<usize>) -> Option<(Option<Mask>, &Arc<str>)> {
        let rule = match &self.finder {
            Finder::Patterns(_, owners) => *owners.get(finding.rule)?,
            Finder::Presidio(_) => finding.rule,
        };
        self.is_about(rule, query)
            .then(|| (self.rules[rule].mask, &self.rules[rule].reason))
    }

    /// What all findings of some texts come to.
    fn conclude(&self, texts: &Texts, findings: &[Vec<Finding>]) -> Said {
        let mut said = Said::pass();
        for (place, (one, findings)) in texts.list.iter().zip(findings).enumerate() {
            for finding in findings {
                let Some((mask, reason)) = self.effect(finding, one.query) else {
                    continue;
                };
                let Some(mask) = mask else {
                    return self.block(reason);
                };
                if said.verdict == Verdict::Pass {
                    said.verdict = Verdict::Mask;
                    said.reason = reason.to_string().into();
                }
                said.masks
                    .push((place, mask.hidden(&one.text, finding.range.clone()), mask.with));
            }
        }
        said
    }

    pub fn block(&self, reason: &str) -> Said {
        Said {
            deny: Some(self.deny.clone()),
            ..Said::new(Verdict::Block, reason.to_owned())
        }
    }

    pub async fn judge(&self, texts: &Texts, client: &Rc<Connection>) -> Said {
        let findings = match &self.finder {
            Finder::Patterns(detector, _) => texts.list.iter().map(|one| detector.find(&one.text)).collect(),
            Finder::Presidio(presidio) => match presidio.ask(texts, client).await {
                Ok(findings) => findings,
                Err(why) => return Said::error(why),
            },
        };
        self.conclude(texts, &findings)
    }
}

impl Presidio {
    async fn ask(&self, texts: &Texts, client: &Rc<Connection>) -> Result<Vec<Vec<Finding>>, String> {
        let list: Vec<&str> = texts.list.iter().map(|one| &*one.text).collect();
        let names: Vec<&str> = self.entities.iter().map(|(name, _)| &**name).collect();
        let answer = self
            .remote
            .ask(presidio::question(&list, &self.language, &names), client)
            .await?;
        let rules = |entity: &str| {
            let found = self.entities.iter().find(|(name, _)| **name == *entity);
            found.map(|(_, rules)| rules.clone()).unwrap_or_default()
        };
        presidio::findings(&answer, &list, rules).map_err(str::to_owned)
    }
}

fn note_entity(entities: &mut Vec<(Box<str>, Vec<usize>)>, entity: &str, rule: usize) {
    match entities.iter_mut().find(|(name, _)| **name == *entity) {
        Some((_, rules)) => rules.push(rule),
        None => entities.push((entity.into(), vec![rule])),
    }
}

fn pattern(text: &str) -> Result<Pattern, BuildError> {
    Pattern::go(text)
        .map_err(|bad| BuildError::new(format!("pattern `{text}`: {}", bad.reason)).at(text, bad.at))
}

fn recognised(name: &str) -> Result<Pattern, BuildError> {
    recogniser::named(name)
        .map(recogniser::Recogniser::rule)
        .ok_or_else(|| {
            let known: Vec<String> = recogniser::ALL.iter().map(|r| format!("`{}`", r.name)).collect();
            BuildError::new(format!("nothing built in recognises `{name}`"))
                .at(name, 0)
                .help(format!("known are {}", known.join(", ")))
        })
}

/// How a rule hides; nothing for one that blocks.
fn effect(rule: &ContentRule, reason: &str) -> Result<Option<Mask>, BuildError> {
    let Some(mask) = &rule.mask else {
        let nothing =
            || BuildError::new(format!("rule `{reason}` does nothing")).help("set `block` or `mask`");
        return if rule.block { Ok(None) } else { Err(nothing()) };
    };
    if rule.block {
        return Err(
            BuildError::new(format!("rule `{reason}` has both `block` and `mask`")).help("remove one"),
        );
    }
    let mut chars = mask.char.chars();
    let (Some(with), None) = (chars.next(), chars.next()) else {
        return Err(
            BuildError::new(format!("`mask.char` of rule `{reason}` is not one character")).at(&mask.char, 0),
        );
    };
    if with.is_control() || matches!(with, '"' | '\\') {
        let why = format!("`mask.char` of rule `{reason}` cannot stand in a JSON string");
        return Err(BuildError::new(why).at(&mask.char, 0));
    }
    let count = |name: &str, n: i64| {
        usize::try_from(n)
            .map_err(|_| BuildError::new(format!("`mask.{name}` of rule `{reason}` is less than 0")))
    };
    Ok(Some(Mask {
        with,
        left: count("unmaskFromLeft", mask.unmask_from_left)?,
        right: count("unmaskFromRight", mask.unmask_from_right)?,
    }))
}

/// The rule's queries, by their places among those of the phase.
fn compile_queries(rule: &ContentRule, all: &mut Vec<Query>) -> Result<Vec<usize>, BuildError> {
    let place = |text: &String| {
        let query = Query::parse(text).map_err(|error| {
            BuildError::new(format!("`jsonQueries` `{text}`: {error}")).at(text, error.at)
        })?;
        Ok(all.iter().position(|known| *known == query).unwrap_or_else(|| {
            all.push(query);
            all.len() - 1
        }))
    };
    rule.json_queries.iter().map(place).collect()
}
