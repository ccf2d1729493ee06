//! What the configuration may say. What the service does is tested from the outside.

use super::McpServers;
use crate::service::fake::{Fake, child};
use trilithon_flow::Keep;
use trilithon_model::dynamic::http::{McpReplay, McpServer, McpServers as Config, McpSessions};

fn server(name: &str, prefix: Option<&str>) -> McpServer {
    McpServer {
        name: name.to_owned(),
        service: "s".to_owned(),
        prefix: prefix.map(str::to_owned),
        ..McpServer::default()
    }
}

#[track_caller]
fn check(config: &Config, want: Result<(), &str>) {
    let fake = Fake::new("s", 200, None);
    let children = config.servers.iter().map(|_| child(&fake, 1)).collect();
    let built = McpServers::build("tools@file", config, children, &Keep::default());
    let got = built.map(|_| ()).map_err(|error| {
        assert!(error.help.is_some(), "{error}");
        error.message
    });
    assert_eq!(got, want.map_err(str::to_owned));
}

#[test]
fn what_may_be_configured() {
    let of = |servers: Vec<McpServer>| Config {
        servers,
        ..Config::default()
    };
    let two = || vec![server("a", None), server("b-2.x", Some(""))];
    check(&of(two()), Ok(()));
    check(&of(vec![server("a", None)]), Ok(()));
    check(&of(Vec::new()), Err("`mcpServers` has 0 servers, not 1 to 64"));
    let many = (0..65).map(|n| server(&format!("s{n}"), None)).collect();
    check(&of(many), Err("`mcpServers` has 65 servers, not 1 to 64"));
    for name in ["", "1a", "a_b", "a b", "é", &"x".repeat(65)] {
        check(
            &of(vec![server(name, None)]),
            Err(&format!("`servers.name` is `{name}`")),
        );
    }
    check(
        &of(vec![server("a", Some("x+"))]),
        Err("`servers.prefix` is `x+`"),
    );
    check(
        &of(vec![server("a", None), server("A", None)]),
        Err("two servers have the name `A`"),
    );
    check(
        &of(vec![server("a", None), server("b", Some("A"))]),
        Err("two servers have the prefix `A`"),
    );
    check(
        &of(vec![server("a", Some("")), server("b", Some(""))]),
        Err("two servers have the prefix ``"),
    );
    for separator in ["", "/", "é"] {
        let config = Config {
            separator: separator.to_owned(),
            ..of(two())
        };
        check(
            &config,
            Err(&format!(
                "`separator` is `{separator}`, which clients take in no name"
            )),
        );
    }
    let config = Config {
        max_streams: 0,
        ..of(two())
    };
    check(&config, Err("`maxStreams` is 0"));
    let config = Config {
        replay: Some(McpReplay {
            max_bytes: 0,
            ..McpReplay::default()
        }),
        ..of(two())
    };
    check(&config, Err("`replay.maxBytes` is 0"));
    let config = Config {
        sessions: Some(McpSessions {
            secrets: vec!["too short".into()],
            ..McpSessions::default()
        }),
        ..of(two())
    };
    check(
        &config,
        Err("a secret in `sessions.secrets` is shorter than 32 bytes"),
    );
}
