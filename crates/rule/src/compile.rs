//! Expression to predicate: argument counts, values, and the differences between the syntaxes.

use std::sync::Arc;

use crate::ast::{Arg, Call, Expr};
use crate::error::{Error, Kind};
use crate::host::undotted;
use crate::matcher::Matcher;
use crate::name::{Name, Syntax};
use crate::net::IpRange;
use crate::regexp::Regexp;
use crate::tree::Tree;
use crate::v2::{self, Slot};

pub(crate) fn compile(expr: &Expr, syntax: Syntax) -> Result<Tree, Error> {
    Ok(match expr {
        Expr::And(list) => Tree::all(each(list, syntax)?),
        Expr::Or(list) => Tree::any(each(list, syntax)?),
        Expr::Not(inner) => compile(inner, syntax)?.negated(),
        Expr::Call(call) => compile_call(call, syntax)?,
    })
}

fn each(list: &[Expr], syntax: Syntax) -> Result<Vec<Tree>, Error> {
    list.iter().map(|e| compile(e, syntax)).collect()
}

fn compile_call(call: &Call, syntax: Syntax) -> Result<Tree, Error> {
    let name = call.name.as_str();
    if call.args.is_empty() {
        let expected = arity(call.name).unwrap_or(&[1]);
        return Err(Error::new(
            call.span.clone(),
            Kind::Count {
                matcher: name,
                got: 0,
                expected,
            },
        ));
    }
    if let Some(empty) = call.args.iter().find(|a| a.value.is_empty()) {
        return Err(Error::new(empty.span.clone(), Kind::EmptyArgument(name)));
    }
    let build = Build { call };
    match syntax {
        Syntax::V3 => build.v3(),
        Syntax::V2 => build.v2(),
    }
}

/// How many arguments a matcher takes in v3; none for the names that only v2 has.
fn arity(name: Name) -> Option<&'static [usize]> {
    match name {
        Name::Header | Name::HeaderRegexp => Some(&[2]),
        Name::Query | Name::QueryRegexp => Some(&[1, 2]),
        Name::Headers | Name::HeadersRegexp | Name::HostHeader => None,
        _ => Some(&[1]),
    }
}

struct Build<'a> {
    call: &'a Call,
}

type Built<T = Matcher> = Result<T, Error>;

