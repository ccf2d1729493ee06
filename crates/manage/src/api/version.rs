//! `/api/version`.

use super::object::Object;
use crate::answer::Page;
use crate::internal::Context;
use jiff::Timestamp;

/// Which program this is, and since when it runs.
pub fn of(context: &Context) -> Object {
    let mut object = Object::new();
    object.insert("Version".into(), env!("CARGO_PKG_VERSION").into());
    object.insert("Codename".into(), "trilithon".into());
    object.insert(
        "startDate".into(),
        Timestamp::try_from(context.started)
            .unwrap_or_default()
            .to_string()
            .into(),
    );
    if let Some(api) = &context.install.api {
        if api.disable_dashboard_ad {
            object.insert("disableDashboardAd".into(), true.into());
        }
        if !api.dashboard_name.is_empty() {
            object.insert("dashboardName".into(), api.dashboard_name.as_str().into());
        }
    }
    object
}

/// The answer; its content type is not that of the others.
pub fn answer(context: &Context) -> Page {
    Page {
        content_type: "application/json; charset=UTF-8",
        ..Page::json(&of(context).into())
    }
}
