//! `trilithon sample`: one sample server alone.

use super::{start_model, start_tools};
use crate::commands::arguments::Arguments;
use anyhow::Context;
use std::process::ExitCode;
use tokio::net::TcpListener;

/// Where a sample listens that was told nothing.
const LISTEN: &str = "127.0.0.1:8090";

/// What `sample` was asked.
pub struct Options {
    listen: String,
    which: Which,
}

enum Which {
    /// The only key that the server takes; any when there is none.
    Model { key: Option<String> },
    /// Where its tools ask for orders, and with which key.
    Tools {
        api: Option<String>,
        key: Option<String>,
    },
}

impl Options {
    /// # Errors
    /// A sample or an option that does not exist.
    pub fn parse(args: Vec<String>) -> anyhow::Result<Options> {
        let mut args = Arguments::new(args);
        let which = match args.word().as_deref() {
            Some("model") => Which::Model {
                key: args.option(&["--key"])?,
            },
            Some("tools") => Which::Tools {
                api: args.option(&["--api"])?,
                key: args.option(&["--api-key"])?,
            },
            Some(other) => anyhow::bail!("there is no sample `{other}`; there are `model` and `tools`"),
            None => anyhow::bail!("`sample` needs the name of one; there are `model` and `tools`"),
        };
        let listen = args.option(&["--listen"])?.unwrap_or_else(|| LISTEN.to_owned());
        args.finish("sample")?;
        Ok(Options { listen, which })
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
        let url = match options.which {
            Which::Model { key } => start_model(listener, key)?,
            Which::Tools { api, key } => start_tools(listener, api, key)?,
        };
        say!("{url}");
        tokio::signal::ctrl_c().await?;
        Ok(ExitCode::SUCCESS)
    })
}
