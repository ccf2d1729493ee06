//! Which operations become tools.

use serde_json::Value;

/// What an operation has to have; what is empty asks for nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Criteria {
    pub operation_ids: Vec<String>,
    pub tags: Vec<String>,
    /// As the document writes them; with `*` at the end, all that begin so.
    pub paths: Vec<String>,
    /// In any case.
    pub methods: Vec<String>,
}

/// Those that are wanted: all when there is no `include`, but none of `exclude`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    pub include: Vec<Criteria>,
    pub exclude: Vec<Criteria>,
}

impl Selection {
    /// Whether an operation is wanted.
    pub fn wants(&self, path: &str, method: &str, operation: &Value) -> bool {
        let any = |all: &[Criteria]| all.iter().any(|one| one.fit(path, method, operation));
        (self.include.is_empty() || any(&self.include)) && !any(&self.exclude)
    }
}

impl Criteria {
    fn fit(&self, path: &str, method: &str, operation: &Value) -> bool {
        let id = operation["operationId"].as_str();
        let tags = operation["tags"].as_array();
        let tagged = |tag: &String| tags.is_some_and(|tags| tags.iter().any(|t| t == tag));
        let below = |wanted: &String| match wanted.strip_suffix('*') {
            Some(beginning) => path.starts_with(beginning),
            None => path == wanted,
        };
        fits(&self.operation_ids, |wanted| id == Some(wanted))
            && fits(&self.tags, tagged)
            && fits(&self.paths, below)
            && fits(&self.methods, |wanted| wanted.eq_ignore_ascii_case(method))
    }
}

fn fits(wanted: &[String], one: impl Fn(&String) -> bool) -> bool {
    wanted.is_empty() || wanted.iter().any(one)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn selections() {
        let operation = json!({"operationId": "listPets", "tags": ["pets", "read"]});
        let one = |ids: &[&str], tags: &[&str], paths: &[&str], methods: &[&str]| {
            let all = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect();
            Criteria {
                operation_ids: all(ids),
                tags: all(tags),
                paths: all(paths),
                methods: all(methods),
            }
        };
        let check = |include: Vec<Criteria>, exclude: Vec<Criteria>, want: bool| {
            let selection = Selection { include, exclude };
            assert_eq!(
                selection.wants("/pets/{id}", "get", &operation),
                want,
                "{selection:?}"
            );
        };
        check(vec![], vec![], true);
        check(vec![one(&["listPets"], &[], &[], &[])], vec![], true);
        check(vec![one(&["other"], &[], &[], &[])], vec![], false);
        check(vec![one(&[], &["pets"], &["/pets/*"], &["GET"])], vec![], true);
        check(vec![one(&[], &["pets"], &[], &["POST"])], vec![], false);
        check(vec![one(&[], &[], &["/pets"], &[])], vec![], false);
        check(vec![], vec![one(&[], &["read"], &[], &[])], false);
        check(
            vec![one(&[], &["pets"], &[], &[])],
            vec![one(&[], &[], &["/pets/{id}"], &[])],
            false,
        );
    }
}