impl Build<'_> {
    fn v3(&self) -> Built<Tree> {
        let args = &self.call.args;
        let expected = arity(self.call.name).unwrap_or(&[1]);
        if !expected.contains(&args.len()) {
            let kind = Kind::Count {
                matcher: self.call.name.as_str(),
                got: args.len(),
                expected,
            };
            let error = Error::new(self.call.span.clone(), kind);
            let several = expected == [1] && args.len() > 1;
            let help = format!(
                "write `{0}(...) || {0}(...)` for several values",
                self.call.name.as_str()
            );
            return Err(if several { error.help_with(help) } else { error });
        }
        let first = &args[0];
        let matcher = match self.call.name {
            Name::Host | Name::HostHeader => host(self.ascii(first)?),
            Name::HostRegexp | Name::HostSniRegexp => host_regexp(self.ascii_regexp(first)?),
            Name::HostSni => host(self.server_name(first)?),
            Name::Method => method(first),
            Name::Path => Matcher::Path(self.path(first)?),
            Name::PathPrefix => Matcher::PathPrefix(self.path(first)?),
            Name::PathRegexp => path_regexp(self.regexp(first)?),
            Name::Header | Name::Headers => Matcher::Header(canonical_header(&first.value), boxed(&args[1])),
            Name::HeaderRegexp | Name::HeadersRegexp => {
                Matcher::HeaderRegexp(canonical_header(&first.value), self.regexp(&args[1])?)
            }
            Name::QueryRegexp if args.len() == 2 => {
                Matcher::QueryRegexp(boxed(first), self.regexp(&args[1])?)
            }
            Name::Query | Name::QueryRegexp => {
                Matcher::Query(boxed(first), args.get(1).map(boxed).unwrap_or_default())
            }
            Name::Model => Matcher::Model(boxed(first)),
            Name::ModelRegexp => Matcher::ModelRegexp(self.regexp(first)?),
            Name::ClientIp => self.client_ip(first)?,
            Name::Alpn => self.alpn(first)?,
        };
        Ok(self.leaf(matcher))
    }

    fn v2(&self) -> Built<Tree> {
        match self.call.name {
            Name::Host | Name::HostHeader => self.any(|a| Ok(plain_host(self.ascii(a)?))),
            Name::HostSni => self.any(|a| match &*a.value {
                b"*" => Ok(Matcher::AnyHost),
                _ => Ok(plain_host(self.server_name(a)?)),
            }),
            Name::HostRegexp | Name::HostSniRegexp => self.any(|a| {
                self.ascii(a)?;
                Ok(host_regexp(self.template(a, Slot::Host)?))
            }),
            Name::Method => self.any(|a| Ok(method(a))),
            Name::Path => self.any(|a| self.v2_path(a, Slot::Path)),
            Name::PathPrefix => self.any(|a| self.v2_path(a, Slot::PathPrefix)),
            Name::ClientIp => self.any(|a| self.client_ip(a)),
            Name::Alpn => self.any(|a| self.alpn(a)),
            Name::Headers | Name::Header => {
                self.pairs(|key, value| Ok(Matcher::Header(canonical_header(&key.value), boxed(value))))
            }
            Name::HeadersRegexp | Name::HeaderRegexp => self.pairs(|key, value| {
                Ok(Matcher::HeaderRegexp(
                    canonical_header(&key.value),
                    self.regexp(value)?,
                ))
            }),
            Name::Query => self.v2_query(),
            Name::PathRegexp | Name::QueryRegexp | Name::Model | Name::ModelRegexp => self.v3(),
        }
    }

    fn leaf(&self, matcher: Matcher) -> Tree {
        Tree::test(matcher, self.call.span.clone())
    }

    fn any(&self, matcher: impl Fn(&Arg) -> Built) -> Built<Tree> {
        let list: Vec<_> = self
            .call
            .args
            .iter()
            .map(|a| Ok(self.leaf(matcher(a)?)))
            .collect::<Built<_>>()?;
        Ok(Tree::any(list))
    }

    /// Arguments in pairs of key and value, all of which must hold.
    fn pairs(&self, matcher: impl Fn(&Arg, &Arg) -> Built) -> Built<Tree> {
        self.pairs_of(&self.call.args, matcher)
    }

    fn pairs_of(&self, args: &[Arg], matcher: impl Fn(&Arg, &Arg) -> Built) -> Built<Tree> {
        if !args.len().is_multiple_of(2) {
            return Err(Error::new(
                self.call.span.clone(),
                Kind::Odd(self.call.name.as_str()),
            ));
        }
        let pairs = args
            .chunks_exact(2)
            .map(|pair| Ok(self.leaf(matcher(&pair[0], &pair[1])?)));
        Ok(Tree::all(pairs.collect::<Built<Vec<_>>>()?))
    }

    fn v2_path(&self, arg: &Arg, slot: Slot) -> Built {
        let path = self.path(arg)?;
        match (std::str::from_utf8(&arg.value).is_ok_and(v2::is_literal), slot) {
            (true, Slot::PathPrefix) => Ok(Matcher::PathPrefix(path)),
            (true, _) => Ok(Matcher::Path(path)),
            _ => Ok(path_regexp(self.template(arg, slot)?)),
        }
    }

    /// `key=value` texts. Pieces are paired after splitting, so that `a`, `b` is `a=b` as well.
    fn v2_query(&self) -> Built<Tree> {
        let mut pieces = Vec::new();
        for arg in &self.call.args {
            for piece in arg.value.splitn(2, |b| *b == b'=') {
                pieces.push(Arg {
                    value: piece.to_vec(),
                    span: arg.span.clone(),
                });
            }
        }
        self.pairs_of(&pieces, |key, value| {
            let any = Arg {
                value: b"{any}".to_vec(),
                span: value.span.clone(),
            };
            let value = if value.value.is_empty() { &any } else { value };
            Ok(Matcher::FirstQuery(
                boxed(key),
                self.template(value, Slot::Query)?,
            ))
        })
    }

    fn wrong(&self, arg: &Arg, reason: impl Into<String>) -> Error {
        let value = String::from_utf8_lossy(&arg.value).into_owned();
        Error::new(
            arg.span.clone(),
            Kind::Value {
                matcher: self.call.name.as_str(),
                value,
                reason: reason.into(),
            },
        )
    }

    fn utf8<'b>(&self, arg: &'b Arg) -> Built<&'b str> {
        std::str::from_utf8(&arg.value).map_err(|_| self.wrong(arg, "it is not UTF-8"))
    }

    fn ascii<'b>(&self, arg: &'b Arg) -> Built<&'b str> {
        match std::str::from_utf8(&arg.value) {
            Ok(text) if text.is_ascii() => Ok(text),
            _ => Err(self
                .wrong(arg, "only ASCII characters are allowed")
                .help_with("write the name in Punycode (`xn--`)")),
        }
    }

    fn regexp(&self, arg: &Arg) -> Built<Regexp> {
        Regexp::new(self.utf8(arg)?).map_err(|e| self.wrong(arg, e.to_string()))
    }

    fn ascii_regexp(&self, arg: &Arg) -> Built<Regexp> {
        self.ascii(arg)?;
        self.regexp(arg)
    }

    fn template(&self, arg: &Arg, slot: Slot) -> Built<Regexp> {
        v2::template(self.utf8(arg)?, slot).map_err(|e| self.wrong(arg, e.to_string()))
    }

    fn path(&self, arg: &Arg) -> Built<Arc<[u8]>> {
        if arg.value.starts_with(b"/") {
            return Ok(arg.value.as_slice().into());
        }
        let help = format!("write `/{}`", String::from_utf8_lossy(&arg.value));
        Err(self.wrong(arg, "it does not start with `/`").help_with(help))
    }

    fn server_name<'b>(&self, arg: &'b Arg) -> Built<&'b str> {
        let text = self.ascii(arg)?;
        let name = text.strip_prefix("*.").unwrap_or(text);
        let valid = !name.is_empty()
            && name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-' | b':'));
        if valid || text == "*" {
            Ok(text)
        } else {
            Err(self.wrong(arg, "it is no host name"))
        }
    }

    fn client_ip(&self, arg: &Arg) -> Built {
        let range = self.utf8(arg)?;
        let wrong = || self.wrong(arg, "it is neither an address nor a range such as `10.0.0.0/8`");
        IpRange::parse(range).map(Matcher::ClientIp).ok_or_else(wrong)
    }

    fn alpn(&self, arg: &Arg) -> Built {
        if arg.value == b"acme-tls/1" {
            return Err(self.wrong(arg, "this protocol is kept for certificate challenges"));
        }
        Ok(Matcher::Alpn(boxed(arg)))
    }
}

