//! The servers behind `quickstart`: small, real HTTP/1.1 upstreams on loopback that say what they were asked.

#[cfg(feature = "otlp")]
mod collector;
#[cfg(not(feature = "otlp"))]
#[path = "sample/no_collector.rs"]
mod collector;

mod asked;
pub mod command;
mod line;
mod model;
mod orders;
mod seen;
mod tools;
mod wish;

use asked::Asked;
use collector::Collector;
use model::Model;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tools::Tools;
use trilithon_flow::Known;
use trilithon_wire::Buffer;

/// Time between two events of the stream.
const EVENT_GAP: Duration = Duration::from_millis(500);

/// What a server does with each request.
#[derive(Clone, Copy)]
pub enum Kind {
    /// Says what it saw.
    Whoami,
    /// Sends ten server-sent events.
    Events,
    /// Fails each second request.
    Flaky,
    /// Takes traces, and shows them.
    Collector,
    /// Lists the orders of a shop.
    Orders,
}

/// Starts a server; gives its URL.
///
/// # Errors
/// No port is free.
pub async fn start(name: &'static str, kind: Kind) -> io::Result<String> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let url = format!("http://{}", listener.local_addr()?);
    let collector = Arc::new(Collector::default());
    tokio::spawn(async move {
        let mut served = 0u32;
        while let Ok((tcp, _)) = listener.accept().await {
            served += 1;
            let collector = collector.clone();
            tokio::spawn(async move {
                // A client that goes away is no news.
                let _ = serve(tcp, name, kind, served, &collector).await;
            });
        }
    });
    Ok(url)
}

/// Starts the model server on `listener`; gives its URL.
///
/// # Errors
/// The listener has no address.
pub fn start_model(listener: TcpListener, key: Option<String>) -> io::Result<String> {
    let url = format!("http://{}", listener.local_addr()?);
    let model = Arc::new(Model::new(key));
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let model = model.clone();
            tokio::spawn(async move {
                let _ = model.serve(tcp).await;
            });
        }
    });
    Ok(url)
}

/// Starts the server of tools on `listener`; gives its URL. `api` is where its tools ask for orders, `key` what they ask with.
///
/// # Errors
/// The listener has no address, or `api` is none.
pub fn start_tools(
    listener: TcpListener,
    api: Option<String>,
    key: Option<String>,
) -> anyhow::Result<String> {
    let url = format!("http://{}", listener.local_addr()?);
    let tools = Arc::new(Tools::new(api, key)?);
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let tools = tools.clone();
            tokio::spawn(async move {
                let _ = tools.serve(tcp).await;
            });
        }
    });
    Ok(url)
}

async fn serve(
    mut tcp: TcpStream,
    name: &str,
    kind: Kind,
    first: u32,
    collector: &Collector,
) -> io::Result<()> {
    let mut buffer = Buffer::new();
    let mut served = first;
    while let Some(asked) = asked::read(&mut tcp, &mut buffer).await? {
        served += 1;
        let (status, body) = match kind {
            Kind::Events => return events(&mut tcp).await,
            Kind::Flaky if served.is_multiple_of(2) => {
                ("503 Service Unavailable", "not this time\n".to_owned())
            }
            Kind::Collector => ("200 OK", collector.answer(&asked)),
            Kind::Orders => (
                "200 OK",
                format!("{}\n", orders::of(orders::customer(asked.query()))),
            ),
            Kind::Whoami | Kind::Flaky => ("200 OK", describe(name, &asked)),
        };
        answer(&mut tcp, status, name, &body, asked.method == "HEAD").await?;
    }
    Ok(())
}

fn describe(name: &str, asked: &Asked) -> String {
    let mut text = format!("server:  {name}\nrequest: {} {}\n", asked.method, asked.target);
    for (known, field, value) in asked.headers.iter_known() {
        if known != Known::Connection {
            text.push_str(&format!(
                "{}: {}\n",
                String::from_utf8_lossy(field),
                String::from_utf8_lossy(value)
            ));
        }
    }
    text
}

async fn answer(tcp: &mut TcpStream, status: &str, name: &str, body: &str, head: bool) -> io::Result<()> {
    let mut out = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nX-Sample-Server: {name}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    if !head {
        out.push_str(body);
    }
    tcp.write_all(out.as_bytes()).await
}

async fn events(tcp: &mut TcpStream) -> io::Result<()> {
    tcp.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n").await?;
    for n in 1..=10 {
        let event = format!("data: event {n}\n\n");
        tcp.write_all(format!("{:x}\r\n{event}\r\n", event.len()).as_bytes())
            .await?;
        tokio::time::sleep(EVENT_GAP).await;
    }
    tcp.write_all(b"0\r\n\r\n").await
}
