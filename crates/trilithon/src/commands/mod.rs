//! The commands, one file each.

/// Prints a line like `println!`; whoever reads it may stop reading.
macro_rules! say {
    ($($arg:tt)*) => { $crate::commands::print(format_args!($($arg)*)) };
}

pub mod audit;
pub mod check;
pub mod completion;
pub mod explain;
pub mod healthcheck;
pub mod help;
pub mod history;
pub mod quickstart;
pub mod rollback;
pub mod run;
pub mod sample;
pub mod schema;
pub mod tools;
pub mod undo;
pub mod version;

mod arguments;
mod ask;
mod locate;
mod state;

/// Prints a line. A reader that has gone (`| head`) ends the command, quietly.
fn print(line: std::fmt::Arguments<'_>) {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    if writeln!(out, "{line}").and_then(|()| out.flush()).is_err() {
        std::process::exit(0);
    }
}
