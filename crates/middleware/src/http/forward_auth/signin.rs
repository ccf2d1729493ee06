//! The redirection to a page where the client can sign in, as Go's `http.Redirect` writes it.

use trilithon_flow::target::escape_invalid;
use trilithon_flow::{Known, Method, Request, Response};

/// 302 to `url`, which may be a path, also one relative to the request's.
pub fn redirect(req: &Request, url: &str) -> Response {
    let location = if is_path(url) {
        joined(req.target.path(), url)
    } else {
        url.to_owned()
    };
    let mut res = match req.method {
        Method::Get => Response::bare(302, page(&location)),
        _ => Response::new(302),
    };
    res.headers
        .set_known(Known::Location, escape_invalid(&location).as_ref());
    if matches!(req.method, Method::Get | Method::Head) {
        res.headers
            .set_known(Known::ContentType, "text/html; charset=utf-8");
    }
    res
}

/// Whether there is neither scheme nor host.
fn is_path(url: &str) -> bool {
    let first = url.split(['/', '?', '#']).next().unwrap_or_default();
    !url.starts_with("//") && !first.contains(':')
}

fn joined(from: &str, url: &str) -> String {
    let folder = &from[..from.rfind('/').map_or(0, |at| at + 1)];
    let whole = if url.starts_with('/') {
        url.to_owned()
    } else {
        format!("{folder}{url}")
    };
    let (path, query) = whole.split_at(whole.find('?').unwrap_or(whole.len()));
    format!("{}{query}", cleaned(path))
}

/// Without empty, `.` and `..` segments; the last slash stays.
fn cleaned(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(kept.pop()),
            segment => kept.push(segment),
        }
    }
    let end = if path.ends_with('/') && !kept.is_empty() {
        "/"
    } else {
        ""
    };
    format!("/{}{end}", kept.join("/"))
}

fn page(url: &str) -> String {
    let shown = url
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&#34;")
        .replace('\'', "&#39;");
    format!("<a href=\"{shown}\">Found</a>.\n\n")
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::request;
    use super::*;

    #[test]
    fn where_to() {
        let check = |url: &str, want: &str| {
            let res = redirect(&request("GET", "/a/b?q=1", &[]), url);
            let location = res.headers.known(Known::Location).unwrap_or_default();
            assert_eq!(
                (res.status, String::from_utf8_lossy(location).as_ref()),
                (302, want)
            );
        };
        check("https://sso.test/?a=1&b=2", "https://sso.test/?a=1&b=2");
        check("//sso.test/x/../y", "//sso.test/x/../y");
        check("/login", "/login");
        check("/x//../login/?to=/a//b", "/login/?to=/a//b");
        check("login", "/a/login");
        check("../login", "/login");
        check("?x", "/a/?x");
        check("/", "/");
    }

    #[test]
    fn what_it_shows() {
        let check = |method: &str, body: &str, of: Option<&str>| {
            let res = redirect(&request(method, "/", &[]), "https://sso.test/?a=1&b=2");
            let shown = res.body.bytes().map(|b| String::from_utf8_lossy(b).into_owned());
            assert_eq!(shown.unwrap_or_default(), body);
            assert_eq!(res.headers.known(Known::ContentType), of.map(str::as_bytes));
        };
        let html = Some("text/html; charset=utf-8");
        check(
            "GET",
            "<a href=\"https://sso.test/?a=1&amp;b=2\">Found</a>.\n\n",
            html,
        );
        check("HEAD", "", html);
        check("POST", "", None);
    }
}
