//! The header names that the gateway itself acts on, as small numbers.
//!
//! A [`Known`] is found once, when a header enters a list; from then on a look-up is a bit test and a byte compare.

macro_rules! known {
    ($($variant:ident = $name:literal,)*) => {
        /// A header name that some room of the gateway asks for on the request path.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Known {
            /// Any name that is not in this table.
            Other = 0,
            $(#[doc = $name] $variant,)*
        }

        const NAMES: &[&str] = &["", $($name,)*];
        const ALL: &[Known] = &[Known::Other, $(Known::$variant,)*];
    };
}

known! {
    Host = "Host",
    Connection = "Connection",
    ContentLength = "Content-Length",
    TransferEncoding = "Transfer-Encoding",
    Te = "Te",
    Trailer = "Trailer",
    Upgrade = "Upgrade",
    KeepAlive = "Keep-Alive",
    ProxyConnection = "Proxy-Connection",
    ProxyAuthenticate = "Proxy-Authenticate",
    ProxyAuthorization = "Proxy-Authorization",
    Http2Settings = "Http2-Settings",
    Expect = "Expect",
    Date = "Date",
    Server = "Server",
    ContentType = "Content-Type",
    ContentEncoding = "Content-Encoding",
    ContentRange = "Content-Range",
    AcceptEncoding = "Accept-Encoding",
    Authorization = "Authorization",
    WwwAuthenticate = "Www-Authenticate",
    Cookie = "Cookie",
    SetCookie = "Set-Cookie",
    UserAgent = "User-Agent",
    Referer = "Referer",
    Origin = "Origin",
    Vary = "Vary",
    Location = "Location",
    Range = "Range",
    ETag = "Etag",
    Forwarded = "Forwarded",
    GrpcStatus = "Grpc-Status",
    GrpcMessage = "Grpc-Message",
    SecWebsocketKey = "Sec-Websocket-Key",
    SecWebsocketVersion = "Sec-Websocket-Version",
    XForwardedFor = "X-Forwarded-For",
    XForwardedHost = "X-Forwarded-Host",
    XForwardedMethod = "X-Forwarded-Method",
    XForwardedPort = "X-Forwarded-Port",
    XForwardedPrefix = "X-Forwarded-Prefix",
    XForwardedProto = "X-Forwarded-Proto",
    XForwardedServer = "X-Forwarded-Server",
    XForwardedTlsClientCert = "X-Forwarded-Tls-Client-Cert",
    XForwardedTlsClientCertInfo = "X-Forwarded-Tls-Client-Cert-Info",
    XForwardedUri = "X-Forwarded-Uri",
    XRealIp = "X-Real-Ip",
    Traceparent = "Traceparent",
}

// One bit of a `u64` stands for each.
const _: () = assert!(ALL.len() <= 64);

/// First entry of each name length, then the entries of that length: found by length, compared by bytes.
static BY_LENGTH: [[u8; 6]; 36] = by_length();

const fn by_length() -> [[u8; 6]; 36] {
    let mut table = [[0u8; 6]; 36];
    let mut i = 1;
    while i < NAMES.len() {
        let row = &mut table[NAMES[i].len()];
        let mut slot = 0;
        while row[slot] != 0 {
            slot += 1;
        }
        row[slot] = i as u8;
        i += 1;
    }
    table
}

impl Known {
    /// The entry for `name`, in any case; [`Known::Other`] for a name that is not in the table.
    #[inline]
    pub fn of(name: &[u8]) -> Known {
        let Some(row) = BY_LENGTH.get(name.len()) else { return Known::Other };
        for &id in row {
            if id == 0 {
                break;
            }
            if NAMES[id as usize].as_bytes().eq_ignore_ascii_case(name) {
                return ALL[id as usize];
            }
        }
        Known::Other
    }

    /// The canonical spelling (`X-Forwarded-For`); empty for [`Known::Other`].
    #[inline]
    pub const fn name(self) -> &'static str {
        NAMES[self as usize]
    }

    #[inline]
    pub(crate) const fn bit(self) -> u64 {
        1 << self as u8
    }

    /// Hop-by-hop headers (RFC 9110 §7.6.1 and the historical ones): never forwarded.
    #[inline]
    pub const fn is_hop_by_hop(self) -> bool {
        matches!(
            self,
            Known::Connection
                | Known::TransferEncoding
                | Known::Te
                | Known::Trailer
                | Known::Upgrade
                | Known::KeepAlive
                | Known::ProxyConnection
                | Known::ProxyAuthenticate
                | Known::ProxyAuthorization
                | Known::Http2Settings
        )
    }

    /// The headers by which a proxy tells the next one who the client is; deleted when an untrusted peer sends them.
    #[inline]
    pub const fn is_forwarding(self) -> bool {
        matches!(
            self,
            Known::XForwardedFor
                | Known::XForwardedHost
                | Known::XForwardedMethod
                | Known::XForwardedPort
                | Known::XForwardedPrefix
                | Known::XForwardedProto
                | Known::XForwardedServer
                | Known::XForwardedTlsClientCert
                | Known::XForwardedTlsClientCertInfo
                | Known::XForwardedUri
                | Known::XRealIp
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_in_any_case() {
        for &id in &ALL[1..] {
            assert_eq!(Known::of(id.name().as_bytes()), id);
            assert_eq!(Known::of(id.name().to_ascii_lowercase().as_bytes()), id);
        }
        assert_eq!(Known::of(b"x-real-iq"), Known::Other);
        assert_eq!(Known::of(b""), Known::Other);
        assert_eq!(Known::of(&[b'a'; 200]), Known::Other);
    }
}
