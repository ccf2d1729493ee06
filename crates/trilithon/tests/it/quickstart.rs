//! `trilithon quickstart`: every command that it prints does what it says, and fits a terminal. Bash and curl run them.

use crate::world::gateway;
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use trilithon_testkit::{Gateway, PATIENCE, until};

/// What each printed command is to say, by the words before it.
const WANTED: &[(&str, &[&str])] = &[
    ("servers in turn", &["server:  whoami-"]),
    (
        "TLS, made just now",
        &["server:  whoami-", "X-Forwarded-Proto: https"],
    ),
    ("clear-text HTTP/2", &["server:  whoami-"]),
    ("/api is stripped", &["request: GET /users"]),
    (
        "a rate limit",
        &["HTTP/1.1 200 OK", "HTTP/1.1 429 Too Many Requests"],
    ),
    (
        "a canary, 1 in 10",
        &["server:  whoami-1", "server:  whoami-2", "server:  canary"],
    ),
    ("streamed events", &["data: event 1\n", "data: event 10\n"]),
    ("failures, retried", &["server:  flaky"]),
    ("a login", &["request: GET /admin"]),
    ("an API key", &["request: GET /partners"]),
    ("a JSON Web Token", &["request: GET /staff", "X-User: ada"]),
    ("a policy in shadow", &["request: DELETE /staff"]),
    (
        "addresses, masked",
        &["You said: Write to a**************\"", "} 200\n"],
    ),
    (
        "in streams, too",
        &["\"content\":\"a**************\"", "data: [DONE]\n\n 200\n"],
    ),
    (
        "a judge says no",
        &["\"message\":\"I would rather not talk about that.\"", "} 403\n"],
    ),
    (
        "20 tokens a minute",
        &["You said: hello", "} 200\n", "too many tokens", "} 429\n"],
    ),
    (
        "0.02 cents a day",
        &["You said: hello", "} 200\n", "too many tokens", "} 429\n"],
    ),
    (
        "another format",
        &[
            "\"object\":\"chat.completion\"",
            "\"model\":\"claude-sonnet-4-5\"",
            "You said: hello",
            "} 200\n",
        ],
    ),
    ("a vendor is down", &["\"model\":\"gpt-4o-mini\"", "} 200\n"]),
    (
        "what an agent sees",
        &["\"name\":\"list_orders\"", "\"name\":\"refund_order\"", "} 200\n"],
    ),
    (
        "a tool asks an API",
        &["\"orders\":[{\"id\":\"o-1001\",\"customer\":\"ada\"", "} 200\n"],
    ),
    ("a small refund", &["refunded 20 of o-1001 as r-1", "} 200\n"]),
    (
        "a secret, masked",
        &["The store room's key is ********************;", "} 200\n"],
    ),
    (
        "a large one: no",
        &["\"error\":{\"code\":403,\"message\":\"Forbidden\"}", "} 403\n"],
    ),
    ("the dashboard", &["<title>"]),
    ("the same as JSON", &["\"vendors@quickstart\""]),
    (
        "what goes on now",
        &[
            "\"failing\":[]",
            "\"gate\":\"api\",\"caller\":\"tools\",\"router\":\"orders@quickstart\"",
            "\"rule\":\"large-refunds\",\"allowed\":false,\"mode\":\"enforce\"",
            "{\"guard\":\"no-keys@quickstart\",\"verdict\":\"mask\"}",
            "\"model\":\"gpt-4o\",\"calls\":",
        ],
    ),
    ("all metrics", &["traefik_entrypoint_requests_total{"]),
    (
        "decisions",
        &["decision=\"deny\",mode=\"shadow\",policy=\"read-only@quickstart\""],
    ),
    (
        "tokens and money",
        &[
            "gen_ai_client_token_usage_sum{",
            "trilithon_model_cost_nano_usd_total{application=\"\",key=\"\",model=\"gpt-4o\"}",
        ],
    ),
    (
        "traces, soon",
        &["url.path=/vendors/v1/chat/completions", "chat gpt-4o-mini "],
    ),
    (
        "who asked for what",
        &[
            "router=mask@quickstart",
            "router=staff@quickstart",
            "by tools router=orders@quickstart",
            "by ada router=tools@quickstart tool=refund_order refused-by=tools@quickstart (enforce)",
        ],
    ),
    ("proof of one entry", &["\"hashes\": ["]),
    ("configurations", &["applied by start"]),
];

/// A quickstart looks for free ports before it takes them: one at a time.
static PORTS: Mutex<()> = Mutex::new(());

/// Columns of a terminal.
const WIDTH: usize = 80;

struct Quickstart {
    gateway: Gateway,
    /// What it said at the start.
    welcome: String,
    path: String,
}

impl Quickstart {
    fn start() -> Quickstart {
        let binary = Path::new(env!("CARGO_BIN_EXE_trilithon"));
        let folder = binary.parent().expect("a binary is in a folder").display();
        let path = format!("{folder}:{}", std::env::var("PATH").unwrap_or_default());
        let gateway = gateway()
            .arguments(["quickstart"])
            .environment("PATH", &path)
            .environment("TMPDIR", "@DIR@")
            .spawn();
        let welcome = until(PATIENCE, || {
            let said = gateway.log();
            let end = said.find("Ctrl-C ends it.")?;
            Some(said[..end].to_owned())
        });
        let Some(welcome) = welcome else {
            panic!("it never said what to try:\n{}", gateway.log());
        };
        Quickstart {
            gateway,
            welcome,
            path,
        }
    }

