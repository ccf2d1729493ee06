//! Which fields, headers and query parameters are written.

use trilithon_model::install::{AccessLogFields, FieldHeaders};

/// The fields with a name of their own, in the order of their names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Field {
    ClientAddr,
    ClientHost,
    ClientPort,
    ClientUsername,
    Decisions,
    DownstreamContentSize,
    DownstreamStatus,
    Duration,
    GzipRatio,
    McpCall,
    ModelCall,
    OriginContentSize,
    OriginDuration,
    OriginStatus,
    Overhead,
    RequestAddr,
    RequestContentSize,
    RequestCount,
    RequestHost,
    RequestMethod,
    RequestPath,
    RequestPort,
    RequestProtocol,
    RequestScheme,
    RetryAttempts,
    RouterName,
    ServiceAddr,
    ServiceName,
    ServiceUrl,
    SpanId,
    StartLocal,
    StartUtc,
    TlsCipher,
    TlsClientSubject,
    TlsVersion,
    TraceId,
    EntryPointName,
}

/// Their names, in the order of [`Field`].
const NAMES: [&str; 37] = [
    "ClientAddr",
    "ClientHost",
    "ClientPort",
    "ClientUsername",
    "Decisions",
    "DownstreamContentSize",
    "DownstreamStatus",
    "Duration",
    "GzipRatio",
    "McpCall",
    "ModelCall",
    "OriginContentSize",
    "OriginDuration",
    "OriginStatus",
    "Overhead",
    "RequestAddr",
    "RequestContentSize",
    "RequestCount",
    "RequestHost",
    "RequestMethod",
    "RequestPath",
    "RequestPort",
    "RequestProtocol",
    "RequestScheme",
    "RetryAttempts",
    "RouterName",
    "ServiceAddr",
    "ServiceName",
    "ServiceURL",
    "SpanId",
    "StartLocal",
    "StartUTC",
    "TLSCipher",
    "TLSClientSubject",
    "TLSVersion",
    "TraceId",
    "entryPointName",
];

impl Field {
    pub fn name(self) -> &'static str {
        NAMES[self as usize]
    }
}

/// What happens to a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    Keep,
    #[default]
    Drop,
    Redact,
}

impl Mode {
    /// An unknown word is `otherwise`.
    fn of(word: &str, otherwise: Mode) -> Mode {
        match word {
            "keep" => Mode::Keep,
            "drop" => Mode::Drop,
            "redact" => Mode::Redact,
            _ => otherwise,
        }
    }
}

/// What is written of a line.
#[derive(Debug)]
pub struct Fields {
    /// One bit per [`Field`].
    kept: u64,
    header_default: Mode,
    headers: Vec<(Box<[u8]>, Mode)>,
    /// The query is left out of the path. (`redact` keeps it, in Traefik too.)
    pub drop_query: bool,
}

impl Fields {
    pub fn of(config: Option<&AccessLogFields>) -> Fields {
        let everything = AccessLogFields::default();
        let config = config.unwrap_or(&everything);
        let keep = |word: &str, otherwise: bool| match word {
            "keep" => true,
            "drop" => false,
            _ => otherwise,
        };
        let default = keep(&config.default_mode, true);
        let mut kept = 0;
        for (i, name) in NAMES.iter().enumerate() {
            let own = config.names.iter().find(|(n, _)| n.eq_ignore_ascii_case(name));
            if own.map_or(default, |(_, word)| keep(word, default)) {
                kept |= 1 << i;
            }
        }
        let nothing = FieldHeaders::default();
        let headers = config.headers.as_ref().unwrap_or(&nothing);
        let header_default = Mode::of(&headers.default_mode, Mode::Drop);
        let named = headers.names.iter();
        Fields {
            kept,
            header_default,
            headers: named
                .map(|(n, word)| (n.as_bytes().into(), Mode::of(word, header_default)))
                .collect(),
            drop_query: config
                .query_parameters
                .as_ref()
                .is_some_and(|q| q.default_mode == "drop"),
        }
    }

    #[inline]
    pub fn has(&self, field: Field) -> bool {
        self.kept & (1 << field as u8) != 0
    }

    /// What happens to a header, by its name in any case.
    pub fn header(&self, name: &[u8]) -> Mode {
        let own = self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name));
        own.map_or(self.header_default, |(_, mode)| *mode)
    }

    /// Whether any header at all may be written.
    pub fn any_header(&self) -> bool {
        self.header_default != Mode::Drop || self.headers.iter().any(|(_, mode)| *mode != Mode::Drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_in_order() {
        assert_eq!(Field::ServiceUrl.name(), "ServiceURL");
        assert_eq!(Field::EntryPointName.name(), "entryPointName");
        assert!(NAMES.is_sorted());
    }

    #[test]
    fn names_and_words_in_any_case_and_unknown_ones() {
        let mut config = AccessLogFields {
            default_mode: "drop".into(),
            ..Default::default()
        };
        for (name, word) in [
            ("requestpath", "keep"),
            ("RouterName", "other"),
            ("ServiceURL", "redact"),
        ] {
            config.names.insert(name.into(), word.into());
        }
        let fields = Fields::of(Some(&config));
        assert!(fields.has(Field::RequestPath));
        assert!(
            !fields.has(Field::RouterName) && !fields.has(Field::ServiceUrl) && !fields.has(Field::Duration)
        );
        assert!(Fields::of(None).has(Field::StartLocal));
    }

    #[test]
    fn headers_are_dropped_unless_named() {
        let mut config = AccessLogFields::default();
        let headers = config.headers.get_or_insert_default();
        headers.names.insert("x-in".into(), "keep".into());
        headers.names.insert("X-RED".into(), "redact".into());
        let fields = Fields::of(Some(&config));
        assert_eq!(fields.header(b"X-In"), Mode::Keep);
        assert_eq!(fields.header(b"x-red"), Mode::Redact);
        assert_eq!(fields.header(b"Cookie"), Mode::Drop);
        assert!(fields.any_header() && !Fields::of(None).any_header());
    }
}
