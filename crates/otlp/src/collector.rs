//! One collector: where it is, how it is spoken to, and one message to it. Its answers are hostile input.

use crate::signal::Signal;
use bytes::{BufMut, Bytes, BytesMut};
use flate2::Compression;
use flate2::write::GzEncoder;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;
use trilithon_flow::{Body, Headers, Known, Method, Request, Response, Target};
use trilithon_model::FileOrContent;
use trilithon_model::install::{Grpc, HttpExport, TlsClient};
use trilithon_upstream::tls::{TlsSettings, read};
use trilithon_upstream::{Origin, Scheme, Transport, own_exchange, send};

/// Time for a message and its answer: OpenTelemetry's default.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of an answer that are read. A good one has none, or a few words about what was refused.
const MAX_ANSWER: u64 = 64 * 1024;
/// Longest wait that a collector can ask for.
const MAX_WAIT: Duration = Duration::from_secs(30);

/// A collector, for one signal.
pub struct Collector {
    protocol: Protocol,
    transport: Arc<Transport>,
    origin: Origin,
    target: Target,
    headers: Headers,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    Http,
    Grpc,
}

/// Why a message did not arrive.
#[derive(Debug, PartialEq, Eq)]
pub struct Failure {
    pub why: String,
    /// Sending it again may help.
    pub again: bool,
    /// The collector asked to wait that long.
    pub after: Option<Duration>,
}

/// What a collector did with a message.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Things of the message that it refused.
    pub refused: u64,
    /// Why.
    pub why: String,
}

impl Collector {
    /// The collector of a signal: gRPC where that is configured, else HTTP.
    ///
    /// # Errors
    /// An endpoint that is none, or TLS files that cannot be read.
    pub fn new(signal: Signal, grpc: Option<&Grpc>, http: Option<&HttpExport>) -> Result<Collector, String> {
        match grpc {
            Some(grpc) => Collector::grpc(signal, grpc),
            None => Collector::http(signal, &http.cloned().unwrap_or_default()),
        }
    }

    fn http(signal: Signal, config: &HttpExport) -> Result<Collector, String> {
        let wrong = |why: &str| format!("`http.endpoint` `{}` {why}", config.endpoint);
        let origin = Origin::parse(&config.endpoint).map_err(|e| wrong(&e.message))?;
        if !matches!(origin.scheme, Scheme::Http | Scheme::Https) {
            return Err(wrong("is no URL that begins with `http://` or `https://`"));
        }
        let target = match &*origin.path {
            "" => Target::new(signal.path()),
            path => Target::new(path),
        };
        let tls = TlsSettings {
            http1_only: true,
            ..tls(config.tls.as_ref())?
        };
        let mut headers = Headers::new();
        headers.set_known(Known::Host, origin.authority.as_bytes());
        headers.append("Content-Type", "application/x-protobuf");
        headers.append("Content-Encoding", "gzip");
        common(&mut headers, config.headers.iter().map(|(n, v)| (n, v.expose())));
        Ok(Collector {
            protocol: Protocol::Http,
            transport: transport(tls),
            origin,
            target,
            headers,
        })
    }

    fn grpc(signal: Signal, config: &Grpc) -> Result<Collector, String> {
        let scheme = if config.insecure { "h2c" } else { "https" };
        let wrong = || format!("`grpc.endpoint` `{}` is not `host:port`", config.endpoint);
        let port = config
            .endpoint
            .rsplit_once(':')
            .map(|(_, port)| port.parse::<u16>());
        if config.endpoint.contains('/') || !matches!(port, Some(Ok(_))) {
            return Err(wrong());
        }
        let origin = Origin::parse(&format!("{scheme}://{}", config.endpoint)).map_err(|_| wrong())?;
        let mut headers = Headers::new();
        headers.set_known(Known::Host, origin.authority.as_bytes());
        headers.append("Content-Type", "application/grpc");
        headers.append("Te", "trailers");
        headers.append("Grpc-Encoding", "gzip");
        headers.append("Grpc-Timeout", format!("{}S", TIMEOUT.as_secs()));
        common(&mut headers, config.headers.iter().map(|(n, v)| (n, v.expose())));
        Ok(Collector {
            protocol: Protocol::Grpc,
            transport: transport(tls(config.tls.as_ref())?),
            origin,
            target: Target::new(signal.method()),
            headers,
        })
    }

    /// Where it is, for the log.
    pub fn url(&self) -> &str {
        &self.origin.url
    }

    /// A message as it goes over the wire: compressed, and for gRPC framed.
    pub fn pack(&self, message: &[u8]) -> Bytes {
        let mut packed = BytesMut::with_capacity(message.len() / 4 + 64);
        let framed = self.protocol == Protocol::Grpc;
        if framed {
            packed.put_u8(1);
            packed.put_u32(0);
        }
        let mut gzip = GzEncoder::new((&mut packed).writer(), Compression::fast());
        // Writing to memory does not fail.
        let _ = gzip.write_all(message);
        let _ = gzip.finish();
        if framed {
            let length = u32::try_from(packed.len() - 5).unwrap_or(u32::MAX);
            packed[1..5].copy_from_slice(&length.to_be_bytes());
        }
        packed.freeze()
    }

