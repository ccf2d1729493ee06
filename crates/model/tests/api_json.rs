//! The JSON of configuration objects as Traefik's API prints it: which members are left out, how values are spelled.

use trilithon_model::dynamic::Configuration;
use trilithon_model::install::Static;
use trilithon_model::node::Source;
use trilithon_model::source::{Inputs, load};
use trilithon_model::{Encode, routing_file};

fn routing(text: &str) -> Configuration {
    let (config, problems) = routing_file(&Source::text("test.yml", text));
    assert!(!problems.void_file(), "{problems}");
    config
}

fn install(text: &str) -> Static {
    let read = |_: &str| Some(Ok(text.to_owned()));
    let loaded = load(&Inputs {
        args: &["--configFile=c.yml".to_owned()],
        env: &[],
        read: &read,
    });
    assert!(!loaded.problems.has_errors(), "{}", loaded.problems);
    loaded.config
}

/// A middleware as written, and as the API prints it.
fn middleware(written: &str, shown: &str) {
    let config = routing(&format!("http: {{middlewares: {{m: {{{written}}}}}}}"));
    let want: serde_json::Value = serde_json::from_str(shown).unwrap();
    assert_eq!(config.http.middlewares["m"].to_json(), want, "{written}");
}

#[test]
fn middlewares() {
    middleware("addPrefix: {prefix: /p}", r#"{"addPrefix": {"prefix": "/p"}}"#);
    middleware(
        "basicAuth: {users: ['u:hash']}",
        r#"{"basicAuth": {"users": ["xxxx"]}}"#,
    );
    middleware(
        "buffering: {maxRequestBodyBytes: 5}",
        r#"{"buffering": {"maxRequestBodyBytes": 5}}"#,
    );
    middleware(
        "circuitBreaker: {expression: 'NetworkErrorRatio() > 0.5'}",
        r#"{"circuitBreaker": {"checkPeriod": "100ms", "expression": "NetworkErrorRatio() > 0.5",
            "fallbackDuration": "10s", "recoveryDuration": "10s", "responseCode": 503}}"#,
    );
    middleware(
        "compress: {}",
        r#"{"compress": {"encodings": ["gzip", "br", "zstd"]}}"#,
    );
    middleware("contentType: {}", r#"{"contentType": {}}"#);
    middleware(
        "errors: {status: ['500-599'], service: s, query: '/{status}'}",
        r#"{"errors": {"query": "/{status}", "service": "s", "status": ["500-599"]}}"#,
    );
    middleware(
        "errors: {statusRewrites: {'404': 200}}",
        r#"{"errors": {"statusRewrites": {"404": 200}}}"#,
    );
    middleware(
        "forwardAuth: {address: 'http://a'}",
        r#"{"forwardAuth": {"address": "http://a", "maxBodySize": -1}}"#,
    );
    middleware(
        "headers: {customRequestHeaders: {X-A: b}}",
        r#"{"headers": {"customRequestHeaders": {"X-A": "b"}}}"#,
    );
    middleware("headers: {stsSeconds: 0}", r#"{"headers": {"stsSeconds": 0}}"#);
    middleware(
        "passTLSClientCert: {pem: true}",
        r#"{"passTLSClientCert": {"pem": true}}"#,
    );
    middleware(
        "rateLimit: {average: 5}",
        r#"{"rateLimit": {"average": 5, "burst": 1, "period": "1s"}}"#,
    );
    middleware(
        "retry: {attempts: 2}",
        r#"{"retry": {"attempts": 2, "maxRequestBodyBytes": 2097152}}"#,
    );
    middleware(
        "redirectScheme: {scheme: https}",
        r#"{"redirectScheme": {"scheme": "https"}}"#,
    );
    middleware(
        "ipAllowList: {sourceRange: [10.0.0.0/8], ipStrategy: {depth: 1}}",
        r#"{"ipAllowList": {"sourceRange": ["10.0.0.0/8"], "ipStrategy": {"depth": 1}}}"#,
    );
    middleware(
        "plugin: {p: {a: 1, b: [x, true], c: '1'}}",
        r#"{"plugin": {"p": {"a": 1, "b": ["x", true], "c": "1"}}}"#,
    );
    middleware(
        "plugin: {APIKEY: {keySource: {header: X-Key}, secretValues: [secret]}}",
        r#"{"plugin": {"apiKey": {"keySource": {"header": "X-Key"}, "secretValues": ["xxxx"]}}}"#,
    );
    middleware(
        r#"jwt: {jwksFile: '{"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}', signingSecret: s}"#,
        r#"{"jwt": {"signingSecret": "xxxx", "jwksFile": "xxxx", "headerName": "Authorization", "clockSkew": "30s"}}"#,
    );
    middleware(
        "apiKey: {keySource: {header: X-Key}, secretValues: secret}",
        r#"{"apiKey": {"keySource": {"header": "X-Key"}, "secretValues": ["xxxx"]}}"#,
    );
}

/// A service as written, and as the API prints it.
fn service(written: &str, shown: &str) {
    let config = routing(&format!("http: {{services: {{s: {{{written}}}}}}}"));
    let want: serde_json::Value = serde_json::from_str(shown).unwrap();
    assert_eq!(config.http.services["s"].to_json(), want, "{written}");
}

#[test]
fn services() {
    service(
        "loadBalancer: {servers: [{url: 'http://a'}, {url: 'http://b', weight: 3}]}",
        r#"{"loadBalancer": {"passHostHeader": true, "responseForwarding": {"flushInterval": "100ms"},
            "servers": [{"url": "http://a"}, {"url": "http://b", "weight": 3}], "strategy": "wrr"}}"#,
    );
    service(
        "loadBalancer: {servers: [], passHostHeader: false, sticky: {cookie: {}}}",
        r#"{"loadBalancer": {"passHostHeader": false, "responseForwarding": {"flushInterval": "100ms"},
            "sticky": {"cookie": {"path": "/"}}, "strategy": "wrr"}}"#,
    );
    service(
        "loadBalancer: {healthCheck: {path: /h, interval: 100ms, timeout: 90ms}}",
        r#"{"loadBalancer": {"healthCheck": {"followRedirects": true, "interval": "100ms", "mode": "http",
            "path": "/h", "timeout": "90ms"}, "passHostHeader": true,
            "responseForwarding": {"flushInterval": "100ms"}, "strategy": "wrr"}}"#,
    );
    service(
        "weighted: {services: [{name: s, weight: 2}, {name: t}]}",
        r#"{"weighted": {"services": [{"name": "s", "weight": 2}, {"name": "t", "weight": 1}]}}"#,
    );
    service(
        "mirroring: {service: s, mirrors: [{name: t, percent: 20}]}",
        r#"{"mirroring": {"maxBodySize": -1, "mirrorBody": true, "mirrors": [{"name": "t", "percent": 20}],
            "service": "s"}}"#,
    );
    service(
        "failover: {service: a, fallback: b}",
        r#"{"failover": {"fallback": "b", "service": "a"}}"#,
    );
}

