//! Same dialect in and out: not a byte changes, whatever a body holds that nobody here knows. Bodies are made by a seeded
//! generator: unknown members, odd spaces, escapes, numbers that no double holds, streams of every kind of line end.

use crate::world::{INSTALL, gateway};
use fastrand::Rng;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use trilithon_ai::dialect::Dialect;
use trilithon_testkit::{Answer, Gateway, Seen, Upstream};

const CALLS: usize = 60;

fn kind(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Chat => "chat-completion",
        Dialect::Responses => "responses-api",
        Dialect::Messages => "messages-api",
    }
}

/// Every dialect with a guard that finds nothing and a limit that is never met.
fn routing() -> String {
    let (mut routers, mut kinds) = (String::new(), String::new());
    for dialect in Dialect::ALL {
        let (kind, format) = (kind(dialect), dialect.format().as_str());
        routers += &format!(
            "    {kind}: {{rule: 'PathPrefix(`/{kind}`)', service: s, middlewares: [{kind}, guard, limit-{kind}]}}\n"
        );
        kinds += &format!("    {kind}: {{{kind}: {{}}}}\n");
        kinds += &format!(
            "    limit-{kind}: {{ai-quota: {{clientRequestFormat: {format}, totalTokenLimit: {{limit: 1000000000, period: 1h}}}}}}\n"
        );
    }
    let rules = "{rules: [{entities: ['never-to-be-found'], block: true}]}";
    format!(
        "http:\n  routers:\n{routers}  middlewares:\n{kinds}    guard: {{content-guard: {{engine: {{regex: {{}}}}, request: {rules}, response: {rules}}}}}\n  services: {{s: {{loadBalancer: {{servers: [{{url: 'http://127.0.0.1:@b1@'}}]}}}}}}\n"
    )
}

/// Writes JSON as nobody would.
struct Writer {
    rng: Rng,
}

