//! `stripPrefixRegex`: takes off what a pattern matches at the start of the decoded path. The first pattern that matches
//! something there counts; matching nothing strips nothing.

use super::{path, regex_template};
use regex::bytes::Regex;
use trilithon_flow::{Build, BuildError, Edit, Exchange, Request, Response, Step};
use trilithon_model::dynamic::http::StripPrefixRegex as Config;

/// Builds the step.
///
/// # Errors
/// A pattern that is not a regular expression.
pub fn build(config: &Config, _cx: &mut Build<'_>) -> Result<Step, BuildError> {
    let patterns = config
        .regex
        .iter()
        .map(|p| regex_template::compile(p.trim()))
        .collect::<Result<_, _>>()?;
    Ok(Step::edit(StripPrefixRegex { patterns }))
}

struct StripPrefixRegex {
    patterns: Vec<Regex>,
}

impl Edit for StripPrefixRegex {
    fn request(&self, req: &mut Request, _cx: &mut Exchange) -> Result<(), Response> {
        if req.target.is_bare() {
            return Ok(());
        }
        let decoded = req.target.decoded_path();
        let matched = |pattern: &Regex| {
            pattern
                .find(&decoded)
                .filter(|m| m.start() == 0 && m.end() > 0)
                .map(|m| m.end())
        };
        let Some(end) = self.patterns.iter().find_map(matched) else {
            return Ok(());
        };
        let prefix = decoded[..end].to_vec();
        let Some(len) = path::match_decoded(req.target.path(), &prefix) else {
            return Ok(());
        };
        path::strip(req, len, &prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::testing::{Bench, build_error, get, lines, step};

    fn config(patterns: &[&str]) -> Config {
        Config {
            regex: patterns.iter().map(|p| p.to_string()).collect(),
        }
    }

    fn check(patterns: &[&str], target: &str, want: &str, header: Option<&str>) {
        let bench = Bench::new(vec![step(|cx| build(&config(patterns), cx))]);
        bench.run(get(target, &[]));
        let seen = bench.last().unwrap_or_else(|| panic!("{target} was refused"));
        let told = header.map(|h| format!("X-Forwarded-Prefix: {h}"));
        assert_eq!(
            (seen.target.as_str(), lines(&seen.headers).first()),
            (want, told.as_ref()),
            "{patterns:?} off {target}"
        );
    }

    #[test]
    fn patterns() {
        let three = &["/foo/[a-z]+", "/bar/([0-9]+)/", "/q.*z"][..];
        check(three, "/foo/abc/x", "/x", Some("/foo/abc"));
        check(three, "/bar/12/x", "/x", Some("/bar/12/"));
        check(three, "/qaz/y/z/t", "/t", Some("/qaz/y/z"));
        check(three, "/foo/abc?q", "/?q", Some("/foo/abc"));
        check(three, "/foo/12", "/foo/12", None);
        check(three, "/x/foo/abc/y", "/x/foo/abc/y", None);
        check(&["/x", "/y/x"], "/y/x/z", "/z", Some("/y/x"));
        check(&["^/v[0-9]+(/beta)?"], "/v1beta", "/beta", Some("/v1"));
        check(&["(/opt)?"], "/x", "/x", None);
        check(&["  /a[0-9]  "], "/a1/x", "/x", Some("/a1"));
    }

    #[test]
    fn decoded_text_is_matched_and_escaped_text_is_kept() {
        let api = &["/api/[^/]+/"][..];
        check(api, "/api/a%20b/x%2Fy", "/x%2Fy", Some("/api/a b/"));
        check(api, "/api/%C3%A9/%20", "/%20", Some("/api/é/"));
        check(&["/a b"], "/a%20b", "/", Some("/a b"));
    }

    #[test]
    fn refusals() {
        let bench = Bench::new(vec![step(|cx| build(&config(&["/a[0-9]"]), cx))]);
        for (target, status) in [("/a1../x", 400), ("/a1./x", 400), ("/a1..x", 200), ("/a1..", 400)] {
            assert_eq!(bench.run(get(target, &[])).status, status, "{target}");
        }
        assert!(build_error(|cx| build(&config(&["("]), cx)).contains("error parsing regexp"));
    }
}
