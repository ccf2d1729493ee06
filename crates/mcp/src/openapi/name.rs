//! Names of tools: the same for the same document, in characters that every client takes.

use std::collections::HashSet;

/// Characters of a name: what clients and models take.
const MAX_NAME: usize = 64;

/// The names that are taken.
#[derive(Default)]
pub struct Names(HashSet<String>);

impl Names {
    /// A name of its own for an operation: its `operationId`, or method and path where it has none. One that is taken gets a number.
    pub fn of(&mut self, id: Option<&str>, method: &str, path: &str) -> String {
        let wanted = match id.map(clean).filter(|name| !name.is_empty()) {
            Some(name) => name,
            None => from_path(method, path),
        };
        let mut name = cut(&wanted, MAX_NAME).to_owned();
        let mut number = 1;
        while !self.0.insert(name.clone()) {
            number += 1;
            let end = format!("_{number}");
            name = format!("{}{end}", cut(&wanted, MAX_NAME - end.len()));
        }
        name
    }
}

fn cut(name: &str, length: usize) -> &str {
    &name[..name.len().min(length)]
}

/// Letters, digits, `_`, `-` and `.`; everything else becomes one `_`.
fn clean(text: &str) -> String {
    let mut name = String::new();
    for c in text.chars() {
        match c {
            c if c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.') => name.push(c),
            _ if name.ends_with('_') => {}
            _ => name.push('_'),
        }
    }
    name.trim_matches('_').to_owned()
}

/// `get_orders_by_id` for `GET /orders/{id}`.
fn from_path(method: &str, path: &str) -> String {
    let mut name = method.to_owned();
    for part in path.split('/').filter(|part| !part.is_empty()) {
        name.push('_');
        match part.strip_prefix('{').and_then(|p| p.strip_suffix('}')) {
            Some(parameter) => name.push_str(&format!("by_{parameter}")),
            None => name.push_str(part),
        }
    }
    clean(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let mut names = Names::default();
        let mut check = |id: Option<&str>, method: &str, path: &str, want: &str| {
            assert_eq!(names.of(id, method, path), want);
        };
        check(Some("listPets"), "get", "/pets", "listPets");
        check(Some("listPets"), "get", "/pets2", "listPets_2");
        check(Some("pets/list all"), "get", "/x", "pets_list_all");
        check(None, "get", "/orders/{id}/items", "get_orders_by_id_items");
        check(Some("é"), "post", "/", "post");
        check(None, "post", "/", "post_2");
        let long = "x".repeat(80);
        check(Some(&long), "get", "/", &long[..64]);
        check(Some(&long), "get", "/", &format!("{}_2", &long[..62]));
    }
}
