//! The gateway: one binary that takes Traefik's configuration.
//!
//! This crate is the only one that sees all others. It reads the command line, loads the install configuration, wires
//! providers to the engine, and runs the commands beside that.
#![forbid(unsafe_code)]

mod chronicle;
mod cli;
mod commands;
mod control;
#[cfg(feature = "otlp")]
mod export;
#[cfg(not(feature = "otlp"))]
#[path = "no_export.rs"]
mod export;
mod gateway;
mod install;
mod prices;
mod settings;
mod store;
mod undo;

use std::process::ExitCode;

// Freed memory goes back to the thread that allocated it, which is the thread that serves the next request.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Huge pages would cost each idle connection tens of KiB: its few small objects each touch another 2 MiB.
    if let Err(error) = rustix::thread::disable_transparent_huge_pages(true) {
        tracing::debug!(%error, "transparent huge pages stay on");
    }
    match cli::parse(std::env::args().skip(1).collect()) {
        Ok(command) => command.run(),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
