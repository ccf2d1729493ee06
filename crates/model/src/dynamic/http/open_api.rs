//! The service that makes an API one of tools. Not in Traefik.

use std::collections::BTreeMap;

use trilithon_model_derive::Config;

use crate::secret::Secret;

/// Offers an API that an OpenAPI document (3.0 or 3.1) describes as a server of tools (Model Context Protocol, all revisions, without
/// sessions): one tool for each operation. A call is checked against the document and becomes a request to another service, which
/// has its own middlewares. Rules for tools are those of the middleware `mcp` in front of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct OpenApi {
    /// The document, in JSON or YAML: its file, or the text itself. A file is read again when it changes; while it makes no sense, the tools
    /// that it had stay. Required.
    pub document: String,
    /// Name of the service that is the API. Required.
    pub service: String,
    /// Which operations become tools; all when absent.
    pub operations: Option<OpenApiOperations>,
    /// What stands before every path of the document, such as `/v1`; the path of its first server when absent.
    pub base_path: Option<String>,
    /// Headers that the API is sent with each call, such as its own key.
    pub headers: BTreeMap<String, Secret>,
    /// Headers of the caller that go on to the API. Credentials do not unless they are named: name `Authorization` only where the API
    /// is to be called as the caller.
    pub pass_headers: Vec<String>,
    /// Bytes of the largest document that is read.
    #[config(default = 16_777_216)]
    pub max_document_size: i64,
    /// Bytes of the largest answer of the API that becomes a result; a call with a larger one fails.
    #[config(default = 1_048_576)]
    pub max_answer_size: i64,
}

/// Which operations become tools.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct OpenApiOperations {
    /// Those that fit one of these; all when empty.
    pub include: Vec<OpenApiCriteria>,
    /// None of those that fit one of these.
    pub exclude: Vec<OpenApiCriteria>,
}

/// What an operation has to have: all that is named here.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct OpenApiCriteria {
    /// One of these names.
    pub operation_ids: Vec<String>,
    /// One of these tags.
    pub tags: Vec<String>,
    /// One of these paths, as the document writes them; `/orders/*` are all that begin with `/orders/`.
    pub paths: Vec<String>,
    /// One of these methods.
    pub methods: Vec<String>,
}
