//! Parameters of an operation: where they go, and how their values are written there.

use serde_json::Value;
use trilithon_flow::target::escape_component;

/// Where a parameter goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Path,
    Query,
    Header,
    Cookie,
}

/// How a list or an object is written (OpenAPI 3.1, section 4.8.12.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// One after the other, with commas: `simple`, and `form` that is not exploded.
    Commas,
    /// The same with spaces.
    Spaces,
    /// The same with bars.
    Bars,
    /// `form`: name and value again for each.
    Again,
    /// `deepObject`: `name[key]=value`.
    Deep,
    /// `content`: as JSON.
    Json,
}

/// One parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// Its name on the wire.
    pub name: String,
    /// The argument that it is made of.
    pub argument: String,
    pub place: Place,
    pub style: Style,
}

/// Headers that OpenAPI takes out of the parameters, and those that are not a caller's to say.
const NOT_HERE: [&str; 13] = [
    "accept",
    "content-type",
    "authorization",
    "host",
    "connection",
    "content-length",
    "transfer-encoding",
    "upgrade",
    "te",
    "trailer",
    "expect",
    "proxy-authorization",
    "cookie",
];

impl Parameter {
    /// Reads a parameter; `Ok(None)` for a header that is not among them.
    ///
    /// # Errors
    /// It has no name or place, or is written in a way that is not known.
    pub fn read(value: &Value) -> Result<Option<Parameter>, String> {
        let text = |name: &str| value[name].as_str().unwrap_or_default();
        let name = text("name").to_owned();
        let place = match text("in") {
            "path" => Place::Path,
            "query" => Place::Query,
            "header" => Place::Header,
            "cookie" => Place::Cookie,
            other => return Err(format!("parameter `{name}` is in `{other}`")),
        };
        if name.is_empty() {
            return Err("a parameter has no name".to_owned());
        }
        if place == Place::Header {
            if NOT_HERE.iter().any(|known| known.eq_ignore_ascii_case(&name)) {
                return Ok(None);
            }
            if !name.bytes().all(trilithon_wire::headers::is_token) {
                return Err(format!("parameter `{name}` is no name of a header"));
            }
        }
        let style = match place {
            Place::Path | Place::Header => "simple",
            Place::Query | Place::Cookie => "form",
        };
        let written = value["style"].as_str().unwrap_or(style);
        let explode = value["explode"].as_bool().unwrap_or(written == "form");
        let style = match (place, written, explode) {
            _ if value.get("content").is_some() => Style::Json,
            (Place::Path | Place::Header, "simple", _) | (Place::Query | Place::Cookie, "form", false) => {
                Style::Commas
            }
            (Place::Query, "form", true) => Style::Again,
            (Place::Cookie, "form", true) => Style::Commas,
            (Place::Query, "spaceDelimited", _) => Style::Spaces,
            (Place::Query, "pipeDelimited", _) => Style::Bars,
            (Place::Query, "deepObject", _) => Style::Deep,
            _ => {
                return Err(format!(
                    "parameter `{name}` has style `{written}`, which is not built"
                ));
            }
        };
        Ok(Some(Parameter {
            argument: name.clone(),
            name,
            place,
            style,
        }))
    }

    /// Adds `name=value` pairs to a query or a form.
    pub fn add_pairs(&self, value: &Value, out: &mut String) {
        let mut pair = |name: &str, value: &str| {
            if !out.is_empty() {
                out.push('&');
            }
            out.push_str(&escape_component(name));
            out.push('=');
            out.push_str(value);
        };
        match (self.style, value) {
            (Style::Again, Value::Array(items)) => {
                items
                    .iter()
                    .for_each(|item| pair(&self.name, &escape_component(&plain(item))));
            }
            (Style::Again, Value::Object(members)) => {
                members
                    .iter()
                    .for_each(|(name, value)| pair(name, &escape_component(&plain(value))));
            }
            (Style::Deep, Value::Object(members)) => members.iter().for_each(|(name, value)| {
                pair(
                    &format!("{}[{name}]", self.name),
                    &escape_component(&plain(value)),
                );
            }),
            _ => pair(&self.name, &self.joined(value, &escape_component)),
        }
    }

    /// The value as one text; each part as `write` writes it.
    pub fn joined(&self, value: &Value, write: &dyn Fn(&str) -> String) -> String {
        if self.style == Style::Json {
            return write(&value.to_string());
        }
        let between = match self.style {
            Style::Spaces => write(" "),
            Style::Bars => write("|"),
            _ => ",".to_owned(),
        };
        let parts: Vec<String> = match value {
            Value::Array(items) => items.iter().map(|item| write(&plain(item))).collect(),
            Value::Object(members) => {
                let parts = members.iter();
                parts
                    .flat_map(|(name, value)| [write(name), write(&plain(value))])
                    .collect()
            }
            single => vec![write(&plain(single))],
        };
        parts.join(&between)
    }
}

/// A value as text: text as it is, anything else as JSON.
pub fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn query(parameter: Value, value: Value, want: &str) {
        let parameter = Parameter::read(&parameter)
            .expect("it is one")
            .expect("it counts");
        let mut out = String::new();
        parameter.add_pairs(&value, &mut out);
        assert_eq!(out, want);
    }

    #[test]
    fn styles_of_queries() {
        let named = |style: &str, explode: bool| json!({"name": "c", "in": "query", "style": style, "explode": explode});
        let plain = json!({"name": "c", "in": "query"});
        query(plain.clone(), json!("a b&c=d"), "c=a%20b%26c%3Dd");
        query(plain.clone(), json!(7), "c=7");
        query(plain.clone(), json!(["x", "y"]), "c=x&c=y");
        query(plain, json!({"r": 1, "g": "ü"}), "r=1&g=%C3%BC");
        query(named("form", false), json!(["x,1", "y"]), "c=x%2C1,y");
        query(named("form", false), json!({"r": 1, "g": 2}), "c=r,1,g,2");
        query(named("spaceDelimited", false), json!(["x", "y"]), "c=x%20y");
        query(named("pipeDelimited", false), json!(["x", "y"]), "c=x%7Cy");
        query(
            named("deepObject", true),
            json!({"r": 1, "g": 2}),
            "c%5Br%5D=1&c%5Bg%5D=2",
        );
        let json_content = json!({"name": "c", "in": "query", "content": {"application/json": {}}});
        query(json_content, json!({"a": [1]}), "c=%7B%22a%22%3A%5B1%5D%7D");
    }

    #[test]
    fn what_is_no_parameter_here() {
        let check = |value: Value, want: &str| {
            let error = Parameter::read(&value).expect_err("it is none");
            assert!(error.contains(want), "{error}");
        };
        check(
            json!({"name": "a", "in": "path", "style": "matrix"}),
            "style `matrix`",
        );
        check(json!({"name": "a", "in": "body"}), "in `body`");
        check(json!({"in": "query"}), "no name");
        check(json!({"name": "a b", "in": "header"}), "no name of a header");
        let own = json!({"name": "Authorization", "in": "header"});
        assert_eq!(Parameter::read(&own), Ok(None));
    }
}
