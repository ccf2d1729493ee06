//! A name in a template: where its value comes from, and the way to it there.

use serde_json::Value;
use std::fmt;

/// Longest way to a value.
const MAX_STEPS: usize = 16;

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Root {
    /// `request.path`: escaped, as the router saw it.
    Path,
    /// `request.query.NAME`: decoded.
    Query,
    /// `request.header.NAME`.
    RequestHeader,
    /// `request.body.FIELD`: of a JSON body.
    RequestBody,
    /// `response.status`.
    Status,
    /// `response.header.NAME`.
    ResponseHeader,
    /// `response.location`: the path that `Location` names, where it is on the same host.
    Location,
    /// `response.body.FIELD`: of a JSON body.
    ResponseBody,
    /// `arguments.FIELD`: of a tool's call.
    Arguments,
    /// `result.FIELD`: of a tool's structured result, or of its only text where that is JSON.
    Result,
}

use Root::{
    Arguments, Location, Path, Query, RequestBody, RequestHeader, ResponseBody, ResponseHeader,
    Result as Res, Status,
};

impl Root {
    /// What templates of a plain HTTP call can name.
    pub const OF_HTTP: &'static [Root] = &[
        Path,
        Query,
        RequestHeader,
        RequestBody,
        Status,
        ResponseHeader,
        Location,
        ResponseBody,
    ];
    /// What templates of a tool's call can name.
    pub const OF_TOOLS: &'static [Root] = &[Arguments, Res];

    /// As templates write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Path => "request.path",
            Query => "request.query",
            RequestHeader => "request.header",
            RequestBody => "request.body",
            Status => "response.status",
            ResponseHeader => "response.header",
            Location => "response.location",
            ResponseBody => "response.body",
            Arguments => "arguments",
            Res => "result",
        }
    }

    /// Whether names stand below it; what has none is a value itself.
    fn has_members(self) -> bool {
        !matches!(self, Path | Status | Location)
    }

    /// Whether it is known before the call is passed on.
    pub fn is_of_request(self) -> bool {
        matches!(self, Path | Query | RequestHeader | RequestBody | Arguments)
    }

    /// Whether its values are paths already, and go into one as they are.
    pub fn is_path(self) -> bool {
        matches!(self, Path | Location)
    }
}

/// A header whose value is a credential: no log has it.
pub fn is_credential(header: &str) -> bool {
    const CREDENTIALS: [&str; 6] = [
        "authorization",
        "proxy-authorization",
        "cookie",
        "set-cookie",
        "x-api-key",
        "api-key",
    ];
    CREDENTIALS.iter().any(|name| name.eq_ignore_ascii_case(header))
}

/// A name.
#[derive(Clone, Debug, PartialEq)]
pub struct Reference {
    root: Root,
    steps: Vec<Box<str>>,
}

impl Reference {
    /// Reads a name: `response.body.order.id`, `result.items.0.id`.
    ///
    /// # Errors
    /// It begins with none of `roots`, names nothing below one that has members, goes too deep, or names a header that holds a
    /// credential.
    pub fn parse(text: &str, roots: &[Root]) -> Result<Reference, String> {
        let begins = |root: &&Root| {
            let rest = text.strip_prefix(root.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        let Some(root) = roots.iter().find(begins).copied() else {
            let known: Vec<&str> = roots.iter().map(|root| root.as_str()).collect();
            return Err(format!(
                "there is no `{text}`; names begin with {}",
                known.join(", ")
            ));
        };
        let rest = text[root.as_str().len()..].strip_prefix('.');
        let steps: Vec<Box<str>> = match rest {
            // A header's name may hold a dot.
            Some(name) if matches!(root, RequestHeader | ResponseHeader | Query) => vec![name.into()],
            Some(path) => path.split('.').map(Into::into).collect(),
            None => Vec::new(),
        };
        if root.has_members() == steps.is_empty() && !matches!(root, Res | Arguments) {
            return Err(match root.has_members() {
                true => format!("`{text}` names no field: write `{text}.NAME`"),
                false => format!("`{}` has no fields", root.as_str()),
            });
        }
        if steps.iter().any(|step| step.is_empty()) {
            return Err(format!("a name is missing in `{text}`"));
        }
        if steps.len() > MAX_STEPS {
            return Err(format!("`{text}` goes deeper than {MAX_STEPS} names"));
        }
        let reference = Reference { root, steps };
        match reference.key() {
            Some(name) if matches!(root, RequestHeader | ResponseHeader) && is_credential(name) => Err(
                format!("`{text}` is a credential, which the audit log must not hold"),
            ),
            _ => Ok(reference),
        }
    }

    pub fn root(&self) -> Root {
        self.root
    }

    /// The first name below the root: of a header, of a query parameter.
    pub fn key(&self) -> Option<&str> {
        self.steps.first().map(|step| &**step)
    }

    /// The value below `value`: members of objects by name, items of lists by number.
    pub fn find<'v>(&self, value: &'v Value) -> Option<&'v Value> {
        self.steps.iter().try_fold(value, |value, step| match value {
            Value::Object(members) => members.get(&**step),
            Value::Array(items) => items.get(step.parse::<usize>().ok()?),
            _ => None,
        })
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.root.as_str())?;
        self.steps.iter().try_for_each(|step| write!(f, ".{step}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names() {
        let check = |text: &str, roots: &[Root], want: Result<(Root, usize), &str>| {
            let got = Reference::parse(text, roots);
            if let Ok(reference) = &got {
                assert_eq!(reference.to_string(), text);
            }
            let got = got.map(|r| (r.root, r.steps.len()));
            match want {
                Ok(want) => assert_eq!(got, Ok(want), "{text}"),
                Err(part) => assert!(got.clone().is_err_and(|e| e.contains(part)), "{text}: {got:?}"),
            }
        };
        check("request.path", Root::OF_HTTP, Ok((Path, 0)));
        check("request.query.page", Root::OF_HTTP, Ok((Query, 1)));
        check("request.header.X-Tenant", Root::OF_HTTP, Ok((RequestHeader, 1)));
        check("response.body.items.0.id", Root::OF_HTTP, Ok((ResponseBody, 3)));
        check("arguments.order.id", Root::OF_TOOLS, Ok((Arguments, 2)));
        check("result", Root::OF_TOOLS, Ok((Res, 0)));
        check(
            "arguments.id",
            Root::OF_HTTP,
            Err("names begin with request.path"),
        );
        check("request.pathx", Root::OF_HTTP, Err("there is no"));
        check("request.path.2", Root::OF_HTTP, Err("has no fields"));
        check("response.body", Root::OF_HTTP, Err("names no field"));
        check("arguments.", Root::OF_TOOLS, Err("a name is missing"));
        check("request.header.authorization", Root::OF_HTTP, Err("credential"));
        check("response.header.Set-Cookie", Root::OF_HTTP, Err("credential"));
        check(
            &format!("result{}", ".a".repeat(17)),
            Root::OF_TOOLS,
            Err("deeper"),
        );
    }

    #[test]
    fn values() {
        let value = json!({"items": [{"id": 7}], "a": null});
        let check = |text: &str, want: Option<Value>| {
            let reference = Reference::parse(text, Root::OF_TOOLS).expect(text);
            assert_eq!(reference.find(&value), want.as_ref(), "{text}");
        };
        check("result", Some(value.clone()));
        check("result.items.0.id", Some(json!(7)));
        check("result.items.1.id", None);
        check("result.items.id", None);
        check("result.a", Some(Value::Null));
        check("result.a.b", None);
    }
}
