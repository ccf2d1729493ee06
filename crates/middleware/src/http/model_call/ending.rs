//! How a stream that broke off ends for the client: with an error event of its dialect. HTTP ends in order behind it, for
//! many a client throws away what it has not read yet when a connection breaks.

use bytes::Bytes;
use std::time::{SystemTime, UNIX_EPOCH};
use trilithon_ai::dialect::{Broken, Course, Dialect};
use trilithon_flow::{Fault, FaultKind, ModelCall, Side};

/// The last event of a stream that came so far; nothing when it is whole. The call is told.
///
/// # Errors
/// What broke is not the server's: the client's connection breaks too.
pub(super) fn of(
    dialect: Dialect,
    course: &Course,
    broke: Option<Fault>,
    call: &mut ModelCall,
) -> Result<Bytes, Fault> {
    if course.is_whole(dialect) {
        return Ok(Bytes::new());
    }
    let fault =
        broke.unwrap_or_else(|| Fault::new(FaultKind::Broken, "the stream ended before its last event"));
    if fault.side() != Side::Upstream {
        return Err(fault);
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let model = call.served.as_deref().or(call.sent.as_deref());
    let event = dialect.broken(&Broken {
        status: fault.status(),
        message: message(fault.kind),
        id: call.response_id.as_deref(),
        model: model.unwrap_or_default(),
        created: now.map_or(0, |n| n.as_secs()),
        events: course.events(),
    });
    call.broke(fault);
    Ok(event.into())
}

/// What the client is told; details are for the log.
fn message(kind: FaultKind) -> &'static str {
    match kind {
        FaultKind::ResponseTimeout => "the model fell silent in the middle of its answer",
        _ => "the model broke off in the middle of its answer",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use trilithon_flow::Format;
    use trilithon_flow::model_call::{Leg, LegOutcome};

    fn check(events: &[&str], broke: Option<FaultKind>, want: Result<&str, FaultKind>, leg: LegOutcome) {
        let mut course = Course::default();
        for data in events {
            course.note(&Dialect::Chat.event(data.as_bytes()).unwrap());
        }
        let mut call = ModelCall::new(Format::Ccr);
        call.legs.push(Leg {
            provider: "p".into(),
            model: "m".into(),
            outcome: LegOutcome::Status(200),
        });
        let got = of(
            Dialect::Chat,
            &course,
            broke.map(|kind| Fault::new(kind, "x")),
            &mut call,
        );
        match (got, want) {
            (Ok(event), Ok("")) => assert!(event.is_empty(), "{events:?}"),
            (Ok(event), Ok(part)) => {
                assert!(String::from_utf8_lossy(&event).contains(part), "{event:?}");
                assert!(call.fault.is_some());
            }
            (got, want) => assert_eq!(got.map_err(|f| f.kind).err(), want.err(), "{events:?}"),
        }
        assert_eq!(call.legs[0].outcome, leg, "{events:?}");
    }

    #[test]
    fn what_clients_and_records_are_told() {
        let says = r#"{"choices":[{"delta":{"content":"a"}}]}"#;
        let well = LegOutcome::Status(200);
        let broken = LegOutcome::Error("broken");
        check(&[says, "[DONE]"], None, Ok(""), well.clone());
        check(&[says, "[DONE]"], Some(FaultKind::Broken), Ok(""), well.clone());
        check(&[says], None, Ok("broke off"), broken.clone());
        check(&[], Some(FaultKind::Broken), Ok("broke off"), broken);
        check(
            &[says],
            Some(FaultKind::ResponseTimeout),
            Ok("fell silent"),
            LegOutcome::Error("timeout"),
        );
        check(&[says], Some(FaultKind::Internal), Err(FaultKind::Internal), well);
    }
}