    /// Sends one packed message.
    ///
    /// # Errors
    /// What kept it from arriving.
    pub async fn send(&self, packed: Bytes) -> Result<Taken, Failure> {
        let req = Request {
            method: Method::Post,
            target: self.target.clone(),
            headers: self.headers.clone(),
            body: Body::from(packed),
            ..Request::default()
        };
        timeout(TIMEOUT, self.exchange(req))
            .await
            .unwrap_or_else(|_| Err(again(format!("no answer within {} s", TIMEOUT.as_secs()))))
    }

    async fn exchange(&self, req: Request) -> Result<Taken, Failure> {
        let mut cx = own_exchange();
        let mut res = send(&self.transport, &self.origin, req, &mut cx)
            .await
            .map_err(|fault| again(fault.to_string()))?;
        let body = res.body.collect(MAX_ANSWER).await;
        match self.protocol {
            Protocol::Http => http_outcome(&res, body.ok()),
            Protocol::Grpc => {
                let trailers = res.body.trailers();
                grpc_outcome(&res, trailers.as_ref(), body.ok())
            }
        }
    }
}

/// OTLP over HTTP: 2xx is taken; of the others four ask for another try.
fn http_outcome(res: &Response, body: Option<Bytes>) -> Result<Taken, Failure> {
    match res.status {
        200..=299 => Ok(taken(body.as_deref())),
        status => Err(Failure {
            why: format!("it answered with status {status}"),
            again: matches!(status, 429 | 502 | 503 | 504),
            after: seconds(&res.headers),
        }),
    }
}

/// OTLP over gRPC: the status is in the trailers, or in the head of an answer without a body.
fn grpc_outcome(res: &Response, trailers: Option<&Headers>, body: Option<Bytes>) -> Result<Taken, Failure> {
    if res.status != 200 {
        // Even another 2xx is no answer to a call.
        let status = if res.status < 300 { 502 } else { res.status };
        return http_outcome(&Response::new(status), None);
    }
    let status = |headers: &Headers| headers.known(Known::GrpcStatus).map(<[u8]>::to_vec);
    match trailers
        .and_then(status)
        .or_else(|| status(&res.headers))
        .as_deref()
    {
        // One frame that is not compressed is the answer; any other is as good as none.
        Some(b"0") => Ok(taken(
            body.as_deref().and_then(|b| b.strip_prefix(&[0])?.get(4..)),
        )),
        Some(code) => Err(Failure {
            why: format!("it answered with gRPC status {}", String::from_utf8_lossy(code)),
            // Cancelled, deadline exceeded, resource exhausted, aborted, out of range, unavailable, data loss.
            again: matches!(code, b"1" | b"4" | b"8" | b"10" | b"11" | b"14" | b"15"),
            after: None,
        }),
        None => Err(again("it answered without a gRPC status".to_owned())),
    }
}

/// What an answer tells of a message that was taken. Those of the three signals have one form. What cannot be read tells
/// nothing.
fn taken(answer: Option<&[u8]>) -> Taken {
    let read = answer.and_then(|a| ExportTraceServiceResponse::decode(a).ok());
    let partial = read.and_then(|r| r.partial_success).unwrap_or_default();
    Taken {
        refused: u64::try_from(partial.rejected_spans).unwrap_or(0),
        why: partial.error_message.chars().take(200).collect(),
    }
}

fn again(why: String) -> Failure {
    Failure {
        why,
        again: true,
        after: None,
    }
}

/// `Retry-After` in seconds.
fn seconds(headers: &Headers) -> Option<Duration> {
    let seconds = headers.get_str("Retry-After")?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(MAX_WAIT))
}

fn common<'a>(headers: &mut Headers, configured: impl Iterator<Item = (&'a String, &'a str)>) {
    let agent = concat!("trilithon/", env!("CARGO_PKG_VERSION"));
    headers.append("User-Agent", agent);
    configured.for_each(|(name, value)| headers.set(name, value));
}

fn transport(tls: TlsSettings) -> Arc<Transport> {
    Arc::new(Transport::simple(tls, Some(TIMEOUT)))
}

