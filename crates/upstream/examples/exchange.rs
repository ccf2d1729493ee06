//! One exchange after the other with one server, for counting instructions.
//!
//! `exchange serve` answers with 1 KiB and prints its port; `exchange PORT N` asks N times on one connection. Run the
//! second under `valgrind --tool=callgrind` with two values of N: the difference is the cost of a request.

use std::io::{Read, Write};
use std::rc::Rc;
use std::sync::Arc;
use trilithon_flow::{Connection, Exchange, Request, Service, Target};
use trilithon_upstream::{Forward, Origin, Settings, Transport};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [serve] if serve == "serve" => self::serve()?,
        [port, times] => ask(port, times.parse()?)?,
        _ => eprintln!("usage: exchange serve | exchange PORT N"),
    }
    Ok(())
}

fn serve() -> std::io::Result<()> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    println!("{}", listener.local_addr()?.port());
    let answer = format!(
        "HTTP/1.1 200 OK\r\nServer: x\r\nContent-Type: text/plain\r\nContent-Length: 1024\r\n\r\n{}",
        "x".repeat(1024)
    );
    for stream in listener.incoming() {
        let mut stream = stream?;
        let mut seen = [0; 4096];
        while stream.read(&mut seen)? > 0 {
            stream.write_all(answer.as_bytes())?;
        }
    }
    Ok(())
}

fn ask(port: &str, times: usize) -> Result<(), Box<dyn std::error::Error>> {
    let forward = Forward {
        transport: Arc::new(Transport::new("example", Settings::default())),
        origin: Origin::parse(&format!("http://127.0.0.1:{port}"))?,
        pass_host_header: true,
        preserve_path: false,
    };
    let peer = "192.0.2.7:999".parse()?;
    let connection = Rc::new(Connection::new(peer, peer, "web".into(), None));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let asked = async {
        let mut bytes = 0;
        for _ in 0..times {
            let fields = [
                ("Host", "a.test"),
                ("User-Agent", "x"),
                ("Accept", "*/*"),
                ("X-Real-Ip", "192.0.2.7"),
            ];
            let req = Request {
                target: Target::new("/"),
                headers: fields.into_iter().collect(),
                ..Request::default()
            };
            let mut cx = Exchange::new(connection.clone(), Rc::default());
            let mut response = forward.call(req, &mut cx).await;
            bytes += std::future::poll_fn(|cx| {
                response
                    .body
                    .poll_fill(cx)
                    .map(|lent| lent.map(|lent| lent.len()))
            })
            .await?;
        }
        Ok::<_, trilithon_flow::Fault>(bytes)
    };
    let bytes = tokio::task::LocalSet::new().block_on(&runtime, asked)?;
    println!("{times} answers, {bytes} bytes");
    Ok(())
}
