//! `trilithon [flags]`: serves.

use crate::export::Export;
use crate::gateway::Gateway;
use crate::install;
use std::process::ExitCode;
use trilithon_engine::merge::Message;
use trilithon_manage::log;
use trilithon_model::install::Static;

/// Loads the install configuration and serves until a signal ends it.
///
/// # Errors
/// What keeps the gateway from starting.
pub fn run(args: &[String]) -> anyhow::Result<ExitCode> {
    let loaded = install::from_process(args);
    install::print(&loaded.problems);
    if loaded.problems.has_errors() {
        eprintln!("error: the install configuration has errors; nothing is started");
        return Ok(ExitCode::FAILURE);
    }
    serve(loaded.config, Vec::new())
}

/// Serves an install configuration.
///
/// # Errors
/// What keeps the gateway from starting.
pub fn serve(config: Static, more: Vec<Message>) -> anyhow::Result<ExitCode> {
    let mut export = Export::start(&config);
    let listener = export.log(&config);
    log::start(config.log.as_ref(), listener)?;
    export.complain();
    trilithon_tls::warm_up();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("slow")
        .enable_all()
        .build()?;
    let served = runtime.block_on(async { Gateway::prepare(config, more, &export)?.serve().await });
    export.finish();
    served?;
    // What still runs in the background has nothing left to do.
    runtime.shutdown_background();
    Ok(ExitCode::SUCCESS)
}
