//! Why input is refused: one word for the counter and the log, one status for the answer.

use thiserror::Error;

macro_rules! reject {
    ($($(#[$doc:meta])* $variant:ident = $status:literal $reason:literal,)*) => {
        /// A refusal. The connection is closed after it: where the next message starts is no longer known.
        ///
        /// For bytes of an upstream the status is meaningless, the reason is not.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
        #[error("{}", self.reason())]
        pub enum Reject { $($(#[$doc])* $variant,)* }

        impl Reject {
            /// Every refusal there is, for metrics that start at zero.
            pub const ALL: &[Reject] = &[$(Reject::$variant,)*];

            /// The status to answer: 400, 417, 431, 501 or 505.
            pub const fn status(self) -> u16 {
                match self { $(Reject::$variant => $status,)* }
            }

            /// A short stable word (`both-cl-and-te`).
            pub const fn reason(self) -> &'static str {
                match self { $(Reject::$variant => $reason,)* }
            }
        }
    };
}

reject! {
    /// The request line is not `method SP target SP version CRLF` (RFC 9112 §3).
    RequestLine = 400 "bad-request-line",
    /// The target is in none of the four forms of RFC 9112 §3.2, or has a control byte.
    Target = 400 "bad-target",
    /// The target has a fragment, which is for the client alone (RFC 9112 §3.2).
    Fragment = 400 "fragment",
    /// Neither HTTP/1.0 nor a later HTTP/1.
    Version = 505 "unsupported-version",
    /// The status line is not `version SP 3DIGIT SP reason CRLF` (RFC 9112 §4).
    StatusLine = 400 "bad-status-line",
    /// A CR, LF or NUL where none may be (RFC 9112 §2.2).
    LineEnd = 400 "bare-line-end",
    /// A field line that continues the one before (RFC 9112 §5.2).
    Folded = 400 "folded-header",
    /// A field name that is empty, not a token, or followed by white space (RFC 9112 §5.1).
    FieldName = 400 "bad-header-name",
    /// A control byte in a field value (RFC 9110 §5.5).
    FieldValue = 400 "bad-header-value",
    /// More bytes of head than the limit.
    HeadBytes = 431 "head-too-large",
    /// More fields than the limit.
    HeadFields = 431 "too-many-headers",
    /// `Content-Length` and `Transfer-Encoding` in one message (RFC 9112 §6.1).
    BothClAndTe = 400 "both-cl-and-te",
    /// `Content-Length` that is repeated or not a number (RFC 9112 §6.3).
    ContentLength = 400 "bad-content-length",
    /// `Transfer-Encoding` that is repeated or malformed, or in HTTP/1.0 (RFC 9112 §6.1).
    TransferEncoding = 400 "bad-transfer-encoding",
    /// A transfer coding that is not `chunked`.
    TransferCoding = 501 "unknown-transfer-coding",
    /// A name that other software reads as a framing header (`Transfer_Encoding`).
    FramingAlias = 400 "framing-alias",
    /// HTTP/1.1 without `Host` (RFC 9112 §3.2).
    HostMissing = 400 "no-host",
    /// More than one `Host`.
    HostRepeated = 400 "repeated-host",
    /// `Host`, or the authority of the target, is no host and port.
    HostInvalid = 400 "bad-host",
    /// `Expect` with something else than `100-continue` (RFC 9110 §10.1.1).
    Expectation = 417 "unknown-expectation",
    /// A chunk size that is not 1 to 16 hexadecimal digits, or not followed by `;` or CRLF (RFC 9112 §7.1).
    ChunkSize = 400 "bad-chunk-size",
    /// A chunk extension that is malformed (RFC 9112 §7.1.1).
    ChunkExtension = 400 "bad-chunk-extension",
    /// Chunk extensions, or framing in relation to data, beyond the limit.
    ChunkOverhead = 400 "chunk-overhead",
    /// Chunk data not followed by CRLF.
    ChunkEnd = 400 "bad-chunk-end",
    /// The connection ended inside a body.
    Truncated = 400 "truncated-body",
    /// A PROXY protocol header that is malformed.
    Proxy = 400 "bad-proxy-header",
}