    /// The commands with the words before them; what they need (a function, a variable) is the second part.
    fn commands(&self) -> (Vec<(String, String)>, String) {
        let (mut commands, mut needs, mut words) = (Vec::new(), String::new(), "");
        let mut lines = self.welcome.lines();
        while let Some(line) = lines.next() {
            let Some(said) = line.strip_prefix("  ") else {
                continue;
            };
            if said.contains("() {") {
                let mut function = said.to_owned();
                while !function.ends_with('}') {
                    function.push('\n');
                    function.push_str(lines.next().expect("a function has an end"));
                }
                needs.push_str(&function);
                needs.push('\n');
                continue;
            }
            let (before, command) = said.split_at_checked(20).expect("words and a command");
            words = Some(before.trim()).filter(|w| !w.is_empty()).unwrap_or(words);
            if command.starts_with("TOKEN=") {
                needs.push_str(&format!("{command}\n"));
            } else {
                commands.push((words.to_owned(), command.to_owned()));
            }
        }
        (commands, needs)
    }

    fn run(&self, needs: &str, command: &str) -> String {
        // A page is for a browser.
        let fetch = if command.starts_with("http") {
            "curl -s "
        } else {
            ""
        };
        let done = Command::new("bash")
            .args(["-c", &format!("{needs}{fetch}{command}")])
            .env("PATH", &self.path)
            .output()
            .expect("bash runs");
        String::from_utf8_lossy(&done.stdout).into_owned()
    }

    /// What the status page counts as errors and warnings.
    fn nothing_is_wrong(&self) {
        let (commands, _) = self.commands();
        let routers = commands
            .iter()
            .find(|(_, command)| command.ends_with("/api/http/routers"));
        let (_, routers) = routers.expect("the API is shown");
        let overview = self.run("", &routers.replace("/http/routers", "/overview"));
        let overview: serde_json::Value = serde_json::from_str(&overview).expect("JSON");
        for kind in ["routers", "services", "middlewares"] {
            let of = &overview["http"][kind];
            assert_eq!(
                (&of["errors"], &of["warnings"]),
                (&0.into(), &0.into()),
                "{kind}: {of}"
            );
        }
    }

    /// In order, and with the store of the samples.
    fn ends(self) {
        let store = self.welcome.split("--store ").nth(1).expect("a store");
        let store = Path::new(store.split_whitespace().next().expect("a path"));
        assert!(store.exists(), "{}", store.display());
        self.gateway.terminate();
        assert!(self.gateway.exit(PATIENCE).is_some_and(|status| status.success()));
        assert!(!store.exists(), "{}", store.display());
    }
}

#[test]
fn every_printed_command_does_what_it_says() {
    let _alone = PORTS.lock().unwrap_or_else(PoisonError::into_inner);
    let quickstart = Quickstart::start();
    for line in quickstart.welcome.lines() {
        let varies = line.contains("TOKEN=") || line.contains("--store");
        assert!(varies || line.chars().count() <= WIDTH, "{line}");
    }
    let (commands, needs) = quickstart.commands();
    let named: Vec<&str> = commands.iter().map(|(words, _)| words.as_str()).collect();
    let wanted: Vec<&str> = WANTED.iter().map(|(words, _)| *words).collect();
    assert_eq!(named, wanted, "each printed command is tried");
    for ((words, command), (_, parts)) in commands.iter().zip(WANTED) {
        let mut said = String::new();
        let all_there = until(PATIENCE, || {
            said = quickstart.run(&needs, command);
            parts.iter().all(|part| said.contains(part)).then_some(())
        });
        assert!(
            all_there.is_some(),
            "{words}: `{command}` said\n{said}\nand not {parts:?}"
        );
    }
    quickstart.nothing_is_wrong();
    quickstart.ends();
}

/// Everything that the tour says comes of answers; what it must have come to is here.
#[test]
fn the_tour_goes_as_it_should() {
    let _alone = PORTS.lock().unwrap_or_else(PoisonError::into_inner);
    let tour = gateway()
        .arguments(["quickstart", "--tour"])
        .environment("TMPDIR", "@DIR@")
        .spawn();
    let status = until(PATIENCE * 3, || tour.exit(Duration::ZERO));
    let said = tour.log();
    assert!(status.is_some_and(|status| status.success()), "{said}");
    let parts = [
        "wants list_orders({\"customer\":\"ada\"}) as call_",
        "{\"id\":\"o-1001\",\"customer\":\"ada\",\"total\":120.0}",
        "\n       tools/call list_orders ",
        "\n         GET ",
        "by tools router=orders@quickstart",
        "rule large-refunds, because of ",
        "refunded 20 of o-1001 as r-1",
        "< undone: 200 OK ",
        "has undone it",
        "The key is ********************, keep it",
        "The store room's key is ********************; write",
        "< 200, 4 times",
        "first (gpt-4o) 503, then second (gpt-4o-mini) 200",
        "are as they were signed",
        "and the signed root",
        "steps went as they should",
    ];
    for part in parts {
        assert!(said.contains(part), "{part}\n{said}");
    }
    let left = std::fs::read_dir(tour.folder().path()).expect("a folder");
    let stores = left
        .flatten()
        .filter(|e| e.file_name().to_string_lossy().starts_with("trilithon-"));
    assert_eq!(stores.count(), 0, "the store is put away");
}
