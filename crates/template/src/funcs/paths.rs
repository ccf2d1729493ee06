//! Paths: sprig's chapter "Path and Filepath Functions". Both are the same where the separator is a slash.

use crate::function::Kind::Str;
use crate::function::{Body, Function, fixed, text};
use crate::go::path;

const BASE: Body = |b, a| b.text(path::base(text(&a[0])));
const DIR: Body = |b, a| b.text(path::dir(text(&a[0])));
const EXT: Body = |b, a| b.text(path::ext(text(&a[0])));
const CLEAN: Body = |b, a| b.text(path::clean(text(&a[0])));
const IS_ABS: Body = |_, a| Ok(text(&a[0]).starts_with('/').into());

pub(super) const FUNCTIONS: &[Function] = &[
    fixed("base", &[Str], BASE),
    fixed("dir", &[Str], DIR),
    fixed("ext", &[Str], EXT),
    fixed("clean", &[Str], CLEAN),
    fixed("isAbs", &[Str], IS_ABS),
    fixed("osBase", &[Str], BASE),
    fixed("osDir", &[Str], DIR),
    fixed("osExt", &[Str], EXT),
    fixed("osClean", &[Str], CLEAN),
    fixed("osIsAbs", &[Str], IS_ABS),
];
