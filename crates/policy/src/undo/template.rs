//! A text with names in it.

use super::{Missing, Mistake, Names, Reference, Root};
use serde_json::Value;
use trilithon_flow::target::escape_component;

/// A compiled text.
#[derive(Clone, Debug, PartialEq)]
pub struct Template(Vec<Piece>);

#[derive(Clone, Debug, PartialEq)]
enum Piece {
    Text(Box<str>),
    /// Its place among the names.
    Name(usize),
}

impl Template {
    /// Reads a template; its names begin with one of `roots` and are added to `names`.
    ///
    /// # Errors
    /// A `${` that is not closed, or a name that is none.
    pub fn parse(text: &str, roots: &[Root], names: &mut Names) -> Result<Template, Mistake> {
        let mistake = |at, message| Mistake {
            text: text.to_owned(),
            at,
            message,
        };
        let (mut pieces, mut rest) = (Vec::new(), text);
        while let Some(start) = rest.find("${") {
            let at = text.len() - rest.len() + start;
            let (before, inside) = (&rest[..start], &rest[start + 2..]);
            let end = inside
                .find('}')
                .ok_or_else(|| mistake(at, "the `${` is not closed".to_owned()))?;
            if !before.is_empty() {
                pieces.push(Piece::Text(before.into()));
            }
            let name = Reference::parse(&inside[..end], roots).map_err(|why| mistake(at + 2, why))?;
            pieces.push(Piece::Name(names.place(name)));
            rest = &inside[end + 1..];
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.into()));
        }
        Ok(Template(pieces))
    }

    /// What it begins with; empty where that is a name.
    pub fn beginning(&self) -> &str {
        match self.0.first() {
            Some(Piece::Text(text)) => text,
            _ => "",
        }
    }

    /// The JSON value: that of a name that stands alone, else a text.
    ///
    /// # Errors
    /// A name without a value.
    pub fn json(&self, names: &Names, values: &[Option<Value>]) -> Result<Value, Missing> {
        match &*self.0 {
            [Piece::Name(at)] => of(*at, names, values).cloned(),
            _ => self.text(names, values).map(Value::String),
        }
    }

    /// The text.
    ///
    /// # Errors
    /// A name without a value, or with one that no text has: a list, an object, null.
    pub fn text(&self, names: &Names, values: &[Option<Value>]) -> Result<String, Missing> {
        self.made(names, values, |_, text, out| {
            out.push_str(text);
            Ok(())
        })
    }

    /// The path. Each value fills one segment and reaches no other; `request.path` and `response.location` are paths themselves.
    ///
    /// # Errors
    /// As [`Template::text`]; a value that is empty, `.` or `..`.
    pub fn path(&self, names: &Names, values: &[Option<Value>]) -> Result<String, Missing> {
        self.made(names, values, |name, text, out| {
            match text {
                text if name.root().is_path() => out.push_str(text),
                "" | "." | ".." => return Err(Missing::NoSegment(name.to_string())),
                text => out.push_str(&escape_component(text)),
            }
            Ok(())
        })
    }

    fn made(
        &self,
        names: &Names,
        values: &[Option<Value>],
        mut add: impl FnMut(&Reference, &str, &mut String) -> Result<(), Missing>,
    ) -> Result<String, Missing> {
        let mut out = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Name(at) => {
                    let name = &names.0[*at];
                    let no = |what| Missing::NoText(name.to_string(), what);
                    match of(*at, names, values)? {
                        Value::String(text) => add(name, text, &mut out)?,
                        Value::Number(number) => add(name, &number.to_string(), &mut out)?,
                        Value::Bool(truth) => add(name, if *truth { "true" } else { "false" }, &mut out)?,
                        Value::Null => return Err(no("null")),
                        Value::Array(_) => return Err(no("a list")),
                        Value::Object(_) => return Err(no("an object")),
                    }
                }
            }
        }
        Ok(out)
    }
}

fn of<'v>(at: usize, names: &Names, values: &'v [Option<Value>]) -> Result<&'v Value, Missing> {
    let value = values.get(at).and_then(Option::as_ref);
    value.ok_or_else(|| Missing::Absent(names.0[at].to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    type Made = fn(&Template, &Names, &[Option<Value>]) -> Result<Value, Missing>;
    const JSON: Made = Template::json;
    const TEXT: Made = |t, n, v| t.text(n, v).map(Value::String);
    const PATH: Made = |t, n, v| t.path(n, v).map(Value::String);

    fn check(text: &str, made: Made, want: Result<Value, &str>) {
        let answer = json!({"id": 7, "name": "a/b ?", "tags": ["x"], "up": "..", "null": null, "yes": true});
        let mut names = Names::default();
        let template = Template::parse(text, Root::OF_HTTP, &mut names).expect(text);
        let value = |name: &Reference| match name.root() {
            Root::Path => Some(json!("/v1/orders")),
            Root::ResponseBody => name.find(&answer).cloned(),
            _ => None,
        };
        let values: Vec<_> = names.iter().map(value).collect();
        let got = made(&template, &names, &values).map_err(|e| e.to_string());
        assert_eq!(got, want.map_err(str::to_owned), "{text}");
    }

    #[test]
    fn values_keep_their_type_alone() {
        check("${response.body.id}", JSON, Ok(json!(7)));
        check("${response.body.tags}", JSON, Ok(json!(["x"])));
        check("no. ${response.body.id}", JSON, Ok(json!("no. 7")));
        check("plain", JSON, Ok(json!("plain")));
        check("", JSON, Ok(json!("")));
        check(
            "${response.body.nope}",
            JSON,
            Err("there is no `response.body.nope`"),
        );
    }

    #[test]
    fn texts() {
        check(
            "${response.body.yes} ${response.body.id}$",
            TEXT,
            Ok(json!("true 7$")),
        );
        let no = "`response.body.tags` is a list, which has no place in a text";
        check("x${response.body.tags}", TEXT, Err(no));
        check(
            "x${response.body.null}",
            TEXT,
            Err("`response.body.null` is null, which has no place in a text"),
        );
    }

    #[test]
    fn a_value_is_one_segment_of_a_path() {
        check(
            "${request.path}/${response.body.id}",
            PATH,
            Ok(json!("/v1/orders/7")),
        );
        check("/x/${response.body.name}", PATH, Ok(json!("/x/a%2Fb%20%3F")));
        check(
            "/x/${response.body.up}",
            PATH,
            Err("`response.body.up` has no place in a path"),
        );
    }

    #[test]
    fn mistakes() {
        let check = |text: &str, at: usize, part: &str| {
            let mistake = Template::parse(text, Root::OF_HTTP, &mut Names::default()).expect_err(text);
            assert_eq!(mistake.at, at, "{text}");
            assert!(mistake.message.contains(part), "{text}: {}", mistake.message);
        };
        check("a${request.path", 1, "not closed");
        check("a${request.path}${x}", 18, "there is no `x`");
    }

    #[test]
    fn a_name_is_known_once() {
        let mut names = Names::default();
        Template::parse(
            "${request.path}${request.path}${response.status}",
            Root::OF_HTTP,
            &mut names,
        )
        .expect("it");
        assert_eq!(names.iter().count(), 2);
        assert!(names.needs(Root::Status) && !names.needs(Root::ResponseBody));
    }
}
