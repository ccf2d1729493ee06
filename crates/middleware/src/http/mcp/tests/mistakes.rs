//! Configurations that are none.

use super::*;

#[test]
fn mistakes() {
    let check = |config: Config, want: &str| assert_eq!(build_error(|cx| build(&config, cx)), want);
    let rule = |matches: &str, action| Config {
        policies: vec![McpPolicy {
            matches: matches.to_owned(),
            action,
            ..McpPolicy::default()
        }],
        ..Config::default()
    };
    check(
        rule("Equals(`mcp.method`, `x`)", None),
        "`policies`: rule `rule-1` has no `action`",
    );
    check(
        rule("", Some(Effect::Allow)),
        "`policies`: rule `rule-1` has neither `match` nor `expression`",
    );
    check(
        rule("Equals(`mcp.metod`, `x`)", Some(Effect::Allow)),
        "`policies`: `match` of rule `rule-1`: there is no fact `mcp.metod`; did you mean `mcp.method`?",
    );
    let hidden = Config {
        list_policies: vec![McpListPolicy::default()],
        ..Config::default()
    };
    check(hidden, "`listPolicies`: rule `rule-1` has no `action`");
    let status = |status| Config {
        status_code_on_deny: status,
        ..Config::default()
    };
    for bad in [0, 201, 302, 399, 999] {
        check(
            status(bad),
            &format!("`statusCodeOnDeny` {bad} is no status of a refusal"),
        );
    }
    let resource = |resource: &str, server: &str| Config {
        resource_metadata: Some(McpResourceMetadata {
            resource: resource.to_owned(),
            authorization_servers: vec![server.to_owned()],
            ..McpResourceMetadata::default()
        }),
        ..Config::default()
    };
    check(
        resource("http://mcp.test", "https://a.test"),
        "`resourceMetadata.resource` `http://mcp.test`: it does not begin with `https://`",
    );
    check(
        resource("https://mcp.test", "http://a.test"),
        "`resourceMetadata.authorizationServers` `http://a.test`: it does not begin with `https://`",
    );
    let size = Config {
        max_request_body_size: Some(0),
        ..Config::default()
    };
    check(size, "`maxRequestBodySize` 0 is no size");
    let origins = Config {
        allowed_origins: vec!["app.test".to_owned()],
        ..Config::default()
    };
    check(origins, "`allowedOrigins` holds `app.test`, which is none");
}
