//! Which coding a client is given: its weights first, then the order of the configuration.

use super::codec::Coding;
use std::cmp::Ordering;
use trilithon_flow::{Headers, Known};

/// The codings offered, in order of preference; at least one.
#[derive(Debug)]
pub struct Offer {
    codings: Vec<Coding>,
    /// For clients that do not say what they accept, and for `*`.
    default: Option<Coding>,
}

/// What one item of the header asks for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// `*`: goes before all others of its weight.
    Any,
    Coding(usize),
    /// `identity`: goes after all others of its weight.
    Identity,
}

impl Asked {
    fn rank(self) -> usize {
        match self {
            Asked::Any => 0,
            Asked::Coding(at) => at + 1,
            Asked::Identity => usize::MAX,
        }
    }
}

impl Offer {
    /// From names of codings; without any, all.
    ///
    /// # Errors
    /// A phrase that names an unknown coding, or a default that is not offered.
    pub fn new(names: &[String], default: &str) -> Result<Offer, String> {
        let coding = |n: &String| Coding::of(n).ok_or_else(|| format!("unsupported encoding: {n}"));
        let mut codings = names.iter().map(coding).collect::<Result<Vec<_>, _>>()?;
        if codings.is_empty() {
            codings = vec![Coding::Gzip, Coding::Brotli, Coding::Zstd];
        }
        let chosen = Coding::of(default).filter(|c| codings.contains(c));
        if !default.is_empty() && chosen.is_none() {
            return Err(format!("unsupported default encoding: {default}"));
        }
        Ok(Offer {
            codings,
            default: chosen,
        })
    }

    /// The coding for these request headers; nothing means that the answer is sent as it is.
    pub fn choose(&self, headers: &Headers) -> Option<Coding> {
        if !headers.has(Known::AcceptEncoding) {
            return self.default;
        }
        let mut asked: Vec<(Asked, f32)> = Vec::with_capacity(4);
        for line in headers.get_all(b"Accept-Encoding") {
            let text = std::str::from_utf8(line).unwrap_or_default();
            asked.extend(text.split(',').filter_map(|item| self.item(item)));
        }
        let best = |a: &&(Asked, f32), b: &&(Asked, f32)| {
            a.1.partial_cmp(&b.1)
                .unwrap_or(Ordering::Equal)
                .then(b.0.rank().cmp(&a.0.rank()))
        };
        match asked.iter().filter(|(_, weight)| *weight > 0.0).max_by(best)?.0 {
            Asked::Coding(at) => Some(self.codings[at]),
            Asked::Identity => None,
            Asked::Any => self.any(&asked),
        }
    }

    /// The default, or the first that was not refused by name.
    fn any(&self, asked: &[(Asked, f32)]) -> Option<Coding> {
        let refused = |at: usize| {
            asked
                .iter()
                .any(|(a, weight)| *a == Asked::Coding(at) && *weight <= 0.0)
        };
        let open = |coding: &Coding| {
            self.codings
                .iter()
                .position(|c| c == coding)
                .is_some_and(|at| !refused(at))
        };
        self.default
            .filter(open)
            .or_else(|| self.codings.iter().copied().find(open))
    }

    /// One item with its weight; nothing for what is not offered or not readable. Names are told apart by case.
    fn item(&self, item: &str) -> Option<(Asked, f32)> {
        let (name, parameters) = item.split_once(';').unwrap_or((item, ""));
        let asked = match name.trim() {
            "*" => Asked::Any,
            "identity" => Asked::Identity,
            name => Asked::Coding(self.codings.iter().position(|c| c.name() == name)?),
        };
        let weight = match parameters.trim().strip_prefix("q=") {
            Some(weight) => weight.trim().parse().ok().filter(|w: &f32| w.is_finite())?,
            None => 1.0,
        };
        Some((asked, weight))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(names: &[&str], default: &str) -> Offer {
        Offer::new(
            &names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>(),
            default,
        )
        .expect("valid")
    }

    #[test]
    fn choices() {
        let all = offer(&[], "");
        let check = |offer: &Offer, lines: &[&str], want: Option<&str>| {
            let headers: Headers = lines.iter().map(|l| ("Accept-Encoding", *l)).collect();
            assert_eq!(offer.choose(&headers).map(Coding::name), want, "{lines:?}");
        };
        check(&all, &[], None);
        check(&offer(&["br"], "br"), &[], Some("br"));
        check(&all, &[""], None);
        check(&all, &["gzip, br, zstd"], Some("gzip"));
        check(&all, &["zstd, br"], Some("br"));
        check(&all, &["br", "gzip"], Some("gzip"));
        check(&all, &["gzip;q=0.5, br;q=0.8"], Some("br"));
        check(&all, &["gzip ; q=0.5 , br;q=0.8"], Some("br"));
        check(&all, &["gzip;q=0"], None);
        check(&all, &["gzip;q=0, *"], Some("br"));
        check(&all, &["gzip;q=0, br;q=0, zstd;q=0, *"], None);
        check(&all, &["*;q=0"], None);
        check(&all, &["*"], Some("gzip"));
        check(&offer(&["zstd", "gzip"], ""), &["*"], Some("zstd"));
        check(&offer(&["zstd", "gzip"], "gzip"), &["*"], Some("gzip"));
        check(&all, &["br, *"], Some("gzip"));
        check(&all, &["br, *;q=0.1"], Some("br"));
        check(&all, &["identity, gzip;q=0.5"], None);
        check(&all, &["identity, gzip"], Some("gzip"));
        check(&all, &["GZIP"], None);
        check(&all, &["deflate, compress"], None);
        check(&all, &["gzip;q=x"], None);
        check(&all, &["gzip;q=NaN, br;q=inf"], None);
        check(&all, &["gzip;level=9"], Some("gzip"));
    }
}
