//! The field `Decisions`: what policies and limits decided about the exchange, in order.

use super::text::json;
use trilithon_flow::Decision;

/// Writes a list of objects: `policy`, `rule`, `decision`, `mode`, and `facts` where they are known.
pub fn write(decisions: &[Decision], out: &mut Vec<u8>) {
    out.push(b'[');
    for (i, decision) in decisions.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        one(decision, out);
    }
    out.push(b']');
}

fn one(decision: &Decision, out: &mut Vec<u8>) {
    let word = if decision.allowed { "allow" } else { "deny" };
    let members = [
        ("{\"policy\":", &*decision.policy),
        (",\"rule\":", &*decision.rule),
        (",\"decision\":", word),
        (",\"mode\":", decision.mode.as_str()),
    ];
    for (key, value) in members {
        out.extend_from_slice(key.as_bytes());
        json(out, value.as_bytes());
    }
    for (i, (name, value)) in decision.facts.iter().enumerate() {
        out.extend_from_slice(if i == 0 { b",\"facts\":{" } else { b"," });
        json(out, name.as_bytes());
        out.push(b':');
        json(out, value.as_bytes());
    }
    out.extend_from_slice(if decision.facts.is_empty() { b"}" } else { b"}}" });
}

#[cfg(test)]
mod tests {
    use super::*;
    use trilithon_flow::Mode;

    #[test]
    fn objects_that_nothing_breaks_out_of() {
        let check = |facts: &[(&'static str, &str)], want: &str| {
            let decision = Decision {
                policy: "p@file".into(),
                rule: "no \"x\"".into(),
                allowed: facts.is_empty(),
                mode: Mode::Shadow,
                facts: facts
                    .iter()
                    .map(|(n, v)| ((*n).into(), (*v).to_owned()))
                    .collect(),
            };
            let mut out = Vec::new();
            write(&[decision.clone(), decision], &mut out);
            let text = String::from_utf8(out).unwrap();
            assert_eq!(text, format!("[{want},{want}]"));
            assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok());
        };
        let start = r#"{"policy":"p@file","rule":"no \"x\"","decision""#;
        check(&[], &format!(r#"{start}:"allow","mode":"shadow"}}"#));
        check(
            &[("http.path", "/\"\n"), ("a", "")],
            &format!(r#"{start}:"deny","mode":"shadow","facts":{{"http.path":"/\"\n","a":""}}}}"#),
        );
    }
}
