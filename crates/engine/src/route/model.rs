//! The model that a request's body names, for rules that ask for it (`Model`). A body is read for them alone, and only when a
//! rule gets as far as asking.

use trilithon_flow::{Fault, Request};
use trilithon_upstream::replay::{Held, Replay};
use trilithon_wire::json;

/// What is known of the model that a body names.
#[derive(Debug, PartialEq, Eq)]
pub enum Model {
    /// The body was not looked at.
    Unread,
    /// It was: this is its `model`, if it has one. A body over the limit has none.
    Read(Option<String>),
}

impl Model {
    /// The name, as far as it is known.
    pub fn name(&self) -> Option<&str> {
        match self {
            Model::Read(Some(name)) => Some(name),
            Model::Unread | Model::Read(None) => None,
        }
    }

    /// The model that a whole body names.
    pub fn of(body: &[u8]) -> Model {
        Model::Read(named(body))
    }

    /// Reads the body of a request, which stays whole, up to `limit` bytes.
    ///
    /// # Errors
    /// The body breaks off.
    pub async fn read(req: Request, limit: u64) -> Result<(Request, Model), Fault> {
        match Replay::of(req, Some(limit)).await? {
            Held::Larger(req) => Ok((req, Model::Read(None))),
            Held::Whole(whole) => {
                let req = whole.request();
                let model = Model::Read(req.body.bytes().and_then(|body| named(body)));
                Ok((req, model))
            }
        }
    }
}

/// The `model` of a JSON object; none where it is there twice, for somebody else could read the other.
fn named(body: &[u8]) -> Option<String> {
    let [model] = json::parse(body).ok()?.fields(["model"]).ok()?;
    Some(model?.text()?.to_str().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models() {
        let check =
            |body: &str, want: Option<&str>| assert_eq!(named(body.as_bytes()).as_deref(), want, "{body}");
        check(r#"{"messages":[],"model":"gpt-5"}"#, Some("gpt-5"));
        check(r#"{"model":"a\u002db"}"#, Some("a-b"));
        check(r#"{"model":1}"#, None);
        check(r#"{"model":"a","model":"b"}"#, None);
        check(r#"{"Model":"a"}"#, None);
        check(r#"["model"]"#, None);
        check("model", None);
        check("", None);
    }
}
