//! `addPrefix`: puts a path in front of the request's. It neither cleans the result nor tells the server of it.

use super::path;
use trilithon_flow::{Build, BuildError, Edit, Exchange, Request, Response, Step};
use trilithon_model::dynamic::http::AddPrefix as Config;

/// Builds the step.
///
/// # Errors
/// An empty prefix.
pub fn build(config: &Config, _cx: &mut Build<'_>) -> Result<Step, BuildError> {
    if config.prefix.is_empty() {
        return Err(BuildError::new("prefix cannot be empty").help("give `prefix` a path such as `/api`"));
    }
    let slash = if config.prefix.starts_with('/') { "" } else { "/" };
    Ok(Step::edit(AddPrefix {
        prefix: format!("{slash}{}", path::escape(&config.prefix)),
    }))
}

struct AddPrefix {
    /// Escaped, with a leading slash.
    prefix: String,
}

impl Edit for AddPrefix {
    fn request(&self, req: &mut Request, _cx: &mut Exchange) -> Result<(), Response> {
        req.target.replace_prefix(0, &self.prefix);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::testing::{Bench, build_error, get, step};

    fn config(prefix: &str) -> Config {
        Config {
            prefix: prefix.into(),
        }
    }

    fn check(prefix: &str, target: &str, want: &str) {
        let bench = Bench::new(vec![step(|cx| build(&config(prefix), cx))]);
        bench.run(get(target, &[]));
        assert_eq!(bench.last().unwrap().target, want, "{prefix} before {target}");
    }

    #[test]
    fn prefixes() {
        check("/foo", "/", "/foo/");
        check("/foo", "/x?a=b&c=%2F", "/foo/x?a=b&c=%2F");
        check("/foo", "/?q", "/foo/?q");
        check("foo", "/x", "/foo/x");
        check("/foo/", "/x", "/foo//x");
        check("/a b", "/x", "/a%20b/x");
        check("/a%2Fb", "/x", "/a%252Fb/x");
        check("/a?b", "/x", "/a%3Fb/x");
        check("/foo", "/a%2FbA/%C3%A9", "/foo/a%2FbA/%C3%A9");
    }

    #[test]
    fn an_empty_prefix_is_refused() {
        assert_eq!(build_error(|cx| build(&config(""), cx)), "prefix cannot be empty");
    }
}
