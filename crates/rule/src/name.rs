//! The names of the matchers, who knows them, and what somebody probably meant.

/// The kind of router a rule belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    Http,
    Tcp,
}

/// The dialect of a rule (`ruleSyntax`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Syntax {
    /// Traefik v2: several arguments, templates such as `{name:regex}`.
    V2,
    #[default]
    V3,
}

impl Syntax {
    /// `v2` is v2; every other word, `default` and the empty one included, is v3.
    pub fn from_name(name: &str) -> Self {
        if name == "v2" { Self::V2 } else { Self::V3 }
    }
}

/// A matcher's name, in whatever letter case it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Name {
    Host,
    HostHeader,
    HostRegexp,
    Method,
    Path,
    PathPrefix,
    PathRegexp,
    Header,
    Headers,
    HeaderRegexp,
    HeadersRegexp,
    Query,
    QueryRegexp,
    Model,
    ModelRegexp,
    ClientIp,
    HostSni,
    HostSniRegexp,
    Alpn,
}

use Name::*;

const HTTP_V3: &[Name] = &[
    Host,
    HostRegexp,
    Method,
    Path,
    PathPrefix,
    PathRegexp,
    Header,
    HeaderRegexp,
    Query,
    QueryRegexp,
    Model,
    ModelRegexp,
    ClientIp,
];
const HTTP_V2: &[Name] = &[
    Host,
    HostHeader,
    HostRegexp,
    ClientIp,
    Path,
    PathPrefix,
    Method,
    Headers,
    HeadersRegexp,
    Query,
];
const TCP: &[Name] = &[HostSni, HostSniRegexp, Alpn, ClientIp];

impl Name {
    /// The name as Traefik's documents spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Host => "Host",
            HostHeader => "HostHeader",
            HostRegexp => "HostRegexp",
            Method => "Method",
            Path => "Path",
            PathPrefix => "PathPrefix",
            PathRegexp => "PathRegexp",
            Header => "Header",
            Headers => "Headers",
            HeaderRegexp => "HeaderRegexp",
            HeadersRegexp => "HeadersRegexp",
            Query => "Query",
            QueryRegexp => "QueryRegexp",
            Model => "Model",
            ModelRegexp => "ModelRegexp",
            ClientIp => "ClientIP",
            HostSni => "HostSNI",
            HostSniRegexp => "HostSNIRegexp",
            Alpn => "ALPN",
        }
    }

    /// The matchers a dialect has.
    pub fn all(protocol: Protocol, syntax: Syntax) -> &'static [Name] {
        match (protocol, syntax) {
            (Protocol::Http, Syntax::V3) => HTTP_V3,
            (Protocol::Http, Syntax::V2) => HTTP_V2,
            (Protocol::Tcp, _) => TCP,
        }
    }

    /// Finds a name written exactly, all lower, all upper or in title case (`Pathprefix`).
    pub fn resolve(protocol: Protocol, syntax: Syntax, text: &str) -> Option<Name> {
        Self::all(protocol, syntax)
            .iter()
            .copied()
            .find(|name| name.accepts(text))
    }

    fn accepts(self, text: &str) -> bool {
        let name = self.as_str();
        if !name.eq_ignore_ascii_case(text) {
            return false;
        }
        let (first, rest) = text.as_bytes().split_at(1);
        let lower_rest = !rest.iter().any(u8::is_ascii_uppercase);
        let upper = !text.bytes().any(|b| b.is_ascii_lowercase());
        name == text || upper || (lower_rest && first[0].is_ascii_alphabetic())
    }

    /// A sentence for somebody who wrote the unknown name `text`.
    pub(crate) fn help(protocol: Protocol, syntax: Syntax, text: &str) -> String {
        let known = Self::all(protocol, syntax);
        if let Some(stranger) = stranger(protocol, syntax, text) {
            return stranger.to_owned();
        }
        let close = known
            .iter()
            .map(|n| {
                (
                    distance(&text.to_ascii_lowercase(), &n.as_str().to_ascii_lowercase()),
                    n.as_str(),
                )
            })
            .min();
        match close {
            Some((d, name)) if d <= 2 && d * 2 <= name.len() => format!("did you mean `{name}`?"),
            _ => {
                let all: Vec<_> = known.iter().map(|n| format!("`{}`", n.as_str())).collect();
                format!("the matchers here are {}", all.join(", "))
            }
        }
    }
}

/// Names that exist, but in another dialect or for another kind of router.
fn stranger(protocol: Protocol, syntax: Syntax, text: &str) -> Option<&'static str> {
    Some(match (protocol, syntax, text.to_ascii_lowercase().as_str()) {
        (Protocol::Http, Syntax::V3, "headers") => {
            "`Headers` is v2 syntax: write `Header`, or set `ruleSyntax: v2`"
        }
        (Protocol::Http, Syntax::V3, "headersregexp") => {
            "`HeadersRegexp` is v2 syntax: write `HeaderRegexp`, or set `ruleSyntax: v2`"
        }
        (Protocol::Http, Syntax::V3, "hostheader") => {
            "`HostHeader` is v2 syntax: write `Host`, or set `ruleSyntax: v2`"
        }
        (Protocol::Http, Syntax::V2, "header") => "`Header` is v3 syntax: in v2 write `Headers`",
        (Protocol::Http, Syntax::V2, "headerregexp") => {
            "`HeaderRegexp` is v3 syntax: in v2 write `HeadersRegexp`"
        }
        (Protocol::Http, Syntax::V2, "pathregexp") => {
            "`PathRegexp` is v3 syntax: in v2 write `Path` with `{name:regex}`"
        }
        (Protocol::Http, _, "hostsni") => "`HostSNI` is for TCP routers: write `Host`",
        (Protocol::Http, _, "hostsniregexp") => "`HostSNIRegexp` is for TCP routers: write `HostRegexp`",
        (Protocol::Tcp, _, "host") => "`Host` is for HTTP routers: write `HostSNI`",
        (Protocol::Tcp, _, "hostregexp") => "`HostRegexp` is for HTTP routers: write `HostSNIRegexp`",
        _ => return None,
    })
}

/// Edit distance of two short words; words longer than any name are simply far.
fn distance(a: &str, b: &str) -> usize {
    if a.len() > 32 {
        return usize::MAX;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, known: bool, hint: &str) {
        assert_eq!(
            Name::resolve(Protocol::Http, Syntax::V3, text).is_some(),
            known,
            "{text}"
        );
        if !known {
            let help = Name::help(Protocol::Http, Syntax::V3, text);
            assert!(help.contains(hint), "{text}: {help}");
        }
    }

    #[test]
    fn letter_cases_and_hints() {
        for text in [
            "PathPrefix",
            "pathprefix",
            "PATHPREFIX",
            "Pathprefix",
            "ClientIP",
            "Clientip",
            "CLIENTIP",
        ] {
            check(text, true, "");
        }
        check("pathPrefix", false, "did you mean `PathPrefix`?");
        check("ClientIp", false, "did you mean `ClientIP`?");
        check("Hots", false, "did you mean `Host`?");
        check("Headers", false, "v2 syntax");
        check("HostSNI", false, "TCP");
        check("Nope", false, "the matchers here are `Host`,");
        check(&"x".repeat(5000), false, "the matchers here are");
    }
}
