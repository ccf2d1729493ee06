//! Sticky sessions: a cookie that names the server (or child service) which answered first.

use std::collections::HashMap;
use std::fmt::Write;
use trilithon_flow::{Headers, Known};
use trilithon_model::dynamic::http::Cookie;

/// The cookie of one balancer.
pub struct Sticky {
    name: Box<str>,
    /// What follows `name=value` in `Set-Cookie`.
    attributes: Box<str>,
    /// Candidates by the values that name them.
    known: HashMap<Box<str>, Named>,
    /// The present value of each candidate.
    values: Vec<Box<str>>,
}

#[derive(Clone, Copy)]
struct Named {
    index: usize,
    current: bool,
}

/// The candidate that a client named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wish {
    pub index: usize,
    /// Named as an older release did: the cookie is to be set anew.
    pub outdated: bool,
}

impl Sticky {
    /// For the candidates in order; `service` is the qualified name of the balancer.
    pub fn new<'a>(config: &Cookie, service: &str, candidates: impl Iterator<Item = &'a str>) -> Sticky {
        let mut known = HashMap::new();
        let mut values = Vec::new();
        for (index, name) in candidates.enumerate() {
            let value: Box<str> = sha256(name).into();
            let once = fnv1(name);
            for old in [name.to_owned(), fnv1(&once), once] {
                known.insert(
                    old.into_boxed_str(),
                    Named {
                        index,
                        current: false,
                    },
                );
            }
            known.insert(value.clone(), Named { index, current: true });
            values.push(value);
        }
        Sticky {
            name: cookie_name(&config.name, service).into(),
            attributes: attributes(config).into(),
            known,
            values,
        }
    }

    /// The candidate that the request's cookie names, if it names one.
    pub fn wish(&self, headers: &Headers) -> Option<Wish> {
        let value = cookie(headers, &self.name)?;
        let named = self.known.get(value)?;
        Some(Wish {
            index: named.index,
            outdated: !named.current,
        })
    }

    /// The `Set-Cookie` that names candidate `index`.
    pub fn set_cookie(&self, index: usize) -> String {
        let value = self.values.get(index).map_or("", |v| v);
        format!("{}={value}{}", self.name, self.attributes)
    }
}

/// The value of the first well-formed cookie of that name.
fn cookie<'a>(headers: &'a Headers, name: &str) -> Option<&'a str> {
    if !headers.has(Known::Cookie) {
        return None;
    }
    let pairs = headers
        .get_all(b"Cookie")
        .flat_map(|line| line.split(|&b| b == b';'));
    let mut values = pairs.filter_map(|pair| {
        let pair = pair.trim_ascii();
        let at = pair.iter().position(|&b| b == b'=').unwrap_or(pair.len());
        let (key, value) = (pair[..at].trim_ascii(), pair.get(at + 1..).unwrap_or_default());
        if key == name.as_bytes() {
            cookie_value(value)
        } else {
            None
        }
    });
    values.next()
}

/// A cookie value without its quotes, if every byte may stand in one.
fn cookie_value(value: &[u8]) -> Option<&str> {
    let value = match value {
        [b'"', inner @ .., b'"'] => inner,
        plain => plain,
    };
    let fine = |&b: &u8| (b' '..0x7f).contains(&b) && !matches!(b, b'"' | b';' | b'\\');
    if value.iter().all(fine) {
        std::str::from_utf8(value).ok()
    } else {
        None
    }
}