fn boxed(arg: &Arg) -> Box<[u8]> {
    arg.value.as_slice().into()
}

fn method(arg: &Arg) -> Matcher {
    Matcher::Method(arg.value.to_ascii_uppercase().into())
}

/// A host of v3: `*`, `*.x` or a name.
fn host(text: &str) -> Matcher {
    if text == "*" {
        return Matcher::AnyHost;
    }
    match undotted(text.as_bytes()).strip_prefix(b"*.") {
        Some(parent) if !parent.is_empty() => Matcher::HostBelow(parent.to_ascii_lowercase().into()),
        _ => plain_host(text),
    }
}

/// A host of v2, where `*` has no meaning.
fn plain_host(text: &str) -> Matcher {
    Matcher::Host(undotted(text.as_bytes()).to_ascii_lowercase().into())
}

/// With the parents that every matching host is below, where the expression ends in literal text.
fn host_regexp(regexp: Regexp) -> Matcher {
    let below = |suffix: &Vec<u8>| {
        let dot = suffix.iter().position(|b| *b == b'.')?;
        Some(undotted(&suffix[dot + 1..]))
            .filter(|name| !name.is_empty())
            .map(Arc::from)
    };
    let parents = regexp.suffixes().iter().map(below).collect::<Option<Box<_>>>();
    Matcher::HostRegexp(regexp, parents.unwrap_or_default())
}

fn path_regexp(regexp: Regexp) -> Matcher {
    let prefixes = regexp.prefixes().into_iter().map(Arc::from).collect();
    Matcher::PathRegexp(regexp, prefixes)
}

/// Go's canonical form, `X-Foo-Bar`; a name that cannot be a header stays as it is.
fn canonical_header(name: &[u8]) -> Box<str> {
    let text = String::from_utf8_lossy(name);
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    if !text.bytes().all(token) {
        return text.into();
    }
    let mut start = true;
    let canonical = text.chars().map(|c| {
        let c = if start {
            c.to_ascii_uppercase()
        } else {
            c.to_ascii_lowercase()
        };
        start = c == '-';
        c
    });
    canonical.collect::<String>().into()
}

#[cfg(test)]
mod tests;
