//! Entry points, as the install configuration has them.

use super::list::Item;
use super::object::config;
use trilithon_model::install::Static;

/// All entry points, by name.
pub fn items(install: &Static) -> Vec<Item<'_>> {
    let item = |(name, entry_point)| -> Item<'_> {
        let (name, entry_point): (
            &String,
            &trilithon_model::Spanned<trilithon_model::install::EntryPoint>,
        ) = (name, entry_point);
        Item::new(name, "enabled", move || {
            let mut object = config(&entry_point.value);
            object.insert("name".into(), name.as_str().into());
            object
        })
    };
    install.entry_points.iter().map(item).collect()
}
