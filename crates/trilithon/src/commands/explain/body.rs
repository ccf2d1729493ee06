//! The body of a request that is asked about: the model that it names is looked at by rules, and by what calls pass.

use super::Model;
use anyhow::Context;
use serde_json::json;
use trilithon_flow::Request;

/// What is said of the body; nothing means that there is none.
#[derive(Default)]
pub struct Body(Option<Vec<u8>>);

impl Body {
    /// Whether an option is one of these.
    pub fn knows(option: &str) -> bool {
        matches!(option, "--model" | "-d" | "--body")
    }

    /// Takes one option: `--model` makes a body that names this model and no more, `--body` is a body or `@` and its file.
    ///
    /// # Errors
    /// A file that cannot be read; a second body.
    pub fn take(&mut self, option: &str, value: String) -> anyhow::Result<()> {
        let body = match value.strip_prefix('@') {
            _ if option == "--model" => json!({ "model": value }).to_string().into_bytes(),
            Some(path) => {
                std::fs::read(path).with_context(|| format!("`{option}`: `{path}` cannot be read"))?
            }
            None => value.into_bytes(),
        };
        anyhow::ensure!(
            self.0.replace(body).is_none(),
            "`{option}`: there is a body already; say it once, with `--model` or with `--body`"
        );
        Ok(())
    }

    pub fn is_given(&self) -> bool {
        self.0.is_some()
    }

    pub fn of_request(&self) -> trilithon_flow::Body {
        match &self.0 {
            Some(body) => trilithon_flow::Body::from(bytes::Bytes::from(body.clone())),
            None => trilithon_flow::Body::default(),
        }
    }
}

/// The model that the body of `req` names, as serving would read it: up to `limit` bytes.
pub fn model(req: &Request, limit: u64) -> Model {
    match req.body.bytes() {
        Some(body) if body.len() as u64 > limit => Model::Read(None),
        Some(body) if !body.is_empty() => Model::of(body),
        _ => Model::Unread,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(options: &[(&str, &str)]) -> Result<Request, String> {
        let mut body = Body::default();
        for (option, value) in options {
            assert!(Body::knows(option));
            body.take(option, (*value).to_owned())
                .map_err(|e| format!("{e:#}"))?;
        }
        Ok(Request {
            body: body.of_request(),
            ..Request::default()
        })
    }

    #[test]
    fn the_body_names_a_model() {
        let check = |options: &[(&str, &str)], limit, want: Model| {
            let req = body(options).expect("a request");
            assert_eq!(model(&req, limit), want, "{options:?}");
        };
        let named = |name: &str| Model::Read(Some(name.to_owned()));
        check(&[], 100, Model::Unread);
        check(&[("--model", "a\"b")], 100, named("a\"b"));
        check(&[("-d", r#"{"x":1,"model":"m"}"#)], 100, named("m"));
        check(&[("--body", "no JSON")], 100, Model::Read(None));
        check(&[("--model", "gpt-4o")], 10, Model::Read(None));
    }

    #[test]
    fn what_cannot_be_said_is_refused() {
        let check = |options: &[(&str, &str)], part: &str| {
            let error = body(options).err().expect("refused");
            assert!(error.contains(part), "{error}");
        };
        check(
            &[("-d", "@/nowhere/body.json")],
            "`-d`: `/nowhere/body.json` cannot be read",
        );
        check(&[("--model", "a"), ("-d", "{}")], "there is a body already");
    }
}
