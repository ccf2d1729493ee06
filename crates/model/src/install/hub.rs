//! `hub`

use trilithon_model_derive::Config;

/// What Traefik Hub's users set for the whole gateway.
#[derive(Clone, Debug, PartialEq, Config)]
#[config(removed("token", "remove it: Trilithon needs no licence"))]
#[config(removed("tokenFilePath", "remove it: Trilithon needs no licence"))]
#[config(removed("offline", "remove it: Trilithon calls no platform"))]
#[config(removed("platformURL", "remove it: Trilithon calls no platform"))]
#[config(removed("sendlogs", "remove it: Trilithon calls no platform"))]
pub struct Hub {
    /// What holds for calls of language models. They are governed wherever a middleware for them stands; this switches nothing on.
    #[config(rename = "aigateway", allow_empty)]
    pub ai_gateway: Option<AiGateway>,
    /// What holds for calls of tools. They are governed wherever an `mcp` middleware stands; this switches nothing on.
    #[config(rename = "mcpgateway", allow_empty)]
    pub mcp_gateway: Option<McpGateway>,
    /// Further headers for traces.
    pub tracing: Option<HubTracing>,
}

/// What holds for calls of language models.
#[derive(Clone, Debug, PartialEq, Config)]
pub struct AiGateway {
    /// Largest request, in bytes, that is read whole: by guards, by rules with `Model`, and by middlewares that have no
    /// `maxRequestBodySize` of their own. Middlewares answer a larger one with 413. At least 1.
    #[config(default = 1_048_576)]
    pub max_request_body_size: i64,
}

/// What holds for calls of tools.
#[derive(Clone, Debug, PartialEq, Config)]
pub struct McpGateway {
    /// Largest message, in bytes, that is read whole: by guards, and by `mcp` middlewares that have no `maxRequestBodySize` of their
    /// own. A larger one is answered with 413. At least 1.
    #[config(default = 1_048_576)]
    pub max_request_body_size: i64,
}

/// Further headers for traces.
#[derive(Clone, Debug, PartialEq, Config)]
pub struct HubTracing {
    /// Headers that tell servers the place in the trace once more.
    pub additional_trace_headers: Option<AdditionalTraceHeaders>,
}

/// Headers that tell servers the place in the trace once more, beside those of `OTEL_PROPAGATORS`. Needs `tracing`.
#[derive(Clone, Debug, PartialEq, Config)]
pub struct AdditionalTraceHeaders {
    /// The parts of W3C Trace Context.
    pub trace_context: Option<TraceContextHeaders>,
}

/// Names of the headers that get the parts of W3C Trace Context; a part without a name is told by none. What clients send under
/// these names is replaced.
#[derive(Clone, Debug, PartialEq, Config)]
pub struct TraceContextHeaders {
    /// The header for the id of the span that the server is called from, 16 hexadecimal digits.
    pub parent_id: String,
    /// The header for the id of the trace, 32 hexadecimal digits.
    pub trace_id: String,
    /// The header for what `traceparent` says.
    pub trace_parent: String,
    /// The header for what `tracestate` says; taken off where there is no such state.
    pub trace_state: String,
}

impl TraceContextHeaders {
    /// Each option with the name that it has.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, &str)> {
        [
            ("parentId", &*self.parent_id),
            ("traceId", &*self.trace_id),
            ("traceParent", &*self.trace_parent),
            ("traceState", &*self.trace_state),
        ]
        .into_iter()
        .filter(|(_, name)| !name.is_empty())
    }
}
