use super::*;
use std::time::{Duration, SystemTime};
use trilithon_flow::{Fault, FaultKind, Headers, Version};
use trilithon_model::install::{AccessLogFields, FieldHeaders};

/// Fresh folder for a file.
fn folder(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("trilithon-access-log-{}-{name}", std::process::id()));
    let _ = std::fs::remove_dir_all(&path);
    path
}

fn record() -> Record {
    Record {
        started_at: Some(SystemTime::UNIX_EPOCH + Duration::new(1_136_214_245, 250_000_000)),
        duration: Duration::from_micros(12_345),
        entry_point: Some("web".into()),
        peer: Some("127.0.0.1:4711".parse().unwrap()),
        method: "GET".into(),
        host: "a.test:8080".into(),
        target: "/p?q=1".into(),
        version: Version::Http11,
        scheme: "http",
        router: Some("a@file".into()),
        service: Some("s@file".into()),
        server_url: Some("http://127.0.0.1:1".into()),
        server_addr: Some("127.0.0.1:1".into()),
        response_bytes: 5,
        origin_bytes: 5,
        status: 200,
        origin_status: 200,
        origin_duration: Duration::from_micros(345),
        access_log: true,
        ..Record::default()
    }
}

/// The lines that `records` leave in the log.
fn lines(name: &str, config: install::AccessLog, records: &[Record]) -> String {
    let path = folder(name).join("deep/access.log");
    let log = AccessLog::start(
        &install::AccessLog {
            file_path: path.display().to_string(),
            ..config
        },
        None,
    )
    .unwrap();
    records.iter().for_each(|r| log.observe(r));
    log.flush();
    std::fs::read_to_string(path).unwrap()
}

fn config(format: &str, fields: Option<AccessLogFields>) -> install::AccessLog {
    install::AccessLog {
        format: format.into(),
        fields,
        ..install::AccessLog::default()
    }
}

fn fields(default: &str, names: &[(&str, &str)], headers: &str) -> Option<AccessLogFields> {
    Some(AccessLogFields {
        default_mode: default.into(),
        names: names
            .iter()
            .map(|(n, m)| ((*n).to_owned(), (*m).to_owned()))
            .collect(),
        headers: Some(FieldHeaders {
            default_mode: headers.into(),
            ..FieldHeaders::default()
        }),
        ..AccessLogFields::default()
    })
}

const TIME: &str = "[02/Jan/2006:15:04:05 +0000]";

