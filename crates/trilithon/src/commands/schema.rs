//! `trilithon schema install|routing`: JSON Schemas for editors; and the list of flags for `help`.

use std::fmt::Write as _;
use std::process::ExitCode;
use trilithon_model::decode::Decode;
use trilithon_model::install::Static;
use trilithon_model::schema;
use trilithon_model::shape::Shape;

/// Prints a schema.
///
/// # Errors
/// A name that is no schema.
pub fn run(which: &str) -> anyhow::Result<ExitCode> {
    match which {
        "install" => say!("{:#}", schema::install()),
        "routing" => say!("{:#}", schema::routing()),
        other => anyhow::bail!("`{other}` is no schema; choose install or routing"),
    }
    Ok(ExitCode::SUCCESS)
}

/// Every flag with the first line of its description.
pub fn flags() -> String {
    let mut out = String::new();
    walk(&Static::shape(), "", "", &mut out);
    out
}

fn walk(shape: &Shape, path: &str, doc: &str, out: &mut String) {
    match shape {
        Shape::Object(object) => {
            for field in &object.fields {
                let path = if path.is_empty() {
                    field.field.name.to_owned()
                } else {
                    format!("{path}.{}", field.field.name)
                };
                walk(&field.shape, &path, field.doc, out);
            }
        }
        Shape::Map(inner) => walk(inner, &format!("{path}.<name>"), doc, out),
        Shape::List(inner) if matches!(**inner, Shape::Object(_)) => {
            walk(inner, &format!("{path}[n]"), doc, out)
        }
        _ => {
            // Writing to a string cannot fail.
            let _ = writeln!(
                out,
                "  --{path}\n      {}",
                doc.lines().next().unwrap_or_default().trim()
            );
        }
    }
}
