//! The trace that a message is part of, and the tool call of a model that it is made for: read from `_meta` where no header says it,
//! and handed on in it (SEP-414).

use super::open::Opened;
use trilithon_flow::model_call::name;
use trilithon_flow::trace::baggage;
use trilithon_flow::{Body, Exchange, Known, Request};
use trilithon_mcp::meta::{self, Texts};

/// Takes note of what the message says of itself. Its own word comes before that of a header, except about the trace.
pub fn read(opened: &Opened, req: &Request, cx: &mut Exchange) {
    let said = Texts::of(&opened.asked);
    let own = said.tool_call().map(name);
    let own = own.or_else(|| baggage::tool_call(said.get(meta::BAGGAGE)?.as_bytes()));
    if let Some(id) = own {
        cx.record.tool_call = Some(id);
    }
    opened
        .call
        .borrow_mut()
        .tool_call
        .clone_from(&cx.record.tool_call);
    if let Some(parent) = said.get(meta::TRACE_PARENT) {
        let link = cx.record.join(parent, said.get(meta::TRACE_STATE), req);
        opened.call.borrow_mut().link = link;
    }
}

/// Tells the server where in the trace it is asked, where the exchange is traced; otherwise not a byte changes.
pub fn hand_on(opened: &Opened, req: &mut Request, cx: &mut Exchange) {
    let Some(context) = cx.record.context() else {
        return;
    };
    let parent = String::from_utf8_lossy(&context.parent);
    let mut members: Vec<(&str, &str)> = vec![(meta::TRACE_PARENT, &parent)];
    members.extend(context.state.as_deref().map(|state| (meta::TRACE_STATE, state)));
    let id = cx.record.tool_call.as_deref();
    let known = Texts::of(&opened.asked).get(meta::BAGGAGE);
    let said = id.map(|id| baggage::naming(known, id));
    members.extend(said.as_deref().map(|said| (meta::BAGGAGE, said)));
    let layout = cx
        .mcp_layout
        .as_ref()
        .filter(|layout| req.body.bytes().is_some_and(|body| layout.is_of(body)));
    if let Some(message) = layout.and_then(|layout| meta::with(layout, &members)) {
        if req.headers.has(Known::ContentLength) {
            req.headers
                .set_known(Known::ContentLength, message.body.len().to_string());
        }
        req.body = Body::from(message.body.clone());
        cx.mcp_layout = Some(message);
    }
    if let (Some(id), Some(said)) = (id, said) {
        let said = match req.headers.get_str("Baggage") {
            None if known.is_none() => said,
            header => baggage::naming(header, id),
        };
        req.headers.set_known(Known::Baggage, said);
    }
}