/// The name asked for with what may not stand in one replaced, or one made from the service's name.
fn cookie_name(asked: &str, service: &str) -> String {
    if asked.is_empty() {
        let digest = hex(
            &aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY,
            &format!("_TRAEFIK_BACKEND_{service}"),
        );
        return format!("_{}", &digest[..5]);
    }
    let stays = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^`|~".contains(c);
    asked.chars().map(|c| if stays(c) { c } else { '_' }).collect()
}

/// In the order and spelling of Go's `http.Cookie`.
fn attributes(config: &Cookie) -> String {
    let mut out = String::new();
    let path: String = config
        .path
        .as_deref()
        .unwrap_or("/")
        .chars()
        .filter(|&c| (' '..'\x7f').contains(&c) && c != ';')
        .collect();
    if !path.is_empty() {
        let _ = write!(out, "; Path={path}");
    }
    if is_cookie_domain(&config.domain) {
        let _ = write!(
            out,
            "; Domain={}",
            config.domain.strip_prefix('.').unwrap_or(&config.domain)
        );
    }
    match config.max_age {
        0 => {}
        age => {
            let _ = write!(out, "; Max-Age={}", age.max(0));
        }
    }
    if config.http_only {
        out.push_str("; HttpOnly");
    }
    if config.secure {
        out.push_str("; Secure");
    }
    out.push_str(match config.same_site.to_ascii_lowercase().as_str() {
        "none" => "; SameSite=None",
        "lax" => "; SameSite=Lax",
        "strict" => "; SameSite=Strict",
        _ => "",
    });
    out
}

/// A host name with at least one letter, or an IPv4 address; anything else is left out.
fn is_cookie_domain(domain: &str) -> bool {
    if domain.parse::<std::net::Ipv4Addr>().is_ok() {
        return true;
    }
    let name = domain.strip_prefix('.').unwrap_or(domain);
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    let absolute = name.strip_suffix('.').unwrap_or(name);
    domain.len() <= 255 && name.bytes().any(|b| b.is_ascii_alphabetic()) && absolute.split('.').all(label)
}

/// The present value: the first 16 hex digits.
fn sha256(name: &str) -> String {
    let mut digest = hex(&aws_lc_rs::digest::SHA256, name);
    digest.truncate(16);
    digest
}

fn hex(algorithm: &'static aws_lc_rs::digest::Algorithm, text: &str) -> String {
    let digest = aws_lc_rs::digest::digest(algorithm, text.as_bytes());
    digest.as_ref().iter().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

/// FNV-1, 64 bits, in hex: the value of older releases.
fn fnv1(text: &str) -> String {
    let step = |hash: u64, byte: u8| hash.wrapping_mul(0x0100_0000_01b3) ^ u64::from(byte);
    format!("{:x}", text.bytes().fold(0xcbf2_9ce4_8422_2325, step))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> Cookie {
        Cookie {
            name: name.into(),
            path: Some("/".into()),
            ..Cookie::default()
        }
    }

    #[test]
    fn names() {
        let check = |asked: &str, service: &str, want: &str| assert_eq!(cookie_name(asked, service), want);
        check("", "auto@file", "_40131");
        check("", "wtauto@file", "_ef25c");
        check("lb", "x", "lb");
        check("my cookie/x=1", "x", "my_cookie_x_1");
        check("a.b-c~é_", "x", "a.b-c~__");
    }

    #[test]
    fn set_cookie_lines() {
        let check = |config: Cookie, want: &str| {
            let sticky = Sticky::new(&config, "s@file", ["s1"].into_iter());
            assert_eq!(sticky.set_cookie(0), want);
        };
        check(named("wt"), "wt=e8bc163c82eee187; Path=/");
        let full = Cookie {
            secure: true,
            http_only: true,
            same_site: "none".into(),
            max_age: 42,
            path: Some("/app".into()),
            domain: "a.test".into(),
            ..named("full")
        };
        let line =
            "full=e8bc163c82eee187; Path=/app; Domain=a.test; Max-Age=42; HttpOnly; Secure; SameSite=None";
        check(full, line);
        check(
            Cookie {
                max_age: -1,
                ..named("c")
            },
            "c=e8bc163c82eee187; Path=/; Max-Age=0",
        );
        check(
            Cookie {
                path: Some(String::new()),
                ..named("c")
            },
            "c=e8bc163c82eee187",
        );
        check(
            Cookie {
                path: None,
                ..named("c")
            },
            "c=e8bc163c82eee187; Path=/",
        );
        check(
            Cookie {
                path: Some("/a;b\r\n".into()),
                ..named("c")
            },
            "c=e8bc163c82eee187; Path=/ab",
        );
        check(
            Cookie {
                same_site: "Strict".into(),
                ..named("c")
            },
            "c=e8bc163c82eee187; Path=/; SameSite=Strict",
        );
        check(
            Cookie {
                same_site: "what".into(),
                ..named("c")
            },
            "c=e8bc163c82eee187; Path=/",
        );
    }

    #[test]
    fn domains() {
        let check = |domain: &str, fine: bool| assert_eq!(is_cookie_domain(domain), fine, "{domain}");
        for fine in ["a.test", ".a.test", "10.0.0.1", "a", "1a.2b", "a.test."] {
            check(fine, true);
        }
        for bad in ["", ".", "a..b", "-a", "a-", "a_b", "1.2", "a b", "::1", "a;b"] {
            check(bad, false);
        }
    }

    #[test]
    fn wishes() {
        let sticky = Sticky::new(&named("lb"), "s@file", ["http://a:1", "http://b:2"].into_iter());
        let check = |cookies: &[&str], want: Option<(usize, bool)>| {
            let headers: Headers = cookies.iter().map(|c| ("Cookie", c)).collect();
            let want = want.map(|(index, outdated)| Wish { index, outdated });
            assert_eq!(sticky.wish(&headers), want, "{cookies:?}");
        };
        let (a, b) = (sha256("http://a:1"), sha256("http://b:2"));
        let url = "http://b:2";
        check(&[], None);
        check(&["other=1"], None);
        check(&[&format!("lb={a}")], Some((0, false)));
        check(&[&format!("x=1; lb={b} ;y=2")], Some((1, false)));
        check(&[&format!("lb=\"{b}\"")], Some((1, false)));
        check(&[&format!("lb={b}; lb={a}")], Some((1, false)));
        check(&["x=1", &format!("lb={b}")], Some((1, false)));
        check(&["lb=nonsense"], None);
        check(&["lb="], None);
        check(&["lb"], None);
        check(&[&format!("lb=a\\b; lb={a}")], Some((0, false)));
        check(&[&format!("lb={url}")], Some((1, true)));
        check(&[&format!("lb={}", fnv1(url))], Some((1, true)));
        check(&[&format!("lb={}", fnv1(&fnv1(url)))], Some((1, true)));
    }
}
