//! Messages to servers of tools, under Traefik Hub's names: how long they took, by method, tool and failure.

use super::families::{Families, Kind, LabelSet, Sample};
use super::model_calls::{Counts, MAX_SERIES, OTHER, SECONDS};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use trilithon_flow::mcp_call::Subject;
use trilithon_flow::record::Name;
use trilithon_flow::{McpCall, Record};

/// What was counted. Names of methods and tools come from clients; beyond a number of series they are one.
#[derive(Default)]
pub struct McpCalls {
    series: Mutex<HashMap<Key, Counts>>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    method: Name,
    tool: Name,
    error: String,
}

impl McpCalls {
    /// Counts the message of an exchange, or its messages, those with a method. Of several it is not known how long each took: each took
    /// as long as all.
    pub fn count(&self, record: &Record) {
        let Some(call) = &record.mcp_call else { return };
        let messages = std::iter::once(&**call).chain(&call.batch);
        let with_method = messages.filter(|call| !call.method.is_empty());
        with_method.for_each(|call| self.count_one(call, record));
    }

    fn count_one(&self, call: &McpCall, record: &Record) {
        let mut key = Key::of(call, record);
        let mut all = self.series.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MAX_SERIES && !all.contains_key(&key) {
            (key.method, key.tool, key.error) = (OTHER.into(), OTHER.into(), String::new());
        }
        all.entry(key)
            .or_default()
            .add(SECONDS, record.duration.as_secs_f64());
    }

    /// Adds what was counted: with dots for a collector, with underscores and the unit for Prometheus.
    pub fn write(&self, families: &mut Families, dotted: bool) {
        // Who counts waits for a copy, and not for all the text.
        let all = self.series.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let spell = |name: &str, unit: &str| match dotted {
            true => name.to_owned(),
            false => name.replace('.', "_") + unit,
        };
        for (key, counts) in &all {
            let labels = [
                ("error.type", &*key.error),
                ("mcp.method.name", &*key.method),
                ("mcp.tool.name", &*key.tool),
            ];
            let labels: LabelSet = labels
                .into_iter()
                .filter(|(_, value)| !value.is_empty())
                .map(|(name, value)| (spell(name, ""), value.to_owned()))
                .collect();
            families.add(
                Kind::Histogram,
                &spell("mcp.client.operation.duration", "_seconds"),
                "Duration of messages to servers of tools.",
                labels,
                Sample::Histogram(counts.histogram(SECONDS)),
            );
        }
    }
}

impl Key {
    fn of(call: &McpCall, record: &Record) -> Key {
        let error = match (&record.fault, &call.error) {
            (Some(fault), _) => format!("{:?}", fault.kind),
            (None, Some(error)) => error.to_string(),
            (None, None) if record.status >= 400 => record.status.to_string(),
            (None, None) if call.denied_by.is_some() => "denied".to_owned(),
            (None, None) => String::new(),
        };
        let tool = match &call.subject {
            Subject::Tool(name) => name.clone(),
            _ => Name::default(),
        };
        Key {
            method: call.method.clone(),
            tool,
            error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn record(tool: &str, status: u16) -> Record {
        let call = McpCall {
            method: "tools/call".into(),
            subject: Subject::Tool(tool.into()),
            ..McpCall::default()
        };
        Record {
            status,
            duration: Duration::from_millis(50),
            mcp_call: Some(Box::new(call)),
            ..Record::default()
        }
    }

    fn page(calls: &McpCalls, dotted: bool) -> String {
        let mut families = Families::new(&[0.1]);
        calls.write(&mut families, dotted);
        families.write()
    }

    #[test]
    fn names_and_labels() {
        let calls = McpCalls::default();
        calls.count(&Record::default());
        calls.count(&record("add", 200));
        calls.count(&record("add", 403));
        let told = page(&calls, false);
        let of = r#"mcp_method_name="tools/call",mcp_tool_name="add""#;
        for line in [
            format!("mcp_client_operation_duration_seconds_count{{{of}}} 1\n"),
            format!("mcp_client_operation_duration_seconds_count{{error_type=\"403\",{of}}} 1\n"),
        ] {
            assert!(told.contains(&line), "{line} is not in\n{told}");
        }
        assert!(page(&calls, true).contains("mcp.client.operation.duration"));
    }

    #[test]
    fn names_from_clients_do_not_grow_memory() {
        let calls = McpCalls::default();
        for i in 0..MAX_SERIES + 100 {
            calls.count(&record(&format!("t{i}"), 200));
        }
        assert_eq!(calls.series.lock().unwrap().len(), MAX_SERIES + 1);
    }
}
