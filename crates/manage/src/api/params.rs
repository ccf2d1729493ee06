//! The parameters of lists, from the query.

use percent_encoding::percent_decode_str;

/// What a list is to be cut down to, and how it is sorted.
#[derive(Debug, Default, PartialEq)]
pub struct Params {
    pub search: String,
    pub status: String,
    pub service_name: String,
    pub middleware_name: String,
    pub sort_by: String,
    pub descending: bool,
    page: String,
    per_page: String,
}

/// One page of a list.
#[derive(Debug, PartialEq)]
pub struct Page {
    pub from: usize,
    pub to: usize,
    /// The page that follows; 1 after the last.
    pub next: usize,
}

const PER_PAGE: usize = 100;

impl Params {
    /// Reads a raw query; the first of a parameter given twice counts.
    pub fn of(query: &str) -> Params {
        let get = |name: &str| {
            let pairs = query.split('&').filter(|pair| !pair.contains(';'));
            let mut named = pairs
                .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
                .filter(|(key, _)| decode(key) == name);
            named.next().map(|(_, value)| decode(value)).unwrap_or_default()
        };
        Params {
            search: get("search").to_lowercase(),
            status: get("status"),
            service_name: get("serviceName"),
            middleware_name: get("middlewareName"),
            sort_by: get("sortBy"),
            descending: !matches!(get("direction").as_str(), "" | "asc"),
            page: get("page"),
            per_page: get("per_page"),
        }
    }

    /// Whether one of `texts` holds what is searched for, in any case.
    pub fn finds(&self, texts: &[&str]) -> bool {
        self.search.is_empty() || texts.iter().any(|t| t.to_lowercase().contains(&self.search))
    }

    /// Whether objects with this status are asked for.
    pub fn wants_status(&self, status: &str) -> bool {
        self.status.is_empty() || self.status.eq_ignore_ascii_case(status)
    }

    /// Whether routers to this service are asked for. A name without provider is one of any provider.
    pub fn wants_service(&self, service: &str) -> bool {
        let asked = self.service_name.as_str();
        match service.contains('@') {
            _ if asked.is_empty() => true,
            true => asked == service,
            false => asked.split('@').next() == Some(service),
        }
    }

    /// Whether routers with these middlewares are asked for.
    pub fn wants_middleware(&self, middlewares: &[String]) -> bool {
        self.middleware_name.is_empty() || middlewares.contains(&self.middleware_name)
    }

    /// The page asked for, of `count` objects.
    ///
    /// # Errors
    /// What Traefik says to a page that is none.
    pub fn cut(&self, count: usize) -> Result<Page, String> {
        let per_page = number("per_page", &self.per_page, PER_PAGE)?;
        let page = number("page", &self.page, 1)?;
        let from = (page - 1).saturating_mul(per_page);
        if from != 0 && from >= count {
            return Err(format!("invalid request: page: {page}, per_page: {per_page}"));
        }
        let to = from.saturating_add(per_page).min(count);
        let next = if page.saturating_mul(per_page) < count {
            page + 1
        } else {
            1
        };
        Ok(Page { from, to, next })
    }
}

fn number(name: &str, text: &str, default: usize) -> Result<usize, String> {
    if text.is_empty() {
        return Ok(default);
    }
    match text.parse::<i64>().unwrap_or(0) {
        n if n > 0 => Ok(usize::try_from(n).unwrap_or(usize::MAX)),
        n => Err(format!("invalid request: {name}: {n}")),
    }
}

fn decode(text: &str) -> String {
    percent_decode_str(&text.replace('+', " "))
        .decode_utf8_lossy()
        .into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages() {
        let check = |query: &str, want: Result<(usize, usize, usize), &str>| {
            let got = Params::of(query).cut(34).map(|p| (p.from, p.to, p.next));
            assert_eq!(got, want.map_err(str::to_owned), "{query}");
        };
        check("", Ok((0, 34, 1)));
        check("page=1&per_page=5", Ok((0, 5, 2)));
        check("page=2&per_page=5", Ok((5, 10, 3)));
        check("page=4&per_page=10", Ok((30, 34, 1)));
        check("page=1&per_page=1000", Ok((0, 34, 1)));
        check("page=99", Err("invalid request: page: 99, per_page: 100"));
        check("page=9&per_page=5", Err("invalid request: page: 9, per_page: 5"));
        check("page=0", Err("invalid request: page: 0"));
        check("page=-1", Err("invalid request: page: -1"));
        check("page=x", Err("invalid request: page: 0"));
        check("per_page=x&page=y", Err("invalid request: per_page: 0"));
    }

    #[test]
    fn values() {
        let p = Params::of("search=A+b%2Fc&direction=DESC&search=z&x;y=1");
        assert_eq!((p.search.as_str(), p.descending), ("a b/c", true));
        assert!(p.finds(&["", "xA B/C"]) && !p.finds(&["a b"]));
        assert!(Params::of("status=WARNING").wants_status("warning"));
    }

    #[test]
    fn services_with_and_without_provider() {
        let check = |asked: &str, service: &str, want: bool| {
            assert_eq!(
                Params::of(&format!("serviceName={asked}")).wants_service(service),
                want,
                "{asked} {service}"
            );
        };
        check("wrr@file", "wrr", true);
        check("rich", "rich", true);
        check("rich", "rich@file", false);
        check("rich@file", "rich@file", true);
        check("", "x", true);
    }
}