impl Writer {
    fn pick<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.rng.usize(..all.len())]
    }

    fn space(&mut self) -> &'static str {
        self.pick(&["", "", " ", "  ", "\t"])
    }

    fn string(&mut self) -> String {
        let pieces = [
            "a",
            "é",
            "😀",
            r"\u00e9",
            r"\ud83d\ude00",
            r"\/",
            r#"\""#,
            r"\\",
            r"\n",
            " ",
            "0",
            r"\ud800",
            "/",
        ];
        let count = self.rng.usize(..8);
        let text: String = (0..count).map(|_| self.pick(&pieces)).collect();
        format!("\"{text}\"")
    }

    fn value(&mut self, depth: u32) -> String {
        match self.rng.u8(..if depth == 0 { 3 } else { 5 }) {
            0 => self.string(),
            1 => self
                .pick(&["1", "-0", "1e400", "12345678901234567890.10", "0.1E-7"])
                .to_owned(),
            2 => self.pick(&["null", "true", "false"]).to_owned(),
            3 => {
                let items: Vec<String> = (0..self.rng.usize(..4)).map(|_| self.value(depth - 1)).collect();
                format!("[{}{}]", self.space(), items.join(","))
            }
            _ => {
                let members = self.unknown(depth - 1);
                self.object(members)
            }
        }
    }

    /// Members that no dialect has.
    fn unknown(&mut self, depth: u32) -> Vec<(String, String)> {
        let count = self.rng.usize(..4);
        (0..count)
            .map(|i| (format!("x_{i}"), self.value(depth)))
            .collect()
    }

    fn object(&mut self, mut members: Vec<(String, String)>) -> String {
        self.rng.shuffle(&mut members);
        let written: Vec<String> = members
            .iter()
            .map(|(name, value)| {
                let (a, b, c) = (self.space(), self.space(), self.space());
                format!("{a}\"{name}\"{b}:{c}{value}")
            })
            .collect();
        format!("{{{}{}}}", written.join(","), self.space())
    }

    /// An object of known members among unknown ones.
    fn among(&mut self, known: &[(&str, String)]) -> String {
        let mut members = self.unknown(2);
        members.extend(
            known
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.clone())),
        );
        self.object(members)
    }

    fn request(&mut self, dialect: Dialect, stream: bool) -> String {
        let text = self.string();
        let message = self.among(&[("role", "\"user\"".into()), ("content", text.clone())]);
        let said = match dialect {
            Dialect::Chat | Dialect::Messages => ("messages", format!("[{message}]")),
            Dialect::Responses => ("input", text),
        };
        let mut known = vec![("model", "\"m\"".into()), ("stream", stream.to_string()), said];
        if dialect == Dialect::Chat {
            known.push(("stream_options", r#"{"include_usage":true}"#.into()));
        }
        self.among(&known)
    }

    fn answer(&mut self, dialect: Dialect) -> String {
        let text = self.string();
        match dialect {
            Dialect::Chat => {
                let message = self.among(&[("content", text)]);
                let choice = self.among(&[("index", "0".into()), ("message", message)]);
                self.among(&[("choices", format!("[{choice}]"))])
            }
            Dialect::Responses => {
                let part = self.among(&[("type", "\"output_text\"".into()), ("text", text)]);
                let item = self.among(&[("type", "\"message\"".into()), ("content", format!("[{part}]"))]);
                self.among(&[("output", format!("[{item}]"))])
            }
            Dialect::Messages => {
                let block = self.among(&[("type", "\"text\"".into()), ("text", text)]);
                self.among(&[("content", format!("[{block}]"))])
            }
        }
    }

    fn event(&mut self, dialect: Dialect) -> String {
        let text = self.string();
        match dialect {
            Dialect::Chat => {
                let delta = self.among(&[("content", text)]);
                let choice = self.among(&[("index", "0".into()), ("delta", delta)]);
                self.among(&[("choices", format!("[{choice}]"))])
            }
            Dialect::Responses => {
                self.among(&[("type", "\"response.output_text.delta\"".into()), ("delta", text)])
            }
            Dialect::Messages => {
                let delta = self.among(&[("type", "\"text_delta\"".into()), ("text", text)]);
                self.among(&[
                    ("type", "\"content_block_delta\"".into()),
                    ("index", "0".into()),
                    ("delta", delta),
                ])
            }
        }
    }

    fn stream(&mut self, dialect: Dialect) -> String {
        let mut out = String::new();
        for _ in 0..self.rng.usize(1..9) {
            let end = self.pick(&["\n", "\r\n", "\r"]);
            out += &match self.rng.u8(..6) {
                0 => format!(": a comment{end}{end}"),
                1 => format!("event: ping{end}retry: 5{end}{end}"),
                2 => format!("event:x{end}id: 7{end}data:{}{end}{end}", self.event(dialect)),
                // Over several lines.
                3 => format!("data: {{{end}data: \"x\":1}}{end}{end}"),
                _ => format!("data: {}{end}{end}", self.event(dialect)),
            };
        }
        // One that did not end as it should would be told to the client.
        out + match dialect {
            Dialect::Chat => "data: [DONE]\n\n",
            Dialect::Responses => "data: {\"type\":\"response.completed\"}\n\n",
            Dialect::Messages => "data: {\"type\":\"message_stop\"}\n\n",
        }
    }
}

/// Says to each path what it is to be answered.
fn server(answers: &Arc<Mutex<HashMap<String, (String, bool)>>>) -> Upstream {
    let answers = answers.clone();
    Upstream::answering(move |seen: &Seen| {
        let known = answers.lock().unwrap().get(&seen.target).cloned();
        let (body, stream) = known.unwrap_or_default();
        let kind = if stream {
            "text/event-stream"
        } else {
            "application/json"
        };
        Answer::new(200, body).header("Content-Type", kind)
    })
}

fn check(gateway: &Gateway, path: &str, asked: &str, answered: &str) {
    let answer = gateway.post("a.test", path, asked);
    assert_eq!(answer.status, 200, "{asked}\n{answered}\n{}", answer.text());
    let sent = gateway.upstream("b1").last().body;
    assert_eq!(String::from_utf8_lossy(&sent), asked);
    assert_eq!(answer.text(), answered, "of {path}");
}

#[test]
fn not_a_byte_changes() {
    let answers = Arc::default();
    let gateway = gateway()
        .install(INSTALL)
        .routing(&routing())
        .upstream("b1", server(&answers))
        .start();
    for dialect in Dialect::ALL {
        for number in 0..CALLS {
            let seed = number as u64;
            let mut writer = Writer {
                rng: Rng::with_seed(seed),
            };
            let stream = number % 2 == 1;
            let asked = writer.request(dialect, stream);
            let answered = if stream {
                writer.stream(dialect)
            } else {
                writer.answer(dialect)
            };
            let path = format!("/{}/{number}", kind(dialect));
            answers
                .lock()
                .unwrap()
                .insert(path.clone(), (answered.clone(), stream));
            check(&gateway, &path, &asked, &answered);
        }
    }
}
