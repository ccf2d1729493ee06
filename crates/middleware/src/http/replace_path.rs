//! `replacePath`: puts another path in place of the request's and tells the server the old one. The new path is used as it is
//! written, dot segments and all; a `?` in it does not start a query.

use super::path;
use trilithon_flow::{Build, BuildError, Edit, Exchange, Request, Response, Step, Target};
use trilithon_model::dynamic::http::ReplacePath as Config;

/// The header that tells the old path.
pub(crate) const REPLACED_PATH: &str = "X-Replaced-Path";

/// Builds the step. A path with a broken escape is built, as in Traefik, and answers every request with 500.
///
/// # Errors
/// None.
pub fn build(config: &Config, cx: &mut Build<'_>) -> Result<Step, BuildError> {
    let path = match path::bad_escape(&config.path) {
        Some(what) => {
            cx.warnings.push(format!("`path` of `{}`: {what}", cx.name));
            Err(what)
        }
        None => Ok(escaped(&config.path)),
    };
    Ok(Step::edit(ReplacePath { path }))
}

/// The option as a path of a request; empty when it is.
fn escaped(path: &str) -> String {
    let target = Target::from_path(path);
    super::path::of(&target).to_owned()
}

struct ReplacePath {
    /// The new path, escaped, or why it is none.
    path: Result<String, String>,
}

impl Edit for ReplacePath {
    fn request(&self, req: &mut Request, _cx: &mut Exchange) -> Result<(), Response> {
        let path = self.path.as_deref().map_err(|what| Response::error(500, what))?;
        let old = req.target.path();
        let len = old.len();
        req.headers.append(REPLACED_PATH, old);
        req.target.replace_prefix(len, path);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::testing::{Bench, get, lines, step, text};

    fn built(path: &str) -> Step {
        step(|cx| build(&Config { path: path.into() }, cx))
    }

    fn check(path: &str, target: &str, want: &str, old: &str) {
        let bench = Bench::new(vec![built(path)]);
        bench.run(get(target, &[]));
        let seen = bench.last().unwrap();
        assert_eq!(
            (seen.target.as_str(), lines(&seen.headers)),
            (want, vec![format!("X-Replaced-Path: {old}")]),
            "{path}"
        );
    }

    #[test]
    fn paths() {
        check("/new/path", "/old?a=b", "/new/path?a=b", "/old");
        check("/new/path", "/a%20b/%C3%A9", "/new/path", "/a%20b/%C3%A9");
        check("/a%2Fb%20c", "/x", "/a%2Fb%20c", "/x");
        check("/a b", "/x", "/a%20b", "/x");
        check("/n?x=1", "/x?y=2", "/n%3Fx=1?y=2", "/x");
        check("", "/x?q", "/?q", "/x");
        check("/a/../b//c", "/x", "/a/../b//c", "/x");
        check("new", "/x", "/new", "/x");
    }

    #[test]
    fn two_of_them_tell_both_paths() {
        let bench = Bench::new(vec![built("/new"), built("/a")]);
        bench.run(get("/x", &[("X-Replaced-Path", "/mine")]));
        let seen = bench.last().unwrap();
        let told: Vec<_> = seen.headers.get_all(b"X-Replaced-Path").collect();
        assert_eq!(
            (seen.target.as_str(), told),
            ("/a", vec![&b"/mine"[..], b"/x", b"/new"])
        );
    }

    #[test]
    fn a_broken_escape_answers_500() {
        let mut res = Bench::new(vec![built("/%zz")]).run(get("/x", &[]));
        assert_eq!(
            (res.status, text(&mut res).as_str()),
            (500, "invalid URL escape \"%zz\"\n")
        );
    }
}
