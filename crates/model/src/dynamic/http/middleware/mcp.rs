//! `mcp`

use trilithon_model_derive::Config;

use super::policy::Effect;
use super::undo::McpUndo;
use crate::FileOrContent;
use crate::rollout::{Mode, Percent};
use crate::word::words;

/// Governs calls of tools by the Model Context Protocol (Streamable HTTP, all revisions): who may call what, with which arguments,
/// and what is listed to whom. Stands behind the middleware that makes out who is asking, such as `jwt`. A route whose middleware has
/// no rules passes byte for byte; what was asked is recorded. Where the request is traced, the server is told so in `_meta`.
///
/// With rules, messages are read strictly: what two readers could take for two messages gets 400. Several messages in one request, as
/// revisions up to 2025-03-26 have them, are decided on and sent one by one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct Mcp {
    /// What clients find out about the server before they have a token (RFC 9728). It is served below
    /// `/.well-known/oauth-protected-resource` on the host that `resource` names, and refusals of callers without a valid token
    /// tell where.
    pub resource_metadata: Option<McpResourceMetadata>,
    /// Which messages may pass: the first rule that applies decides. Answers to what the server asked pass always.
    pub policies: Vec<McpPolicy>,
    /// What is decided where no rule of `policies` applies: `allow` or `deny`. When absent, `deny` if there are rules, else `allow`.
    pub default_action: Option<Effect>,
    /// Which items of lists are shown: the first rule that applies to an item decides. In its `match`, `mcp.params.name` and
    /// `mcp.params.uri` are those of the item, and `mcp.method` is `tools/list`, `prompts/list`, `resources/list` or
    /// `resources/templates/list`.
    pub list_policies: Vec<McpListPolicy>,
    /// What becomes of an item to which no rule of `listPolicies` applies.
    #[config(default = Visibility::Show)]
    pub list_default_action: Visibility,
    /// What the server says that its tools, prompts and resources are is held against what is trusted. Not in Traefik Hub.
    #[config(allow_empty)]
    pub definitions: Option<McpDefinitions>,
    /// Tools whose calls can be undone, and by which call. It goes into the audit log with the call, and `trilithon undo` sends it
    /// later. Not in Traefik Hub.
    pub undo: Vec<McpUndo>,
    /// Status of a refusal, whose body is an error of JSON-RPC: 200, or one from 400 on.
    #[config(default = 403)]
    pub status_code_on_deny: i64,
    /// A call of a tool that is refused is answered with a result that says so (`isError`), with status 200, so that agents go on.
    pub graceful_errors: bool,
    /// Values of `Origin` that are accepted, such as `https://app.example.com`; others get 403. Requests without the header pass. All
    /// are accepted when empty. Not in Traefik Hub.
    pub allowed_origins: Vec<String>,
    /// Hosts that are accepted, without port; others get 403, which keeps pages of strange sites off a gateway on a local address (DNS
    /// rebinding). All are accepted when empty. Not in Traefik Hub.
    pub allowed_hosts: Vec<String>,
    /// Bytes of the largest message; a larger one gets 413. When absent, what the install option `hub.mcpgateway.maxRequestBodySize`
    /// says. Not in Traefik Hub.
    pub max_request_body_size: Option<i64>,
    /// `off`: rules are not asked. `shadow`: they decide, and that is recorded, but no answer changes. `enforce`: their word counts.
    /// Not in Traefik Hub.
    #[config(default = Mode::Enforce)]
    pub mode: Mode,
    /// The percentage of callers that `mode` is for, with two decimals. The same callers stay in as it grows. For the others
    /// `enforce` is `shadow`, and `shadow` is `off`. Not in Traefik Hub.
    pub percent: Percent,
}

/// A rule for messages.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct McpPolicy {
    /// What logs and metrics call it; `rule-1` and so on when absent. Not in Traefik Hub.
    pub name: String,
    /// When it applies, in Traefik Hub's language:
    /// ``Equals(`mcp.method`, `tools/call`) && Contains(`jwt.allowed_tools`, `${mcp.params.name}`)``. This or `expression` is required.
    #[config(rename = "match")]
    pub matches: String,
    /// When it applies, in CEL over the facts: `mcp.method == "tools/call" && mcp.params.name in jwt.allowed_tools`. Not in Traefik
    /// Hub.
    pub expression: String,
    /// What it decides: `allow` or `deny`. Required.
    pub action: Option<Effect>,
}

/// A rule for items of lists.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct McpListPolicy {
    /// What logs call it; `rule-1` and so on when absent. Not in Traefik Hub.
    pub name: String,
    /// When it applies, in Traefik Hub's language: ``Prefix(`mcp.params.name`, `read_`)``. This or `expression` is required.
    #[config(rename = "match")]
    pub matches: String,
    /// When it applies, in CEL over the facts: `mcp.params.name.startsWith("read_")`. Not in Traefik Hub.
    pub expression: String,
    /// What becomes of the item: `show` or `hide`. Required.
    pub action: Option<Visibility>,
}

/// What is trusted of what a server says that its tools, prompts and resources are, by digests of it (RFC 8785, SHA-256). Whatever
/// else it says is told in log, metrics and audit log.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct McpDefinitions {
    /// The definitions that are trusted, as `trilithon tools list --lock` prints them: JSON text, or a path. When absent, what the
    /// server's lists name when they are first seen is trusted, and remembered in the [store](../../../install/store.md).
    pub lock: FileOrContent,
    /// What becomes of a tool, a prompt or a resource of which something else is said than what is trusted.
    pub on_change: OnDefinition,
    /// What becomes of one that is there later, or that `lock` does not name.
    pub on_new: OnDefinition,
    /// Arguments of calls are held against the `inputSchema` of the tool's trusted definition, as a list named it that went by: a call
    /// whose arguments do not fit is refused with error -32602, which says what does not fit. Calls pass of tools that no list has
    /// named yet, and whatever words of the schema ask for that are not looked at, such as `pattern`: lists are told to have
    /// `unchecked_schema` then.
    pub check_arguments: bool,
}

words! {
    /// What becomes of a definition that is not trusted.
    OnDefinition: "a choice for definitions" {
        /// It is told, and goes on.
        #[default]
        Report = "report",
        /// It is taken out of lists, and what asks for it is refused, until `trilithon tools approve`.
        Hide = "hide",
    }
}

/// What clients find out about a protected server (RFC 9728).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct McpResourceMetadata {
    /// The server's address as clients use it, with `https`. Required.
    pub resource: String,
    /// The issuers that clients get tokens from, with `https`.
    pub authorization_servers: Vec<String>,
    /// Scopes that tokens for it may have.
    pub scopes_supported: Vec<String>,
    /// A page for people.
    pub resource_documentation: String,
}

words! {
    /// What becomes of an item of a list.
    Visibility: "a visibility" {
        /// It stays in the list.
        #[default]
        Show = "show",
        /// It is taken out.
        Hide = "hide",
    }
}
