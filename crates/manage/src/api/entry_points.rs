//! Entry points, as the install configuration has them.

use super::list::Item;
use super::object::{Object, config};
use trilithon_model::install::{EntryPoint, Static};

/// All entry points, by name.
pub fn items(install: &Static) -> Vec<Item<'_>> {
    let all = install.entry_points.iter();
    all.map(|(name, entry_point)| Item::new(name, "enabled", move || json(name, entry_point)))
        .collect()
}

fn json(name: &str, entry_point: &EntryPoint) -> Object {
    let mut object = config(entry_point);
    object.insert("name".into(), name.into());
    object
}
