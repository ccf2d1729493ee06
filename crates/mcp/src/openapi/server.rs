//! Where an API is, as its document says: the path before every path. The host is the service's to say; an operation that is somewhere
//! else becomes no tool.

use super::document::Document;
use serde_json::Value;

/// What a server's address says.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Server {
    /// Its host, where it names one.
    host: Option<String>,
    /// Without a slash at its end.
    path: String,
}

/// The servers of a document.
pub struct Servers {
    first: Option<Server>,
    /// What the configuration says in place of every path.
    base: Option<String>,
}

impl Servers {
    /// # Errors
    /// The first server's address is none that can be taken.
    pub fn of(document: &Document<'_>, base: Option<&str>) -> Result<Servers, String> {
        let base = base.map(|base| base.trim_end_matches('/').to_owned());
        let first = match read(document.member("servers")) {
            Err(_) if base.is_some() => None,
            Err(why) => return Err(format!("{why}; set `basePath`")),
            Ok(server) => server,
        };
        Ok(Servers { first, base })
    }

    /// What stands before the path of an operation: by its own servers, or those of its path.
    ///
    /// # Errors
    /// It is at another host than the document's first server, or at none that can be read.
    pub fn base(&self, item: &Value, operation: &Value) -> Result<String, String> {
        let own = match read(&operation["servers"])? {
            None => read(&item["servers"])?,
            own => own,
        };
        let first_host = self.first.as_ref().and_then(|first| first.host.as_ref());
        if let Some(host) = own.as_ref().and_then(|own| own.host.as_ref())
            && first_host.is_some_and(|first| first != host)
        {
            return Err(format!(
                "it is at `{host}`, which is another server than the document's first"
            ));
        }
        Ok(match (&self.base, own.as_ref().or(self.first.as_ref())) {
            (Some(base), _) => base.clone(),
            (None, server) => server.map_or_else(String::new, |server| server.path.clone()),
        })
    }
}

/// The first of a list of servers, its variables with their defaults.
fn read(servers: &Value) -> Result<Option<Server>, String> {
    let server = &servers[0];
    let Some(url) = server["url"].as_str() else {
        return Ok(None);
    };
    let mut url = url.trim().to_owned();
    for (name, variable) in server["variables"].as_object().into_iter().flatten() {
        if let Some(default) = variable["default"].as_str() {
            url = url.replace(&format!("{{{name}}}"), default);
        }
    }
    let (host, path) = match url.split_once("//") {
        Some((_, rest)) => {
            let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            (Some(host.to_ascii_lowercase()), path)
        }
        None => (None, &*url),
    };
    let path = path
        .split(['?', '#'])
        .next()
        .unwrap_or_default()
        .trim_end_matches('/');
    let is_plain = path
        .bytes()
        .all(|b| b.is_ascii_graphic() && b != b'{' && b != b'\\');
    let is_one = path.is_empty() || path.starts_with('/');
    if !is_plain
        || !is_one
        || path.split('/').any(|segment| matches!(segment, "." | ".."))
        || path.contains("//")
    {
        return Err(format!(
            "the path of server `{}` cannot be taken",
            url.escape_debug()
        ));
    }
    Ok(Some(Server {
        host,
        path: path.to_owned(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn base(servers: Value, base: Option<&str>, item: Value, operation: Value) -> Result<String, String> {
        let text = json!({ "servers": servers }).to_string();
        let document = Document::read(&text).expect("JSON");
        let one = |url: Value| match url {
            Value::Null => json!({}),
            url => json!({"servers": [{"url": url}]}),
        };
        Servers::of(&document, base)?.base(&one(item), &one(operation))
    }

    #[test]
    fn the_path_of_the_first_server() {
        let check = |server: Value, want: Result<&str, &str>| {
            let got = base(json!([server]), None, Value::Null, Value::Null);
            assert_eq!(got, want.map(str::to_owned).map_err(str::to_owned), "{server}");
        };
        check(json!({"url": "https://a.test/v1/"}), Ok("/v1"));
        check(json!({"url": "//a.test/v1?x"}), Ok("/v1"));
        check(json!({"url": "/v1"}), Ok("/v1"));
        check(json!({"url": "/"}), Ok(""));
        check(json!({}), Ok(""));
        check(
            json!({"url": "https://{r}.a.test/{v}", "variables": {"r": {"default": "eu"}, "v": {"default": "v2"}}}),
            Ok("/v2"),
        );
        let wrong = "the path of server `https://a.test/{v}` cannot be taken; set `basePath`";
        check(json!({"url": "https://a.test/{v}"}), Err(wrong));
        let wrong = "the path of server `/a/../b` cannot be taken; set `basePath`";
        check(json!({"url": "/a/../b"}), Err(wrong));
    }

    #[test]
    fn servers_of_their_own() {
        let first = json!([{"url": "https://a.test/v1"}]);
        let check = |at: Option<&str>, item: Value, operation: Value, want: Result<&str, &str>| {
            let got = base(first.clone(), at, item, operation);
            assert_eq!(got, want.map(str::to_owned).map_err(str::to_owned));
        };
        check(None, json!("https://A.test/v2"), Value::Null, Ok("/v2"));
        check(None, json!("https://b.test"), json!("/v3"), Ok("/v3"));
        check(Some("/own/"), json!("/v2"), Value::Null, Ok("/own"));
        let wrong = "it is at `b.test`, which is another server than the document's first";
        check(None, Value::Null, json!("https://b.test"), Err(wrong));
        check(Some("/own"), Value::Null, json!("https://b.test"), Err(wrong));
        let none = json!([{"url": "{x}"}]);
        assert_eq!(
            base(none, Some("/own"), Value::Null, Value::Null),
            Ok("/own".to_owned())
        );
    }
}
