//! Headers that repeat a message (`Mcp-Name`, `Mcp-Param-…`) after something in it was hidden: those that would still tell it say what
//! the message says now. Which argument a header repeats is in the tool's schema, which is not known here: by its value it is seen
//! all the same.

use crate::header::{self, decoded, encode};
use crate::mirror::{PREFIX, is_same};
use serde_json::Number;
use trilithon_wire::Headers;
use trilithon_wire::json::{self, Kind, Value};

/// Has headers follow a message that was `was` and is `is`, where only texts, numbers and names of members were put in the place of
/// others. A header that repeats what was changed repeats the new value; where that value is none, or the header repeats something
/// else as well, or cannot be read, it goes. All others stay.
pub fn follow(headers: &mut Headers, was: &[u8], is: &[u8]) {
    let mut lines: Vec<Line> = headers
        .iter()
        .filter_map(|(name, line)| Line::of(name, line))
        .collect();
    if lines.is_empty() {
        return;
    }
    match (json::parse(was), json::parse(is)) {
        (Ok(was), Ok(is)) if was.kind() == Kind::Object => look(&mut lines, &was, &is),
        _ => lines.iter_mut().for_each(|line| line.fate = Fate::Goes),
    }
    for line in lines {
        match line.fate {
            Fate::Unknown | Fate::Stays => {}
            Fate::Says(text) => headers.set(&line.name, encode(&text).as_bytes()),
            Fate::Goes => {
                headers.remove(&line.name);
            }
        }
    }
}

/// Looks what two states of a message mean for the headers.
fn look(lines: &mut [Line], was: &Value<'_>, is: &Value<'_>) {
    let (was, is) = (was.get("params"), is.get("params"));
    let member = |name: &str| Some((was.as_ref()?.get(name)?, is.as_ref().and_then(|is| is.get(name))));
    for (was, is) in ["name", "uri"].into_iter().filter_map(member) {
        leaf(lines, true, &was, is.as_ref());
    }
    if let Some((was, is)) = member("arguments") {
        arguments(lines, &was, is.as_ref());
    }
}

/// Looks at an argument, and at those within it; those in lists are never repeated.
fn arguments(lines: &mut [Line], was: &Value<'_>, is: Option<&Value<'_>>) {
    if was.kind() != Kind::Object {
        return leaf(lines, false, was, is);
    }
    let mut now = is.into_iter().flat_map(|is| is.members());
    for (name, was) in was.members() {
        // With another name it is another argument, which no schema knows.
        let same = now.next().filter(|(now, _)| now.raw() == name.raw());
        arguments(lines, &was, same.map(|(_, is)| is).as_ref());
    }
}

/// Tells the headers of one value.
fn leaf(lines: &mut [Line], is_name: bool, was: &Value<'_>, is: Option<&Value<'_>>) {
    let Some(text) = plain(was) else { return };
    let (number, mut fate) = (number(was), None);
    for line in lines.iter_mut().filter(|line| line.is_name == is_name) {
        if line.says(&text, number.as_ref()) {
            line.meet(fate.get_or_insert_with(|| Fate::of(was, is)));
        }
    }
}

/// A value that a header can have.
fn plain(value: &Value<'_>) -> Option<String> {
    match value.kind() {
        Kind::String => value.text().map(|text| text.to_str().into_owned()),
        Kind::Number | Kind::Bool => Some(value.raw().to_owned()),
        Kind::Null | Kind::Array | Kind::Object => None,
    }
}

fn number(value: &Value<'_>) -> Option<Number> {
    let is_number = value.kind() == Kind::Number;
    is_number
        .then(|| serde_json::from_str(value.raw()).ok())
        .flatten()
}

/// A header that repeats something.
struct Line {
    name: Vec<u8>,
    text: Vec<u8>,
    number: Option<Number>,
    /// It is `Mcp-Name`.
    is_name: bool,
    fate: Fate,
}

/// What becomes of a header.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Fate {
    /// Nothing was found that it repeats.
    Unknown,
    Stays,
    Says(String),
    Goes,
}

impl Fate {
    fn of(was: &Value<'_>, is: Option<&Value<'_>>) -> Fate {
        match is {
            Some(is) if is.raw() == was.raw() => Fate::Stays,
            Some(is) => plain(is).map_or(Fate::Goes, Fate::Says),
            None => Fate::Goes,
        }
    }
}

