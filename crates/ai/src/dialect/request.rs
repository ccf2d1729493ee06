//! What a request says, and why one is refused.

use super::gather::Gather;
use super::{Opaque, Slot};
use std::fmt;
use trilithon_wire::json::{self, Kind, Value};

/// What a request says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// The model it names.
    pub model: Option<String>,
    /// It asks for a stream.
    pub stream: bool,
    /// Its stream will tell the usage; dialects that always do have this set.
    pub include_usage: bool,
    /// Most tokens of output that it asks for.
    pub max_output: Option<u64>,
    /// Answers that it asks for, at least 1.
    pub choices: u64,
    pub slots: Vec<Slot>,
    pub opaque: Vec<Opaque>,
}

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// For the client.
    pub message: String,
    /// What of the body it is about, as `messages[0].role`.
    pub param: Option<String>,
}

impl Invalid {
    pub(super) fn new(param: impl fmt::Display, message: impl Into<String>) -> Invalid {
        Invalid {
            message: message.into(),
            param: Some(param.to_string()),
        }
    }
}

impl From<json::Error> for Invalid {
    fn from(error: json::Error) -> Invalid {
        Invalid {
            message: match error.what {
                json::Fault::Twice => format!("ambiguous body: {error}"),
                _ => format!("the body is not valid JSON: {error}"),
            },
            param: None,
        }
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Invalid {}

/// The value, unless it is absent or null.
pub(super) fn given<'j>(value: &Option<Value<'j>>) -> Option<Value<'j>> {
    value.clone().filter(|v| !v.is_null())
}

/// A value of one kind. Where it stands, `param`, is put into words only for an error.
///
/// # Errors
/// It is of another kind.
pub(super) fn of_kind(value: &Value<'_>, kind: Kind, param: impl fmt::Display) -> Result<(), Invalid> {
    if value.kind() == kind {
        return Ok(());
    }
    let noun = match kind {
        Kind::Null => "null",
        Kind::Bool => "a boolean",
        Kind::Number => "a number",
        Kind::String => "a string",
        Kind::Array => "an array",
        Kind::Object => "an object",
    };
    let message = format!("`{param}` must be {noun}");
    Err(Invalid::new(param, message))
}

/// A value of one kind if it is given.
pub(super) fn optional<'j>(
    value: &Option<Value<'j>>,
    kind: Kind,
    param: impl fmt::Display,
) -> Result<Option<Value<'j>>, Invalid> {
    let given = given(value);
    given
        .as_ref()
        .map_or(Ok(()), |value| of_kind(value, kind, param))?;
    Ok(given)
}

/// A value of one kind that must be given.
pub(super) fn required<'j>(
    value: &Option<Value<'j>>,
    kind: Kind,
    param: impl fmt::Display,
) -> Result<Value<'j>, Invalid> {
    let given = given(value).ok_or_else(|| Invalid::new(&param, format!("`{param}` is required")))?;
    of_kind(&given, kind, param)?;
    Ok(given)
}

/// A whole number if it is given.
pub(super) fn whole(value: &Option<Value<'_>>, param: impl fmt::Display) -> Result<Option<u64>, Invalid> {
    let Some(value) = given(value) else {
        return Ok(None);
    };
    let number = value.as_u64().filter(|_| value.kind() == Kind::Number);
    match number {
        Some(number) => Ok(Some(number)),
        None => Err(Invalid::new(&param, format!("`{param}` must be a whole number"))),
    }
}

/// The text of a string if it is given.
pub(super) fn text(value: &Option<Value<'_>>, param: impl fmt::Display) -> Result<Option<String>, Invalid> {
    let value = optional(value, Kind::String, param)?;
    Ok(value.and_then(|v| v.text()).map(|t| t.to_str().into_owned()))
}

/// A boolean if it is given, else false.
pub(super) fn flag(value: &Option<Value<'_>>, param: impl fmt::Display) -> Result<bool, Invalid> {
    Ok(optional(value, Kind::Bool, param)?.is_some_and(|v| v.as_bool() == Some(true)))
}

/// Reads each of the messages with `one`, which is told where it stands.
///
/// # Errors
/// There is none, or one is wrong.
pub(super) fn each_message(
    messages: &Value<'_>,
    gather: &mut Gather,
    one: fn(&Value<'_>, fmt::Arguments<'_>, &mut Gather) -> Result<(), Invalid>,
) -> Result<(), Invalid> {
    if messages.items().next().is_none() {
        return Err(Invalid::new("messages", "`messages` must not be empty"));
    }
    for (i, message) in messages.items().enumerate() {
        gather.message = Some(i);
        one(&message, format_args!("messages[{i}]"), gather)?;
    }
    Ok(())
}
