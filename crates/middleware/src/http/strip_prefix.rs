//! `stripPrefix`: takes the first of some prefixes that fits off the path. Prefixes are decoded text and may end inside a
//! segment; the list's order decides, not their length.

use super::path;
use trilithon_flow::{Build, BuildError, Edit, Exchange, Request, Response, Step};
use trilithon_model::dynamic::http::StripPrefix as Config;

/// Builds the step; there is no configuration that it refuses.
///
/// # Errors
/// None.
pub fn build(config: &Config, _cx: &mut Build<'_>) -> Result<Step, BuildError> {
    let prefixes = config.prefixes.iter().map(|p| p.trim().into()).collect();
    Ok(Step::edit(StripPrefix {
        prefixes,
        force_slash: config.force_slash == Some(true),
    }))
}

struct StripPrefix {
    prefixes: Vec<Box<str>>,
    /// The former way: what is left of the whole path is a slash instead of nothing.
    force_slash: bool,
}

impl Edit for StripPrefix {
    fn request(&self, req: &mut Request, _cx: &mut Exchange) -> Result<(), Response> {
        let path = path::of(&req.target);
        let fits = |prefix: &'_ str| path::match_decoded(path, prefix.as_bytes());
        let Some((prefix, len)) = self.prefixes.iter().find_map(|p| fits(p).map(|len| (p, len))) else {
            return Ok(());
        };
        path::strip(req, len, prefix.as_bytes())?;
        if self.force_slash && req.target.is_bare() {
            req.target.replace_prefix(0, "/");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::testing::{Bench, get, lines, step, text};
    use crate::http::{add_prefix, replace_path};
    use trilithon_model::dynamic::http::{AddPrefix, ReplacePath};

    fn built(prefixes: &[&str], force_slash: Option<bool>) -> Step {
        let config = Config {
            prefixes: prefixes.iter().map(|p| p.to_string()).collect(),
            force_slash,
        };
        step(|cx| build(&config, cx))
    }

    fn check(prefixes: &[&str], target: &str, want: &str, header: Option<&str>) {
        let bench = Bench::new(vec![built(prefixes, None)]);
        bench.run(get(target, &[]));
        let seen = bench.last().unwrap_or_else(|| panic!("{target} was refused"));
        let told = header.map(|h| format!("X-Forwarded-Prefix: {h}"));
        assert_eq!(
            (seen.target.as_str(), lines(&seen.headers).first()),
            (want, told.as_ref()),
            "{prefixes:?} off {target}"
        );
    }

    #[test]
    fn prefixes() {
        let three = &["/a", "/a/b", "/z"][..];
        check(three, "/a/b/c", "/b/c", Some("/a"));
        check(&["/a/b", "/a"], "/a/b/c", "/c", Some("/a/b"));
        check(three, "/x/a", "/x/a", None);
        check(three, "/A/b", "/A/b", None);
        check(three, "/abc", "/bc", Some("/a"));
        check(three, "/a", "/", Some("/a"));
        check(three, "/a?q=1", "/?q=1", Some("/a"));
        check(three, "/a/x/?q=a%20b", "/x/?q=a%20b", Some("/a"));
        check(&["/a/"], "/a", "/a", None);
        check(&["/a/"], "/a/x", "/x", Some("/a/"));
        check(&["/"], "/", "/", Some("/"));
        check(&["/"], "/x/y", "/x/y", Some("/"));
        check(&[""], "/x/y", "/x/y", Some(""));
        check(&["  /a  "], "/a/x", "/x", Some("/a"));
    }

    #[test]
    fn encoded_paths() {
        check(&["/a b"], "/a%20b/x", "/x", Some("/a b"));
        check(&["/a%20b"], "/a%20b/x", "/a%20b/x", None);
        check(&["/a%20b"], "/a%2520b/x", "/x", Some("/a%20b"));
        let api = &["/api/v1", "/api"][..];
        check(api, "/api/a%2Fb", "/a%2Fb", Some("/api"));
        check(api, "/api/%C3%A9%20", "/%C3%A9%20", Some("/api"));
        check(api, "/api/v1/x%3Fy", "/x%3Fy", Some("/api/v1"));
        check(api, "/api%2Fv1/x", "/x", Some("/api/v1"));
        check(&["/é"], "/%C3%A9/x", "/x", Some("/é"));
    }

    #[test]
    fn what_would_climb_is_refused() {
        let bench = Bench::new(vec![built(&["/a"], None)]);
        for target in ["/a../b", "/a./b", "/a..", "/a.", "/a%2e%2e/b", "/a//b"] {
            let mut res = bench.run(get(target, &[]));
            assert_eq!(
                (res.status, text(&mut res)),
                (400, "Bad Request\n".into()),
                "{target}"
            );
            assert!(bench.last().is_none(), "{target}");
        }
        for target in ["/a.../b", "/a..b"] {
            assert_eq!(bench.run(get(target, &[])).status, 200, "{target}");
        }
    }

    #[test]
    fn nothing_left_takes_a_new_prefix_without_a_slash() {
        let check = |force: Option<bool>, want: &str| {
            let add = step(|cx| {
                add_prefix::build(
                    &AddPrefix {
                        prefix: "/bar".into(),
                    },
                    cx,
                )
            });
            let bench = Bench::new(vec![built(&["/a"], force), built(&["/"], None), add]);
            bench.run(get("/a?q", &[]));
            assert_eq!(bench.last().unwrap().target, want, "{force:?}");
        };
        check(None, "/bar?q");
        check(Some(false), "/bar?q");
        check(Some(true), "/bar?q");
    }

    #[test]
    fn force_slash_leaves_one() {
        let add = step(|cx| {
            add_prefix::build(
                &AddPrefix {
                    prefix: "/bar".into(),
                },
                cx,
            )
        });
        let bench = Bench::new(vec![built(&["/a"], Some(true)), add]);
        bench.run(get("/a", &[]));
        assert_eq!(bench.last().unwrap().target, "/bar/");
    }

    #[test]
    fn two_prefixes_are_both_told() {
        let replace = step(|cx| replace_path::build(&ReplacePath { path: "/b/c".into() }, cx));
        let bench = Bench::new(vec![built(&["/a"], None), replace, built(&["/b"], None)]);
        bench.run(get("/a/x", &[("X-Forwarded-Prefix", "/up")]));
        let seen = bench.last().unwrap();
        let told: Vec<_> = seen.headers.get_all(b"X-Forwarded-Prefix").collect();
        assert_eq!(
            (seen.target.as_str(), told),
            ("/c", vec![&b"/up"[..], b"/a", b"/b"])
        );
    }
}
