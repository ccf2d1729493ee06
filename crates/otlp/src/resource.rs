//! What the telemetry is of: the service, the process, the machine. What comes later in [`of`] overrides what comes before.
//!
//! The command line is not told: options given there may be secrets.

use crate::attribute::{int, named, text};
use opentelemetry_proto::tonic::common::v1::AnyValue;
use opentelemetry_proto::tonic::resource::v1::Resource;
use std::collections::BTreeMap;

type Attributes = BTreeMap<String, AnyValue>;

/// The resource of a signal that goes out under `service` with further `attributes`.
pub fn of(service: &str, attributes: &BTreeMap<String, String>) -> Resource {
    build(service, attributes, |name| std::env::var(name).ok())
}

fn build(
    service: &str,
    attributes: &BTreeMap<String, String>,
    variable: impl Fn(&str) -> Option<String>,
) -> Resource {
    let mut all = Attributes::new();
    container(&mut all);
    machine(&mut all);
    process(&mut all);
    kubernetes(&mut all, &variable);
    let mut say = |key: &str, value: &str| drop(all.insert(key.to_owned(), text(value)));
    say("telemetry.sdk.language", "rust");
    say("telemetry.sdk.name", "trilithon");
    say("telemetry.sdk.version", env!("CARGO_PKG_VERSION"));
    say("service.name", service);
    say("service.version", env!("CARGO_PKG_VERSION"));
    attributes.iter().for_each(|(key, value)| say(key, value));
    let given = variable("OTEL_RESOURCE_ATTRIBUTES").unwrap_or_default();
    pairs(&given).for_each(|(key, value)| say(&key, &value));
    if let Some(name) = variable("OTEL_SERVICE_NAME").filter(|n| !n.is_empty()) {
        say("service.name", &name);
    }
    Resource {
        attributes: all.into_iter().map(|(key, value)| named(key, value)).collect(),
        ..Resource::default()
    }
}

/// `key=value,key=value`, each percent-encoded; what is not a pair is left out.
fn pairs(given: &str) -> impl Iterator<Item = (String, String)> {
    let decode = |text: &str| {
        percent_encoding::percent_decode_str(text.trim())
            .decode_utf8_lossy()
            .into_owned()
    };
    given
        .split(',')
        .filter_map(|pair| pair.split_once('='))
        .map(move |(key, value)| (decode(key), decode(value)))
        .filter(|(key, _)| !key.is_empty())
}

/// The last 64 hexadecimal digits of a line of `/proc/self/cgroup`.
fn container(all: &mut Attributes) {
    let groups = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let id = groups.lines().find_map(|line| {
        let name = line.rsplit(['/', ':', '-']).next()?;
        let name = name.strip_suffix(".scope").unwrap_or(name);
        (name.len() == 64 && name.bytes().all(|b| b.is_ascii_hexdigit())).then_some(name)
    });
    if let Some(id) = id {
        all.insert("container.id".to_owned(), text(id));
    }
}

fn machine(all: &mut Attributes) {
    let system = rustix::system::uname();
    let name = system.nodename().to_string_lossy();
    all.insert("host.name".to_owned(), text(&name));
    all.insert("os.type".to_owned(), text("linux"));
    let description = [system.sysname(), system.release(), system.machine()].map(|t| t.to_string_lossy());
    all.insert("os.description".to_owned(), text(&description.join(" ")));
}

fn process(all: &mut Attributes) {
    all.insert("process.pid".to_owned(), int(i64::from(std::process::id())));
    if let Ok(path) = std::env::current_exe() {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        all.insert("process.executable.name".to_owned(), text(&name));
        all.insert(
            "process.executable.path".to_owned(),
            text(&path.to_string_lossy()),
        );
    }
}

/// The pod, as its own environment names it.
fn kubernetes(all: &mut Attributes, variable: &impl Fn(&str) -> Option<String>) {
    const NAMESPACE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";
    if variable("KUBERNETES_SERVICE_HOST").is_none() {
        return;
    }
    let namespace = variable("POD_NAMESPACE").or_else(|| std::fs::read_to_string(NAMESPACE).ok());
    let pod = variable("POD_NAME").or_else(|| variable("HOSTNAME"));
    for (key, value) in [("k8s.namespace.name", namespace), ("k8s.pod.name", pod)] {
        if let Some(value) = value {
            all.insert(key.to_owned(), text(value.trim()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry_proto::tonic::common::v1::any_value::Value;

    fn check(options: &[(&str, &str)], environment: &[(&str, &str)], key: &str, want: Option<&str>) {
        let options = options
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        let variable = |name: &str| {
            let found = environment.iter().find(|(n, _)| *n == name);
            found.map(|(_, v)| (*v).to_owned())
        };
        let resource = build("traefik", &options, variable);
        let got = resource.attributes.iter().find(|a| a.key == key).and_then(|a| {
            match a.value.as_ref()?.value.as_ref()? {
                Value::StringValue(text) => Some(text.as_str()),
                _ => None,
            }
        });
        assert_eq!(got, want, "{key}");
    }

    #[test]
    fn later_sources_override_earlier_ones() {
        let env = |value| [("OTEL_RESOURCE_ATTRIBUTES", value)];
        check(&[], &[], "service.name", Some("traefik"));
        check(&[], &[], "telemetry.sdk.language", Some("rust"));
        check(&[("service.name", "a")], &[], "service.name", Some("a"));
        check(&[("x", "1")], &env("x=2, y = b%20c ,z,=9"), "x", Some("2"));
        check(&[], &env("x=2, y = b%20c ,z,=9"), "y", Some("b c"));
        check(&[], &env("z"), "z", None);
        let both = [
            ("OTEL_RESOURCE_ATTRIBUTES", "service.name=b"),
            ("OTEL_SERVICE_NAME", "c"),
        ];
        check(&[("service.name", "a")], &both, "service.name", Some("c"));
        check(&[], &[("POD_NAME", "p")], "k8s.pod.name", None);
        let pod = [("POD_NAME", "p"), ("KUBERNETES_SERVICE_HOST", "h")];
        check(&[], &pod, "k8s.pod.name", Some("p"));
    }
}
