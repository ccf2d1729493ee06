//! Routers below routers: where their parents are served, and what the API says of a parent that is more than one.

use crate::world::gateway;
use trilithon_testkit::{Gateway, Upstream};

/// `inner` has defaults for its routers, so that `both` becomes two.
const INSTALL: &str = "\
entryPoints:
  web: {address: '127.0.0.1:@web@'}
  inner: {address: '127.0.0.1:@inner@', http: {middlewares: [mark@file]}}
  traefik: {address: '127.0.0.1:@traefik@'}
api: {insecure: true}
providers: {file: {filename: '@DIR@/routing.yml'}}
";

const ROUTING: &str = "
http:
  routers:
    both: {rule: 'Host(`both.test`)', entryPoints: [web, inner]}
    below: {rule: 'Path(`/x`)', service: child, parentRefs: [both]}
    served: {rule: 'Host(`served.test`)', entryPoints: [web], service: own}
    under: {rule: 'Path(`/x`)', service: child, parentRefs: [served]}
  middlewares: {mark: {headers: {customRequestHeaders: {X-Mark: inner}}}}
  services:
    own: {loadBalancer: {servers: [{url: 'http://127.0.0.1:@b1@'}]}}
    child: {loadBalancer: {servers: [{url: 'http://127.0.0.1:@b2@'}]}}
";

fn layered() -> Gateway {
    gateway()
        .install(INSTALL)
        .routing(ROUTING)
        .upstream("b1", Upstream::echo())
        .upstream("b2", Upstream::echo())
        .ready("both.test", "/x")
        .start()
}

#[test]
fn a_parent_leads_to_its_children_on_every_entry_point() {
    let gateway = layered();
    for (entry_point, mark) in [("web", ""), ("inner", "inner")] {
        let answer = gateway.ask(entry_point, "GET", "both.test", "/x", &[]);
        assert_eq!(answer.status, 200, "{entry_point}");
        assert_eq!(answer.saw("x-mark"), mark, "{entry_point}");
    }
    let child = gateway.api("/api/http/routers/below@file");
    assert_eq!(
        child["parentRefs"],
        serde_json::json!(["inner-both@file", "both@file"])
    );
}

#[test]
fn a_parent_with_a_service_is_disabled_and_leads_to_its_children() {
    let gateway = layered();
    let parent = gateway.api("/api/http/routers/served@file");
    assert_eq!(parent["status"], "disabled", "{parent}");
    assert_eq!(parent["error"].as_array().map(Vec::len), Some(1), "{parent}");
    assert_eq!(gateway.get("served.test", "/x").status, 200);
    assert_eq!(gateway.get("served.test", "/other").status, 404);
    assert_eq!(
        gateway.upstream("b1").requests(),
        0,
        "the parent's own service was asked"
    );
}
