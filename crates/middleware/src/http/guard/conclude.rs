//! From a body to its texts, and from what guards said of them to the body that goes on.

use super::Engine;
use super::ask::{Active, Heard};
use super::telling;
use super::texts::{self, Put, Texts};
use bytes::Bytes;
use trilithon_ai::dialect::{Dialect, Slot};
use trilithon_flow::model_call::Phase;
use trilithon_flow::{Channel, Exchange, Mode, Response, SharedCall};
use trilithon_wire::json;

/// What a request turned out to be.
pub struct Call {
    pub dialect: Option<Dialect>,
    /// It asks nothing of a model; what is answered may still be what one said before, such as a stored response.
    pub is_stored: bool,
    pub shared: SharedCall,
}

/// The texts of a body for one engine: those of its dialect, or those that its queries find.
pub fn collect(body: &Bytes, slots: Option<&[Slot]>, engine: Option<&Engine>) -> Texts {
    let mut texts = Texts::new(body.clone());
    match (slots, engine) {
        (Some(slots), _) => slots.iter().for_each(|slot| texts.slot(slot)),
        (None, Some(Engine::Content(rules))) => {
            let Ok(root) = json::parse(body) else { return texts };
            for (place, query) in rules.queries.iter().enumerate() {
                query
                    .find(&root)
                    .into_iter()
                    .for_each(|range| texts.add(Channel::Query, Some(place), range));
            }
        }
        (None, _) => {}
    }
    texts
}

/// Records what was heard. The body with what is hidden, if anything is.
///
/// # Errors
/// The answer of the guard that ends the call.
pub fn conclude(
    judging: &[&Active],
    heard: &[Heard],
    phase: Phase,
    texts: &[Texts],
    call: &Call,
    cx: Option<&mut Exchange>,
) -> Result<Option<Bytes>, Response> {
    let mut decisions = Vec::new();
    for ((active, heard), texts) in judging.iter().zip(heard).zip(texts) {
        if let Some(content) = &mut call.shared.borrow_mut().content {
            texts.hidden(&heard.said.masks, |text, with| content.hide(text, with));
            if heard.said.is_severe() {
                content.withhold(phase);
            }
        }
        decisions.extend(telling::tell(active, heard, phase, texts, &call.shared));
    }
    if let Some(cx) = cx {
        cx.record.decisions.append(&mut decisions);
    }
    let ending = judging
        .iter()
        .zip(heard)
        .find(|(active, heard)| active.guard.ends(&heard.said, active.mode));
    if let Some((active, heard)) = ending {
        call.shared.borrow_mut().denied_by = Some(active.guard.name.clone());
        return Err(active
            .guard
            .answer(&heard.said, call.dialect, &call.shared.borrow()));
    }
    let mut changes = Vec::new();
    for ((active, heard), own) in judging.iter().zip(heard).zip(texts) {
        if active.mode == Mode::Enforce {
            changes.extend(own.changes(&heard.said.masks));
        }
    }
    let Some(texts) = texts.first().filter(|_| !changes.is_empty()) else {
        return Ok(None);
    };
    if let (Phase::Response, Some(dialect)) = (phase, call.dialect) {
        let echoes = dialect.echoes(&texts.body).into_iter();
        changes.extend(echoes.map(|(range, blank)| (range, Put::Text(blank))));
    }
    Ok(Some(texts::changed(&texts.body, changes)))
}
