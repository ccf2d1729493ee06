//! A call of a tool as the request that the API is sent.

use super::parameter::{Parameter, Place};
use super::tool::Tool;
use crate::validate::validate;
use serde_json::{Map, Value};
use trilithon_flow::target::escape_component;

/// Bytes of a request's target.
const MAX_TARGET: usize = 16 << 10;

/// What the API is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    pub method: String,
    /// Path and query.
    pub target: String,
    pub headers: Vec<(String, String)>,
    /// Its type and its bytes.
    pub body: Option<(String, Vec<u8>)>,
}

impl Tool {
    /// The request for these arguments.
    ///
    /// # Errors
    /// What does not fit, for the model to read.
    pub fn request(&self, arguments: &Map<String, Value>) -> Result<Asked, String> {
        validate(self.input(), &Value::Object(arguments.clone()))?;
        let mut asked = Asked {
            method: self.method.clone(),
            target: self.target(arguments)?,
            ..Asked::default()
        };
        let given = |place: Place| {
            self.parameters
                .iter()
                .filter(move |p| p.place == place)
                .filter_map(|p| Some((p, arguments.get(&p.argument)?)))
        };
        let mut query = String::new();
        given(Place::Query).for_each(|(parameter, value)| parameter.add_pairs(value, &mut query));
        if !query.is_empty() {
            asked.target = format!("{}?{query}", asked.target);
        }
        if asked.target.len() > MAX_TARGET {
            return Err(format!(
                "the arguments make an address of more than {MAX_TARGET} bytes"
            ));
        }
        for (parameter, value) in given(Place::Header) {
            let text = parameter.joined(value, &str::to_owned);
            if !text.bytes().all(|b| b == b' ' || b.is_ascii_graphic()) {
                return Err(format!(
                    "`{}` holds characters that no header can have",
                    parameter.argument
                ));
            }
            asked.headers.push((parameter.name.clone(), text));
        }
        let cookies: Vec<String> = given(Place::Cookie)
            .map(|(parameter, value)| {
                format!(
                    "{}={}",
                    escape_component(&parameter.name),
                    parameter.joined(value, &escape_component)
                )
            })
            .collect();
        if !cookies.is_empty() {
            asked.headers.push(("Cookie".to_owned(), cookies.join("; ")));
        }
        if let Some((body, value)) = self
            .body
            .as_ref()
            .and_then(|b| Some((b, arguments.get(&b.argument)?)))
        {
            asked.body = Some(body.form.write(value)?);
        }
        Ok(asked)
    }

    /// The path with its parameters. Each fills one segment, so that it leads to no other operation.
    fn target(&self, arguments: &Map<String, Value>) -> Result<String, String> {
        let mut path = String::new();
        let mut rest = self.path.as_str();
        while let Some((before, after)) = rest.split_once('{') {
            path.push_str(before);
            let (name, after) = after.split_once('}').unwrap_or((after, ""));
            rest = after;
            let is = |p: &&Parameter| p.place == Place::Path && p.name == name;
            let found = self.parameters.iter().find(is);
            let Some((parameter, value)) = found.and_then(|p| Some((p, arguments.get(&p.argument)?))) else {
                return Err(format!("`{name}` is missing"));
            };
            let text = parameter.joined(value, &escape_component);
            if matches!(text.as_str(), "" | "." | "..") {
                return Err(format!("`{}` has no place in a path", parameter.argument));
            }
            path.push_str(&text);
        }
        path.push_str(rest);
        Ok(path)
    }
}
