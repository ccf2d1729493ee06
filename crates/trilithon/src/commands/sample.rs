//! The servers behind `quickstart`: small, real HTTP/1.1 upstreams on loopback that say what they were asked.

use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use trilithon_flow::{Headers, Known};
use trilithon_wire::{Buffer, Framing, HeadLimits, parse_request};

const LIMITS: HeadLimits = HeadLimits {
    bytes: 64 * 1024,
    fields: 128,
};
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
}

/// Starts a server; gives its URL.
///
/// # Errors
/// No port is free.
pub async fn start(name: &'static str, kind: Kind) -> io::Result<String> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let url = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async move {
        let mut served = 0u32;
        while let Ok((tcp, _)) = listener.accept().await {
            served += 1;
            tokio::spawn(async move {
                // A client that goes away is no news.
                let _ = serve(tcp, name, kind, served).await;
            });
        }
    });
    Ok(url)
}

async fn serve(mut tcp: TcpStream, name: &str, kind: Kind, first: u32) -> io::Result<()> {
    let mut buffer = Buffer::new();
    let mut served = first;
    loop {
        let mut headers = Headers::new();
        let parsed = parse_request(buffer.filled(), &mut headers, &LIMITS).map(|head| {
            head.map(|head| {
                let line = format!(
                    "{} {}",
                    String::from_utf8_lossy(head.method),
                    String::from_utf8_lossy(head.target)
                );
                (line, head.len, head.framing, head.method == b"HEAD")
            })
        });
        let (line, len, framing, head) = match parsed {
            Ok(Some(parsed)) => parsed,
            Ok(None) if tcp.read_buf(buffer.reading()).await? > 0 => continue,
            _ => return Ok(()),
        };
        buffer.consume(len);
        let mut left = match framing {
            Framing::Length(n) => n,
            Framing::None => 0,
            // The samples are asked with small bodies of known length; others end the connection.
            _ => return Ok(()),
        };
        while left > 0 {
            let n = (buffer.len() as u64).min(left);
            buffer.consume(n as usize);
            left -= n;
            if left > 0 && tcp.read_buf(buffer.reading()).await? == 0 {
                return Ok(());
            }
        }
        served += 1;
        match kind {
            Kind::Events => return events(&mut tcp).await,
            Kind::Flaky if served.is_multiple_of(2) => {
                answer(&mut tcp, "503 Service Unavailable", name, "not this time\n", head).await?
            }
            _ => answer(&mut tcp, "200 OK", name, &describe(name, &line, &headers), head).await?,
        }
    }
}

fn describe(name: &str, line: &str, headers: &Headers) -> String {
    let mut text = format!("server:  {name}\nrequest: {line}\n");
    for (known, field, value) in headers.iter_known() {
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
