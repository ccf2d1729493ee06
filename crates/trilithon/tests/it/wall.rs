//! A model server (Chat Completions) that fails in the ways of Failover Bench (v0.1, its `fast` times); which, the model's
//! name says: `s01` to `s16`, `ok`, `noprefill`, each with what tells it from others behind a dash.

use serde_json::{Value, json};
use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Words of each whole answer.
pub const WORDS: usize = 60;
/// How long a stream waits before its first token (`s07`), and is silent in its middle (`s09`).
pub const SLOW: Duration = Duration::from_secs(3);
pub const STALL: Duration = Duration::from_secs(4);
/// How long nothing comes at all (`s06`).
pub const SILENT: Duration = Duration::from_secs(15);
/// How long `s15` is down after it was first asked.
pub const DOWN: Duration = Duration::from_secs(6);

/// A request that the wall saw.
#[derive(Clone, Debug)]
pub struct Attempt {
    pub model: String,
    pub at: Instant,
    /// It was answered well.
    pub well: bool,
}

type Log = Arc<Mutex<Vec<Attempt>>>;

/// The server. Its threads end with the test's process.
pub struct Wall {
    pub port: u16,
    log: Log,
}

impl Wall {
    pub fn start() -> Wall {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let log = Log::default();
        let seen = log.clone();
        std::thread::spawn(move || {
            for tcp in listener.incoming().flatten() {
                let log = seen.clone();
                // A client that has gone is no failure of the test.
                std::thread::spawn(move || drop(serve(tcp, &log)));
            }
        });
        Wall { port, log }
    }

    /// The attempts at a model so far.
    pub fn attempts(&self, model: &str) -> Vec<Attempt> {
        let log = self.log.lock().expect("no panic before");
        log.iter().filter(|a| a.model == model).cloned().collect()
    }
}

fn serve(tcp: TcpStream, log: &Log) -> io::Result<()> {
    tcp.set_nodelay(true)?;
    let (mut reader, mut out) = (BufReader::new(tcp.try_clone()?), tcp);
    while let Some(body) = request(&mut reader)? {
        if !answer(&mut out, &body, log)? {
            break;
        }
    }
    Ok(())
}

/// The body of the next request.
fn request(reader: &mut impl BufRead) -> io::Result<Option<Value>> {
    let (mut line, mut length) = (String::new(), 0);
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        if line == "\r\n" {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(Some(serde_json::from_slice(&body).unwrap_or_default()))
}

/// Answers as the model's name says; false: the connection ends.
fn answer(out: &mut TcpStream, body: &Value, log: &Log) -> io::Result<bool> {
    let model = body["model"].as_str().unwrap_or_default();
    let mode = model.split('-').next().unwrap_or_default();
    let now = Instant::now();
    let (number, since) = {
        let mut log = log.lock().expect("no panic before");
        let mut before = log.iter().filter(|a| a.model == model);
        let since = before.next().map_or(Duration::ZERO, |first| now - first.at);
        let number = log.iter().filter(|a| a.model == model).count();
        log.push(Attempt {
            model: model.to_owned(),
            at: now,
            well: mode == "s15" && since >= DOWN,
        });
        (number, since)
    };
    let is_first = number == 0;
    let ends_in_prefill = body["messages"]
        .as_array()
        .and_then(|m| m.last())
        .is_some_and(|last| last["role"] == "assistant");
    match mode {
        "s01" if is_first => refuse(out, 429, "rate_limit_exceeded", "Retry-After: 2\r\n"),
        "s02" => refuse(out, 429, "rate_limit_exceeded", ""),
        "s03" if is_first => refuse(out, 500, "", ""),
        "s04" | "s16" => refuse(out, 503, "overloaded", ""),
        "s05" if is_first => reset(out),
        "s06" => {
            pause(SILENT);
            Ok(false)
        }
        "s12" => refuse(out, 400, "context_length_exceeded", ""),
        "s13" => refuse(out, 400, "content_policy_violation", ""),
        "s15" if since < DOWN => refuse(out, 503, "overloaded", ""),
        "noprefill" if ends_in_prefill => refuse(out, 400, "invalid_prefill", ""),
        _ => stream(out, model, mode),
    }
}

/// Lets time go by: that is what is tried here, not what a test waits for.
#[allow(clippy::disallowed_methods)]
pub fn pause(time: Duration) {
    std::thread::sleep(time);
}

fn refuse(out: &mut TcpStream, status: u16, code: &str, header: &str) -> io::Result<bool> {
    let body =
        json!({"error": {"message": "as the wall does", "type": "error", "param": null, "code": code}});
    let body = body.to_string();
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status} No\r\nContent-Type: application/json\r\n{header}Content-Length: {length}\r\n\r\n"
    );
    out.write_all(format!("{head}{body}").as_bytes())?;
    Ok(true)
}

fn reset(out: &TcpStream) -> io::Result<bool> {
    rustix::net::sockopt::set_socket_linger(out, Some(Duration::ZERO))?;
    Ok(false)
}

fn stream(out: &mut TcpStream, model: &str, mode: &str) -> io::Result<bool> {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n";
    out.write_all(head.as_bytes())?;
    if mode == "s07" {
        pause(SLOW);
    }
    let say = |out: &mut TcpStream, data: &str| {
        let event = format!("data: {data}\n\n");
        out.write_all(format!("{:x}\r\n{event}\r\n", event.len()).as_bytes())
    };
    let chunk = |delta: Value, finish: Value| {
        let choice = json!({"index": 0, "delta": delta, "finish_reason": finish});
        json!({"id": "wall", "object": "chat.completion.chunk", "model": model, "choices": [choice]})
            .to_string()
    };
    say(
        out,
        &chunk(json!({"role": "assistant", "content": ""}), Value::Null),
    )?;
    for n in 0..WORDS {
        match (mode, n) {
            ("s08" | "s14", 40) => return Ok(false),
            ("s09", 20) => {
                pause(STALL);
                return Ok(false);
            }
            ("s10", 10) => say(out, r#"{"id": "wall", "choices": [{"delta": {"content": "#)?,
            _ => {}
        }
        say(out, &chunk(json!({"content": format!("w{n} ")}), Value::Null))?;
        pause(Duration::from_millis(5));
    }
    say(out, &chunk(json!({}), json!("stop")))?;
    let usage = json!({"prompt_tokens": 9, "completion_tokens": WORDS, "total_tokens": 9 + WORDS});
    say(
        out,
        &json!({"id": "wall", "model": model, "choices": [], "usage": usage}).to_string(),
    )?;
    if mode != "s11" {
        say(out, "[DONE]")?;
    }
    out.write_all(b"0\r\n\r\n")?;
    Ok(true)
}
