//! The dialects that the model server speaks, and how each says no.

use serde_json::{Value, json};

/// A dialect, by its endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    Chat,
    Responses,
    Messages,
}

impl Dialect {
    /// The dialect spoken at `path`, whatever stands before `/v1`.
    pub fn of(path: &str) -> Option<Dialect> {
        match path {
            _ if path.ends_with("/chat/completions") => Some(Dialect::Chat),
            _ if path.ends_with("/responses") => Some(Dialect::Responses),
            _ if path.ends_with("/messages") => Some(Dialect::Messages),
            _ => None,
        }
    }
}

/// Why a call is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub status: u16,
    pub message: String,
    /// The machine-readable reason, where it is not what the status says.
    pub code: Option<&'static str>,
    /// The parameter that is wrong.
    pub param: Option<String>,
    /// Seconds, or a date.
    pub retry_after: Option<String>,
}

impl Refusal {
    pub fn new(status: u16, message: impl Into<String>) -> Refusal {
        Refusal {
            status,
            message: message.into(),
            code: None,
            param: None,
            retry_after: None,
        }
    }

    /// A parameter that the dialect does not take.
    pub fn param(param: impl Into<String>, message: impl Into<String>) -> Refusal {
        Refusal {
            param: Some(param.into()),
            ..Refusal::new(400, message)
        }
    }

    pub fn overloaded() -> Refusal {
        Refusal {
            code: Some("overloaded_error"),
            ..Refusal::new(529, "overloaded")
        }
    }

    pub fn context_length() -> Refusal {
        Refusal {
            code: Some("context_length_exceeded"),
            param: Some("messages".into()),
            ..Refusal::new(400, "prompt is too long: 200001 tokens > 200000 maximum")
        }
    }

    pub fn quota() -> Refusal {
        Refusal {
            code: Some("insufficient_quota"),
            ..Refusal::new(429, "you have spent what you have")
        }
    }

    /// The answer's body.
    pub fn body(&self, dialect: Dialect) -> Value {
        match dialect {
            Dialect::Messages => {
                json!({"type": "error", "error": self.anthropic(), "request_id": "req_sample"})
            }
            _ => json!({"error": self.openai()}),
        }
    }

    /// The event that ends a stream: its name, if the dialect names events, and its data.
    pub fn event(&self, dialect: Dialect) -> (Option<&'static str>, Value) {
        match dialect {
            Dialect::Chat => (None, self.body(dialect)),
            Dialect::Messages => (Some("error"), self.body(dialect)),
            Dialect::Responses => (
                Some("error"),
                json!({"type": "error", "code": self.kind_openai(), "message": self.message, "param": null, "sequence_number": 99}),
            ),
        }
    }

    fn anthropic(&self) -> Value {
        let kind = match self.status {
            400 | 422 => "invalid_request_error",
            401 => "authentication_error",
            402 => "billing_error",
            403 => "permission_error",
            404 => "not_found_error",
            413 => "request_too_large",
            429 => "rate_limit_error",
            504 => "timeout_error",
            529 => "overloaded_error",
            _ => "api_error",
        };
        json!({"type": kind, "message": self.message})
    }

    fn openai(&self) -> Value {
        let code = self.code.or(match self.status {
            401 => Some("invalid_api_key"),
            404 => Some("model_not_found"),
            429 => Some("rate_limit_exceeded"),
            _ => None,
        });
        json!({"message": self.message, "type": self.kind_openai(), "param": self.param, "code": code})
    }

    fn kind_openai(&self) -> &'static str {
        match (self.status, self.code) {
            (_, Some("insufficient_quota")) => "insufficient_quota",
            (429, _) => "rate_limit_error",
            (401, _) => "authentication_error",
            (400..500, _) => "invalid_request_error",
            _ => "server_error",
        }
    }
}
