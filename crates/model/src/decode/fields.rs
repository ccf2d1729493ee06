//! Reads an object with a fixed set of options.

use super::{Cx, Field, Kind, Mode, Removed, suggest};
use crate::node::{Entry, Node, Scalar, Span, Value};
use crate::problem::{Problem, code};

/// Calls `set` with the index and the value of every option written in `node`; reports everything else.
pub fn fields(
    node: &Node,
    cx: &mut Cx,
    fields: &[Field],
    removed: &[Removed],
    mut set: impl FnMut(usize, &Node, &mut Cx),
) {
    cx.set_anchor(None);
    let entries = match &node.value {
        Value::Map(entries) => entries,
        Value::Null => return,
        Value::Scalar(scalar) if means_true(scalar) => return,
        _ => return cx.wrong_type("an object", node),
    };
    let mut seen: Vec<Option<&Span>> = vec![None; fields.len()];
    for entry in entries {
        let found = fields
            .iter()
            .position(|f| f.name.eq_ignore_ascii_case(&entry.key));
        let Some(index) = found else {
            unknown(entry, cx, fields, removed);
            continue;
        };
        let field = &fields[index];
        match seen[index] {
            Some(first) => twice(entry, field, first, cx),
            None => seen[index] = Some(&entry.key_span),
        }
        cx.within(field.name, |cx| {
            if admissible(entry, field, cx) {
                set(index, &entry.node, cx);
                check_words(&entry.node, field, cx);
            }
        });
    }
}

pub(crate) fn means_true(scalar: &Scalar) -> bool {
    scalar.text.is_empty() || scalar.text.eq_ignore_ascii_case("true")
}

/// Whether the value may be read; reports why not.
fn admissible(entry: &Entry, field: &Field, cx: &mut Cx) -> bool {
    if entry.node.is_null() {
        return false;
    }
    if let Some(help) = field.deprecated {
        let message = format!("`{}` is deprecated", cx.path());
        cx.report(Problem::warning(code::DEPRECATED, entry.key_span.clone(), message).help(help));
    }
    if field.no_labels && cx.mode() == Mode::Labels {
        let message = format!("`{}` cannot be set by labels", cx.path());
        cx.refuse(Problem::error(
            code::NOT_BY_LABEL,
            entry.key_span.clone(),
            message,
        ));
        return false;
    }
    field.kind != Kind::Object || object_admissible(entry, field, cx)
}

fn object_admissible(entry: &Entry, field: &Field, cx: &mut Cx) -> bool {
    match &entry.node.value {
        Value::Map(members) if !field.allow_empty && members.iter().all(|e| e.node.is_null()) => {
            standalone(entry, field, cx);
            false
        }
        Value::Scalar(scalar) if field.allow_empty => {
            if !means_true(scalar) && !scalar.text.eq_ignore_ascii_case("false") {
                disabled(entry, scalar, cx);
            }
            means_true(scalar)
        }
        Value::Scalar(scalar) if means_true(scalar) => {
            standalone(entry, field, cx);
            false
        }
        _ => true,
    }
}

/// An object that says nothing where nothing has no meaning.
fn standalone(entry: &Entry, field: &Field, cx: &mut Cx) {
    let message = format!("`{}` cannot be a standalone element", cx.path());
    let help = format!("give `{}` at least one option, or remove it", field.name);
    cx.refuse(Problem::error(code::STANDALONE, entry.key_span.clone(), message).help(help));
}

/// A word other than `true` where an object is expected turns it off.
fn disabled(entry: &Entry, scalar: &Scalar, cx: &mut Cx) {
    let message = format!("`{}` is turned off by the value `{}`", cx.path(), scalar.text);
    let help = "write `true`, `false` or an object";
    cx.report(Problem::warning(code::WRONG_TYPE, entry.node.span.clone(), message).help(help));
}

fn twice(entry: &Entry, field: &Field, first: &Span, cx: &mut Cx) {
    let message = format!(
        "`{}` is written twice, in different case; the last one counts",
        cx.path_of(field.name)
    );
    let problem = Problem::warning(code::DUPLICATE_KEY, entry.key_span.clone(), message);
    cx.report(problem.related(first.clone(), "first written here"));
}

fn unknown(entry: &Entry, cx: &mut Cx, fields: &[Field], removed: &[Removed]) {
    let span = entry.key_span.clone();
    if let Some(gone) = removed.iter().find(|r| r.name.eq_ignore_ascii_case(&entry.key)) {
        let message = format!("`{}` no longer exists", cx.path_of(gone.name));
        return cx.refuse(Problem::error(code::REMOVED, span, message).help(gone.help));
    }
    if cx.is_root() {
        return unknown_root(entry, cx, fields);
    }
    if entry.node.is_null() {
        let message = format!(
            "unknown option `{}` in `{}`; it is empty and ignored",
            entry.key,
            cx.path()
        );
        return cx.report(helped(
            Problem::warning(code::UNKNOWN_OPTION, span, message),
            entry,
            fields,
        ));
    }
    let message = format!("unknown option `{}` in `{}`", entry.key, cx.path());
    cx.refuse(helped(
        Problem::error(code::UNKNOWN_OPTION, span, message),
        entry,
        fields,
    ));
}

/// Unknown roots are ignored; those starting with `x-` are meant to be.
fn unknown_root(entry: &Entry, cx: &mut Cx, fields: &[Field]) {
    if entry.key.starts_with("x-") {
        return;
    }
    let message = format!("unknown section `{}` is ignored", entry.key);
    let problem = Problem::warning(code::UNKNOWN_ROOT, entry.key_span.clone(), message);
    cx.report(helped(problem, entry, fields));
}

fn helped(problem: Problem, entry: &Entry, fields: &[Field]) -> Problem {
    let names = fields.iter().map(|f| f.name);
    match suggest::help(&entry.key, names) {
        Some(help) => problem.help(help),
        None => problem,
    }
}

/// Warns about words that the option does not have. What then happens is up to whoever uses the option.
fn check_words(node: &Node, field: &Field, cx: &mut Cx) {
    if field.one_of.is_empty() {
        return;
    }
    match &node.value {
        Value::Null => {}
        Value::Scalar(scalar) => check_word(scalar, &node.span, field, cx),
        Value::List(items) => items.iter().for_each(|item| check_words(item, field, cx)),
        Value::Map(entries) => {
            entries
                .iter()
                .for_each(|e| cx.within(e.key.as_str(), |cx| check_words(&e.node, field, cx)));
        }
    }
}

fn check_word(scalar: &Scalar, span: &Span, field: &Field, cx: &mut Cx) {
    let word = scalar.text.trim();
    let fits = |known: &&&str| **known == word || field.any_case && known.eq_ignore_ascii_case(word);
    if word.is_empty() || field.one_of.iter().find(fits).is_some() {
        return;
    }
    let message = format!("`{word}` is not a value of `{}`", cx.path());
    let help = suggest::words(word, field.one_of);
    cx.report(Problem::warning(code::NOT_ONE_OF, span.clone(), message).help(help));
}
