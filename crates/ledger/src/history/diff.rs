//! What is different between two configurations: objects that came, went or changed, with the options in them. Secrets are
//! compared and never shown.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use trilithon_model::dynamic::Configuration;
use trilithon_model::encode::{Encode, Secrets};
use trilithon_model::node::Span;
use trilithon_model::spanned::{Map, Spanned};

/// Configurations by provider.
pub type Configurations = BTreeMap<String, Configuration>;

/// One difference.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// `http.routers.shop@file`, or an option in it: `http.routers.shop@file.rule`.
    pub path: String,
    /// Absent when it came.
    pub old: Option<Value>,
    /// Absent when it went.
    pub new: Option<Value>,
    /// The place of the object, of the old one when it went; empty when nobody wrote it.
    pub place: String,
}

impl Change {
    /// `+`, `-` or `~`, and the path.
    pub fn summary(&self) -> String {
        let sign = match (&self.old, &self.new) {
            (None, _) => '+',
            (_, None) => '-',
            _ => '~',
        };
        format!("{sign} {}", self.path)
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.summary())?;
        if !self.place.is_empty() {
            write!(f, " ({})", self.place)?;
        }
        match (&self.old, &self.new) {
            (Some(old), Some(new)) => write!(f, ": {old} → {new}"),
            (Some(one), None) | (None, Some(one)) if !one.is_object() => write!(f, ": {one}"),
            _ => Ok(()),
        }
    }
}

/// An object: where it is written, what it says, and what of that may be shown.
struct Object {
    span: Span,
    whole: Value,
    shown: Value,
}

/// The differences between what providers said, in order of path.
pub fn configurations(old: &Configurations, new: &Configurations) -> Vec<Change> {
    let (old, new) = (objects(old), objects(new));
    let paths: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let mut changes = Vec::new();
    for path in paths {
        let (before, after) = (old.get(path), new.get(path));
        let written = after.or(before).map(|o| &o.span).filter(|s| !s.is_none());
        let place = written.map(ToString::to_string).unwrap_or_default();
        let from = changes.len();
        compare(
            path,
            before.map(|o| (&o.whole, &o.shown)),
            after.map(|o| (&o.whole, &o.shown)),
            &mut changes,
        );
        changes[from..]
            .iter_mut()
            .for_each(|c| c.place.clone_from(&place));
    }
    changes
}

/// The differences between two install configurations without secrets.
pub fn installs(old: &Value, new: &Value) -> Vec<Change> {
    let mut changes = Vec::new();
    compare("install", Some((old, old)), Some((new, new)), &mut changes);
    changes
}

/// A value as it is and as it may be shown; both have the same form.
type Twin<'a> = (&'a Value, &'a Value);
type Members = serde_json::Map<String, Value>;

fn compare(path: &str, old: Option<Twin<'_>>, new: Option<Twin<'_>>, changes: &mut Vec<Change>) {
    if old.map(|o| o.0) == new.map(|n| n.0) {
        return;
    }
    if let (Some((Value::Object(a), Value::Object(sa))), Some((Value::Object(b), Value::Object(sb)))) =
        (old, new)
    {
        let names: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
        for name in names {
            let (before, after) = (twin(a, sa, name), twin(b, sb, name));
            compare(&format!("{path}.{name}"), before, after, changes);
        }
        return;
    }
    changes.push(Change {
        path: path.to_owned(),
        old: old.map(|o| o.1.clone()),
        new: new.map(|n| n.1.clone()),
        place: String::new(),
    });
}

fn twin<'a>(whole: &'a Members, shown: &'a Members, name: &str) -> Option<Twin<'a>> {
    Some((whole.get(name)?, shown.get(name)?))
}

