//! Whether an answer says that the call was too long for the model: there is no status for it.

use bytes::BytesMut;
use trilithon_flow::{Known, Response, prefixed};
use trilithon_wire::json;

/// Bytes of an error that are read.
const MAX_ERROR: usize = 64 * 1024;

/// What vendors write, in lower case. The first is the `code` of OpenAI, which many others send too.
const PHRASES: [&str; 6] = [
    "context_length_exceeded",
    "context length",
    "context window",
    "context limit",
    "prompt is too long",
    "input is too long",
];

/// Whether this is such an error. Its body stays whole.
pub async fn is_too_long(res: &mut Response) -> bool {
    if !matches!(res.status, 400 | 413 | 422) || res.headers.has(Known::ContentEncoding) {
        return false;
    }
    let mut read = BytesMut::new();
    while read.len() <= MAX_ERROR {
        match res.body.chunk().await {
            Some(Ok(chunk)) => read.extend_from_slice(&chunk),
            Some(Err(_)) | None => break,
        }
    }
    let read = read.freeze();
    let is = says_so(&read);
    res.body = prefixed(read, res.body.take());
    is
}

fn says_so(body: &[u8]) -> bool {
    let Ok(root) = json::parse(body) else { return false };
    let error = root.get("error").unwrap_or(root);
    let words = ["code", "type", "message"].into_iter();
    words.filter_map(|name| error.get(name)?.text()).any(|text| {
        let text = text.to_str().to_lowercase();
        PHRASES.iter().any(|phrase| text.contains(phrase))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::fake::run;

    #[test]
    fn errors() {
        let check = |status: u16, body: &'static str, want: bool| {
            let mut res = Response::bare(status, body);
            assert_eq!(run(is_too_long(&mut res)), want, "{status} {body}");
            assert_eq!(
                run(res.body.collect(1 << 20)).unwrap(),
                body,
                "the body stays whole"
            );
        };
        let openai =
            r#"{"error":{"message":"no","type":"invalid_request_error","code":"context_length_exceeded"}}"#;
        check(400, openai, true);
        check(500, openai, false);
        check(200, openai, false);
        check(
            400,
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 200001 tokens > 200000 maximum"}}"#,
            true,
        );
        check(
            400,
            r#"{"object":"error","message":"This model's maximum context length is 8192 tokens.","code":400}"#,
            true,
        );
        check(
            422,
            r#"{"error":{"message":"Input exceeds the Context Window"}}"#,
            true,
        );
        check(400, r#"{"error":{"message":"content_policy_violation"}}"#, false);
        check(400, r#"{"error":{"param":"context length"}}"#, false);
        check(400, r#"{"error":null}"#, false);
        check(400, "context length", false);
        check(400, "", false);
    }
}
