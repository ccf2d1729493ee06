//! `llm-guard`: a model, or another service, that is asked; and the conditions that its answer is judged by.

use super::remote::Remote;
use super::said::Said;
use super::texts::Texts;
use crate::http::model_call::OnDeny;
use serde_json::{Map, Value, json};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use trilithon_ai::guard::answer;
use trilithon_ai::guard::condition::Answer;
use trilithon_ai::guard::{Condition, Unclear};
use trilithon_flow::model_call::Verdict;
use trilithon_flow::{Build, BuildError, Connection, metrics};
use trilithon_model::dynamic::http::{GuardCondition, JudgeModel, LlmGuard, LlmPhase};
use trilithon_template::{Limits, Template};

/// What one rendering per request may take.
const LIMITS: Limits = Limits {
    time: Duration::from_millis(250),
    steps: 1_000_000,
    memory: 32 << 20,
    output: 4 << 20,
};

/// In which form a question is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Chat,
    Responses,
    Custom,
}

/// Who is asked, in which form, with which members of the body.
type Asking = (Arc<Remote>, Form, Map<String, Value>);

/// What is asked in one phase.
pub struct Judge {
    remote: Arc<Remote>,
    form: Form,
    /// Members of the question's body.
    members: Map<String, Value>,
    system: Box<str>,
    template: Option<Template>,
    block: Vec<When>,
    trace: Vec<When>,
    pass: Option<Condition>,
    tell_reason: bool,
}

/// A condition and what follows from it.
struct When {
    condition: Condition,
    reason: Arc<str>,
    deny: Arc<OnDeny>,
}

/// The service of a guard and the form of its questions; `custom` where an old name says so.
///
/// # Errors
/// Not exactly one format; an endpoint that is none.
pub fn service(config: &LlmGuard, form: Option<Form>, cx: &mut Build<'_>) -> Result<Asking, BuildError> {
    let format = config.format.clone().unwrap_or_default();
    let written = [
        format.ccr.as_ref().map(|model| (Form::Chat, Some(model))),
        format
            .responses_api
            .as_ref()
            .map(|model| (Form::Responses, Some(model))),
        format.custom.as_ref().map(|_| (Form::Custom, None)),
    ];
    let mut written = written.into_iter().flatten();
    let (form, model) = match (written.next(), written.next(), form) {
        (Some(one), None, _) => one,
        // What former names mean.
        (None, None, Some(form)) => (form, None),
        _ => {
            let why = "`format` must have exactly one of `ccr`, `responsesAPI` and `custom`";
            return Err(BuildError::new(why));
        }
    };
    let mut model = model.cloned().unwrap_or_default();
    if model.model.is_empty() {
        model.model.clone_from(&config.model);
    }
    let old = config
        .params
        .iter()
        .filter(|(name, _)| !model.params.contains_key(*name))
        .collect::<Vec<_>>();
    let old: Vec<_> = old
        .into_iter()
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    model.params.extend(old);
    if form != Form::Custom && model.model.is_empty() {
        return Err(BuildError::new("`model` of `format` is required").help("name the model that is asked"));
    }
    let remote = Remote::build(
        "endpoint",
        &config.endpoint,
        "",
        config.client_config.as_ref(),
        cx,
    )?;
    Ok((Arc::new(remote), form, members(&model, form)))
}

/// The model and its parameters as the API names them.
fn members(model: &JudgeModel, form: Form) -> Map<String, Value> {
    let mut members = Map::new();
    if form == Form::Custom {
        return members;
    }
    members.insert("model".to_owned(), json!(model.model));
    for (name, value) in &model.params {
        let name = match (&**name, form) {
            ("topP", _) => "top_p",
            ("maxTokens" | "maxCompletionTokens", Form::Responses) => "max_output_tokens",
            ("maxTokens", _) => "max_tokens",
            ("maxCompletionTokens", _) => "max_completion_tokens",
            ("frequencyPenalty", _) => "frequency_penalty",
            ("presencePenalty", _) => "presence_penalty",
            (name, _) => name,
        };
        members.insert(name.to_owned(), number(value));
    }
    members
}

/// Flags and labels know text only; what reads as a number or truth is one.
fn number(value: &Value) -> Value {
    let text = value.as_str().and_then(|text| serde_json::from_str(text).ok());
    text.filter(|v: &Value| v.is_number() || v.is_boolean())
        .unwrap_or_else(|| value.clone())
}

