//! What is set in requests: model, parameters, prompts, and that streams tell their usage. All else stays as it is.

use super::prompt;
use bytes::Bytes;
use trilithon_ai::dialect::{Dialect, Request};
use trilithon_flow::BuildError;
use trilithon_model::dynamic::http::ModelParams;
use trilithon_model::number::Number;
use trilithon_wire::json::{self, Overlap, Splice, Value, quote};

/// What is set in requests.
pub struct Enforce {
    pub model: Option<Model>,
    pub params: Vec<Param>,
    /// Clients may not set what `params` sets.
    pub force_params: bool,
    pub system: Option<Box<str>>,
    pub prompt_caching: bool,
}

/// The model that is asked.
pub struct Model {
    pub name: Box<str>,
    /// Whatever the client names.
    pub force: bool,
}

/// A parameter under its name, or under another that means the same.
pub struct Param {
    names: &'static [&'static str],
    json: Box<str>,
}

/// A request as it is sent on.
pub struct Enforced {
    pub body: Bytes,
    pub model: Option<String>,
    /// The stream was asked to tell its usage, which the client had not done.
    pub asked_usage: bool,
}

impl Param {
    /// Its name in requests.
    pub fn name(&self) -> &'static str {
        self.names.first().copied().unwrap_or_default()
    }

    /// The parameters of a dialect.
    ///
    /// # Errors
    /// One that it does not have.
    pub fn all(dialect: Dialect, params: Option<&ModelParams>) -> Result<Vec<Param>, BuildError> {
        let Some(p) = params else { return Ok(Vec::new()) };
        let (chat, messages) = (dialect == Dialect::Chat, dialect == Dialect::Messages);
        let both = p.max_tokens.is_some() && p.max_completion_tokens.is_some();
        let (max, newer): (&[&str], &[&str]) = match dialect {
            Dialect::Responses => (&["max_output_tokens"], &[]),
            Dialect::Messages => (&["max_tokens"], &[]),
            Dialect::Chat if both => (&["max_tokens"], &["max_completion_tokens"]),
            Dialect::Chat => (
                &["max_tokens", "max_completion_tokens"],
                &["max_completion_tokens", "max_tokens"],
            ),
        };
        let table: [(&str, &Option<Number>, bool, &'static [&'static str]); 7] = [
            ("temperature", &p.temperature, true, &["temperature"]),
            ("topP", &p.top_p, true, &["top_p"]),
            ("topK", &p.top_k, messages, &["top_k"]),
            ("maxTokens", &p.max_tokens, true, max),
            ("maxCompletionTokens", &p.max_completion_tokens, chat, newer),
            (
                "frequencyPenalty",
                &p.frequency_penalty,
                chat,
                &["frequency_penalty"],
            ),
            (
                "presencePenalty",
                &p.presence_penalty,
                chat,
                &["presence_penalty"],
            ),
        ];
        let given = table
            .into_iter()
            .filter_map(|(option, value, known, names)| Some((option, value.as_ref()?, known, names)));
        given
            .map(|(option, value, known, names)| match known {
                true => Ok(Param {
                    names,
                    json: value.as_str().into(),
                }),
                false => Err(
                    BuildError::new(format!("`params.{option}` is no parameter of this format"))
                        .help("remove it"),
                ),
            })
            .collect()
    }
}

impl Enforce {
    /// The request as it is sent on.
    ///
    /// # Errors
    /// Two settings want the same bytes, which they do not.
    pub fn apply(&self, body: &Bytes, request: &Request) -> Result<Enforced, Overlap> {
        let asked_usage = request.stream && !request.include_usage;
        let model = self.model.as_ref().filter(|m| m.force || request.model.is_none());
        let sent = model
            .map(|m| m.name.to_string())
            .or_else(|| request.model.clone());
        let mut enforced = Enforced {
            body: body.clone(),
            model: sent,
            asked_usage,
        };
        let others = !self.params.is_empty() || self.system.is_some() || self.prompt_caching;
        if model.is_none() && !asked_usage && !others {
            return Ok(enforced);
        }
        let Ok(root) = json::parse(body) else {
            return Ok(enforced);
        };
        let mut splice = Splice::new();
        if let Some(model) = model.filter(|m| request.model.as_deref() != Some(&*m.name)) {
            splice.set(&root, "model", &String::from_utf8_lossy(&quote(&model.name)))?;
        }
        for param in &self.params {
            self.set(param, &root, &mut splice)?;
        }
        if asked_usage {
            ask_usage(&root, &mut splice)?;
        }
        if let Some(system) = &self.system {
            prompt::add_system(&root, system, &mut splice)?;
        }
        if self.prompt_caching {
            prompt::mark_cache(&root, &mut splice)?;
        }
        if !splice.is_empty() {
            enforced.body = splice.apply(body).into();
        }
        Ok(enforced)
    }

    /// A client that may not set a parameter may not set it by its other name.
    fn set(&self, param: &Param, root: &Value<'_>, splice: &mut Splice) -> Result<(), Overlap> {
        let is_given = |name: &&&str| root.get(name).is_some_and(|v| !v.is_null());
        let mut given = param.names.iter().filter(is_given).peekable();
        match (given.peek(), param.names.first()) {
            (None, Some(name)) => splice.set(root, name, &param.json),
            (Some(_), _) if self.force_params => {
                given.try_for_each(|name| splice.set(root, name, &param.json))
            }
            _ => Ok(()),
        }
    }
}

