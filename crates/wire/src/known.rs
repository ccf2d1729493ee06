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
        const LINE_STARTS: &[&str] = &["", $(concat!($name, ": "),)*];
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
    Proxy = "Proxy",
    Expect = "Expect",
    Date = "Date",
    Server = "Server",
    Accept = "Accept",
    ContentType = "Content-Type",
    ContentEncoding = "Content-Encoding",
    ContentRange = "Content-Range",
    AcceptEncoding = "Accept-Encoding",
    AcceptLanguage = "Accept-Language",
    CacheControl = "Cache-Control",
    LastModified = "Last-Modified",
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
    Baggage = "Baggage",
    LastEventId = "Last-Event-Id",
    McpMethod = "Mcp-Method",
    McpName = "Mcp-Name",
    McpProtocolVersion = "Mcp-Protocol-Version",
    McpSessionId = "Mcp-Session-Id",
}

// One bit of a `u64` stands for each.
const _: () = assert!(ALL.len() <= 64);

const SLOTS: usize = 512;

/// Every name has a slot of its own, found with one multiplication over its last four letters and its length.
static SLOT: [u8; SLOTS] = slots(MULTIPLIER);
const MULTIPLIER: u32 = multiplier();

/// The slot of a name; those of less than four bytes share one.
#[inline(always)]
const fn slot(name: &[u8], multiplier: u32) -> usize {
    let letters = match name.last_chunk::<4>() {
        Some(last) => u32::from_le_bytes(*last) | 0x2020_2020,
        None => 0,
    };
    ((letters ^ ((name.len() as u32) << 5)).wrapping_mul(multiplier) >> 23) as usize
}

/// Fills the table; an entry that does not get a slot of its own leaves `None`.
const fn try_slots(multiplier: u32) -> Option<[u8; SLOTS]> {
    let mut table = [0u8; SLOTS];
    let mut i = 1;
    while i < NAMES.len() {
        let at = slot(NAMES[i].as_bytes(), multiplier);
        if table[at] != 0 {
            return None;
        }
        table[at] = i as u8;
        i += 1;
    }
    Some(table)
}

const fn slots(multiplier: u32) -> [u8; SLOTS] {
    match try_slots(multiplier) {
        Some(table) => table,
        None => panic!("two names share a slot"),
    }
}

/// The first of a series of odd numbers that keeps all names apart.
const fn multiplier() -> u32 {
    let mut m: u32 = 0x9E37_79B1;
    while try_slots(m).is_none() {
        m = m.wrapping_mul(0x0019_660D) | 1;
    }
    m
}

/// The longest name, in words.
const WORDS: usize = 4;

/// Eight bytes of a name, the first lowest.
#[derive(Clone, Copy)]
struct Word {
    /// In canonical spelling; zero behind the name.
    canonical: u64,
    /// Set where a bit of the name stands.
    own: u64,
    /// Set where the bit must be as in `canonical`: all but the case of letters.
    fixed: u64,
}

/// The names as words, so that any case is compared as fast as one.
static SPELLINGS: [[Word; WORDS]; NAMES.len()] = {
    let empty = Word {
        canonical: 0,
        own: 0,
        fixed: 0,
    };
    let mut spellings = [[empty; WORDS]; NAMES.len()];
    let mut i = 0;
    while i < NAMES.len() {
        let name = NAMES[i].as_bytes();
        let mut at = 0;
        while at < name.len() {
            let (word, shift) = (&mut spellings[i][at / 8], 8 * (at % 8));
            word.canonical |= (name[at] as u64) << shift;
            word.own |= 0xff << shift;
            let case = if name[at].is_ascii_alphabetic() { 0x20 } else { 0 };
            word.fixed |= (0xff & !case) << shift;
            at += 1;
        }
        i += 1;
    }
    spellings
};

impl Known {
    /// The entry for `name`, in any case; [`Known::Other`] for a name that is not in the table.
    #[inline]
    pub fn of(name: &[u8]) -> Known {
        let id = Known::candidate(name);
        if NAMES[id].as_bytes().eq_ignore_ascii_case(name) {
            ALL[id]
        } else {
            Known::Other
        }
    }

    /// Like [`Known::of`] for a name in canonical spelling.
    #[inline]
    pub(crate) fn of_canonical(name: &[u8]) -> Known {
        let id = Known::candidate(name);
        if NAMES[id].as_bytes() == name {
            ALL[id]
        } else {
            Known::Other
        }
    }

