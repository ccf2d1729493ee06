//! From text to crate `cel`'s tree, apart from the rest of the process.
//!
//! The parser is a generated one: it recurses as deep as the text is nested, and may panic where its authors expected nothing.
//! It therefore runs on a thread of its own, with a stack for the longest text there may be; a panic ends that thread.

use super::Mistake;
use cel::IdedExpr;
use cel::common::ast::SourceInfo;
use cel::parser::{ParseErrors, Parser};

/// Enough for [`super::MAX_LENGTH`] levels in a build without optimisation; what is not touched is not used.
const STACK: usize = 256 << 20;
/// Levels of the grammar; one of ours is several of these.
const MAX_LEVELS: u16 = 512;

/// Parses `source` and has the tree compiled, all on a thread of its own.
pub fn apart<T: Send>(
    source: &str,
    compile: impl FnOnce(&IdedExpr, &SourceInfo) -> Result<T, Mistake> + Send,
) -> Result<T, Mistake> {
    let work = || {
        let parser = Parser::new().max_recursion_depth(MAX_LEVELS);
        let (expression, places) = parser
            .parse_with_source_info(source)
            .map_err(|errors| mistake(source, &errors))?;
        compile(&expression, &places)
    };
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .name("cel".into())
            .stack_size(STACK)
            .spawn_scoped(scope, work)
            .map_err(|e| Mistake::new(format!("no thread to parse the expression on: {e}")))?;
        thread
            .join()
            .unwrap_or_else(|_| Err(Mistake::new("the expression cannot be parsed")))
    })
}

/// The first thing that the parser found wrong.
fn mistake(source: &str, errors: &ParseErrors) -> Mistake {
    let Some(first) = errors.errors.first() else {
        return Mistake::new("the expression cannot be parsed");
    };
    let message = first.msg.lines().next().unwrap_or_default();
    Mistake {
        at: offset(source, first.pos),
        ..Mistake::new(format!("not CEL: {message}"))
    }
}

/// The byte at a line and column, each from 1.
fn offset(source: &str, (line, column): (isize, isize)) -> usize {
    let before = usize::try_from(line - 1).unwrap_or_default();
    let start: usize = source.split_inclusive('\n').take(before).map(str::len).sum();
    let column = usize::try_from(column - 1).unwrap_or_default();
    (start + column).min(source.len())
}
