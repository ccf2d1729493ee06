//! Parameters of an operation: where they go, and how their values are written there.

use serde_json::Value;
use trilithon_flow::Known;
use trilithon_flow::target::escape_component;

/// Where a parameter goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Path,
    Query,
    Header,
    Cookie,
}

impl Place {
    /// What `in` says.
    pub fn of(written: &Value) -> Option<Place> {
        Some(match written.as_str()? {
            "path" => Place::Path,
            "query" => Place::Query,
            "header" => Place::Header,
            "cookie" => Place::Cookie,
            _ => return None,
        })
    }
}

/// How a list or an object is written (OpenAPI 3.1, section 4.8.12.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// One after the other, with commas: `simple`, and `form` that is not exploded.
    Commas,
    /// `simple`, exploded: the same, but `key=value`.
    Equals,
    /// The same with spaces.
    Spaces,
    /// The same with bars.
    Bars,
    /// `form`: name and value again for each.
    Again,
    /// `deepObject`: `name[key]=value`, at any depth.
    Deep,
    /// `label`: a dot in front, and between them where it is exploded.
    Label { explode: bool },
    /// `matrix`: `;name=value`, again for each where it is exploded.
    Matrix { explode: bool },
    /// `content`: as JSON.
    Json,
}

impl Style {
    /// The style of this name in this place; `None` where there is no such style.
    pub fn of(place: Place, written: Option<&str>, explode: Option<bool>) -> Option<Style> {
        let is_simple = matches!(place, Place::Path | Place::Header);
        let written = written.unwrap_or(if is_simple { "simple" } else { "form" });
        let explode = explode.unwrap_or(written == "form");
        Some(match (place, written) {
            (Place::Path | Place::Header, "simple") if explode => Style::Equals,
            (Place::Path | Place::Header, "simple") => Style::Commas,
            (Place::Path, "label") => Style::Label { explode },
            (Place::Path, "matrix") => Style::Matrix { explode },
            (Place::Query, "form" | "spaceDelimited" | "pipeDelimited") if explode => Style::Again,
            (Place::Query | Place::Cookie, "form") => Style::Commas,
            (Place::Query, "spaceDelimited") => Style::Spaces,
            (Place::Query, "pipeDelimited") => Style::Bars,
            (Place::Query, "deepObject") => Style::Deep,
            _ => return None,
        })
    }
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

/// Headers that are no parameters: those that OpenAPI takes out of them (section 4.8.12.1), and those that are not a caller's to say.
fn is_no_parameter(header: &str) -> bool {
    let known = Known::of(header.as_bytes());
    known.is_framing()
        || known.is_hop_by_hop()
        || matches!(
            known,
            Known::Accept | Known::ContentType | Known::Authorization | Known::Host | Known::Cookie
        )
}

impl Parameter {
    /// Reads a parameter; `Ok(None)` for a header that is not among them.
    ///
    /// # Errors
    /// It has no name or place, or is written in a way that is not known.
    pub fn read(value: &Value) -> Result<Option<Parameter>, String> {
        let text = |name: &str| value[name].as_str().unwrap_or_default();
        let name = text("name").to_owned();
        let place = Place::of(&value["in"]);
        let place = place.ok_or_else(|| format!("parameter `{name}` is in `{}`", text("in")))?;
        if name.is_empty() {
            return Err("a parameter has no name".to_owned());
        }
        if place == Place::Header {
            if is_no_parameter(&name) {
                return Ok(None);
            }
            if !name.bytes().all(trilithon_wire::headers::is_token) {
                return Err(format!("parameter `{name}` is no name of a header"));
            }
        }
        let style = match value.get("content") {
            Some(_) => Style::Json,
            None => {
                Style::of(place, value["style"].as_str(), value["explode"].as_bool()).ok_or_else(|| {
                    format!(
                        "parameter `{name}` has style `{}`, which is none there",
                        text("style")
                    )
                })?
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
            (Style::Deep, value) => deep(&self.name, value, &mut pair),
            _ => pair(&self.name, &self.joined(value, &escape_component)),
        }
    }

    /// The value as one text; each part as `write` writes it.
    pub fn joined(&self, value: &Value, write: &dyn Fn(&str) -> String) -> String {
        let name = write(&self.name);
        let again = format!(";{name}=");
        let (before, between, is_equal) = match self.style {
            Style::Json => return write(&value.to_string()),
            Style::Spaces => (String::new(), write(" "), false),
            Style::Bars => (String::new(), write("|"), false),
            Style::Equals => (String::new(), ",".to_owned(), true),
            Style::Label { explode: true } => (".".to_owned(), ".".to_owned(), true),
            Style::Label { explode: false } => (".".to_owned(), ",".to_owned(), false),
            Style::Matrix { explode: true } if value.is_object() => (";".to_owned(), ";".to_owned(), true),
            Style::Matrix { explode: true } => (again.clone(), again, false),
            Style::Matrix { explode: false } => (again, ",".to_owned(), false),
            Style::Commas | Style::Again | Style::Deep => (String::new(), ",".to_owned(), false),
        };
        let parts: Vec<String> = match value {
            Value::Array(items) => items.iter().map(|item| write(&plain(item))).collect(),
            Value::Object(members) => {
                let sign = if is_equal { "=" } else { &between };
                let parts = members.iter();
                parts
                    .map(|(name, value)| format!("{}{sign}{}", write(name), write(&plain(value))))
                    .collect()
            }
            single => vec![write(&plain(single))],
        };
        format!("{before}{}", parts.join(&between))
    }
}

/// `name[key]=value` for all that is in a value; lists have numbers for keys.
fn deep(name: &str, value: &Value, pair: &mut dyn FnMut(&str, &str)) {
    match value {
        Value::Object(members) => members
            .iter()
            .for_each(|(key, value)| deep(&format!("{name}[{key}]"), value, pair)),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .for_each(|(i, value)| deep(&format!("{name}[{i}]"), value, pair)),
        single => pair(name, &escape_component(&plain(single))),
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
        query(
            named("deepObject", true),
            json!({"at": {"gte": 1}, "in": ["a", "b"]}),
            "c%5Bat%5D%5Bgte%5D=1&c%5Bin%5D%5B0%5D=a&c%5Bin%5D%5B1%5D=b",
        );
        query(named("pipeDelimited", true), json!(["x", "y"]), "c=x&c=y");
        let json_content = json!({"name": "c", "in": "query", "content": {"application/json": {}}});
        query(json_content, json!({"a": [1]}), "c=%7B%22a%22%3A%5B1%5D%7D");
    }

    #[test]
    fn styles_of_paths() {
        let check = |style: &str, explode: bool, list: &str, object: &str| {
            let said = json!({"name": "c", "in": "path", "style": style, "explode": explode});
            let parameter = Parameter::read(&said).expect("it is one").expect("it counts");
            assert_eq!(
                parameter.joined(&json!(["x", "y/z"]), &escape_component),
                list,
                "{said}"
            );
            assert_eq!(
                parameter.joined(&json!({"r": 1, "g": 2}), &escape_component),
                object,
                "{said}"
            );
        };
        check("simple", false, "x,y%2Fz", "r,1,g,2");
        check("simple", true, "x,y%2Fz", "r=1,g=2");
        check("label", false, ".x,y%2Fz", ".r,1,g,2");
        check("label", true, ".x.y%2Fz", ".r=1.g=2");
        check("matrix", false, ";c=x,y%2Fz", ";c=r,1,g,2");
        check("matrix", true, ";c=x;c=y%2Fz", ";r=1;g=2");
    }

    #[test]
    fn what_is_no_parameter_here() {
        let check = |value: Value, want: &str| {
            let error = Parameter::read(&value).expect_err("it is none");
            assert!(error.contains(want), "{error}");
        };
        check(
            json!({"name": "a", "in": "path", "style": "deepObject"}),
            "style `deepObject`",
        );
        check(json!({"name": "a", "in": "body"}), "in `body`");
        check(json!({"in": "query"}), "no name");
        check(json!({"name": "a b", "in": "header"}), "no name of a header");
        let own = json!({"name": "Authorization", "in": "header"});
        assert_eq!(Parameter::read(&own), Ok(None));
    }
}
