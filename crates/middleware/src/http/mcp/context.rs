//! The trace that a message is part of, and the tool call of a model that it is made for: read from `_meta` where no header says it,
//! and handed on in it (SEP-414).

use super::open::Opened;
use bytes::Bytes;
use trilithon_flow::model_call::name;
use trilithon_flow::trace::baggage;
use trilithon_flow::{Body, Exchange, Known, Request};
use trilithon_mcp::meta;

/// Takes note of what the message says of itself. Its own word comes before that of a header, except about the trace.
pub fn read(opened: &Opened, req: &Request, cx: &mut Exchange) {
    let asked = &opened.asked;
    let own = meta::tool_call(asked).map(name);
    let own = own.or_else(|| baggage::tool_call(meta::text(asked, meta::BAGGAGE)?.as_bytes()));
    if let Some(id) = own {
        cx.record.tool_call = Some(id);
    }
    opened
        .call
        .borrow_mut()
        .tool_call
        .clone_from(&cx.record.tool_call);
    if let Some(parent) = meta::text(asked, meta::TRACE_PARENT) {
        cx.record.join(parent, meta::text(asked, meta::TRACE_STATE), req);
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
    let said = id.map(|id| baggage::naming(meta::text(&opened.asked, meta::BAGGAGE), id));
    members.extend(said.as_deref().map(|said| (meta::BAGGAGE, said)));
    let place = opened.meta.as_ref();
    if let Some(message) = place.and_then(|place| place.with(req.body.bytes()?, &members)) {
        if req.headers.has(Known::ContentLength) {
            req.headers
                .set_known(Known::ContentLength, message.len().to_string());
        }
        let message = Bytes::from(message);
        cx.checked = cx.checked.take().map(|_| message.clone());
        req.body = Body::from(message);
    }
    if let Some(id) = id {
        let header = req.headers.get_str("Baggage");
        let said = baggage::naming(header, id);
        req.headers.set_known(Known::Baggage, said);
    }
}
