//! The JSON Schemas and the reference pages: complete, and consistent with themselves.

use serde_json::Value;
use trilithon_model::{reference, schema};

/// Every `$ref` leads somewhere; every option has a description that is no placeholder.
fn check(node: &Value, root: &Value, path: &str) {
    match node {
        Value::Object(members) => {
            if let Some(target) = members.get("$ref").and_then(Value::as_str) {
                let name = target.strip_prefix("#/$defs/").unwrap();
                assert!(root["$defs"].get(name).is_some(), "{path}: {target}");
            }
            if let Some(properties) = members.get("properties").and_then(Value::as_object) {
                for (name, property) in properties {
                    let text = property["description"].as_str().unwrap_or_default();
                    assert!(
                        text.len() > 6 && text.ends_with(['.', '…', '`', ')']),
                        "{path}.{name}: `{text}`"
                    );
                }
            }
            members
                .iter()
                .for_each(|(name, value)| check(value, root, &format!("{path}.{name}")));
        }
        Value::Array(items) => items.iter().for_each(|item| check(item, root, path)),
        _ => {}
    }
}

#[test]
fn schemas_are_complete() {
    for schema in [schema::install(), schema::routing()] {
        check(&schema, &schema, "");
    }
    let routing = schema::routing();
    let burst = &routing["$defs"]["RateLimit"]["properties"]["burst"];
    assert_eq!(burst["default"], 1);
    assert_eq!(burst["description"], "Requests that may come at once.");
    let install = schema::install();
    assert_eq!(install["additionalProperties"], true);
    assert_eq!(install["$defs"]["Log"]["additionalProperties"], false);
    assert_eq!(
        install["$defs"]["Log"]["properties"]["format"]["enum"],
        serde_json::json!(["common", "json"])
    );
}

#[test]
fn the_reference_has_a_page_per_section_and_middleware() {
    let pages = reference::pages();
    let names: Vec<&str> = pages.iter().map(|p| p.path.as_str()).collect();
    for name in [
        "install/entryPoints.md",
        "install/providers.md",
        "routing/http/routers.md",
        "routing/tls/options.md",
        "routing/http/middlewares/rateLimit.md",
        "routing/tcp/middlewares/inFlightConn.md",
    ] {
        assert!(names.contains(&name), "{name} is not in {names:?}");
    }
    assert_eq!(
        names
            .iter()
            .filter(|n| n.starts_with("routing/http/middlewares/"))
            .count(),
        44
    );
    let page = pages.iter().find(|p| p.path.ends_with("/addPrefix.md")).unwrap();
    let want = "# http.middlewares.<name>.addPrefix\n\nPuts a path before the path of the request.\n\n\
        | Option | Type | Default | Meaning | Label |\n|---|---|---|---|---|\n\
        | `http.middlewares.<name>.addPrefix.prefix` | text |  | The path to put before, with a leading slash. Required. \
        | `traefik.http.middlewares.<name>.addprefix.prefix` |\n";
    assert_eq!(page.markdown, want);
    let page = pages.iter().find(|p| p.path == "install/ping.md").unwrap();
    assert!(
        page.markdown
            .contains("| `--ping.terminatingStatusCode` | `TRAEFIK_PING_TERMINATINGSTATUSCODE` |")
    );
}
