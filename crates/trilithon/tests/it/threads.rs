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

/// Whatever the niceness of the tests is, workers have it, and who only writes down has more.
#[test]
fn who_only_writes_down_is_nicer_than_the_workers() {
    let gateway = gateway()
        .install(&format!("{INSTALL}{MORE}"))
        .routing(ROUTING)
        .upstream("b1", Upstream::echo())
        .upstream("collector", Upstream::echo())
        .start();
    let own = rustix::process::getpriority_process(None).expect("a process knows its own");
    let nicer = |niceness: i32| niceness > own || own == 19;
    let writers = ["access-log", "audit", "otlp"];
    eventually("all writers are nicer", || {
        let all = threads(&gateway);
        let is_nicer = |writer: &str| {
            all.iter()
                .any(|(name, niceness)| name == writer && nicer(*niceness))
        };
        writers.into_iter().all(is_nicer)
    });
    let others = threads(&gateway);
    let others = others.iter().filter(|(name, _)| !writers.contains(&&**name));
    let (others, workers) = others.fold((0, 0), |(all, workers), (name, niceness)| {
        assert_eq!(*niceness, own, "{name}");
        (all + 1, workers + usize::from(name.starts_with("worker-")))
    });
    assert!(
        workers > 0 && others > workers,
        "{others} others, {workers} of them workers"
    );
}
