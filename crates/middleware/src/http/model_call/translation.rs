//! Calls in one format to servers of another (`upstreamFormat`): the request is translated before the rest of the chain, the
//! answer behind it. What stands behind sees the upstream's format, what stands in front the client's.

mod stream;

use super::enforce::Param;
use super::govern::Settings;
use super::meter::{is_readable, is_stream};
use super::{Opened, answer};
use bytes::Bytes;
use trilithon_ai::dialect::Dialect;
use trilithon_ai::translate::{self, parameter};
use trilithon_flow::limits::{MAX_MODEL_ANSWER, MAX_MODEL_ERROR};
use trilithon_flow::model_call::name;
use trilithon_flow::record::Name;
use trilithon_flow::{BuildError, Fault, FaultKind, Format, Headers, Known, Request, Response, SharedCall};
use trilithon_model::dynamic::http::UpstreamFormat;

/// Tells the client which of its parameters were left out.
const DROPPED: &str = "X-Trilithon-Dropped";
/// Names that are told; a client can make up any number.
const MAX_NAMES: usize = 32;
/// Bytes of a name that is told.
const MAX_NAME: usize = 64;

/// Two dialects with a translation between them.
pub struct Translation {
    client: Dialect,
    upstream: Dialect,
}

/// A request that went over to the upstream's dialect. While this is there the call is told to be of that format; then, or
/// when the client leaves, it is the client's again.
pub struct Crossing {
    call: SharedCall,
    client: Format,
    upstream: Format,
    dropped: Vec<Name>,
}

impl Translation {
    /// `None` where both sides speak the same.
    ///
    /// # Errors
    /// Settings that would have no effect: what they set has no place in the upstream's format.
    pub fn build(
        client: Dialect,
        settings: &Settings<'_>,
        params: &[Param],
    ) -> Result<Option<Translation>, BuildError> {
        let Some(format) = settings.upstream_format else {
            return Ok(None);
        };
        let upstream = match format {
            UpstreamFormat::Ccr => Dialect::Chat,
            UpstreamFormat::MessagesApi => Dialect::Messages,
        };
        if upstream == client {
            return Ok(None);
        }
        let lost = [
            ("anthropicVersion", !settings.anthropic_version.is_empty()),
            ("promptCaching", settings.prompt_caching),
        ];
        let lost = lost
            .into_iter()
            .find_map(|(option, given)| given.then_some(option));
        let param = params
            .iter()
            .map(Param::name)
            .find(|name| !matches!(parameter::fate(client, name), parameter::Fate::Mapped(_)));
        if let Some(what) = lost.or(param) {
            let format = format.as_str();
            return Err(BuildError::new(format!(
                "`{what}` is set, and `upstreamFormat` `{format}` has nothing like it"
            ))
            .help("remove one of the two"));
        }
        Ok(Some(Translation { client, upstream }))
    }

    /// The dialect of the upstream.
    pub fn upstream(&self) -> Dialect {
        self.upstream
    }

    /// The answer to a request that is no call in the client's dialect, or none that has its like in the upstream's.
    pub fn no_call(&self, path: &str) -> Response {
        let only = translate::path(self.client);
        let message =
            format!("`{path}` cannot be translated for this model's server: only calls of `…{only}` are");
        answer::error(self.client, 404, &message)
    }

    /// Translates a request, its path and what its head says of the body.
    ///
    /// # Errors
    /// The refusal, in the client's dialect: 404 for another operation, 400 for a parameter that cannot be translated.
    pub fn request(&self, req: &mut Request, body: &Bytes, call: &SharedCall) -> Result<Crossing, Response> {
        let (own, other) = (translate::path(self.client), translate::path(self.upstream));
        let Some(base) = req.target.path().strip_suffix(own) else {
            return Err(self.no_call(req.target.path()));
        };
        let path = format!("{base}{other}");
        let translated = translate::request(self.client, body)
            .map_err(|invalid| answer::json(400, self.client.invalid(&invalid)))?;
        req.target.set_path(&path);
        req.target.set_query(None);
        let accept = if call.borrow().stream {
            "text/event-stream"
        } else {
            answer::JSON
        };
        req.headers.set_known(Known::Accept, accept);
        req.headers.set_known(Known::ContentType, answer::JSON);
        Opened::put(req, translated.body.into());
        let crossing = Crossing {
            call: call.clone(),
            client: self.client.format(),
            upstream: self.upstream.format(),
            dropped: told(&translated.dropped),
        };
        crossing.tell(crossing.upstream);
        Ok(crossing)
    }

    /// Translates what came of it. `tells_usage` is whether a client of Chat Completions asked for the usage of a stream.
    pub async fn answer(&self, res: Response, crossing: Crossing, tells_usage: bool) -> Response {
        let call = crossing.call.clone();
        let dropped = crossing.dropped.join(", ");
        drop(crossing);
        let mut res = if res.fault.is_some() || is_own_word(&res, &call) {
            res
        } else {
            self.translate(res, &call, tells_usage).await
        };
        res.headers.remove(DROPPED);
        if !dropped.is_empty() {
            res.headers.append(DROPPED, dropped);
        }
        res
    }

