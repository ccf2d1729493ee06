//! Which threads of a running gateway stand back behind its workers.

use crate::world::{INSTALL, ROUTING, gateway};
use trilithon_testkit::{Gateway, Upstream, eventually};

const MORE: &str = "\
accessLog: {filePath: '@DIR@/access.log'}
audit: {}
store: {directory: '@DIR@/store'}
tracing: {otlp: {http: {endpoint: 'http://127.0.0.1:@collector@'}}}
";

/// Name and niceness of each thread (proc_pid_stat(5), fields 2 and 19).
fn threads(gateway: &Gateway) -> Vec<(String, i32)> {
    let folder = format!("/proc/{}/task", gateway.pid());
    let tasks = std::fs::read_dir(folder).expect("it runs");
    // A thread may have ended since it was listed.
    let stats = tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("stat")).ok());
    let read = |stat: String| {
        let (name, rest) = stat.split_once('(')?.1.rsplit_once(") ")?;
        Some((name.to_owned(), rest.split(' ').nth(16)?.parse().ok()?))
    };
    stats
        .map(|stat| read(stat).expect("a line of proc_pid_stat(5)"))
        .collect()
}

/// Whatever the niceness of the tests is, workers have it, and so have those that write what must not be missing.
#[test]
fn telemetry_is_nicer_than_the_workers() {
    let gateway = gateway()
        .install(&format!("{INSTALL}{MORE}"))
        .routing(ROUTING)
        .upstream("b1", Upstream::echo())
        .upstream("collector", Upstream::echo())
        .start();
    let own = rustix::process::getpriority_process(None).expect("a process knows its own");
    let nicer = |niceness: i32| niceness > own || own == 19;
    eventually("the exporter is nicer", || {
        let mut all = threads(&gateway).into_iter();
        all.any(|(name, niceness)| name == "otlp" && nicer(niceness))
    });
    let all = threads(&gateway);
    let others = all.iter().filter(|(name, _)| name != "otlp");
    for (name, niceness) in others {
        assert_eq!(*niceness, own, "{name}");
    }
    for known in ["access-log", "audit", "worker-"] {
        assert!(all.iter().any(|(name, _)| name.starts_with(known)), "{known}");
    }
}
