//! Taking note of what is said, for traces that are to be told.

use trilithon_ai::dialect::{Answer, Dialect, Event, Slot};
use trilithon_flow::ModelCall;
use trilithon_flow::model_call::Talk;
use trilithon_wire::json::Text;

/// Takes note of a request as it is sent on. With another attempt it is told anew.
pub(super) fn asked(dialect: Dialect, body: &[u8], call: &mut ModelCall) {
    let content = call.content.get_or_insert_default();
    content.asked.clear();
    content.answered.clear();
    if let (Ok(request), Ok(doc)) = (dialect.request(body), std::str::from_utf8(body)) {
        whole(&mut content.asked, doc, &request.slots);
    }
}

/// Takes note of a whole answer, where somebody asked for it.
pub(super) fn answered(call: &mut ModelCall, answer: &Answer, body: &[u8]) {
    if let (Some(content), Ok(doc)) = (&mut call.content, std::str::from_utf8(body)) {
        whole(&mut content.answered, doc, &answer.slots);
    }
}

/// Each text for itself.
fn whole(talk: &mut Talk, doc: &str, slots: &[Slot]) {
    for (slot, index) in slots.iter().zip(0..) {
        let text = Text::at(doc, slot.range.clone()).to_str();
        talk.say(slot.channel, slot.choice, index, &text);
    }
}

/// Takes note of one event of a stream, where somebody asked for it.
pub(super) fn event(call: &mut ModelCall, event: &Event<'_>, data: &[u8]) {
    let (Some(content), Ok(doc)) = (&mut call.content, std::str::from_utf8(data)) else {
        return;
    };
    for delta in event.deltas.iter().filter(|delta| !delta.restates) {
        let text = Text::at(doc, delta.range.clone()).to_str();
        content
            .answered
            .say(delta.channel, delta.choice, delta.index, &text);
    }
}
