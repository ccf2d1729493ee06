//! The manual's reference: Markdown made of the same shapes as the decoder, one page per section and middleware.

use std::fmt::Write as _;

use serde_json::Value;

use crate::decode::Decode;
use crate::dialect::env::PREFIX;
use crate::dynamic::Configuration;
use crate::install::Static;
use crate::shape::{FieldShape, ObjectShape, Shape};

/// One page of the reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Where it goes, such as `routing/http/middlewares/addPrefix.md`.
    pub path: String,
    /// Its text.
    pub markdown: String,
}

/// All pages of both configurations, in order of the options.
pub fn pages() -> Vec<Page> {
    let mut out = Vec::new();
    if let Shape::Object(root) = Static::shape() {
        for field in &root.fields {
            out.push(page(
                &format!("install/{}.md", field.field.name),
                field,
                &[field.field.name],
                Spelling::Install,
            ));
        }
    }
    if let Shape::Object(root) = Configuration::shape() {
        root.fields
            .iter()
            .for_each(|section| routing_section(section, &mut out));
    }
    out
}

/// Where options can be written beside files.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Spelling {
    /// Flags and environment.
    Install,
    /// Labels.
    Routing,
}

fn routing_section(section: &FieldShape, out: &mut Vec<Page>) {
    let Shape::Object(object) = &section.shape else {
        return;
    };
    for kind in &object.fields {
        let (root, name) = (section.field.name, kind.field.name);
        match &kind.shape {
            Shape::Map(inner) if name == "middlewares" => middlewares(root, inner, out),
            _ => out.push(page(
                &format!("routing/{root}/{name}.md"),
                kind,
                &[root, name],
                Spelling::Routing,
            )),
        }
    }
}

fn middlewares(root: &str, inner: &Shape, out: &mut Vec<Page>) {
    let Shape::Object(object) = inner else { return };
    for kind in &object.fields {
        let name = kind.field.name;
        let path = format!("routing/{root}/middlewares/{name}.md");
        out.push(page(
            &path,
            kind,
            &[root, "middlewares", "<name>", name],
            Spelling::Routing,
        ));
    }
}

fn page(path: &str, field: &FieldShape, prefix: &[&str], spelling: Spelling) -> Page {
    let mut rows = Vec::new();
    let prefix: Vec<String> = prefix.iter().map(|p| (*p).to_owned()).collect();
    collect(field, &prefix, field.field.no_labels, &mut rows);
    let mut text = format!("# {}\n\n{}\n", prefix.join("."), intro(field));
    if let Some(help) = field.field.deprecated {
        let _ = write!(text, "\nDeprecated: {help}.\n");
    }
    text.push_str(heading(spelling));
    for row in &rows {
        row_text(row, spelling, &mut text);
    }
    Page {
        path: path.to_owned(),
        markdown: text,
    }
}

/// The doc comment of the object itself says more than that of the field holding it.
fn intro(field: &FieldShape) -> &str {
    match innermost(&field.shape) {
        Shape::Object(object) => object.doc,
        _ => field.doc,
    }
}

fn innermost(shape: &Shape) -> &Shape {
    match shape {
        Shape::Map(inner) | Shape::List(inner) => innermost(inner),
        other => other,
    }
}

fn heading(spelling: Spelling) -> &'static str {
    match spelling {
        Spelling::Install => {
            "\n| Option | Type | Default | Meaning | Flag | Environment |\n|---|---|---|---|---|---|\n"
        }
        Spelling::Routing => "\n| Option | Type | Default | Meaning | Label |\n|---|---|---|---|---|\n",
    }
}

struct Row<'a> {
    path: String,
    field: &'a FieldShape,
    no_labels: bool,
}

fn collect<'a>(field: &'a FieldShape, path: &[String], no_labels: bool, rows: &mut Vec<Row<'a>>) {
    let mut path = path.to_vec();
    let mut shape = &field.shape;
    let mut leaf = false;
    loop {
        match shape {
            Shape::Map(inner) => {
                path.push("<name>".to_owned());
                shape = inner;
            }
            Shape::List(inner) if matches!(**inner, Shape::Object(_)) => {
                if let Some(last) = path.last_mut() {
                    last.push_str("[n]");
                }
                shape = inner;
            }
            Shape::Object(_) => break,
            _ => {
                leaf = true;
                break;
            }
        }
    }
    if leaf || field.field.allow_empty {
        rows.push(Row {
            path: path.join("."),
            field,
            no_labels,
        });
    }
    if let Shape::Object(ObjectShape { fields, .. }) = shape {
        for child in fields {
            let mut path = path.clone();
            path.push(child.field.name.to_owned());
            collect(child, &path, no_labels || child.field.no_labels, rows);
        }
    }
}

fn row_text(row: &Row<'_>, spelling: Spelling, out: &mut String) {
    let field = &row.field;
    let mut meaning = field.doc.replace('\n', " ");
    if !field.field.one_of.is_empty() {
        let words: Vec<String> = field.field.one_of.iter().map(|w| format!("`{w}`")).collect();
        let _ = write!(meaning, " Accepted: {}.", words.join(", "));
    }
    if let Some(help) = field.field.deprecated {
        let _ = write!(meaning, " **Deprecated**: {help}.");
    }
    let (kind, default) = (kind(&field.shape), default(field));
    let meaning = meaning.replace('|', "\\|");
    let _ = write!(out, "| `{}` | {kind} | {default} | {meaning} |", row.path);
    let _ = match spelling {
        Spelling::Install => writeln!(out, " `--{}` | `{PREFIX}{}` |", row.path, upper(&row.path)),
        Spelling::Routing if row.no_labels => writeln!(out, " – |"),
        Spelling::Routing => writeln!(out, " `traefik.{}` |", row.path.to_ascii_lowercase()),
    };
}

fn upper(path: &str) -> String {
    path.replace("[n]", "_<n>").replace('.', "_").to_ascii_uppercase()
}

fn kind(shape: &Shape) -> String {
    match shape {
        Shape::String => "text".to_owned(),
        Shape::Bool => "truth value".to_owned(),
        Shape::Int => "whole number".to_owned(),
        Shape::Float => "number".to_owned(),
        Shape::Duration => "duration".to_owned(),
        Shape::Secret => "secret text".to_owned(),
        Shape::Word(words) => words.join(", "),
        Shape::FileOrContent => "path or PEM".to_owned(),
        Shape::Any => "anything".to_owned(),
        Shape::List(inner) => format!("list of {}", kind(inner)),
        Shape::Map(inner) => format!("names to {}", kind(inner)),
        Shape::Object(_) => "object".to_owned(),
    }
}

fn default(field: &FieldShape) -> String {
    match (&field.default, &field.shape) {
        (Some(Value::String(text)), _) => format!("`{text}`"),
        (Some(value), _) if !value.is_object() => format!("`{value}`"),
        (None, Shape::Bool) => "`false`".to_owned(),
        (None, Shape::Int | Shape::Float) => "`0`".to_owned(),
        (None, Shape::Duration) => "`0s`".to_owned(),
        _ => String::new(),
    }
}
