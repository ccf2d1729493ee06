//! Origins and hosts.

use super::*;

#[test]
fn strange_origins_and_hosts_stay_out() {
    let config = Config {
        allowed_origins: vec!["https://App.test".to_owned()],
        allowed_hosts: vec!["mcp.test".to_owned()],
        ..Config::default()
    };
    let check = |headers: &[(&str, &str)], want: u16| {
        let (outcome, _) = run(&config, None, post(&method("ping"), headers));
        assert_eq!(outcome.status, want, "{headers:?}");
    };
    check(&[("Host", "mcp.test")], 200);
    check(&[("Host", "MCP.test:8080"), ("Origin", "https://app.test")], 200);
    check(&[("Host", "evil.test")], 403);
    check(&[("Host", "mcp.test"), ("Origin", "https://evil.test")], 403);
    check(&[("Host", "mcp.test"), ("Origin", "null")], 403);
    check(
        &[
            ("Host", "mcp.test"),
            ("Origin", "https://app.test"),
            ("Origin", "https://evil.test"),
        ],
        403,
    );
}