    /// Puts a known name, the first `len` bytes of `text`, into canonical spelling. Others are left alone, and are
    /// [`Known::Other`] here; so is a name with less than a word of text behind it.
    #[inline(always)]
    pub(crate) fn spell(text: &mut [u8], len: usize) -> Known {
        let id = Known::candidate(&text[..len]);
        let (words, spelling) = (text.as_chunks_mut::<8>().0, &SPELLINGS[id]);
        let Some(words) = words.get_mut(..len.div_ceil(8)) else {
            return Known::Other;
        };
        if NAMES[id].len() != len {
            return Known::Other;
        }
        // Bits in which the name is not as it is spelt here. Nearly everybody spells it so, and then nothing is written.
        let difference = words.iter().zip(spelling).fold(0, |all, (word, like)| {
            all | (u64::from_le_bytes(*word) ^ like.canonical) & like.own
        });
        if difference == 0 {
            return ALL[id];
        }
        let differs =
            |word: &[u8; 8], like: &Word| (u64::from_le_bytes(*word) ^ like.canonical) & like.fixed != 0;
        if words.iter().zip(spelling).any(|(word, like)| differs(word, like)) {
            return Known::Other;
        }
        for (word, like) in words.iter_mut().zip(spelling) {
            *word = (u64::from_le_bytes(*word) & !like.own | like.canonical).to_le_bytes();
        }
        ALL[id]
    }

    #[inline(always)]
    fn candidate(name: &[u8]) -> usize {
        SLOT[slot(name, MULTIPLIER) % SLOTS] as usize
    }

    /// Every entry in the order of its number, [`Known::Other`] first.
    pub const fn all() -> &'static [Known] {
        ALL
    }

    /// The canonical spelling (`X-Forwarded-For`); empty for [`Known::Other`].
    #[inline]
    pub const fn name(self) -> &'static str {
        NAMES[self as usize]
    }

    /// The name as a line starts with it, separator included.
    #[inline]
    pub(crate) const fn line_start(self) -> &'static str {
        LINE_STARTS[self as usize]
    }

    #[inline]
    pub(crate) const fn bit(self) -> u64 {
        1 << self as u8
    }

    /// Headers about one connection (RFC 9110 §7.6.1 and the historical ones): whoever sends a message writes its own.
    #[inline]
    pub const fn is_connection_specific(self) -> bool {
        matches!(
            self,
            Known::Connection
                | Known::TransferEncoding
                | Known::Te
                | Known::Trailer
                | Known::Upgrade
                | Known::KeepAlive
                | Known::ProxyConnection
                | Known::Http2Settings
        )
    }

    /// Headers that are never forwarded: those about one connection, and what a client and its proxy say to prove who
    /// the client is, which only a middleware may pass on or ask for.
    #[inline]
    pub const fn is_hop_by_hop(self) -> bool {
        self.is_connection_specific() || matches!(self, Known::ProxyAuthenticate | Known::ProxyAuthorization)
    }

    /// Headers that say where a message ends and what becomes of its connection. They are never for somebody else to choose: not for who
    /// configures a request of the gateway's own, nor for who fills one in.
    pub const fn is_framing(self) -> bool {
        self.is_connection_specific() || matches!(self, Known::ContentLength | Known::Expect)
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
            for name in [
                id.name().to_owned(),
                id.name().to_ascii_lowercase(),
                id.name().to_ascii_uppercase(),
            ] {
                check_spelt(&name, id);
            }
            for at in 0..id.name().len() {
                for other in 0..=255u8 {
                    let mut name = id.name().as_bytes().to_vec();
                    name[at] = other;
                    check_spelt(&name, Known::of(&name));
                }
            }
        }
        assert_eq!(Known::of(b"x-real-iq"), Known::Other);
        assert_eq!(Known::of(b""), Known::Other);
        assert_eq!(Known::of(&[b'a'; 200]), Known::Other);
    }

    /// Spelt in canonical spelling if it is known, and what stands behind it left alone.
    fn check_spelt(name: impl AsRef<[u8]>, want: Known) {
        let name = name.as_ref();
        let behind = b": value and more";
        let mut text = [name, &behind[..]].concat();
        assert_eq!(Known::spell(&mut text, name.len()), want, "{name:?}");
        let spelt = if want == Known::Other {
            name
        } else {
            want.name().as_bytes()
        };
        assert_eq!(text, [spelt, &behind[..]].concat());
    }
}
