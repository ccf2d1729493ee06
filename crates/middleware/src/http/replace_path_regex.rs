//! `replacePathRegex`: replaces every match of a pattern in the escaped path, and tells the server the old path. What does not
//! match stays as it is; the query is no part of it.

use super::path;
use super::regex_template::Replacer;
use super::replace_path::REPLACED_PATH;
use trilithon_flow::{Build, BuildError, Edit, Exchange, Request, Response, Step};
use trilithon_model::dynamic::http::ReplacePathRegex as Config;

/// Builds the step. An empty replacement does nothing.
///
/// # Errors
/// A pattern that is not a regular expression.
pub fn build(config: &Config, _cx: &mut Build<'_>) -> Result<Step, BuildError> {
    let replacement = config.replacement.trim();
    let replacer = Replacer::new(config.regex.trim(), replacement).map_err(|e| {
        BuildError::new(format!(
            "error compiling regular expression {}: {e}",
            config.regex
        ))
    })?;
    if replacement.is_empty() {
        return Ok(super::idle::step());
    }
    Ok(Step::edit(ReplacePathRegex { replacer }))
}

struct ReplacePathRegex {
    replacer: Replacer,
}

impl Edit for ReplacePathRegex {
    fn request(&self, req: &mut Request, _cx: &mut Exchange) -> Result<(), Response> {
        let old = path::of(&req.target);
        let Some(new) = self.replacer.replace_all(old.as_bytes()) else {
            return Ok(());
        };
        // An escaped path is ASCII and a template is text, so this loses nothing.
        let new = String::from_utf8_lossy(&new);
        req.headers.append(REPLACED_PATH, old);
        if let Some(what) = path::bad_escape(&new) {
            return Err(Response::error(500, &what));
        }
        req.target.set_path(&new);
        path::check_clean(&req.target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::testing::{Bench, build_error, get, step, text};

    fn config(regex: &str, replacement: &str) -> Config {
        Config {
            regex: regex.into(),
            replacement: replacement.into(),
        }
    }

    fn check(regex: &str, replacement: &str, target: &str, want: &str) {
        let bench = Bench::new(vec![step(|cx| build(&config(regex, replacement), cx))]);
        bench.run(get(target, &[]));
        let seen = bench.last().unwrap_or_else(|| panic!("{target} was refused"));
        assert_eq!(seen.target, want, "{regex} → {replacement} in {target}");
        let path = target.split('?').next().unwrap();
        let told = seen.headers.get_str("X-Replaced-Path");
        assert_eq!(told, (target != want).then_some(path), "{target}");
    }

    #[test]
    fn replacements() {
        check("^/foo/(.*)", "/bar/$1", "/foo/x?q=1", "/bar/x?q=1");
        check("^/foo/(.*)", "/bar/$1", "/foo/", "/bar/");
        check("^/foo/(.*)", "/bar/$1", "/foo", "/foo");
        check("^/foo(.*)", "/bar/$1", "/foox", "/bar/x");
        check("o", "0", "/foo/boo?o=o", "/f00/b00?o=o");
        check(
            "^/(?P<first>[^/]+)/(?P<second>[^/]+)$",
            "/${second}/${first}",
            "/a/b",
            "/b/a",
        );
        check("^/(a+)/(b+)", "/$1x-$2-$3-$$", "/aa/bb", "/-bb--$");
        check("^/q/(.*)", "/s?q=$1", "/q/x?y", "/s%3Fq=x?y");
        check("  ^/t/(.*)  ", "  /u/$1  ", "/t/x", "/u/x");
        check("^/a%20b/(.*)", "/ok/$1", "/a%20b/x", "/ok/x");
        check("^/a b/(.*)", "/never/$1", "/a%20b/x", "/a%20b/x");
        check("^/e/([^/]*)/([^/]*)$", "/$1%2F$2", "/e/a/b", "/a%2Fb");
        check("^/foo/(.*)", "/bar/$1", "/foo/a%2Fb", "/bar/a%2Fb");
        check("(?i)^/MiXed/(.*)", "/m/$1", "/mixed/X", "/m/X");
        check(".*", "", "/x", "/x");
        check("^/x/(.*)", "y/$1", "/x/z", "/y/z");
        check("^/x/(.*)", "/ü/$1", "/x/z", "/%C3%BC/z");
    }

    #[test]
    fn refusals() {
        let check = |regex: &str, replacement: &str, target: &str, status: u16, body: &str| {
            let bench = Bench::new(vec![step(|cx| build(&config(regex, replacement), cx))]);
            let mut res = bench.run(get(target, &[]));
            assert_eq!(
                (res.status, text(&mut res).as_str()),
                (status, body),
                "{regex} → {replacement} in {target}"
            );
        };
        check("^/foo(.*)", "/bar/$1", "/foo/x", 400, "Bad Request\n");
        check("^/up/(.*)", "/../$1", "/up/x", 400, "Bad Request\n");
        check("^/up/(.*)", "/%2e%2E/$1", "/up/x", 400, "Bad Request\n");
        check("^/b/(.*)", "/%zz/$1", "/b/x", 500, "invalid URL escape \"%zz\"\n");
        assert!(
            build_error(|cx| build(&config("(", "x"), cx))
                .starts_with("error compiling regular expression (:")
        );
    }
}