    async fn translate(&self, res: Response, call: &SharedCall, tells_usage: bool) -> Response {
        match res.status {
            200..300 if !is_readable(&res) => self.failed("it is compressed", call),
            200..300 if is_stream(&res) => self.stream(res, call, tells_usage),
            200..300 => self.whole(res, call).await,
            400.. => self.error(res).await,
            status => self.failed(&format!("its status is {status}"), call),
        }
    }

    fn stream(&self, mut res: Response, call: &SharedCall, tells_usage: bool) -> Response {
        let Some(stream) = translate::Stream::new(self.client, answer::now(), tells_usage) else {
            return self.failed("streams of this format are not translated", call);
        };
        self.head(&mut res.headers);
        res.body = stream::translated(res.body.take(), stream, call.clone());
        res
    }

    async fn whole(&self, mut res: Response, call: &SharedCall) -> Response {
        let told = match res.body.collect(MAX_MODEL_ANSWER as u64).await {
            Ok(told) => told,
            Err(fault) => {
                let why = match fault.kind {
                    FaultKind::TooLarge => "it is too large",
                    _ => "it broke off",
                };
                let mut failed = self.failed(why, call);
                failed.fault = Some(Box::new(fault));
                return failed;
            }
        };
        match translate::answer(self.client, &told, answer::now()) {
            Ok(body) => self.instead(res, answer::JSON, body),
            Err(malformed) => self.failed(malformed.0, call),
        }
    }

    async fn error(&self, mut res: Response) -> Response {
        let coded = res.headers.has(Known::ContentEncoding);
        let told = match res.body.collect(MAX_MODEL_ERROR).await {
            Ok(told) if !coded => told,
            _ => Bytes::new(),
        };
        let (status, body) = translate::error(self.client, res.status, &told);
        res.status = status;
        self.instead(res, answer::JSON, body)
    }

    /// The answer with another body.
    fn instead(&self, mut res: Response, kind: &str, body: Vec<u8>) -> Response {
        self.head(&mut res.headers);
        res.headers.remove_known(Known::ContentEncoding);
        res.headers.set_known(Known::ContentType, kind);
        res.body = Bytes::from(body).into();
        res
    }

    /// Of the head goes what said something of the body as it was; the request's id gets the name that clients look for.
    fn head(&self, headers: &mut Headers) {
        headers.remove_known(Known::ContentLength);
        headers.remove("ETag");
        let (own, other) = (request_id(self.client), request_id(self.upstream));
        if let Some(id) = headers.get(other).map(<[u8]>::to_vec) {
            headers.set(own, id);
        }
    }

    /// The answer in place of one that is none: no part of it is passed on as if it were whole.
    fn failed(&self, why: &str, call: &SharedCall) -> Response {
        let mut res = answer::error(self.client, 502, &refuse(why, call));
        res.fault = call.borrow().fault.clone().map(Box::new);
        res
    }
}

impl Crossing {
    fn tell(&self, format: Format) {
        let mut call = self.call.borrow_mut();
        call.format = format;
        call.upstream_format = Some(self.upstream);
        call.dropped.clone_from(&self.dropped);
    }
}

impl Drop for Crossing {
    fn drop(&mut self) {
        self.tell(self.client);
    }
}

/// Whether a guard or limit behind said this in the operator's own words (`onDenyResponse.contentType`).
fn is_own_word(res: &Response, call: &SharedCall) -> bool {
    let kind = res.headers.known(Known::ContentType).unwrap_or_default();
    call.borrow().denied_by.is_some() && !is_stream(res) && !kind.starts_with(answer::JSON.as_bytes())
}

/// Tells the call that the answer of its last attempt is none, and says what the client is told of it.
fn refuse(why: &str, call: &SharedCall) -> String {
    let fault = Fault::new(
        FaultKind::Malformed,
        format!("no translation of the model's answer: {why}"),
    );
    call.borrow_mut().broke(fault);
    format!("the answer of the model's server cannot be translated: {why}")
}

/// Where a dialect's servers tell the request's id.
fn request_id(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Chat | Dialect::Responses => "X-Request-Id",
        Dialect::Messages => "Request-Id",
    }
}

/// The names of what was dropped, as a header holds them: clients make names up.
fn told(dropped: &[String]) -> Vec<Name> {
    let is_told = |name: &&String| {
        let fits = name.len() <= MAX_NAME;
        fits && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b))
    };
    let mut told: Vec<Name> = dropped
        .iter()
        .filter(is_told)
        .take(MAX_NAMES)
        .map(|n| name(n))
        .collect();
    if told.len() < dropped.len() {
        told.push(name(&format!("({} more)", dropped.len() - told.len())));
    }
    told
}

#[cfg(test)]
mod tests;