fn tls(config: Option<&TlsClient>) -> Result<TlsSettings, String> {
    let Some(config) = config else {
        return Ok(TlsSettings::default());
    };
    let text = |option: &FileOrContent| read(option).map_err(|e| format!("`tls`: {e}"));
    let root_cas = match config.ca.is_empty() {
        true => Vec::new(),
        false => vec![text(&config.ca)?],
    };
    let certificates = match (config.cert.is_empty(), config.key.is_empty()) {
        (true, true) => Vec::new(),
        (false, false) => vec![(text(&config.cert)?, text(&config.key)?)],
        _ => return Err("`tls` has only one of `cert` and `key`: give both, or none".to_owned()),
    };
    Ok(TlsSettings {
        insecure_skip_verify: config.insecure_skip_verify,
        root_cas,
        certificates,
        ..TlsSettings::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn http(endpoint: &str) -> Result<(String, String), String> {
        let config = HttpExport {
            endpoint: endpoint.to_owned(),
            ..HttpExport::default()
        };
        Collector::new(Signal::Traces, None, Some(&config))
            .map(|c| (c.origin.authority.to_string(), c.target.as_str().to_owned()))
    }

    #[test]
    fn endpoints_over_http() {
        let good = |endpoint: &str, authority: &str, target: &str| {
            assert_eq!(
                http(endpoint),
                Ok((authority.to_owned(), target.to_owned())),
                "{endpoint}"
            );
        };
        good("http://a:4318", "a:4318", "/v1/traces");
        good("https://a/own/path", "a", "/own/path");
        for bad in ["a:4318", "ftp://a", "", "http://", "unix:///x"] {
            assert!(http(bad).is_err(), "{bad}");
        }
        let default = Collector::new(Signal::Logs, None, None).unwrap();
        assert_eq!(
            (default.url(), default.target.as_str()),
            ("https://localhost:4318", "/v1/logs")
        );
    }

    #[test]
    fn endpoints_over_grpc() {
        let check = |endpoint: &str, insecure: bool, want: Option<&str>| {
            let config = Grpc {
                endpoint: endpoint.to_owned(),
                insecure,
                ..Grpc::default()
            };
            let built = Collector::new(Signal::Metrics, Some(&config), Some(&HttpExport::default()));
            assert_eq!(built.as_ref().ok().map(Collector::url), want, "{endpoint}");
        };
        check("a:4317", true, Some("h2c://a:4317"));
        check("[::1]:4317", false, Some("https://[::1]:4317"));
        check("a", true, None);
        check("http://a:1", true, None);
        check("a:port", true, None);
    }

    #[test]
    fn outcomes_over_http() {
        let check = |status: u16, after: &str, want: Result<u64, (bool, Option<u64>)>| {
            let mut res = Response::new(status);
            res.headers.append("Retry-After", after);
            let got = http_outcome(&res, Some(Bytes::from_static(&[0x0a, 0x02, 0x08, 0x03])));
            let got = got
                .map(|t| t.refused)
                .map_err(|f| (f.again, f.after.map(|d| d.as_secs())));
            assert_eq!(got, want, "{status}");
        };
        check(200, "", Ok(3));
        check(400, "", Err((false, None)));
        check(404, "", Err((false, None)));
        check(503, "7", Err((true, Some(7))));
        check(429, "99999999", Err((true, Some(30))));
        check(502, "soon", Err((true, None)));
        assert_eq!(taken(Some(b"no protobuf")), Taken::default());
    }

    #[test]
    fn outcomes_over_grpc() {
        let check = |status: u16, code: Option<&str>, body: &'static [u8], want: Result<u64, bool>| {
            let trailers = code.map(|c| [("Grpc-Status", c)].into_iter().collect::<Headers>());
            let res = Response::new(status);
            let got = grpc_outcome(&res, trailers.as_ref(), Some(Bytes::from_static(body)));
            assert_eq!(
                got.map(|t| t.refused).map_err(|f| f.again),
                want,
                "{status} {code:?}"
            );
        };
        check(200, Some("0"), &[0, 0, 0, 0, 4, 0x0a, 2, 8, 3], Ok(3));
        check(200, Some("0"), &[0, 0], Ok(0));
        check(200, Some("14"), &[], Err(true));
        check(200, Some("3"), &[], Err(false));
        check(200, Some("nonsense"), &[], Err(false));
        check(200, None, &[], Err(true));
        check(404, None, &[], Err(false));
        check(503, None, &[], Err(true));
    }

    #[test]
    fn messages_are_compressed_and_framed() {
        let config = Grpc {
            insecure: true,
            ..Grpc::default()
        };
        let grpc = Collector::new(Signal::Traces, Some(&config), None).unwrap();
        let packed = grpc.pack(b"message");
        assert_eq!(packed[0], 1);
        assert_eq!(
            u32::from_be_bytes(packed[1..5].try_into().unwrap()) as usize,
            packed.len() - 5
        );
        assert_eq!(packed[5..7], [0x1f, 0x8b]);
        let http = Collector::new(Signal::Traces, None, None).unwrap();
        assert_eq!(http.pack(b"message")[..2], [0x1f, 0x8b]);
    }

    #[test]
    fn half_a_certificate_is_refused() {
        let config = HttpExport {
            tls: Some(TlsClient {
                cert: "-----BEGIN CERTIFICATE-----".into(),
                ..TlsClient::default()
            }),
            ..HttpExport::default()
        };
        let error = Collector::new(Signal::Traces, None, Some(&config)).err().unwrap();
        assert!(error.contains("only one"), "{error}");
    }
}
