//! One tool: what is listed of it, and what its calls are checked against.

use super::body::Form;
use super::parameter::Parameter;
use serde_json::Value;
use std::sync::OnceLock;

/// The body of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    /// The argument that it is made of.
    pub argument: String,
    pub form: Form,
}

/// One operation.
#[derive(Clone, Debug, PartialEq)]
pub struct Tool {
    pub(super) name: String,
    pub(super) method: String,
    /// The path with what stands before it, as the document writes it: `/v1/orders/{id}`.
    pub(super) path: String,
    pub(super) parameters: Vec<Parameter>,
    pub(super) body: Option<Body>,
    pub(super) listed: String,
    /// The same as a tree, made at the first call: most tools of a large API are listed and never called.
    pub(super) tree: OnceLock<Value>,
}

impl Tool {
    pub fn name(&self) -> &str {
        &self.name
    }

    /// As it is listed: a JSON object.
    pub fn listed(&self) -> &str {
        &self.listed
    }

    fn tree(&self) -> &Value {
        self.tree
            .get_or_init(|| serde_json::from_str(&self.listed).unwrap_or_default())
    }

    /// What arguments have to fit.
    pub fn input(&self) -> &Value {
        &self.tree()["inputSchema"]
    }

    /// What a structured result has to fit; `None` where nothing is said of it.
    pub fn output(&self) -> Option<&Value> {
        self.tree().get("outputSchema")
    }
}
