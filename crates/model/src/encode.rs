//! Configuration to JSON as Traefik's API prints it: camelCase names, zero values left out, durations in Go's spelling.

use std::collections::BTreeMap;

use serde_json::{Map as Object, Value};

use crate::duration::Duration;

/// Whether secrets appear in the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secrets {
    /// `xxxx` in their place.
    Redacted,
    /// As written; only for comparing and for round trips.
    Shown,
}

/// JSON of a configuration value.
pub trait Encode {
    /// The value, with secrets as asked.
    fn encode(&self, secrets: Secrets) -> Value;

    /// True when the value is the zero value of its type and is left out of an object.
    fn omitted(&self) -> bool {
        false
    }

    /// The value for an API answer: secrets redacted.
    fn to_json(&self) -> Value {
        self.encode(Secrets::Redacted)
    }

    /// The value unless it is the zero value.
    fn shown(&self) -> Option<Value> {
        (!self.omitted()).then(|| self.encode(Secrets::Redacted))
    }
}

/// Adds a member to an object unless it is to be left out.
pub(crate) fn put<T: Encode>(out: &mut Object<String, Value>, name: &str, value: &T, secrets: Secrets) {
    if !value.omitted() {
        out.insert(name.to_owned(), value.encode(secrets));
    }
}

impl Encode for String {
    fn encode(&self, _: Secrets) -> Value {
        self.clone().into()
    }

    fn omitted(&self) -> bool {
        self.is_empty()
    }
}

impl Encode for bool {
    fn encode(&self, _: Secrets) -> Value {
        (*self).into()
    }

    fn omitted(&self) -> bool {
        !*self
    }
}

impl Encode for i64 {
    fn encode(&self, _: Secrets) -> Value {
        (*self).into()
    }

    fn omitted(&self) -> bool {
        *self == 0
    }
}

impl Encode for f64 {
    fn encode(&self, _: Secrets) -> Value {
        if self.fract() == 0.0 && self.abs() < 1e15 {
            (*self as i64).into()
        } else {
            (*self).into()
        }
    }

    fn omitted(&self) -> bool {
        *self == 0.0
    }
}

impl Encode for Duration {
    fn encode(&self, _: Secrets) -> Value {
        self.to_string().into()
    }

    fn omitted(&self) -> bool {
        self.is_zero()
    }
}

impl Encode for Value {
    fn encode(&self, _: Secrets) -> Value {
        self.clone()
    }
}

impl<T: Encode> Encode for Option<T> {
    fn encode(&self, secrets: Secrets) -> Value {
        self.as_ref().map_or(Value::Null, |value| value.encode(secrets))
    }

    fn omitted(&self) -> bool {
        self.is_none()
    }
}

impl<T: Encode> Encode for Box<T> {
    fn encode(&self, secrets: Secrets) -> Value {
        (**self).encode(secrets)
    }

    fn omitted(&self) -> bool {
        (**self).omitted()
    }
}

impl<T: Encode> Encode for Vec<T> {
    fn encode(&self, secrets: Secrets) -> Value {
        self.iter().map(|item| item.encode(secrets)).collect()
    }

    fn omitted(&self) -> bool {
        self.is_empty()
    }
}

impl<T: Encode> Encode for BTreeMap<String, T> {
    fn encode(&self, secrets: Secrets) -> Value {
        self.iter()
            .map(|(name, value)| (name.clone(), value.encode(secrets)))
            .collect::<Object<_, _>>()
            .into()
    }

    fn omitted(&self) -> bool {
        self.is_empty()
    }
}
