//! URLs: sprig's chapter "URL Functions".

use std::sync::Arc;

use crate::budget::Budget;
use crate::error::{Fault, Result};
use crate::function::Kind::{Dict, Str};
use crate::function::{Function, fixed, text};
use crate::go::url::{self, Url};
use crate::value::Value;

pub(super) const FUNCTIONS: &[Function] = &[
    fixed("urlParse", &[Str], |b, a| parts(b, text(&a[0]))),
    fixed("urlJoin", &[Dict], |b, a| {
        let userinfo = part(&a[0], "userinfo")?;
        let url = Url {
            scheme: part(&a[0], "scheme")?,
            host: part(&a[0], "host")?,
            path: part(&a[0], "path")?,
            query: part(&a[0], "query")?,
            opaque: part(&a[0], "opaque")?,
            fragment: part(&a[0], "fragment")?,
            userinfo: match userinfo.as_str() {
                "" => None,
                text => Some(url::parse_userinfo(text).map_err(bad_userinfo)?),
            },
        };
        b.text(url.text())
    }),
];

fn bad_userinfo(why: String) -> Fault {
    Fault::new(format!("unable to parse userinfo in dict: {why}"))
}

fn parts(budget: &Budget, text: &str) -> Result<Value> {
    let url = url::parse(text)
        .map_err(|why| Fault::new(format!("unable to parse url: parse \"{text}\": {why}")))?;
    let hostname = url.hostname().to_owned();
    let members = [
        ("scheme", url.scheme),
        ("host", url.host),
        ("hostname", hostname),
        ("path", url.path),
        ("query", url.query),
        ("opaque", url.opaque),
        ("fragment", url.fragment),
        ("userinfo", url.userinfo.unwrap_or_default()),
    ];
    let entries = members
        .into_iter()
        .map(|(name, value)| Ok((Arc::from(name), budget.text(value)?)));
    budget.dict(entries.collect::<Result<_>>()?)
}

/// One member of the dict; empty where it has none.
fn part(dict: &Value, name: &str) -> Result<String> {
    let found = match dict {
        Value::Dict(dict) => dict.get(name),
        _ => None,
    };
    match found {
        None => Ok(String::new()),
        Some(Value::Str(text)) => Ok(text.to_string()),
        Some(other) => {
            let kind = other.kind_name();
            let message = format!("unable to parse {name} key, must be of type string, but {kind} found");
            Err(Fault::new(message))
        }
    }
}
