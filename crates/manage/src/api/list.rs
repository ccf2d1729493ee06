//! Lists: filtered, sorted, cut into pages, and only then made into JSON.

use super::object::{Object, add_name};
use super::params::Params;
use crate::answer::Page;
use serde_json::Value;
use std::cmp::Ordering;
use trilithon_engine::merge::provider_of;

/// One object as a list sees it: what it is sorted and found by, and how it is made.
pub struct Item<'a> {
    pub name: &'a str,
    pub status: &'static str,
    pub kind: String,
    pub rule: &'a str,
    /// Of routers; `None` for what has none, which a search by service does not find out.
    pub route: Option<Route<'a>>,
    pub servers: usize,
    pub certificate: Option<Certificate<'a>>,
    /// Fields that rawdata leaves out, with those that [`add_name`] writes.
    pub extra: Object,
    pub make: Box<dyn Fn() -> Object + 'a>,
}

/// What routers are sorted and found by.
pub struct Route<'a> {
    pub service: &'a str,
    pub middlewares: Vec<String>,
    pub priority: i64,
    pub entry_points: usize,
}

/// What certificates are sorted and found by.
pub struct Certificate<'a> {
    pub texts: Vec<&'a str>,
    pub common_name: &'a str,
    pub issuer: &'a str,
    pub not_after: i64,
}

impl<'a> Item<'a> {
    pub fn new(name: &'a str, status: &'static str, make: impl Fn() -> Object + 'a) -> Item<'a> {
        Item {
            name,
            status,
            kind: String::new(),
            rule: "",
            route: None,
            servers: 0,
            certificate: None,
            extra: Object::new(),
            make: Box::new(make),
        }
    }

    /// The object with its name.
    pub fn render(&self) -> Value {
        let mut object = (self.make)();
        // Certificates and entry points say their name themselves.
        if !object.contains_key("name") {
            add_name(&mut object, self.name, &self.kind);
        }
        object.extend(self.extra.clone());
        object.into()
    }

    /// The object as it stands under its name.
    pub fn render_raw(&self) -> Value {
        (self.make)().into()
    }

    fn is_wanted(&self, params: &Params) -> bool {
        let texts = match &self.certificate {
            Some(certificate) => certificate.texts.clone(),
            None => vec![self.name, self.rule],
        };
        let route = self.route.as_ref();
        params.wants_status(self.status)
            && params.finds(&texts)
            && route
                .is_none_or(|r| params.wants_service(r.service) && params.wants_middleware(&r.middlewares))
    }

    /// What the list is sorted by; the name decides between equals.
    fn compare(&self, other: &Item<'_>, column: &str) -> Ordering {
        let (a, b) = (self.route.as_ref(), other.route.as_ref());
        let first = match column {
            "provider" => provider_of(self.name).cmp(provider_of(other.name)),
            "status" => self.status.cmp(other.status),
            "type" => self.kind.cmp(&other.kind),
            "rule" => self.rule.cmp(other.rule),
            "servers" => self.servers.cmp(&other.servers),
            "priority" => a.map(|r| r.priority).cmp(&b.map(|r| r.priority)),
            "service" => a.map(|r| r.service).cmp(&b.map(|r| r.service)),
            "entryPoints" => a.map(|r| r.entry_points).cmp(&b.map(|r| r.entry_points)),
            "issuer" => self.issuer().cmp(&other.issuer()),
            "validUntil" => self.not_after().cmp(&other.not_after()),
            _ => Ordering::Equal,
        };
        first.then_with(|| self.label().cmp(&other.label()))
    }

    fn issuer(&self) -> Option<&str> {
        self.certificate.as_ref().map(|c| c.issuer)
    }

    fn not_after(&self) -> Option<i64> {
        self.certificate.as_ref().map(|c| c.not_after)
    }

    /// What people call it, and its name behind that.
    fn label(&self) -> (&str, &str) {
        self.certificate
            .as_ref()
            .map_or((self.name, ""), |c| (c.common_name, self.name))
    }
}

/// The page that is asked for.
pub fn answer(mut items: Vec<Item<'_>>, params: &Params) -> Page {
    items.retain(|item| item.is_wanted(params));
    items.sort_by(|a, b| {
        let order = a.compare(b, &params.sort_by);
        if params.descending { order.reverse() } else { order }
    });
    let page = match params.cut(items.len()) {
        Ok(page) => page,
        Err(why) => return Page::error(400, &why),
    };
    let list: Vec<Value> = items[page.from..page.to].iter().map(Item::render).collect();
    Page::json(&list.into()).with("X-Next-Page", page.next.to_string())
}
