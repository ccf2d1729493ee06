//! The trace that a message is part of, and the tool call of a model that it is made for: read from `_meta` where no header says it,
//! and handed on in it (SEP-414).

use super::open::Opened;
use trilithon_flow::mcp_call::Layout;
use trilithon_flow::model_call::name;
use trilithon_flow::record::Name;
use trilithon_flow::trace::baggage;
use trilithon_flow::{Body, Exchange, Known, Request};
use trilithon_mcp::{meta, part};

/// Takes note of what the message says of itself. Its own word comes before that of a header, except about the trace.
pub fn read(opened: &Opened, req: &Request, cx: &mut Exchange) {
    let Some(message) = cx.mcp_layout.as_ref() else {
        return;
    };
    if let Some(id) = tool_call(message) {
        cx.record.tool_call = Some(id);
    }
    let mut call = opened.call.borrow_mut();
    call.tool_call.clone_from(&cx.record.tool_call);
    if let Some(parent) = meta::text(message, part::TRACE_PARENT) {
        let state = meta::text(message, part::TRACE_STATE);
        call.link = cx.record.join(&parent, state.as_deref(), req);
    }
}

/// The id of the tool call that a message is made for, as it says itself.
fn tool_call(message: &Layout) -> Option<Name> {
    let own = meta::tool_call(message).map(|id| name(&id));
    own.or_else(|| baggage::tool_call(meta::text(message, part::BAGGAGE)?.as_bytes()))
}

/// Tells the server where in the trace it is asked, where the exchange is traced; otherwise not a byte changes.
pub fn hand_on(req: &mut Request, cx: &mut Exchange) {
    let Some(context) = cx.record.context() else {
        return;
    };
    let body = req.body.bytes();
    let layout = cx.mcp_layout.take();
    let layout = layout.filter(|layout| body.is_some_and(|body| layout.is_of(body)));
    let known = layout
        .as_ref()
        .and_then(|layout| meta::text(layout, part::BAGGAGE));
    let id = cx.record.tool_call.as_deref();
    let said = id.map(|id| baggage::naming(known.as_deref(), id));
    let parent = std::str::from_utf8(&context.parent).unwrap_or_default();
    let mut texts = vec![(part::TRACE_PARENT, parent)];
    texts.extend(context.state.as_deref().map(|state| (part::TRACE_STATE, state)));
    texts.extend(said.as_deref().map(|said| (part::BAGGAGE, said)));
    let message = layout.as_ref().and_then(|layout| meta::with(layout, &texts));
    if let (Some(id), Some(said)) = (id, said) {
        let said = match req.headers.get_str("Baggage") {
            None if known.is_none() => said,
            header => baggage::naming(header, id),
        };
        req.headers.set_known(Known::Baggage, said);
    }
    if let Some(message) = &message {
        if req.headers.has(Known::ContentLength) {
            req.headers
                .set_known(Known::ContentLength, message.body.len().to_string());
        }
        req.body = Body::from(message.body.clone());
    }
    cx.mcp_layout = message.or(layout);
}
