//! `/api/overview`: how many of what, and what is turned on.

use super::certificates;
use super::object::{Object, Tally};
use serde_json::{Value, json};
use trilithon_engine::report::Report;
use trilithon_model::install::{Metrics, Providers, Static};

pub fn of(install: &Static, report: &Report) -> Value {
    let mut object = Object::new();
    object.insert(
        "http".into(),
        section(&[
            ("routers", Tally::of(report.routers.values())),
            ("services", Tally::of(report.services.values())),
            ("middlewares", Tally::of(report.middlewares.values())),
        ]),
    );
    object.insert(
        "tcp".into(),
        section(&[
            ("routers", Tally::of(report.tcp_routers.values())),
            ("services", Tally::of(report.tcp_services.values())),
            ("middlewares", Tally::of(report.tcp_middlewares.values())),
        ]),
    );
    object.insert(
        "udp".into(),
        section(&[
            ("routers", Tally::of(report.udp_routers.values())),
            ("services", Tally::of(report.udp_services.values())),
        ]),
    );
    object.insert("certificates".into(), certificates::tally(report).json());
    object.insert(
        "features".into(),
        json!({
            "tracing": if install.tracing.as_ref().is_some_and(|t| t.otlp.is_some()) { "OTLP" } else { "" },
            "metrics": install.metrics.as_ref().map_or("", metrics),
            "accessLog": install.access_log.is_some(),
        }),
    );
    let providers = install.providers.as_ref().map(providers).unwrap_or_default();
    if !providers.is_empty() {
        object.insert("providers".into(), providers.into());
    }
    object.into()
}

fn section(tallies: &[(&str, Tally)]) -> Value {
    tallies
        .iter()
        .map(|(noun, tally)| ((*noun).to_owned(), tally.json()))
        .collect::<Object>()
        .into()
}

/// Where metrics go, by Traefik's name; the first of several.
fn metrics(metrics: &Metrics) -> &'static str {
    let all = [
        ("Prometheus", metrics.prometheus.is_some()),
        ("Datadog", metrics.datadog.is_some()),
        ("StatsD", metrics.stats_d.is_some()),
        ("InfluxDB2", metrics.influx_db2.is_some()),
        ("OTLP", metrics.otlp.is_some()),
    ];
    all.into_iter().find(|(_, on)| *on).map_or("", |(name, _)| name)
}

/// The providers that are on, by Traefik's names and in its order.
fn providers(p: &Providers) -> Vec<String> {
    let all = [
        ("Docker", p.docker.is_some()),
        ("Swarm", p.swarm.is_some()),
        ("File", p.file.is_some()),
        ("KubernetesIngress", p.kubernetes_ingress.is_some()),
        ("KubernetesIngressNGINX", p.kubernetes_ingress_nginx.is_some()),
        ("KubernetesCRD", p.kubernetes_crd.is_some()),
        ("KubernetesGateway", p.kubernetes_gateway.is_some()),
        ("Knative", p.knative.is_some()),
        ("Rest", p.rest.is_some()),
        ("ConsulCatalog", p.consul_catalog.is_some()),
        ("Nomad", p.nomad.is_some()),
        ("Ecs", p.ecs.is_some()),
        ("Consul", p.consul.is_some()),
        ("Etcd", p.etcd.is_some()),
        ("ZooKeeper", p.zoo_keeper.is_some()),
        ("Redis", p.redis.is_some()),
        ("HTTP", p.http.is_some()),
    ];
    let named = all
        .into_iter()
        .filter(|(_, on)| *on)
        .map(|(name, _)| name.to_owned());
    named
        .chain(p.plugin.keys().map(|name| format!("plugin-{name}")))
        .collect()
}
