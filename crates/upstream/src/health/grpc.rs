//! Active checks by the gRPC health protocol (`grpc.health.v1.Health/Check`).

use super::http::reach;
use super::own_exchange;
use crate::{Origin, Transport, send};
use std::sync::Arc;
use trilithon_flow::{Body, BuildError, Headers, Known, Method, Request, Target, Version};
use trilithon_model::dynamic::http::HealthCheck;

/// The call that asks one server.
pub struct Ask {
    transport: Arc<Transport>,
    origin: Origin,
    headers: Headers,
}

/// A message of no bytes: the health of the server as a whole.
const EMPTY_MESSAGE: &[u8] = &[0, 0, 0, 0, 0];
/// Largest answer that is read.
const MAX_ANSWER: u64 = 64 * 1024;
const SERVING: u64 = 1;

impl Ask {
    /// For the server at `url`, in clear text unless its scheme or `scheme` is `https`.
    ///
    /// # Errors
    /// When the URL that results is none.
    pub fn new(config: &HealthCheck, url: &str, transport: &Arc<Transport>) -> Result<Ask, BuildError> {
        let origin = reach(&Origin::parse(url)?, url, config)?;
        // Without TLS there is no ALPN to ask: gRPC is HTTP/2 at once.
        let origin = match origin.url.strip_prefix("http://") {
            Some(rest) => Origin::parse(&format!("h2c://{rest}"))?,
            None => origin,
        };
        let mut headers = Headers::new();
        let host = if config.hostname.is_empty() {
            &*origin.authority
        } else {
            &config.hostname
        };
        headers.set_known(Known::Host, host);
        headers.append("Content-Type", "application/grpc");
        headers.append("Te", "trailers");
        for (name, value) in config
            .headers
            .iter()
            .filter(|(name, _)| !name.eq_ignore_ascii_case("host"))
        {
            headers.set(name, value);
        }
        Ok(Ask {
            transport: transport.clone(),
            origin,
            headers,
        })
    }

    /// Asks. `Err` says why the server is unwell.
    pub async fn run(&self) -> Result<(), String> {
        let req = Request {
            method: Method::Post,
            target: Target::new("/grpc.health.v1.Health/Check"),
            version: Version::Http2,
            headers: self.headers.clone(),
            body: Body::from(bytes::Bytes::from_static(EMPTY_MESSAGE)),
            ..Request::default()
        };
        let mut res = send(&self.transport, &self.origin, req, &mut own_exchange())
            .await
            .map_err(|f| f.to_string())?;
        if res.status != 200 {
            return Err(format!("received HTTP status code: {}", res.status));
        }
        let message = res.body.collect(MAX_ANSWER).await.map_err(|f| f.to_string())?;
        let trailers = res.body.trailers().unwrap_or_default();
        let code = trailers
            .get_str("Grpc-Status")
            .or_else(|| res.headers.get_str("Grpc-Status"))
            .unwrap_or("2");
        match code {
            "0" => serving(&message),
            "12" => Err("gRPC server does not implement the health protocol".to_owned()),
            code => Err(format!("gRPC health check failed: code {code}")),
        }
    }
}

/// Whether a framed `HealthCheckResponse` says `SERVING`.
fn serving(frame: &[u8]) -> Result<(), String> {
    let Some((&[0, a, b, c, d], message)) = frame.split_first_chunk::<5>() else {
        return Err("gRPC health check failed: no readable message".to_owned());
    };
    let length = u32::from_be_bytes([a, b, c, d]) as usize;
    match message.get(..length).and_then(status) {
        Some(SERVING) => Ok(()),
        Some(status) => Err(format!("received gRPC status code: {status}")),
        None => Err("gRPC health check failed: no readable message".to_owned()),
    }
}

/// Field 1 of the message, an enum; 0 when absent.
fn status(mut message: &[u8]) -> Option<u64> {
    let mut status = 0;
    while !message.is_empty() {
        let key = varint(&mut message)?;
        match (key >> 3, key & 7) {
            (1, 0) => status = varint(&mut message)?,
            (_, 0) => drop(varint(&mut message)?),
            (_, 1) => message = message.get(8..)?,
            (_, 2) => {
                let length = usize::try_from(varint(&mut message)?).ok()?;
                message = message.get(length..)?;
            }
            (_, 5) => message = message.get(4..)?,
            _ => return None,
        }
    }
    Some(status)
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers() {
        let check = |frame: &[u8], want: &str| {
            let got = serving(frame).map_or_else(|e| e, |()| "serving".into());
            assert_eq!(got, want, "{frame:?}");
        };
        let unreadable = "gRPC health check failed: no readable message";
        check(&[0, 0, 0, 0, 2, 8, 1], "serving");
        check(&[0, 0, 0, 0, 2, 8, 2], "received gRPC status code: 2");
        check(&[0, 0, 0, 0, 0], "received gRPC status code: 0");
        check(&[0, 0, 0, 0, 5, 0x12, 1, b'x', 8, 1], "serving");
        check(&[0, 0, 0, 0, 9, 8, 1], unreadable);
        check(&[1, 0, 0, 0, 2, 8, 1], unreadable);
        check(&[0, 0, 0, 0, 1, 0xff], unreadable);
        check(&[0, 0], unreadable);
        check(b"", unreadable);
    }
}