fn objects(configurations: &Configurations) -> BTreeMap<String, Object> {
    let mut all = BTreeMap::new();
    for (provider, c) in configurations {
        let add = |kind: &str| Adder {
            prefix: format!("{kind}."),
            suffix: format!("@{provider}"),
        };
        add("http.routers").map(&c.http.routers, &mut all);
        add("http.services").map(&c.http.services, &mut all);
        add("http.middlewares").map(&c.http.middlewares, &mut all);
        add("http.serversTransports").map(&c.http.servers_transports, &mut all);
        add("tcp.routers").map(&c.tcp.routers, &mut all);
        add("tcp.services").map(&c.tcp.services, &mut all);
        add("tcp.middlewares").map(&c.tcp.middlewares, &mut all);
        add("tcp.serversTransports").map(&c.tcp.servers_transports, &mut all);
        add("udp.routers").map(&c.udp.routers, &mut all);
        add("udp.services").map(&c.udp.services, &mut all);
        add("tls.options").map(&c.tls.options, &mut all);
        add("tls.stores").map(&c.tls.stores, &mut all);
        for (index, certificate) in c.tls.certificates.iter().enumerate() {
            add("tls.certificates").one(&index.to_string(), certificate, &mut all);
        }
    }
    all
}

/// Names the objects of one kind and provider.
struct Adder {
    prefix: String,
    suffix: String,
}

impl Adder {
    fn map<T: Encode>(&self, objects: &Map<T>, all: &mut BTreeMap<String, Object>) {
        objects
            .iter()
            .for_each(|(name, object)| self.one(name, object, all));
    }

    fn one<T: Encode>(&self, name: &str, object: &Spanned<T>, all: &mut BTreeMap<String, Object>) {
        let described = Object {
            span: object.span.clone(),
            whole: object.encode(Secrets::Shown),
            shown: object.encode(Secrets::Redacted),
        };
        all.insert(format!("{}{name}{}", self.prefix, self.suffix), described);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use trilithon_model::node::Source;
    use trilithon_model::routing_file;

    fn read(text: &str) -> Configurations {
        let (configuration, problems) = routing_file(&Source::text("r.yml", text));
        assert!(!problems.has_errors(), "{problems}");
        Configurations::from([("file".to_owned(), configuration)])
    }

    #[track_caller]
    fn check(old: &str, new: &str, want: &[&str]) {
        let changes = configurations(&read(old), &read(new));
        let lines: Vec<String> = changes.iter().map(ToString::to_string).collect();
        assert_eq!(lines, want);
    }

    const A: &str = "http:\n  routers:\n    a: {rule: 'Host(`a.test`)', service: s}\n";

    #[test]
    fn objects_come_and_go_and_change() {
        check(A, A, &[]);
        let b = A.to_owned() + "    b: {rule: 'Host(`b.test`)', service: s}\n";
        check(A, &b, &["+ http.routers.b@file (r.yml:4:5)"]);
        check(&b, A, &["- http.routers.b@file (r.yml:4:5)"]);
        check(
            A,
            &A.replace("a.test", "c.test"),
            &["~ http.routers.a@file.rule (r.yml:3:5): \"Host(`a.test`)\" → \"Host(`c.test`)\""],
        );
        check(
            A,
            &A.replace("service: s", "service: s, priority: 5"),
            &["+ http.routers.a@file.priority (r.yml:3:5): 5"],
        );
        let moved = A.replace("routers:\n", "routers:\n\n");
        check(A, &moved, &[]);
    }

    #[test]
    fn a_changed_secret_is_said_and_not_shown() {
        let with =
            |hash: &str| format!("http: {{middlewares: {{m: {{basicAuth: {{users: ['u:{hash}']}}}}}}}}");
        check(
            &with("$apr1$one"),
            &with("$apr1$two"),
            &["~ http.middlewares.m@file.basicAuth.users (r.yml:1:22): [\"xxxx\"] → [\"xxxx\"]"],
        );
    }

    #[test]
    fn install_configurations() {
        let changes = installs(
            &serde_json::json!({"a": {"b": 1}}),
            &serde_json::json!({"a": {"b": 2}}),
        );
        assert_eq!(changes[0].to_string(), "~ install.a.b: 1 → 2");
    }
}