impl Judge {
    /// # Errors
    /// Templates and conditions that do not parse; a phase that decides nothing.
    pub fn build(
        phase: &LlmPhase,
        config: &LlmGuard,
        (remote, form, members): Asking,
    ) -> Result<Judge, BuildError> {
        if phase.block_conditions.is_empty() && phase.trace_conditions.is_empty() {
            return Err(BuildError::new(
                "neither `blockConditions` nor `traceConditions` is given",
            ));
        }
        let (option, text, other) = match form {
            Form::Custom => (
                "template",
                &phase.template,
                ("promptTemplate", &phase.prompt_template),
            ),
            _ => (
                "promptTemplate",
                &phase.prompt_template,
                ("template", &phase.template),
            ),
        };
        if !other.1.is_empty() {
            let why = format!("`{}` is not for this `format`", other.0);
            return Err(BuildError::new(why).help(format!("write `{option}`")));
        }
        if form == Form::Custom && !phase.system_prompt.is_empty() {
            return Err(
                BuildError::new("`systemPrompt` is not for `format.custom`").help("write it into `template`")
            );
        }
        if text.is_empty() && form == Form::Custom {
            return Err(
                BuildError::new(format!("`{option}` is required")).help("say what the service is asked")
            );
        }
        let template = Some(text).filter(|text| !text.is_empty()).map(|text| {
            Template::parse(option, text.as_str())
                .map_err(|error| BuildError::new(format!("`{option}`: {error}")).at(text.as_str(), 0))
        });
        let pass = Some(&phase.pass_condition).filter(|text| !text.is_empty());
        Ok(Judge {
            remote,
            form,
            members,
            system: phase.system_prompt.as_str().into(),
            template: template.transpose()?,
            block: phase
                .block_conditions
                .iter()
                .map(When::build)
                .collect::<Result<_, _>>()?,
            trace: phase
                .trace_conditions
                .iter()
                .map(When::build)
                .collect::<Result<_, _>>()?,
            pass: pass.map(|text| condition("passCondition", text)).transpose()?,
            tell_reason: config.send_reason_as_error,
        })
    }

    /// Whether a question can be asked where no format says what is text.
    pub fn has_template(&self) -> bool {
        self.template.is_some()
    }

    pub async fn judge(&self, texts: &Texts, client: &Rc<Connection>) -> Said {
        let question = match self.question(texts) {
            Ok(question) => question,
            Err(why) => return Said::error(why),
        };
        let answer = match self.remote.ask(question, client).await {
            Ok(answer) => answer,
            Err(why) => return Said::error(why),
        };
        let read = match self.form {
            Form::Chat => answer::chat_completion,
            Form::Responses => answer::responses_api,
            Form::Custom => answer::custom,
        };
        match read(&answer) {
            Ok(text) => self
                .conclude(&text)
                .unwrap_or_else(|unclear| Said::error(unclear.to_string())),
            Err(why) => Said::error(why),
        }
    }

    fn question(&self, texts: &Texts) -> Result<Vec<u8>, String> {
        let prompt = match &self.template {
            Some(template) => template
                .render(texts.data(), &LIMITS)
                .map_err(|e| format!("template: {}", e.message))?,
            None => texts.joined(),
        };
        let mut body = self.members.clone();
        match self.form {
            Form::Custom => return Ok(prompt.into_bytes()),
            Form::Chat => {
                let user = json!({"role": "user", "content": prompt});
                let system = json!({"role": "system", "content": &*self.system});
                let messages = if self.system.is_empty() {
                    json!([user])
                } else {
                    json!([system, user])
                };
                body.insert("messages".to_owned(), messages);
            }
            Form::Responses => {
                if !self.system.is_empty() {
                    body.insert("instructions".to_owned(), json!(&*self.system));
                }
                body.insert("input".to_owned(), json!(prompt));
            }
        }
        Ok(Value::Object(body).to_string().into_bytes())
    }

    fn conclude(&self, text: &str) -> Result<Said, Unclear> {
        let answer = Answer::new(text)?;
        // All are looked at before one counts: an answer is clear or not, whatever the order of conditions.
        let holding = |list: &'_ [When]| -> Result<Option<usize>, Unclear> {
            let mut first = None;
            for (place, when) in list.iter().enumerate() {
                if when.condition.holds(&answer)? {
                    first = first.or(Some(place));
                    count(&when.reason);
                }
            }
            Ok(first)
        };
        let block = holding(&self.block)?.map(|place| &self.block[place]);
        let trace = match block {
            // A trace never hinders a block.
            Some(_) => holding(&self.trace).unwrap_or_default(),
            None => holding(&self.trace)?,
        };
        if let Some(when) = block {
            return Ok(Said {
                deny: Some(when.deny.clone()),
                tell_reason: self.tell_reason,
                ..Said::new(Verdict::Block, when.reason.to_string())
            });
        }
        if let Some(pass) = &self.pass
            && !pass.holds(&answer)?
        {
            return Ok(Said::error("the answer fits no condition"));
        }
        Ok(match trace {
            Some(place) => Said::new(Verdict::Flag, self.trace[place].reason.to_string()),
            None => Said::pass(),
        })
    }
}

impl When {
    fn build(config: &GuardCondition) -> Result<When, BuildError> {
        let reason = if config.reason.is_empty() {
            &config.condition
        } else {
            &config.reason
        };
        Ok(When {
            condition: condition("condition", &config.condition)?,
            reason: reason.as_str().into(),
            deny: Arc::new(OnDeny::build(
                config.on_deny_response.as_ref(),
                super::STATUS,
                super::MESSAGE,
            )?),
        })
    }
}

fn condition(option: &str, text: &str) -> Result<Condition, BuildError> {
    Condition::parse(text)
        .map_err(|error| BuildError::new(format!("`{option}` `{text}`: {error}")).at(text, error.at))
}

/// Hub's own counter.
fn count(reason: &str) {
    let name = "traefik_hub_llm_guard_requests_total";
    let help = "Answers of LLM guards for which a condition held, by its reason.";
    metrics::registry()
        .counter(name, help, &[("reason", reason)])
        .inc();
}
