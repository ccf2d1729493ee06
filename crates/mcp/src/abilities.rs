//! What a client of the second era says it can be asked (`clientCapabilities`), and what a server of the first is told of that.

use crate::message::CAPABILITIES;
use trilithon_wire::json::{self, Kind, Value};

/// What can be asked of a client; what is not known here is not asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Abilities {
    sampling: Option<Sampling>,
    elicitation: Option<Elicitation>,
    roots: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sampling {
    context: bool,
    tools: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Elicitation {
    form: bool,
    url: bool,
}

impl Abilities {
    /// What a message says of its client; nothing for what is no message of the second era.
    pub fn of(body: &[u8]) -> Abilities {
        let root = json::parse(body).ok();
        let said = root.and_then(|root| root.get("params")?.get("_meta")?.get(CAPABILITIES));
        Abilities::read(said.as_ref())
    }

    /// Reads what a request says of its client.
    pub fn read(said: Option<&Value<'_>>) -> Abilities {
        let Some(said) = said else {
            return Abilities::default();
        };
        Abilities {
            sampling: object(said, "sampling").map(|sampling| Sampling {
                context: object(&sampling, "context").is_some(),
                tools: object(&sampling, "tools").is_some(),
            }),
            elicitation: object(said, "elicitation").map(|elicitation| {
                let url = object(&elicitation, "url").is_some();
                Elicitation {
                    // Who names neither takes forms.
                    form: !url || object(&elicitation, "form").is_some(),
                    url,
                }
            }),
            roots: object(said, "roots").is_some(),
        }
    }

    /// As a server of the first era is told it: `capabilities` of `initialize`.
    pub fn json(&self) -> String {
        let mut parts = Vec::new();
        let mut put = |name: &str, members: &[(&str, bool)]| {
            let members = members.iter().filter(|(_, can)| *can);
            let members: Vec<String> = members.map(|(name, _)| format!("\"{name}\":{{}}")).collect();
            parts.push(format!("\"{name}\":{{{}}}", members.join(",")));
        };
        if let Some(Elicitation { form, url }) = self.elicitation {
            put("elicitation", &[("form", form), ("url", url)]);
        }
        if self.roots {
            put("roots", &[]);
        }
        if let Some(Sampling { context, tools }) = self.sampling {
            put("sampling", &[("context", context), ("tools", tools)]);
        }
        format!("{{{}}}", parts.join(","))
    }

    /// Whether the client can be asked this.
    pub fn take(&self, method: &str, params: Option<&Value<'_>>) -> bool {
        match Asked::of(method, params) {
            Some(Asked::Roots) => self.roots,
            Some(Asked::Sampling { tools }) => self.sampling.is_some_and(|can| can.tools || !tools),
            Some(Asked::Form) => self.elicitation.is_some_and(|can| can.form),
            Some(Asked::Url) => self.elicitation.is_some_and(|can| can.url),
            None => false,
        }
    }

    /// What a client would have to say of itself to be asked this: `clientCapabilities`, as JSON.
    pub fn needed(method: &str, params: Option<&Value<'_>>) -> &'static str {
        match Asked::of(method, params) {
            Some(Asked::Roots) => r#"{"roots":{}}"#,
            Some(Asked::Sampling { tools: false }) => r#"{"sampling":{}}"#,
            Some(Asked::Sampling { tools: true }) => r#"{"sampling":{"tools":{}}}"#,
            Some(Asked::Form) => r#"{"elicitation":{"form":{}}}"#,
            Some(Asked::Url) => r#"{"elicitation":{"url":{}}}"#,
            None => "{}",
        }
    }
}

/// A question, by what a client must be able to do for it.
enum Asked {
    Roots,
    Sampling { tools: bool },
    Form,
    Url,
}

impl Asked {
    fn of(method: &str, params: Option<&Value<'_>>) -> Option<Asked> {
        let has = |name: &str| params.is_some_and(|params| params.get(name).is_some());
        match method {
            "roots/list" => Some(Asked::Roots),
            "sampling/createMessage" => Some(Asked::Sampling {
                tools: has("tools") || has("toolChoice"),
            }),
            "elicitation/create" => match params.and_then(|params| params.get("mode")?.text()) {
                Some(mode) if mode.is("url") => Some(Asked::Url),
                Some(mode) if !mode.is("form") => None,
                _ => Some(Asked::Form),
            },
            _ => None,
        }
    }
}

fn object<'j>(of: &Value<'j>, name: &str) -> Option<Value<'j>> {
    of.get(name).filter(|value| value.kind() == Kind::Object)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(said: &str) -> Abilities {
        Abilities::read(json::parse(said.as_bytes()).ok().as_ref())
    }

    #[test]
    fn servers_are_told_what_is_known() {
        let check = |said: &str, want: &str| assert_eq!(read(said).json(), want, "{said}");
        check("{}", "{}");
        check(
            r#"{"sampling":true,"roots":null,"tasks":{},"elicitation":7}"#,
            "{}",
        );
        check(r#"{"elicitation":{}}"#, r#"{"elicitation":{"form":{}}}"#);
        check(r#"{"elicitation":{"url":{}}}"#, r#"{"elicitation":{"url":{}}}"#);
        check(
            r#"{"sampling":{"tools":{},"x":{}},"roots":{"listChanged":true},"elicitation":{"url":{},"form":{}}}"#,
            r#"{"elicitation":{"form":{},"url":{}},"roots":{},"sampling":{"tools":{}}}"#,
        );
        assert_eq!(Abilities::read(None), Abilities::default());
        let body = format!(r#"{{"params":{{"_meta":{{"{CAPABILITIES}":{{"roots":{{}}}}}}}}}}"#);
        assert_eq!(Abilities::of(body.as_bytes()), read(r#"{"roots":{}}"#));
        assert_eq!(Abilities::of(b"{"), Abilities::default());
    }

    #[test]
    fn nobody_is_asked_for_what_it_cannot_do() {
        let check = |said: &str, method: &str, params: &str, want: bool| {
            let params = json::parse(params.as_bytes()).unwrap();
            assert_eq!(read(said).take(method, Some(&params)), want, "{said} {method}");
        };
        check("{}", "roots/list", "{}", false);
        check(r#"{"roots":{}}"#, "roots/list", "{}", true);
        check(r#"{"sampling":{}}"#, "sampling/createMessage", "{}", true);
        check(
            r#"{"sampling":{}}"#,
            "sampling/createMessage",
            r#"{"tools":[]}"#,
            false,
        );
        check(
            r#"{"sampling":{"tools":{}}}"#,
            "sampling/createMessage",
            r#"{"toolChoice":{}}"#,
            true,
        );
        check(r#"{"elicitation":{}}"#, "elicitation/create", "{}", true);
        check(
            r#"{"elicitation":{}}"#,
            "elicitation/create",
            r#"{"mode":"url"}"#,
            false,
        );
        check(
            r#"{"elicitation":{"url":{}}}"#,
            "elicitation/create",
            r#"{"mode":"url"}"#,
            true,
        );
        check(
            r#"{"elicitation":{"url":{}}}"#,
            "elicitation/create",
            r#"{"mode":"form"}"#,
            false,
        );
        check(
            r#"{"elicitation":{"url":{},"form":{}}}"#,
            "elicitation/create",
            r#"{"mode":"dance"}"#,
            false,
        );
        check(
            r#"{"roots":{},"sampling":{},"elicitation":{}}"#,
            "tasks/get",
            "{}",
            false,
        );
    }
}
