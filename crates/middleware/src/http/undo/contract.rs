//! A contract: the templates of the compensating call, and the call that they make.

use serde_json::{Map, Value};
use trilithon_flow::limits::MAX_UNDO;
use trilithon_flow::record::Name;
use trilithon_flow::{BuildError, Known, Method, Undo};
use trilithon_model::dynamic::http::{McpUndoCall, UndoRequest};
use trilithon_policy::undo::{Missing, Mistake, Names, Root, Shape, Template, is_credential};
use trilithon_wire::headers::is_token;

/// One contract.
pub struct Contract {
    /// The middleware that has it.
    name: Name,
    names: Names,
    call: Call,
}

/// The templates.
pub enum Call {
    Request {
        method: Method,
        path: Template,
        headers: Vec<(String, Template)>,
        body: Option<Shape>,
    },
    Tool {
        tool: String,
        arguments: Shape,
    },
}

impl Call {
    /// A compensating request.
    ///
    /// # Errors
    /// A method, path or header that is none, or a template that cannot be read.
    pub fn request(config: &UndoRequest, names: &mut Names) -> Result<Call, BuildError> {
        let path = template(&config.path, names)?;
        let is_path = path.beginning().starts_with('/')
            || ["${request.path}", "${response.location}"]
                .iter()
                .any(|p| config.path.starts_with(p));
        if !is_path {
            return Err(BuildError::new(format!(
                "`request.path` `{}` does not begin with `/`",
                config.path
            ))
            .at(&config.path, 0)
            .help("write `/orders/${response.body.id}` or `${request.path}/…`"));
        }
        let mut headers = Vec::new();
        for (name, value) in &config.headers {
            let wrong = |why: &str| BuildError::new(format!("`request.headers`: `{name}` {why}")).at(name, 0);
            if name.is_empty() || !name.bytes().all(is_token) {
                return Err(wrong("is no name of a header"));
            }
            if is_credential(name) {
                return Err(wrong("is a credential, which the audit log must not hold")
                    .help("whoever undoes brings their own"));
            }
            let known = Known::of(name.as_bytes());
            if known.is_framing() || known == Known::Host {
                return Err(wrong("cannot be chosen"));
            }
            headers.push((name.clone(), template(value, names)?));
        }
        let body = config
            .body
            .as_ref()
            .map(|body| Shape::parse(body, Root::OF_HTTP, names));
        Ok(Call::Request {
            method: method(&config.method, "request.method")?,
            path,
            headers,
            body: body.transpose().map_err(mistaken)?,
        })
    }

    /// A compensating call of a tool.
    ///
    /// # Errors
    /// No name, or a template that cannot be read.
    pub fn tool(config: &McpUndoCall, names: &mut Names) -> Result<Call, BuildError> {
        if config.tool.is_empty() {
            return Err(BuildError::new("`undo`: a `call` has no `tool`").help("name the tool that undoes"));
        }
        let mut arguments = Vec::new();
        for (name, value) in &config.arguments {
            let shape = Shape::parse(value, Root::OF_TOOLS, names).map_err(mistaken)?;
            arguments.push((name.clone(), shape));
        }
        Ok(Call::Tool {
            tool: config.tool.clone(),
            arguments: Shape::Object(arguments),
        })
    }
}

fn template(text: &str, names: &mut Names) -> Result<Template, BuildError> {
    Template::parse(text, Root::OF_HTTP, names).map_err(mistaken)
}

fn mistaken(mistake: Mistake) -> BuildError {
    BuildError::new(format!("`undo`: {}", mistake.message)).at(mistake.text, mistake.at)
}

/// A method, as `option` has it.
///
/// # Errors
/// It is no token (RFC 9110, section 9.1).
pub fn method(text: &str, option: &str) -> Result<Method, BuildError> {
    match !text.is_empty() && text.bytes().all(is_token) {
        true => Ok(Method::of(text.to_ascii_uppercase().as_bytes())),
        false => Err(BuildError::new(format!("`{option}`: `{text}` is no method")).at(text, 0)),
    }
}

impl Contract {
    pub fn new(name: &str, names: Names, call: Call) -> Contract {
        Contract {
            name: name.into(),
            names,
            call,
        }
    }

    /// What its templates name.
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// The compensating call by these values; `path` is where the server of a tool is.
    pub fn made(&self, path: &str, values: &[Option<Value>]) -> Undo {
        let call = self.call(path, values).map_err(|missing| missing.to_string());
        let small =
            |call: Map<String, Value>| match serde_json::to_vec(&call).is_ok_and(|t| t.len() <= MAX_UNDO) {
                true => Ok(call),
                false => Err(format!(
                    "the call that would undo it is larger than {MAX_UNDO} bytes"
                )),
            };
        Undo {
            contract: self.name.clone(),
            call: call.and_then(small),
        }
    }

    /// It cannot be said how to undo it.
    pub fn unknown(&self, why: &str) -> Undo {
        Undo {
            contract: self.name.clone(),
            call: Err(why.to_owned()),
        }
    }

    fn call(&self, at: &str, values: &[Option<Value>]) -> Result<Map<String, Value>, Missing> {
        let mut made = Map::new();
        let mut add = |name: &str, value: Value| made.insert(name.to_owned(), value);
        match &self.call {
            Call::Tool { tool, arguments } => {
                add("tool", tool.as_str().into());
                add("arguments", arguments.json(&self.names, values)?);
                add("path", at.into());
            }
            Call::Request {
                method,
                path,
                headers,
                body,
            } => {
                add("method", method.as_str().into());
                add("path", path.path(&self.names, values)?.into());
                let value = |(name, value): &(String, Template)| {
                    Ok((name.clone(), value.text(&self.names, values)?.into()))
                };
                let headers = headers
                    .iter()
                    .map(value)
                    .collect::<Result<Map<_, _>, Missing>>()?;
                if !headers.is_empty() {
                    add("headers", headers.into());
                }
                if let Some(body) = body {
                    add("body", body.json(&self.names, values)?);
                }
            }
        }
        Ok(made)
    }
}