impl Line {
    fn of(name: &[u8], line: &[u8]) -> Option<Line> {
        let is_name = name.eq_ignore_ascii_case(header::NAME.as_bytes());
        let start = name.get(..PREFIX.len());
        let is_param = start.is_some_and(|start| start.eq_ignore_ascii_case(PREFIX.as_bytes()));
        let text = decoded(line);
        (is_name || is_param).then(|| Line {
            name: name.to_vec(),
            number: text.as_ref().and_then(|text| serde_json::from_slice(text).ok()),
            fate: if text.is_some() { Fate::Unknown } else { Fate::Goes },
            text: text.unwrap_or_default().into_owned(),
            is_name,
        })
    }

    fn says(&self, text: &str, number: Option<&Number>) -> bool {
        let same = self.number.as_ref().zip(number);
        self.text == text.as_bytes() || same.is_some_and(|(one, other)| is_same(one, other))
    }

    /// Takes in what becomes of a value that it says. Two that become different things leave nothing to say.
    fn meet(&mut self, fate: &Fate) {
        if self.fate == Fate::Unknown {
            self.fate = fate.clone();
        } else if self.fate != *fate {
            self.fate = Fate::Goes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One header, a message before and after, and what the header says then.
    #[track_caller]
    fn check((name, line): (&str, &str), was: &str, is: &str, want: Option<&str>) {
        let message = |params: &str| format!(r#"{{"method":"tools/call","params":{{{params}}}}}"#);
        let mut headers = Headers::from_iter([("X-Mcp", "SECRET"), (name, line)]);
        follow(&mut headers, message(was).as_bytes(), message(is).as_bytes());
        assert_eq!(headers.get_str(name), want, "{line}: {was} is {is}");
        assert_eq!(
            headers.get_str("X-Mcp"),
            Some("SECRET"),
            "others are nobody's to touch"
        );
    }

    #[test]
    fn what_repeats_the_hidden_says_what_is_there_now() {
        let a = |line| ("mcp-param-A", line);
        let was = r#""arguments":{"a":"SECRET","b":"eu","deep":{"n":42}}"#;
        let hid = r#""arguments":{"a":"***","b":"eu","deep":{"n":42}}"#;
        check(a("SECRET"), was, hid, Some("***"));
        check(a("=?base64?U0VDUkVU?="), was, hid, Some("***"));
        check(a("=?base64?U0VDUkVU"), was, hid, Some("=?base64?U0VDUkVU"));
        check(a("=?base64?U0VDUkV?="), was, hid, None);
        check(a("eu"), was, hid, Some("eu"));
        check(a("42.0"), was, hid, Some("42.0"));
        check(a("other"), was, hid, Some("other"));
        let hid = r#""arguments":{"a":"SECRET","b":"\u00e9u","deep":{"n":"**"}}"#;
        check(a("42.0"), was, hid, Some("**"));
        check(a("4.2e1"), was, hid, Some("**"));
        check(a("eu"), was, hid, Some("=?base64?w6l1?="));
        check(a("SECRET"), was, hid, Some("SECRET"));
    }

    #[test]
    fn what_can_be_two_things_is_none() {
        let a = |line| ("Mcp-Param-A", line);
        let was = r#""arguments":{"a":"x","b":"x"}"#;
        check(a("x"), was, r#""arguments":{"a":"*","b":"x"}"#, None);
        check(a("x"), was, r#""arguments":{"a":"*","b":"*"}"#, Some("*"));
        check(a("x"), was, r#""arguments":{"*":"x","b":"x"}"#, None);
        check(a("x"), was, r#""arguments":{"a":null,"b":null}"#, None);
        check(
            a("true"),
            r#""arguments":{"a":true}"#,
            r#""arguments":{"a":true}"#,
            Some("true"),
        );
        check(a("x"), was, "", None);
        check(a("x"), was, "}", None);
        check(a("x"), r#""arguments":["x"]"#, r#""arguments":["*"]"#, Some("x"));
    }

    #[test]
    fn the_name_is_followed_too() {
        let (was, is) = (r#""uri":"file:///SECRET""#, r#""uri":"file:///***""#);
        check(("Mcp-Name", "file:///SECRET"), was, is, Some("file:///***"));
        check(("Mcp-Name", "file:///other"), was, is, Some("file:///other"));
        check(("Mcp-Param-A", "file:///SECRET"), was, is, Some("file:///SECRET"));
        let call = r#""name":"t","arguments":{"a":"t"}"#;
        check(
            ("Mcp-Name", "t"),
            call,
            &call.replace(r#""a":"t""#, r#""a":"*""#),
            Some("t"),
        );
    }

    #[test]
    fn of_several_messages_nothing_is_repeated() {
        let mut headers = Headers::from_iter([("Mcp-Param-A", "x")]);
        follow(&mut headers, b"[{}]", b"[{}]");
        assert!(headers.is_empty());
    }
}