/// `stream_options.include_usage`.
fn ask_usage(root: &Value<'_>, splice: &mut Splice) -> Result<(), Overlap> {
    match root.get("stream_options").filter(|v| !v.is_null()) {
        Some(options) => splice.set(&options, "include_usage", "true"),
        None => splice.set(root, "stream_options", r#"{"include_usage":true}"#),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn enforce(dialect: Dialect, params: &ModelParams, force_params: bool) -> Enforce {
        Enforce {
            model: None,
            params: Param::all(dialect, Some(params)).unwrap(),
            force_params,
            system: None,
            prompt_caching: false,
        }
    }

    fn sent(dialect: Dialect, enforce: &Enforce, body: &str) -> String {
        let request = dialect.request(body.as_bytes()).unwrap();
        let enforced = enforce
            .apply(&Bytes::copy_from_slice(body.as_bytes()), &request)
            .unwrap();
        String::from_utf8(enforced.body.to_vec()).unwrap()
    }

    /// A chat request with more members.
    fn chat(more: &str) -> String {
        format!(r#"{{"messages":[{{"role":"user","content":"a"}}]{more}}}"#)
    }

    fn with(params: &[(&str, &str)]) -> ModelParams {
        let mut all = ModelParams::default();
        for (name, value) in params {
            let number = Number::parse(value);
            match *name {
                "temperature" => all.temperature = number,
                "maxTokens" => all.max_tokens = number,
                "maxCompletionTokens" => all.max_completion_tokens = number,
                "topK" => all.top_k = number,
                _ => unreachable!("{name}"),
            }
        }
        all
    }

    #[test]
    fn models() {
        let check = |name: &str, force: bool, body: &str, want: &str| {
            let enforce = Enforce {
                model: Some(Model {
                    name: name.into(),
                    force,
                }),
                ..enforce(Dialect::Chat, &ModelParams::default(), false)
            };
            assert_eq!(sent(Dialect::Chat, &enforce, body), want);
        };
        let front = |member: &str| chat("").replacen('{', &format!("{{{member},"), 1);
        check("gpt", false, &chat(""), &front(r#""model":"gpt""#));
        check(
            "gpt",
            false,
            &chat(r#","model":"own""#),
            &chat(r#","model":"own""#),
        );
        check(
            "gpt",
            true,
            &chat(r#","model" : "own" ,"x":1"#),
            &chat(r#","model" : "gpt" ,"x":1"#),
        );
        check(
            "gpt",
            true,
            &chat(r#","model":"gp\u0074""#),
            &chat(r#","model":"gp\u0074""#),
        );
    }

    #[test]
    fn params() {
        let check = |dialect, params: &[(&str, &str)], force: bool, more: &str, want: &str| {
            assert_eq!(
                sent(dialect, &enforce(dialect, &with(params), force), &chat(more)),
                want
            );
        };
        let front = |member: &str, more: &str| chat(more).replacen('{', &format!("{{{member},"), 1);
        let both = &[("temperature", "0.70"), ("maxTokens", "100")];
        check(
            Dialect::Chat,
            both,
            false,
            "",
            &front(r#""temperature":0.70,"max_tokens":100"#, ""),
        );
        check(
            Dialect::Chat,
            both,
            false,
            r#","temperature":1,"max_completion_tokens":9"#,
            &chat(r#","temperature":1,"max_completion_tokens":9"#),
        );
        check(
            Dialect::Chat,
            both,
            true,
            r#","temperature":1,"max_completion_tokens":9"#,
            &chat(r#","temperature":0.70,"max_completion_tokens":100"#),
        );
        check(
            Dialect::Chat,
            &[("maxTokens", "5")],
            true,
            r#","max_tokens":null"#,
            &chat(r#","max_tokens":5"#),
        );
        check(
            Dialect::Messages,
            &[("topK", "5")],
            false,
            "",
            &front(r#""top_k":5"#, ""),
        );
    }

    #[test]
    fn what_a_format_does_not_have_is_refused() {
        let error = Param::all(Dialect::Chat, Some(&with(&[("topK", "5")])))
            .err()
            .unwrap();
        assert!(error.message.contains("params.topK"), "{error}");
        assert!(Param::all(Dialect::Responses, Some(&with(&[("maxCompletionTokens", "5")]))).is_err());
    }

    #[test]
    fn streams_are_asked_for_their_usage() {
        let enforce = enforce(Dialect::Chat, &ModelParams::default(), false);
        let check = |more: &str, want: String| assert_eq!(sent(Dialect::Chat, &enforce, &chat(more)), want);
        let asked = r#"{"stream_options":{"include_usage":true},"#;
        check(
            r#","stream":true"#,
            chat(r#","stream":true"#).replacen('{', asked, 1),
        );
        check(
            r#","stream":true,"stream_options":{"x":1}"#,
            chat(r#","stream":true,"stream_options":{"include_usage":true,"x":1}"#),
        );
        check(
            r#","stream":true,"stream_options":{"include_usage":false}"#,
            chat(r#","stream":true,"stream_options":{"include_usage":true}"#),
        );
        for same in [
            r#","stream":false"#,
            r#","stream":true,"stream_options":{"include_usage":true}"#,
        ] {
            check(same, chat(same));
        }
    }
}
