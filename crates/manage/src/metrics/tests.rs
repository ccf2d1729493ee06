use super::*;
use std::time::Duration;
use trilithon_flow::record::{Name, Protocol};
use trilithon_flow::{Fault, FaultKind, Headers};

fn metrics(edit: impl FnOnce(&mut install::Prometheus)) -> Arc<Metrics> {
    let mut prometheus = install::Prometheus {
        add_routers_labels: true,
        ..Default::default()
    };
    edit(&mut prometheus);
    Metrics::new(&install::Metrics {
        prometheus: Some(prometheus),
        ..install::Metrics::default()
    })
}

fn record() -> Record {
    Record {
        duration: Duration::from_millis(200),
        entry_point: Some("web".into()),
        method: "GET".into(),
        router: Some("r@file".into()),
        service: Some("s@file".into()),
        server_url: Some("http://127.0.0.1:1".into()),
        request_bytes: 7,
        response_bytes: 11,
        origin_bytes: 13,
        status: 200,
        origin_status: 200,
        metrics: true,
        ..Record::default()
    }
}

/// The lines of the page that begin with one of `names`.
fn lines(metrics: &Metrics, names: &[&str]) -> Vec<String> {
    let page = metrics.page(&[]);
    page.lines()
        .filter(|l| names.iter().any(|n| l.starts_with(n)))
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_family_of_one_exchange() {
    let metrics = metrics(|_| ());
    metrics.observe(&Record {
        tls_version: "1.3",
        tls_cipher: "TLS_AES_128_GCM_SHA256",
        status: 418,
        ..record()
    });
    let got = lines(
        &metrics,
        &["traefik_entrypoint", "traefik_router", "traefik_service_re"],
    );
    let want = r#"traefik_entrypoint_request_duration_seconds_bucket{code="418",entrypoint="web",method="GET",protocol="http",le="0.1"} 0
traefik_entrypoint_request_duration_seconds_bucket{code="418",entrypoint="web",method="GET",protocol="http",le="0.3"} 1
traefik_entrypoint_request_duration_seconds_bucket{code="418",entrypoint="web",method="GET",protocol="http",le="1.2"} 1
traefik_entrypoint_request_duration_seconds_bucket{code="418",entrypoint="web",method="GET",protocol="http",le="5"} 1
traefik_entrypoint_request_duration_seconds_bucket{code="418",entrypoint="web",method="GET",protocol="http",le="+Inf"} 1
traefik_entrypoint_request_duration_seconds_sum{code="418",entrypoint="web",method="GET",protocol="http"} 0.2
traefik_entrypoint_request_duration_seconds_count{code="418",entrypoint="web",method="GET",protocol="http"} 1
traefik_entrypoint_requests_bytes_total{code="418",entrypoint="web",method="GET",protocol="http"} 7
traefik_entrypoint_requests_tls_total{entrypoint="web",tls_cipher="TLS_AES_128_GCM_SHA256",tls_version="1.3"} 1
traefik_entrypoint_requests_total{code="418",entrypoint="web",method="GET",protocol="http"} 1
traefik_entrypoint_responses_bytes_total{code="418",entrypoint="web",method="GET",protocol="http"} 11
"#;
    assert_eq!(got[..11].join("\n") + "\n", want);
    for line in [
        r#"traefik_router_requests_total{code="418",method="GET",protocol="http",router="r@file",service="s@file"} 1"#,
        r#"traefik_service_requests_total{code="200",method="GET",protocol="http",service="s@file"} 1"#,
        r#"traefik_service_responses_bytes_total{code="200",method="GET",protocol="http",service="s@file"} 13"#,
        r#"traefik_service_requests_tls_total{service="s@file",tls_cipher="TLS_AES_128_GCM_SHA256",tls_version="1.3"} 1"#,
    ] {
        assert!(got.iter().any(|l| l == line), "{line} in {got:#?}");
    }
}

#[test]
fn what_labels_say() {
    let check = |record: Record, want: &[&str]| {
        let metrics = metrics(|_| ());
        metrics.observe(&record);
        let totals = [
            "traefik_entrypoint_requests_total",
            "traefik_router_requests_total",
            "traefik_service_requests_total",
        ];
        let strip = |l: &String| l.replace("traefik_", "").replace("_requests_total", "");
        assert_eq!(
            lines(&metrics, &totals).iter().map(strip).collect::<Vec<_>>(),
            want
        );
    };
    check(
        Record {
            method: "BREW".into(),
            router: None,
            service: None,
            server_url: None,
            status: 404,
            origin_status: 0,
            ..record()
        },
        &[r#"entrypoint{code="404",entrypoint="web",method="EXTENSION_METHOD",protocol="http"} 1"#],
    );
    check(
        Record {
            protocol: Protocol::Websocket,
            status: 101,
            origin_status: 101,
            ..record()
        },
        &[
            r#"entrypoint{code="0",entrypoint="web",method="GET",protocol="websocket"} 1"#,
            r#"router{code="0",method="GET",protocol="websocket",router="r@file",service="s@file"} 1"#,
            r#"service{code="0",method="GET",protocol="websocket",service="s@file"} 1"#,
        ],
    );
    check(
        Record {
            protocol: Protocol::Grpc,
            grpc_status: Some(5),
            server_url: None,
            router: None,
            ..record()
        },
        &[r#"entrypoint{code="5",entrypoint="web",method="GET",protocol="grpc"} 1"#],
    );
    check(
        Record {
            protocol: Protocol::Grpc,
            server_url: None,
            router: None,
            ..record()
        },
        &[r#"entrypoint{code="2",entrypoint="web",method="GET",protocol="grpc"} 1"#],
    );
    check(
        Record {
            router: Some("p@file -> c@file".into()),
            balancer: Some("leaf@file".into()),
            ..record()
        },
        &[
            r#"entrypoint{code="200",entrypoint="web",method="GET",protocol="http"} 1"#,
            r#"router{code="200",method="GET",protocol="http",router="c@file",service="s@file"} 1"#,
            r#"router{code="200",method="GET",protocol="http",router="p@file",service="p@file-muxer"} 1"#,
            r#"service{code="200",method="GET",protocol="http",service="leaf@file"} 1"#,
        ],
    );
    check(
        Record {
            metrics: false,
            ..record()
        },
        &[],
    );
    check(
        Record {
            internal: true,
            ..record()
        },
        &[],
    );
    check(
        Record {
            router: None,
            server_url: None,
            entry_point: Some("traefik".into()),
            ..record()
        },
        &[],
    );
}

/// It was 0: nobody had noted a status, as nobody was there to be answered.
#[test]
fn a_client_that_leaves_its_server_waiting_counts_there_too() {
    let metrics = metrics(|_| ());
    metrics.observe(&Record {
        status: 499,
        origin_status: 0,
        fault: Some(Fault::new(FaultKind::ClientGone, "gone")),
        ..record()
    });
    let got = lines(&metrics, &["traefik_service_requests_total"]);
    let want =
        r#"traefik_service_requests_total{code="499",method="GET",protocol="http",service="s@file"} 1"#;
    assert_eq!(got, [want]);
}

#[test]
fn all_threads_are_added_up() {
    let metrics = metrics(|_| ());
    std::thread::scope(|s| {
        for _ in 0..4 {
            s.spawn(|| (0..1_000).for_each(|_| metrics.observe(&record())));
        }
    });
    assert_eq!(
        lines(&metrics, &["traefik_service_requests_total"]),
        [r#"traefik_service_requests_total{code="200",method="GET",protocol="http",service="s@file"} 4000"#]
    );
}

#[test]
fn what_a_reload_removed_is_not_shown_and_stays_counted() {
    let metrics = metrics(|_| ());
    let gone = || Record {
        router: Some("gone@file".into()),
        ..record()
    };
    let (stays, goes): (Name, Name) = ("r@file".into(), "gone@file".into());
    metrics.observe(&Record {
        router: Some(stays.clone()),
        ..record()
    });
    metrics.observe(&Record {
        router: Some(goes.clone()),
        ..record()
    });
    metrics.show_only(Shown {
        routers: ["r@file".to_owned()].into(),
        services: ["s@file".to_owned()].into(),
    });
    let router = |n: u64| {
        format!(
            r#"traefik_router_requests_total{{code="200",method="GET",protocol="http",router="r@file",service="s@file"}} {n}"#
        )
    };
    let entry_point = |n: u64| {
        format!(
            r#"traefik_entrypoint_requests_total{{code="200",entrypoint="web",method="GET",protocol="http"}} {n}"#
        )
    };
    let both = [
        "traefik_entrypoint_requests_total",
        "traefik_router_requests_total",
    ];
    assert_eq!(lines(&metrics, &both), [entry_point(2), router(1)], "at once");
    metrics.observe(&Record {
        router: Some(stays),
        ..record()
    });
    assert_eq!(
        lines(&metrics, &both),
        [entry_point(3), router(2)],
        "after the worker looked"
    );
    metrics.observe(&gone());
    assert_eq!(lines(&metrics, &both), [entry_point(4), router(2)], "a late one");
}

#[test]
fn header_labels_are_on_request_counters_only_and_bounded() {
    let metrics = metrics(|p| {
        p.add_routers_labels = false;
        p.header_labels.insert("tenant".into(), "X-Tenant".into());
    });
    assert!(metrics.wants().request_headers);
    let with = |tenant: &str| {
        let headers: Headers = [("x-tenant", tenant)].into_iter().collect();
        Record {
            request_headers: Some(headers),
            ..record()
        }
    };
    for i in 0..1_010 {
        metrics.observe(&with(&format!("t{i}")));
    }
    metrics.observe(&with("t7"));
    let totals = lines(&metrics, &["traefik_entrypoint_requests_total"]);
    assert_eq!(totals.len(), 1_001);
    let find = |tenant: &str| {
        let label = format!("tenant=\"{tenant}\"");
        totals
            .iter()
            .find(|l| l.contains(&label))
            .and_then(|l| l.rsplit(' ').next())
            .map(str::to_owned)
    };
    assert_eq!(find("__other__").as_deref(), Some("10"));
    assert_eq!(find("t7").as_deref(), Some("2"));
    assert_eq!(
        lines(&metrics, &["traefik_entrypoint_requests_bytes_total"]).len(),
        1
    );
}

#[test]
fn certificates_and_values_of_the_process() {
    trilithon_flow::metrics::registry()
        .counter("traefik_config_reloads_total", "Config reloads", &[])
        .inc();
    let expiry = Expiry {
        common_name: "a.test".into(),
        serial: "12".into(),
        names: "a.test,b.test".into(),
        not_after: 1_800_000_000,
    };
    let page = metrics(|_| ()).page(&[expiry]);
    assert!(
        page.contains(
            "traefik_tls_certs_not_after{cn=\"a.test\",sans=\"a.test,b.test\",serial=\"12\"} 1.8e+09\n"
        ),
        "{page}"
    );
    assert!(page.contains("# TYPE traefik_config_reloads_total counter\n"));
    assert!(page.contains("trilithon_build_info{version="));
}