#[test]
fn two_kinds_and_none() {
    let config =
        routing("http: {services: {two: {loadBalancer: {servers: []}, failover: {service: a}}, none: {}}}");
    let error = config.http.services["two"].kind().unwrap_err();
    let words = "cannot create service: multi-types service not supported, \
                 consider declaring two different pieces of service instead";
    assert_eq!(error.of("two"), words);
    assert_eq!(error.kinds, ["loadBalancer", "failover"]);
    assert!(config.http.services["none"].kind().unwrap_err().kinds.is_empty());
}

/// An entry point as written, and as the API prints it.
fn entry_point(written: &str, shown: &str) {
    let config = install(&format!("entryPoints: {{e: {{{written}}}}}"));
    let want: serde_json::Value = serde_json::from_str(shown).unwrap();
    assert_eq!(config.entry_points["e"].to_json(), want, "{written}");
}

#[test]
fn entry_points() {
    entry_point(
        "address: ':1'",
        r#"{"address": ":1", "forwardedHeaders": {},
            "http": {"maxHeaderBytes": 1048576, "sanitizePath": true, "underscoreHeadersStrategy": "keep"},
            "http2": {"maxConcurrentStreams": 250, "maxDecoderHeaderTableSize": 4096,
                      "maxEncoderHeaderTableSize": 4096},
            "transport": {"lifeCycle": {"graceTimeOut": "10s"},
                          "respondingTimeouts": {"idleTimeout": "3m0s", "readTimeout": "1m0s"}},
            "udp": {"timeout": "3s"}}"#,
    );
    entry_point(
        "address: ':1', asDefault: true, http: {tls: {options: strict, domains: [{main: a.test, sans: [b.test]}]}, \
         middlewares: [h@file], encodedCharacters: {allowEncodedSlash: false}, maxHeaderBytes: 5000, \
         redirections: {entryPoint: {to: websecure, permanent: false, priority: 100}}}, \
         forwardedHeaders: {trustedIPs: [10.0.0.0/8], connection: [X-Up]}, proxyProtocol: {trustedIPs: [10.0.0.1]}, \
         transport: {keepAliveMaxRequests: 7, keepAliveMaxTime: 8s}, observability: {accessLogs: false}, \
         http2: {maxConcurrentStreams: 9}",
        r#"{"address": ":1", "asDefault": true,
            "forwardedHeaders": {"connection": ["X-Up"], "trustedIPs": ["10.0.0.0/8"]},
            "http": {"encodedCharacters": {"allowEncodedBackSlash": true, "allowEncodedHash": true,
                     "allowEncodedNullCharacter": true, "allowEncodedPercent": true,
                     "allowEncodedQuestionMark": true, "allowEncodedSemicolon": true},
                     "maxHeaderBytes": 5000, "middlewares": ["h@file"], "sanitizePath": true,
                     "redirections": {"entryPoint": {"priority": 100, "scheme": "https", "to": "websecure"}},
                     "tls": {"domains": [{"main": "a.test", "sans": ["b.test"]}], "options": "strict"},
                     "underscoreHeadersStrategy": "keep"},
            "http2": {"maxConcurrentStreams": 9, "maxDecoderHeaderTableSize": 4096,
                      "maxEncoderHeaderTableSize": 4096},
            "observability": {"accessLogs": false, "metrics": true, "tracing": true, "traceVerbosity": "minimal"},
            "proxyProtocol": {"trustedIPs": ["10.0.0.1"]},
            "transport": {"keepAliveMaxRequests": 7, "keepAliveMaxTime": "8s",
                          "lifeCycle": {"graceTimeOut": "10s"},
                          "respondingTimeouts": {"idleTimeout": "3m0s", "readTimeout": "1m0s"}},
            "udp": {"timeout": "3s"}}"#,
    );
}
