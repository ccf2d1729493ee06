//! `trilithon sample`: one sample server alone.

use super::start_model;
use crate::commands::arguments::Arguments;
use anyhow::Context;
use std::process::ExitCode;
use tokio::net::TcpListener;

/// Where a sample listens that was told nothing.
const LISTEN: &str = "127.0.0.1:8090";

/// What `sample` was asked.
pub struct Options {
    listen: String,
    /// The only key that the server takes; any when there is none.
    key: Option<String>,
}

impl Options {
    /// # Errors
    /// A sample or an option that does not exist.
    pub fn parse(args: Vec<String>) -> anyhow::Result<Options> {
        let mut args = Arguments::new(args);
        match args.word().as_deref() {
            Some("model") => {}
            Some(other) => anyhow::bail!("there is no sample `{other}`; there is `model`"),
            None => anyhow::bail!("`sample` needs the name of one; there is `model`"),
        }
        let options = Options {
            listen: args.option(&["--listen"])?.unwrap_or_else(|| LISTEN.to_owned()),
            key: args.option(&["--key"])?,
        };
        args.finish("sample")?;
        Ok(options)
    }
}

/// Serves until the process is ended. The first line printed is the server's URL.
///
/// # Errors
/// The address cannot be listened on.
pub fn run(options: Options) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(&options.listen)
            .await
            .with_context(|| format!("cannot listen on `{}`", options.listen))?;
        let url = start_model(listener, options.key)?;
        say!("{url}");
        tokio::signal::ctrl_c().await?;
        Ok(ExitCode::SUCCESS)
    })
}
