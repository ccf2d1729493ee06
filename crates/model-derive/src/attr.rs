//! Reads `#[config(...)]` and doc comments.

use syn::{Attribute, Expr, ExprLit, Lit, LitStr, Meta, Token};

/// What `#[config(...)]` said about a field.
#[derive(Default)]
pub struct FieldAttr {
    pub default: Option<Expr>,
    pub rename: Option<String>,
    pub deprecated: Option<String>,
    pub one_of: Vec<String>,
    pub allow_empty: bool,
    pub no_labels: bool,
    pub any_case: bool,
    pub skip: bool,
    pub flatten: bool,
}

/// What `#[config(...)]` said about the struct.
#[derive(Default)]
pub struct StructAttr {
    pub removed: Vec<(String, String)>,
}

pub fn field(attrs: &[Attribute]) -> syn::Result<FieldAttr> {
    let mut out = FieldAttr::default();
    for attr in attrs.iter().filter(|a| a.path().is_ident("config")) {
        attr.parse_nested_meta(|meta| {
            let Some(word) = meta.path.get_ident().map(ToString::to_string) else {
                return Err(meta.error("expected one word"));
            };
            match word.as_str() {
                "default" => out.default = Some(meta.value()?.parse()?),
                "rename" => out.rename = Some(meta.value()?.parse::<LitStr>()?.value()),
                "deprecated" => out.deprecated = Some(meta.value()?.parse::<LitStr>()?.value()),
                "one_of" => out.one_of = words(&meta)?,
                "allow_empty" => out.allow_empty = true,
                "no_labels" => out.no_labels = true,
                "any_case" => out.any_case = true,
                "skip" => out.skip = true,
                "flatten" => out.flatten = true,
                _ => return Err(meta.error("unknown word in `config`")),
            }
            Ok(())
        })?;
    }
    Ok(out)
}

pub fn structure(attrs: &[Attribute]) -> syn::Result<StructAttr> {
    let mut out = StructAttr::default();
    for attr in attrs.iter().filter(|a| a.path().is_ident("config")) {
        attr.parse_nested_meta(|meta| {
            if !meta.path.is_ident("removed") {
                return Err(meta.error("unknown word in `config`"));
            }
            match words(&meta)?.as_slice() {
                [name, help] => out.removed.push((name.clone(), help.clone())),
                _ => return Err(meta.error("expected `removed(\"name\", \"help\")`")),
            }
            Ok(())
        })?;
    }
    Ok(out)
}

/// The doc comment, lines joined as written.
pub fn doc(attrs: &[Attribute]) -> String {
    let lines: Vec<String> = attrs.iter().filter_map(doc_line).collect();
    lines.join("\n").trim().to_owned()
}

fn doc_line(attr: &Attribute) -> Option<String> {
    let Meta::NameValue(pair) = &attr.meta else {
        return None;
    };
    if !pair.path.is_ident("doc") {
        return None;
    }
    match &pair.value {
        Expr::Lit(ExprLit {
            lit: Lit::Str(text), ..
        }) => Some(text.value().trim().to_owned()),
        _ => None,
    }
}

fn words(meta: &syn::meta::ParseNestedMeta<'_>) -> syn::Result<Vec<String>> {
    let inner;
    syn::parenthesized!(inner in meta.input);
    let list = inner.parse_terminated(<LitStr as syn::parse::Parse>::parse, Token![,])?;
    Ok(list.iter().map(LitStr::value).collect())
}
