//! What a sample was asked, for whoever asks at `/calls`.

use super::asked::Asked;
use serde_json::{Value, json};
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Calls that are remembered.
const KEPT: usize = 1024;

/// The calls so far.
pub struct Seen {
    /// What is called: `model` or `tool`.
    noun: &'static str,
    calls: Mutex<Calls>,
}

#[derive(Default)]
struct Calls {
    begun: u64,
    last: VecDeque<Entry>,
    /// Calls by the name that was sent.
    by_name: HashMap<String, usize>,
}

/// One call.
struct Entry {
    number: u64,
    began: Instant,
    what: Value,
}

impl Seen {
    /// Nothing yet.
    pub fn of(noun: &'static str) -> Seen {
        Seen {
            noun,
            calls: Mutex::default(),
        }
    }

    /// Notes a call; gives its number.
    pub fn begin(&self, asked: &Asked, name: &str) -> u64 {
        let mut calls = self.lock();
        calls.begun += 1;
        *calls.by_name.entry(name.to_owned()).or_default() += 1;
        let number = calls.begun;
        let body = String::from_utf8_lossy(&asked.body);
        let headers: serde_json::Map<String, Value> = asked
            .headers
            .iter_known()
            .map(|(_, name, value)| (text(name).to_ascii_lowercase(), json!(text(value))))
            .collect();
        let what = json!({
            "number": number, "method": asked.method, "target": asked.target, (self.noun): name, "headers": headers,
            "body": body, "end": "under way",
        });
        calls.last.push_back(Entry {
            number,
            began: Instant::now(),
            what,
        });
        if calls.last.len() > KEPT {
            calls.last.pop_front();
        }
        number
    }

    /// Calls for this name so far.
    pub fn count(&self, name: &str) -> usize {
        self.lock().by_name.get(name).copied().unwrap_or(0)
    }

    /// Notes how the call ended.
    pub fn end(&self, number: u64, status: u16, events: usize, end: &str) {
        let mut calls = self.lock();
        if let Some(call) = calls.last.iter_mut().rfind(|call| call.number == number) {
            call.what["status"] = json!(status);
            call.what["events"] = json!(events);
            call.what["end"] = json!(end);
            call.what["milliseconds"] = json!(call.began.elapsed().as_millis() as u64);
        }
    }

    /// The calls, the oldest first.
    pub fn list(&self) -> Value {
        self.lock().last.iter().map(|call| call.what.clone()).collect()
    }

    /// Forgets all; says how many there were.
    pub fn clear(&self) -> Value {
        let calls = std::mem::take(&mut *self.lock());
        json!({"forgotten": calls.begun})
    }

    fn lock(&self) -> MutexGuard<'_, Calls> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
