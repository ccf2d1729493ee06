//! The span of a message to a server of tools, by OpenTelemetry's conventions for the Model Context Protocol.

use crate::model_call::verdicts;
use crate::span::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use trilithon_flow::McpCall;
use trilithon_flow::mcp_call::Subject;
use trilithon_flow::trace::Link;

/// Tells of a message; of one of which nothing came into the record, its name alone.
pub fn tell(call: Option<&McpCall>, span: &mut Span<'_>) {
    let Some(call) = call else {
        return span.named("mcp", SpanKind::Client);
    };
    span.named(&name(call), SpanKind::Client);
    let method = Some(&*call.method).filter(|method| !method.is_empty());
    span.some_text("mcp.method.name", method);
    match &call.subject {
        Subject::None => {}
        Subject::Tool(name) => {
            span.text("gen_ai.operation.name", "execute_tool");
            span.text("gen_ai.tool.name", name);
        }
        Subject::Prompt(name) => span.text("gen_ai.prompt.name", name),
        Subject::Resource(uri) => span.text("mcp.resource.uri", uri),
    }
    span.some_text("jsonrpc.request.id", call.id.as_deref());
    span.some_text("mcp.protocol.version", call.version.as_deref());
    span.some_text("gen_ai.tool.call.id", call.tool_call.as_deref());
    span.text("network.transport", "tcp");
    span.text("network.protocol.name", "http");
    span.some_text("trilithon.denied_by", call.denied_by.as_deref());
    let code = call.error.as_deref().filter(|error| error.starts_with('-'));
    span.some_text("rpc.response.status_code", code);
    span.some_text("error.type", call.error.as_deref());
    verdicts(&call.coverage, span);
    if let Some(Link { trace, span: linked }) = call.link {
        span.link(trace, linked);
    }
    if call.error.is_some() {
        span.failed("");
    }
}

/// The method and what it is about. Addresses are many: they make no names.
fn name(call: &McpCall) -> String {
    match &call.subject {
        Subject::Tool(name) | Subject::Prompt(name) => {
            [&*call.method, " ", name].concat().trim_end().to_owned()
        }
        Subject::Resource(_) | Subject::None => call.method.trim_end().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::span::testing::{keys, told};

    #[test]
    fn a_call() {
        let call = McpCall {
            method: "tools/call".into(),
            subject: Subject::Tool("add".into()),
            id: Some("7".into()),
            tool_call: Some("call_1".into()),
            error: Some("-32602".into()),
            ..McpCall::default()
        };
        let span = told(|span| tell(Some(&call), span));
        assert_eq!(
            (&*span.name, span.kind(), span.status.is_some()),
            ("tools/call add", SpanKind::Client, true)
        );
        assert_eq!(
            keys(&span),
            [
                "mcp.method.name",
                "gen_ai.operation.name",
                "gen_ai.tool.name",
                "jsonrpc.request.id",
                "gen_ai.tool.call.id",
                "network.transport",
                "network.protocol.name",
                "rpc.response.status_code",
                "error.type",
            ]
        );
    }
}