#[test]
fn common_lines() {
    let check = |name: &str, config: install::AccessLog, record: Record, want: &str| {
        assert_eq!(lines(name, config, &[record]), want.replace("TIME", TIME) + "\n");
    };
    let plain =
        r#"127.0.0.1 - - TIME "GET /p?q=1 HTTP/1.1" 200 5 "-" "-" 1 "a@file" "http://127.0.0.1:1" 12ms"#;
    check("plain", config("common", None), record(), plain);
    check("xml", config("xml", None), record(), plain);
    check(
        "nobody",
        config("common", None),
        Record {
            router: None,
            service: None,
            server_url: None,
            status: 404,
            response_bytes: 19,
            ..record()
        },
        r#"127.0.0.1 - - TIME "GET /p?q=1 HTTP/1.1" 404 19 "-" "-" 1 "-" "-" 12ms"#,
    );
    check(
        "forwarded",
        config("common", None),
        Record {
            forwarded_for: Some("9.9.9.9, 8.8.8.8".into()),
            user: Some("u\n".into()),
            ..record()
        },
        r#"9.9.9.9, 8.8.8.8 - u\x0a TIME "GET /p?q=1 HTTP/1.1" 200 5 "-" "-" 1 "a@file" "http://127.0.0.1:1" 12ms"#,
    );
    let headers: Headers = [("User-Agent", r#"a "b" \c"#), ("Referer", "r")]
        .into_iter()
        .collect();
    check(
        "generic",
        config("genericCLF", fields("keep", &[], "keep")),
        Record {
            request_headers: Some(headers),
            ..record()
        },
        r#"127.0.0.1 - - TIME "GET /p?q=1 HTTP/1.1" 200 5 "r" "a \"b\" \c""#,
    );
    let dropped = [
        "ClientHost",
        "ClientUsername",
        "StartUTC",
        "StartLocal",
        "Duration",
        "RequestPath",
        "RequestCount",
        "ServiceURL",
        "DownstreamStatus",
    ];
    check(
        "dropped",
        config("common", fields("keep", &dropped.map(|n| (n, "drop")), "drop")),
        record(),
        r#"- - - [-] "GET - HTTP/1.1" - 5 "-" "-" - "a@file" "-" 0ms"#,
    );
}

#[test]
fn json_lines_have_every_key() {
    let line = lines("json", config("json", None), &[record()]);
    let v: serde_json::Value = serde_json::from_str(&line).unwrap();
    let keys: Vec<&String> = v.as_object().unwrap().keys().collect();
    assert!(keys.is_sorted(), "{keys:?}");
    for (key, want) in [
        ("ClientAddr", "127.0.0.1:4711"),
        ("ClientHost", "127.0.0.1"),
        ("ClientPort", "4711"),
        ("ClientUsername", "-"),
        ("RequestAddr", "a.test:8080"),
        ("RequestHost", "a.test"),
        ("RequestPort", "8080"),
        ("ServiceName", "s@file"),
        ("StartUTC", "2006-01-02T15:04:05.25Z"),
        ("entryPointName", "web"),
        ("level", "info"),
        ("msg", ""),
    ] {
        assert_eq!(v[key], want, "{key}");
    }
    for (key, want) in [
        ("Duration", 12_345_000),
        ("Overhead", 12_000_000),
        ("OriginStatus", 200),
        ("RequestCount", 1),
    ] {
        assert_eq!(v[key], want, "{key}");
    }
    assert_eq!(keys.len(), 31, "{keys:?}");
}

#[test]
fn json_of_what_reached_no_server() {
    let check = |name: &str, record: Record, want: &[(&str, serde_json::Value)]| {
        let v: serde_json::Value =
            serde_json::from_str(&lines(name, config("json", None), &[record])).unwrap();
        for (key, value) in want {
            assert_eq!(
                v.get(*key).unwrap_or(&serde_json::Value::Null),
                value,
                "{name} {key}"
            );
        }
    };
    let redirect = Record {
        server_url: None,
        server_addr: None,
        origin_status: 0,
        origin_bytes: 0,
        status: 302,
        ..record()
    };
    let null = serde_json::Value::Null;
    check(
        "redirect",
        redirect,
        &[
            ("GzipRatio", 0.into()),
            ("ServiceName", null.clone()),
            ("ServiceURL", null),
        ],
    );
    let fault = Some(Fault::new(FaultKind::Connect, "refused"));
    let dead = Record {
        fault,
        origin_status: 0,
        origin_bytes: 0,
        status: 502,
        response_bytes: 11,
        ..record()
    };
    check(
        "dead",
        dead,
        &[("OriginStatus", 502.into()), ("OriginContentSize", 11.into())],
    );
    let leaf = Record {
        balancer: Some("leaf@file".into()),
        ..record()
    };
    check("leaf", leaf, &[("ServiceName", "leaf@file".into())]);
}

#[test]
fn json_headers() {
    let headers: Headers = [("X-In", "1"), ("Host", "a"), ("x-in", "2"), ("X-Bad", "\u{1}")]
        .into_iter()
        .collect();
    let record = Record {
        request_headers: Some(headers),
        ..record()
    };
    let v: serde_json::Value = serde_json::from_str(&lines(
        "headers",
        config("json", fields("drop", &[], "keep")),
        &[record],
    ))
    .unwrap();
    assert_eq!(v["request_X-In"], "1,2");
    assert_eq!(v["request_X-Bad"], "\u{1}");
    assert_eq!(v.as_object().unwrap().len(), 5, "{v}");
}

#[test]
fn what_is_not_written() {
    let check = |name: &str, add_internals: bool, record: Record, written: bool| {
        let config = install::AccessLog {
            add_internals,
            ..config("common", None)
        };
        assert_eq!(!lines(name, config, &[record]).is_empty(), written, "{name}");
    };
    check("on", false, record(), true);
    check(
        "off",
        false,
        Record {
            access_log: false,
            ..record()
        },
        false,
    );
    check(
        "internal",
        false,
        Record {
            internal: true,
            ..record()
        },
        false,
    );
    check(
        "internals",
        true,
        Record {
            internal: true,
            ..record()
        },
        true,
    );
    let lost = || Record {
        router: None,
        entry_point: Some(INTERNAL_ENTRY_POINT.into()),
        ..record()
    };
    check("lost", false, lost(), false);
}

#[test]
fn all_lines_of_all_threads_and_a_new_file_when_asked() {
    let dir = folder("threads");
    let path = dir.join("access.log");
    let log = AccessLog::start(
        &install::AccessLog {
            file_path: path.display().to_string(),
            ..config("common", None)
        },
        None,
    )
    .unwrap();
    std::thread::scope(|s| {
        for _ in 0..4 {
            s.spawn(|| (0..500).for_each(|_| log.observe(&record())));
        }
    });
    log.flush();
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text.lines().count(), 2_000);
    assert!(
        text.lines()
            .all(|l| l.starts_with("127.0.0.1 - - [") && l.ends_with("12ms"))
    );
    std::fs::rename(&path, dir.join("access.1")).unwrap();
    log.observe(&record());
    log.reopen();
    log.flush();
    log.observe(&record());
    drop(log);
    assert_eq!(
        std::fs::read_to_string(dir.join("access.1"))
            .unwrap()
            .lines()
            .count(),
        2_001
    );
    assert_eq!(std::fs::read_to_string(path).unwrap().lines().count(), 1);
}

#[test]
fn headers_are_asked_for_only_where_they_are_written() {
    let check = |name: &str, format: &str, mode: &str, want: [bool; 2]| {
        let path = folder(name).join("a.log").display().to_string();
        let log = AccessLog::start(
            &install::AccessLog {
                file_path: path,
                ..config(format, fields("keep", &[], mode))
            },
            None,
        )
        .unwrap();
        let wants = log.wants();
        assert_eq!(
            [wants.request_headers, wants.response_headers],
            want,
            "{format} {mode}"
        );
    };
    check("w1", "common", "drop", [false, false]);
    check("w2", "common", "redact", [true, false]);
    check("w3", "json", "drop", [false, false]);
    check("w4", "json", "keep", [true, true]);
}

#[test]
fn ids_of_a_trace() {
    use trilithon_flow::trace::{Capture, Propagators, Tracer};
    let tracer = Tracer::new(Propagators::read(None).0, 0.0, Capture::default());
    let trace = tracer.begin(&trilithon_flow::Headers::new());
    let (id, span) = (trace.id.to_string(), trace.span.to_string());
    let record = Record {
        trace: Some(Box::new(trace)),
        ..record()
    };
    let lines = lines("ids", config("json", None), &[record]);
    let line: serde_json::Value = serde_json::from_str(&lines).unwrap();
    assert_eq!((&line["TraceId"], &line["SpanId"]), (&id.into(), &span.into()));
    let keys: Vec<&String> = line.as_object().unwrap().keys().collect();
    assert!(keys.is_sorted(), "{keys:?}");
}

#[test]
fn lines_go_elsewhere_instead_of_the_file_unless_both_are_wanted() {
    struct Kept(Arc<std::sync::Mutex<Vec<Vec<u8>>>>);
    impl Sink for Kept {
        fn take(&self, _: &Record, line: Vec<u8>) {
            self.0.lock().unwrap().push(line);
        }
    }
    let check = |name: &str, dual_output: bool, lines: usize| {
        let path = folder(name).join("access.log");
        let kept = Arc::default();
        let sink: Box<dyn Sink> = Box::new(Kept(Arc::clone(&kept)));
        let config = install::AccessLog {
            file_path: path.display().to_string(),
            dual_output,
            ..config("common", None)
        };
        let log = AccessLog::start(&config, Some(sink)).unwrap();
        log.observe(&record());
        log.flush();
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(written.lines().count(), lines);
        let line: serde_json::Value = serde_json::from_slice(&kept.lock().unwrap()[0]).unwrap();
        assert_eq!(
            line["DownstreamStatus"], 200,
            "JSON, whatever the format of the file"
        );
    };
    check("elsewhere", false, 0);
    check("both", true, 1);
}
