//! A message to a server of tools as JSON: the one form that access log and audit log have.

use super::{Answering, McpCall, Subject};
use crate::model_call::{CoverageTold, MAX_TOLD};
use serde::Serialize;
use std::borrow::Cow;

/// What a log tells of a message, members in this order; what is not known is left out. Parameters are not told.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Told<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    protocol_version: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    server: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parked_call: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    denied_by: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "is_zero")]
    asked: u64,
    #[serde(skip_serializing_if = "is_zero")]
    hidden: u64,
    #[serde(skip_serializing_if = "is_zero")]
    would_hide: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    noticed: Vec<NoticedTold<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    coverage: Vec<CoverageTold<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    batch: Vec<Told<'a>>,
}

#[derive(Serialize)]
struct NoticedTold<'a> {
    name: Cow<'a, str>,
    what: &'static str,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "the form that serde asks for")]
fn is_zero(n: &u64) -> bool {
    *n == 0
}

impl McpCall {
    /// A copy of what is told, and of no more: a request may have any number of messages.
    pub fn excerpt(&self) -> McpCall {
        McpCall {
            method: self.method.clone(),
            subject: self.subject.clone(),
            id: self.id.clone(),
            version: self.version.clone(),
            server: self.server.clone(),
            parked: self.parked.clone(),
            asked: self.asked,
            tool_call: self.tool_call.clone(),
            error: self.error.clone(),
            denied_by: self.denied_by.clone(),
            hidden: self.hidden,
            would_hide: self.would_hide,
            coverage: self.coverage.iter().take(MAX_TOLD).cloned().collect(),
            noticed: self.noticed.clone(),
            link: self.link,
            answering: Answering::default(),
            batch: self.batch.iter().take(MAX_TOLD).map(McpCall::excerpt).collect(),
        }
    }

    /// What a log tells of it. Each text that comes from outside goes through `text`, which may take out what the log must not hold;
    /// [`Cow::Borrowed`] leaves all of them.
    pub fn told<'a>(&'a self, text: &dyn Fn(&'a str) -> Cow<'a, str>) -> Told<'a> {
        let tell = |name: Option<&'a str>| name.filter(|name| !name.is_empty()).map(text);
        let (mut tool, mut prompt, mut resource) = (None, None, None);
        match &self.subject {
            Subject::None => {}
            Subject::Tool(name) => tool = tell(Some(name)),
            Subject::Prompt(name) => prompt = tell(Some(name)),
            Subject::Resource(uri) => resource = tell(Some(uri)),
        }
        let noticed = self.noticed.iter().map(|one| NoticedTold {
            name: text(&one.name),
            what: one.what,
        });
        let coverage = self.coverage.iter().take(MAX_TOLD);
        let batch = self.batch.iter().take(MAX_TOLD);
        Told {
            method: tell(Some(&self.method)),
            tool,
            prompt,
            resource,
            id: tell(self.id.as_deref()),
            protocol_version: tell(self.version.as_deref()),
            server: tell(self.server.as_deref()),
            parked_call: tell(self.parked.as_deref()),
            tool_call_id: tell(self.tool_call.as_deref()),
            error: tell(self.error.as_deref()),
            denied_by: tell(self.denied_by.as_deref()),
            asked: self.asked,
            hidden: self.hidden,
            would_hide: self.would_hide,
            noticed: noticed.collect(),
            coverage: coverage.map(|one| CoverageTold::of(one, text)).collect(),
            batch: batch.map(|call| call.told(text)).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Mode;
    use crate::model_call::{Coverage, Phase, Verdict};
    use std::time::Duration;

    fn json(call: &McpCall, text: impl for<'a> Fn(&'a str) -> Cow<'a, str>) -> String {
        serde_json::to_string(&call.told(&text)).expect("plain data is JSON")
    }

    fn plain(call: &McpCall) -> String {
        json(call, |text| Cow::Borrowed(text))
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        let call = McpCall {
            method: "tools/call".into(),
            subject: Subject::Tool("transfer".into()),
            id: Some("7".into()),
            server: Some("bank".into()),
            error: Some("-32603".into()),
            hidden: 2,
            ..McpCall::default()
        };
        let want = r#"{"method":"tools/call","tool":"transfer","id":"7","server":"bank","error":"-32603","hidden":2}"#;
        assert_eq!(plain(&call), want);
        assert_eq!(plain(&McpCall::default()), "{}");
        let several = McpCall {
            batch: vec![call],
            ..McpCall::default()
        };
        assert_eq!(plain(&several), format!(r#"{{"batch":[{want}]}}"#));
    }

    fn saw(verdict: Verdict, judged: u64) -> Coverage {
        Coverage {
            guard: "g@file".into(),
            engine: "regex",
            phase: Phase::Response,
            channel: None,
            verdict,
            judged,
            unjudged: 0,
            reason: verdict.as_str().into(),
            duration: Duration::from_millis(1),
            mode: Mode::Enforce,
        }
    }

    #[test]
    fn what_guards_saw_of_many_messages_is_one_entry() {
        let mut call = McpCall::default();
        for (verdict, judged) in [(Verdict::Pass, 3), (Verdict::Mask, 4), (Verdict::NotRun, 0)] {
            call.cover(saw(verdict, judged));
        }
        call.notice("pay".into(), "changed");
        let want = r#"{"noticed":[{"name":"pay","what":"changed"}],"coverage":[{"guard":"g@file","engine":"regex","phase":"response","verdict":"mask","mode":"enforce","judged":7,"reason":"mask","milliseconds":3.0}]}"#;
        assert_eq!(plain(&call), want);
    }

    #[test]
    fn an_excerpt_says_the_same_of_any_number_of_messages() {
        let call = McpCall {
            method: "ping".into(),
            subject: Subject::Prompt("p".into()),
            id: Some("1".into()),
            version: Some("v".into()),
            server: Some("s".into()),
            parked: Some("k".into()),
            asked: 1,
            tool_call: Some("c".into()),
            error: Some("e".into()),
            denied_by: Some("d".into()),
            hidden: 2,
            would_hide: 3,
            coverage: vec![saw(Verdict::Pass, 1); MAX_TOLD + 1],
            ..McpCall::default()
        };
        let several = McpCall {
            batch: vec![call.clone(); MAX_TOLD + 1],
            ..call
        };
        let excerpt = several.excerpt();
        assert_eq!(plain(&excerpt), plain(&several));
        assert_eq!(
            (excerpt.batch.len(), excerpt.coverage.len()),
            (MAX_TOLD, MAX_TOLD)
        );
    }

    /// Also of texts that stand in lists and in the messages of a batch.
    #[test]
    fn a_text_is_told_as_the_log_may_hold_it() {
        let mut call = McpCall {
            method: "key".into(),
            subject: Subject::Resource("key".into()),
            ..McpCall::default()
        };
        call.notice("key".into(), "new");
        call.cover(Coverage {
            reason: "key".into(),
            ..saw(Verdict::Pass, 1)
        });
        let several = McpCall {
            batch: vec![call],
            ..McpCall::default()
        };
        let got = json(&several, |text| text.replace("key", "xxxx").into());
        assert_eq!(
            (got.contains("key"), got.matches("xxxx").count()),
            (false, 4),
            "{got}"
        );
    }
}
