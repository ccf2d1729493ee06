//! The span of a message to a server of tools, by OpenTelemetry's conventions for the Model Context Protocol.

use crate::attribute::{named, text};
use crate::model_call::verdicts;
use crate::traces::{Told, failed};
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use trilithon_flow::McpCall;
use trilithon_flow::mcp_call::Subject;

/// Name, kind, attributes and status; a message of which nothing came into the record has its name alone.
pub fn told(call: Option<&McpCall>) -> Told<'static> {
    let Some(call) = call else {
        return ("mcp".into(), SpanKind::Client, Vec::new(), None);
    };
    let mut all = Vec::new();
    let mut say = |key: &str, value: Option<&str>| {
        all.extend(value.map(|value| named(key, text(value))));
    };
    let some = |name: &str| !name.is_empty();
    say("mcp.method.name", Some(&*call.method).filter(|m| some(m)));
    match &call.subject {
        Subject::None => {}
        Subject::Tool(name) => {
            say("gen_ai.operation.name", Some("execute_tool"));
            say("gen_ai.tool.name", Some(name));
        }
        Subject::Prompt(name) => say("gen_ai.prompt.name", Some(name)),
        Subject::Resource(uri) => say("mcp.resource.uri", Some(uri)),
    }
    say("jsonrpc.request.id", call.id.as_deref());
    say("mcp.protocol.version", call.version.as_deref());
    say("gen_ai.tool.call.id", call.tool_call.as_deref());
    say("network.transport", Some("tcp"));
    say("network.protocol.name", Some("http"));
    say("trilithon.denied_by", call.denied_by.as_deref());
    let code = call.error.as_deref().filter(|error| error.starts_with('-'));
    say("rpc.response.status_code", code);
    say("error.type", call.error.as_deref());
    if !call.coverage.is_empty() {
        all.push(verdicts(&call.coverage));
    }
    let status = call.error.as_ref().map(|_| failed(""));
    // Addresses are many: they make no names.
    let target = match &call.subject {
        Subject::Tool(name) | Subject::Prompt(name) => &**name,
        Subject::Resource(_) | Subject::None => "",
    };
    let name = format!("{} {target}", call.method).trim_end().to_owned();
    (name.into(), SpanKind::Client, all, status)
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let (name, kind, all, status) = told(Some(&call));
        assert_eq!(
            (&*name, kind, status.is_some()),
            ("tools/call add", SpanKind::Client, true)
        );
        let keys: Vec<&str> = all.iter().map(|a| a.key.as_str()).collect();
        assert_eq!(
            keys,
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
