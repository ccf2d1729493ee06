//! What the objects of all kinds have in common in the API.

use serde_json::{Map, Value};
use trilithon_engine::merge::provider_of;
use trilithon_engine::report::{Entry, Status};
use trilithon_model::Encode;

/// A JSON object.
pub type Object = Map<String, Value>;

/// The configuration of an object as JSON.
pub fn config<T: Encode>(value: &T) -> Object {
    match value.to_json() {
        Value::Object(object) => object,
        _ => Object::new(),
    }
}

/// Adds status, complaints, users and entry points.
pub fn add_state<T>(object: &mut Object, entry: &Entry<T>) {
    put_list(object, "error", &entry.errors);
    object.insert("status".into(), entry.status.as_str().into());
    put_list(object, "usedBy", &sorted(&entry.used_by));
    put_list(object, "using", &entry.using);
}

/// Adds what the name says, and the type if there is one.
pub fn add_name(object: &mut Object, name: &str, kind: &str) {
    object.insert("name".into(), name.into());
    object.insert("provider".into(), provider_of(name).into());
    if !kind.is_empty() {
        object.insert("type".into(), kind.into());
    }
}

/// Adds a list unless it is empty.
pub fn put_list(object: &mut Object, key: &str, list: &[String]) {
    if !list.is_empty() {
        object.insert(key.into(), list.into());
    }
}

/// The object in `object` at `path`, if there is one.
pub fn inside<'a>(object: &'a mut Object, path: &[&str]) -> Option<&'a mut Object> {
    let mut at = object;
    for key in path {
        at = at.get_mut(*key)?.as_object_mut()?;
    }
    Some(at)
}

fn sorted(list: &[String]) -> Vec<String> {
    let mut list = list.to_vec();
    list.sort();
    list
}

/// Objects by status: enabled or not, for the overview.
#[derive(Default)]
pub struct Tally {
    pub total: usize,
    pub warnings: usize,
    pub errors: usize,
}

impl Tally {
    pub fn of<'a, T: 'a>(entries: impl IntoIterator<Item = &'a Entry<T>>) -> Tally {
        let mut tally = Tally::default();
        for entry in entries {
            tally.total += 1;
            match entry.status {
                Status::Enabled => {}
                Status::Warning => tally.warnings += 1,
                Status::Disabled => tally.errors += 1,
            }
        }
        tally
    }

    pub fn json(&self) -> Value {
        serde_json::json!({ "total": self.total, "warnings": self.warnings, "errors": self.errors })
    }
}
