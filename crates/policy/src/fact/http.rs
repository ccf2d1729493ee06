//! `http.*`: the request as it is when the policy is asked, after the middlewares in front of it.

use super::{Fact, Facts, Namespace, Read, text};
use crate::value::{Failure, Kind, Value};
use std::borrow::Cow;
use trilithon_flow::target::decode;
use trilithon_rule::{canonical_host, routing_path};

const fn plain(
    name: &'static str,
    doc: &'static str,
    read: for<'a> fn(&'a Facts<'a>) -> Result<Value<'a>, Failure>,
) -> Fact {
    Fact {
        name,
        kind: Kind::Text,
        doc,
        sensitive: false,
        from_caller: false,
        read: Read::Plain(read),
    }
}

pub const NAMESPACE: Namespace = Namespace {
    name: "http",
    facts: &[
        plain("http.method", "The method, in upper case.", |f| {
            Ok(Value::text(f.request.method.as_str()))
        }),
        plain(
            "http.scheme",
            "`https` when the client's connection to the gateway is encrypted, else `http`.",
            |f| {
                let secure = f.exchange.connection.tls.is_some();
                Ok(Value::text(if secure { "https" } else { "http" }))
            },
        ),
        plain(
            "http.host",
            "The host asked for: lower case, without port.",
            |f| text(canonical_host(f.request.host()), "http.host"),
        ),
        plain(
            "http.path",
            "The path as routers match it: decoded, but for reserved characters.",
            path,
        ),
        Fact {
            name: "http.query",
            kind: Kind::Text,
            doc: "A parameter of the query, decoded. One that comes twice is an error: two readers would disagree on it.",
            sensitive: true,
            from_caller: false,
            read: Read::Named(query),
        },
        Fact {
            name: "http.header",
            kind: Kind::Text,
            doc: "A header of the request, by its name in any case; several of one name are joined by `, `.",
            sensitive: true,
            from_caller: false,
            read: Read::Named(header),
        },
        plain(
            "http.client_ip",
            "The client's address, as `ipStrategy` finds it.",
            |f| Ok(Value::text(f.client_ip)),
        ),
        plain("http.entry_point", "The name of the entry point.", |f| {
            Ok(Value::text(&f.exchange.connection.entry_point))
        }),
        plain(
            "http.router",
            "The name of the router (`shop@file`); those of layers are joined by ` -> `.",
            |f| {
                Ok(Value::text(
                    f.exchange.record.router.as_deref().unwrap_or_default(),
                ))
            },
        ),
        plain(
            "http.tls.version",
            "The version of TLS (`1.3`); empty on a clear connection.",
            |f| {
                let tls = f.exchange.connection.tls.as_ref();
                Ok(Value::text(tls.map_or("", |t| t.version)))
            },
        ),
        plain(
            "http.tls.sni",
            "The server name that TLS asked for; empty without one.",
            |f| {
                let tls = f.exchange.connection.tls.as_ref();
                Ok(Value::text(
                    tls.and_then(|t| t.sni.as_deref()).unwrap_or_default(),
                ))
            },
        ),
    ],
};

fn path<'a>(facts: &'a Facts<'a>) -> Result<Value<'a>, Failure> {
    let unreadable = || Failure::NotText("http.path".to_owned());
    let path = routing_path(facts.request.target.path().as_bytes()).map_err(|_| unreadable())?;
    text(path, "http.path")
}

fn header<'a>(facts: &'a Facts<'a>, name: &'a str) -> Result<Option<Value<'a>>, Failure> {
    let mut values = facts.request.headers.get_all(name.as_bytes());
    let Some(first) = values.next() else {
        return Ok(None);
    };
    let mut whole = Cow::Borrowed(first);
    for value in values {
        // RFC 9110 §5.3: that is what several lines of one name mean.
        let joined = whole.to_mut();
        joined.extend_from_slice(b", ");
        joined.extend_from_slice(value);
    }
    text(whole, name).map(Some)
}

fn query<'a>(facts: &'a Facts<'a>, name: &'a str) -> Result<Option<Value<'a>>, Failure> {
    let pairs = facts.request.target.query().unwrap_or_default().split('&');
    let mut found = pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .filter(|(key, _)| *form_decoded(key) == *name.as_bytes());
    let Some((_, value)) = found.next() else {
        return Ok(None);
    };
    if found.next().is_some() {
        return Err(Failure::Repeated(format!("http.query[\"{name}\"]")));
    }
    text(form_decoded(value), name).map(Some)
}

/// A name or value of a query: `+` is a space.
fn form_decoded(text: &str) -> Cow<'_, [u8]> {
    if !text.contains('+') {
        return decode(text);
    }
    let spaced = text.replace('+', " ");
    decode(&spaced).into_owned().into()
}

#[cfg(test)]
mod tests {
    use crate::fact::Named;
    use crate::fact::find;
    use crate::testing::World;

    fn check(world: &World, name: &str, key: &str, want: &str) {
        let named = Named::new(find(name).unwrap(), key, &[]);
        let facts = world.facts();
        let got = named
            .read(&facts)
            .map_or_else(|f| format!("! {f}"), |v| v.to_string());
        assert_eq!(got, want, "{name} {key}");
    }

    #[test]
    fn heads() {
        let world = World::new("GET", "/a%2fb/%C3%A9?q=1%202&r=a+b&q2&x=1&x=2&%71=3")
            .host("Shop.Test:8080")
            .header("X-Env", "a")
            .header("x-env", "b");
        check(&world, "http.method", "", "GET");
        check(&world, "http.scheme", "", "http");
        check(&world, "http.host", "", "shop.test");
        check(&world, "http.path", "", "/a%2Fb/é");
        check(&world, "http.header", "x-ENV", "a, b");
        check(
            &world,
            "http.header",
            "x-other",
            "! there is no `http.header[\"x-other\"]`",
        );
        check(&world, "http.query", "r", "a b");
        check(&world, "http.query", "q2", "");
        check(
            &world,
            "http.query",
            "x",
            "! `http.query[\"x\"]` comes more than once",
        );
        check(
            &world,
            "http.query",
            "q",
            "! `http.query[\"q\"]` comes more than once",
        );
        check(&world, "http.client_ip", "", "192.0.2.7");
        check(&world, "http.tls.version", "", "");
    }

    #[test]
    fn what_is_no_text_fails() {
        let world = World::new("GET", "/%ff?a=%ff").header_bytes("x-raw", b"\xff");
        check(&world, "http.path", "", "! `http.path` is not text in UTF-8");
        check(&world, "http.query", "a", "! `a` is not text in UTF-8");
        check(&world, "http.header", "x-raw", "! `x-raw` is not text in UTF-8");
    }

    #[test]
    fn secrets_are_not_shown() {
        let world = World::new("GET", "/?access_token=t0p").header("Authorization", "Bearer t0p");
        let facts = world.facts();
        let shown = |name: &str, key: &str| Named::new(find(name).unwrap(), key, &[]).shown(&facts);
        assert_eq!(shown("http.header", "authorization"), "REDACTED");
        assert_eq!(shown("http.query", "access_token"), "REDACTED");
        assert_eq!(shown("http.header", "cookie"), "absent");
        assert_eq!(shown("http.method", ""), "GET");
    }
}
