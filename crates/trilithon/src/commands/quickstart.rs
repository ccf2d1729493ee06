//! `trilithon quickstart`: the gateway on embedded defaults with samples behind it, and what to try.

mod issuer;
mod tour;

use super::{run, sample};
use crate::install;
use anyhow::Context;
use issuer::Issuer;
use std::path::PathBuf;
use std::process::ExitCode;
use tokio::net::TcpListener;
use tour::{Stage, Tour};
use trilithon_engine::merge::Message;
use trilithon_model::install::Static;
use trilithon_model::node::Source;
use trilithon_model::{decode_static, dialect, routing_file};

const INSTALL: &str = include_str!("quickstart/install.yml");
const ROUTING: &str = include_str!("quickstart/routing.yml");

/// Ports that are asked for; the next free one is taken where one is in use.
const PORTS: [(&str, u16); 3] = [("@web@", 8000), ("@websecure@", 8443), ("@dashboard@", 8080)];

/// What `quickstart` was asked.
pub struct Options {
    /// Only print the configuration.
    print: bool,
    /// Play the tour, and end with it.
    tour: bool,
}

impl Options {
    /// # Errors
    /// An option that does not exist.
    pub fn parse(args: Vec<String>) -> anyhow::Result<Options> {
        let mut options = Options {
            print: false,
            tour: false,
        };
        for arg in args {
            match arg.as_str() {
                "--print" => options.print = true,
                "--tour" => options.tour = true,
                other => anyhow::bail!(
                    "`{other}` is no option of quickstart; there are `--tour`, which plays one agent's work, and `--print`, which shows the configuration"
                ),
            }
        }
        Ok(options)
    }
}

/// Starts the samples and serves.
///
/// # Errors
/// No port is free, or what keeps any gateway from starting.
pub fn run(options: &Options) -> anyhow::Result<ExitCode> {
    if options.print {
        say!("# install configuration\n{INSTALL}\n# routing configuration\n{ROUTING}");
        return Ok(ExitCode::SUCCESS);
    }
    anyhow::ensure!(
        cfg!(feature = "otlp") || !options.tour,
        "the tour shows a trace, and this program was built without the feature `otlp`"
    );
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("samples")
        .enable_all()
        .build()?;
    let ports = ports()?;
    let samples = runtime
        .block_on(samples(ports[0].1))
        .context("cannot start the samples")?;
    let store = store();
    let issuer = Issuer::new()?;
    let fill = |text: &str| {
        let text = text
            .replace("@store@", &store.display().to_string())
            .replace("@keys@", &issuer.keys)
            .replace("@token@", &issuer.token)
            .replace("@trilithon@", &own_name());
        let filled = ports
            .iter()
            .fold(text, |t, (mark, port)| t.replace(mark, &port.to_string()));
        samples.iter().fold(filled, |t, (mark, url)| t.replace(mark, url))
    };
    let mut config = static_of(&fill(INSTALL))?;
    let source = Source::text("quickstart/routing.yml", fill(ROUTING));
    let (configuration, problems) = routing_file(&source);
    install::print(&problems);
    anyhow::ensure!(!problems.has_errors(), "the embedded configuration has errors");
    let tour = options.tour.then(|| {
        // What the tour says is not to stand between other lines.
        config.access_log = None;
        config.log = None;
        Tour::start(Stage {
            web: ports[0].1,
            token: issuer.token.clone(),
            store: store.clone(),
        })
    });
    if tour.is_none() {
        say!("{}", fill(include_str!("quickstart/welcome.txt")));
    }
    let ended = run::serve(
        config,
        vec![Message {
            provider: "quickstart".into(),
            configuration,
            sources: vec![source],
        }],
    );
    // Nobody asks for it any more.
    let _ = std::fs::remove_dir_all(&store);
    match tour.filter(|_| ended.is_ok()).map(Tour::outcome) {
        // It said itself what was wrong.
        Some(Err(_)) => Ok(ExitCode::FAILURE),
        Some(Ok(())) | None => ended,
    }
}

/// A store of its own, so that samples are not in anybody's history.
fn store() -> PathBuf {
    std::env::temp_dir().join(format!("trilithon-{}", std::process::id()))
}

/// What the shell finds this program by: its name where it is on the path, else where it lies.
fn own_name() -> String {
    const NAME: &str = "trilithon";
    let path = std::env::var_os("PATH").unwrap_or_default();
    let this = std::env::current_exe().and_then(std::fs::canonicalize).ok();
    let found = std::env::split_paths(&path).find_map(|folder| std::fs::canonicalize(folder.join(NAME)).ok());
    match this {
        Some(this) if found.as_ref() != Some(&this) => this.display().to_string(),
        _ => NAME.to_owned(),
    }
}

fn static_of(text: &str) -> anyhow::Result<Static> {
    let mut problems = trilithon_model::Problems::new();
    let node =
        dialect::parse(&Source::text("quickstart/install.yml", text), &mut problems).unwrap_or_default();
    let (mut config, more) = decode_static(&node);
    problems.extend(more);
    problems.extend(config.finish(&node));
    install::print(&problems);
    anyhow::ensure!(!problems.has_errors(), "the embedded configuration has errors");
    Ok(config)
}

/// What the tools' own key is.
const TOOL_KEY: &str = "stone";

/// The samples by the marks of their URLs. `web` is the port that tools ask the gateway at.
async fn samples(web: u16) -> anyhow::Result<Vec<(&'static str, String)>> {
    Ok(vec![
        (
            "@whoami1@",
            sample::start("whoami-1", sample::Kind::Whoami).await?,
        ),
        (
            "@whoami2@",
            sample::start("whoami-2", sample::Kind::Whoami).await?,
        ),
        ("@canary@", sample::start("canary", sample::Kind::Whoami).await?),
        ("@events@", sample::start("events", sample::Kind::Events).await?),
        ("@flaky@", sample::start("flaky", sample::Kind::Flaky).await?),
        (
            "@collector@",
            sample::start("collector", sample::Kind::Collector).await?,
        ),
        (
            "@model@",
            sample::start_model(TcpListener::bind("127.0.0.1:0").await?, None)?,
        ),
        ("@orders@", sample::start("orders", sample::Kind::Orders).await?),
        (
            "@tools@",
            sample::start_tools(
                TcpListener::bind("127.0.0.1:0").await?,
                Some(format!("http://127.0.0.1:{web}/orders")),
                Some(TOOL_KEY.to_owned()),
            )?,
        ),
    ])
}

/// A free port for each mark. It is free now; another process may still be quicker, and then the start says so.
fn ports() -> anyhow::Result<Vec<(&'static str, u16)>> {
    let mut taken = Vec::new();
    for (_, wanted) in PORTS {
        let free = (wanted..wanted + 100)
            .find(|p| !taken.contains(p) && std::net::TcpListener::bind(("127.0.0.1", *p)).is_ok());
        let port = free.with_context(|| format!("no port from {wanted} to {} is free", wanted + 99))?;
        taken.push(port);
    }
    Ok(PORTS.iter().map(|(mark, _)| *mark).zip(taken).collect())
}
