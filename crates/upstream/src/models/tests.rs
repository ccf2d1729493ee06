use super::*;
use crate::service::Status;
use crate::service::fake::{exchange, run};
use std::sync::Mutex;
use std::task::{Context, Poll};
use trilithon_flow::model_call::LegOutcome;
use trilithon_flow::{Body, Fault, FaultKind, Format, Known, ModelCall, Response, Source};
use trilithon_model::dynamic::http::{ModelBreaker, ModelRetry};

/// What a target does when it is asked.
#[derive(Clone, Copy)]
enum Act {
    Answer(u16),
    /// A status with this JSON.
    Says(u16, &'static str),
    /// A status and `Retry-After`.
    Busy(u16, &'static str),
    Fault(FaultKind),
    /// A stream with these bytes.
    Stream(&'static str),
    /// A head, and then nothing.
    Silent,
    /// A head, and then a failure.
    Cut,
}

struct Target {
    name: String,
    acts: Mutex<Vec<Act>>,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Service for Target {
    fn call<'a>(&'a self, mut req: Request, _: &'a mut Exchange) -> Reply<'a> {
        Box::pin(async move {
            let body = req.body.collect(u64::MAX).await.unwrap();
            let told = format!("{} {}", self.name, String::from_utf8_lossy(&body));
            self.seen.lock().unwrap().push(told.trim_end().to_owned());
            let mut acts = self.acts.lock().unwrap();
            let act = if acts.len() > 1 { acts.remove(0) } else { acts[0] };
            answer(act, &self.name)
        })
    }
}

impl Backend for Target {
    fn status(&self) -> Option<Arc<Status>> {
        None
    }
}

fn answer(act: Act, name: &str) -> Response {
    let mut res = Response::new(200);
    res.headers.set_known(Known::ContentType, "text/event-stream");
    match act {
        Act::Answer(status) => return Response::bare(status, format!("\"{name}\"")),
        Act::Says(status, body) => {
            res = Response::bare(status, body);
            res.headers.set_known(Known::ContentType, "application/json");
        }
        Act::Busy(status, after) => {
            res = Response::bare(status, name.to_owned());
            res.headers.append("Retry-After", after);
        }
        Act::Fault(kind) => return Response::from(Fault::new(kind, "x")),
        Act::Stream(text) => res.body = Body::from(text),
        Act::Silent => res.body = Body::from_source(Stuck(None)),
        Act::Cut => res.body = Body::from_source(Stuck(Some(FaultKind::Broken))),
    }
    res
}

/// Says nothing for ever, or breaks.
struct Stuck(Option<FaultKind>);

impl Source for Stuck {
    fn poll_fill(&mut self, _: &mut Context<'_>) -> Poll<Result<&[u8], Fault>> {
        match self.0 {
            None => Poll::Pending,
            Some(kind) => Poll::Ready(Err(Fault::new(kind, "cut"))),
        }
    }
    fn consume(&mut self, _: usize) {}
    fn length(&self) -> Option<u64> {
        None
    }
}

struct Bench {
    service: Models,
    seen: Arc<Mutex<Vec<String>>>,
}

/// Targets with weight, priority and what they do, one act a call, the last one for ever.
fn try_build(config: Config, targets: &[(i64, i64, &[Act])], keep: &Keep) -> Result<Bench, BuildError> {
    try_build_with(config, targets, keep, |_, _| ())
}

/// The same with targets that are changed before.
fn try_build_with(
    config: Config,
    targets: &[(i64, i64, &[Act])],
    keep: &Keep,
    change: impl Fn(usize, &mut ModelTarget),
) -> Result<Bench, BuildError> {
    let seen = Arc::default();
    let names = ["a", "b", "c", "d"];
    let children = names.iter().zip(targets).map(|(name, (weight, _, acts))| Child {
        name: (*name).to_owned(),
        weight: Some(*weight),
        backend: Arc::new(Target {
            name: (*name).to_owned(),
            acts: Mutex::new(acts.to_vec()),
            seen: Arc::clone(&seen),
        }),
    });
    let children: Vec<Child> = children.collect();
    let as_written = names
        .iter()
        .zip(targets)
        .map(|(name, (weight, priority, _))| ModelTarget {
            service: (*name).to_owned(),
            weight: Some(*weight),
            priority: *priority,
            on: Vec::new(),
        });
    let mut as_written: Vec<ModelTarget> = as_written.collect();
    let targets = as_written.iter_mut().enumerate();
    targets.for_each(|(at, target)| change(at, target));
    let config = Config {
        targets: as_written,
        ..config
    };
    Models::build("m@file", &config, children, keep).map(|service| Bench {
        service,
        seen: Arc::clone(&seen),
    })
}

fn bench(config: Config, targets: &[(i64, i64, &[Act])]) -> Bench {
    try_build(config, targets, &Keep::default()).unwrap()
}

impl Bench {
    fn call(&self, body: &'static str) -> (Response, Exchange) {
        run(async {
            let req = Request {
                body: Body::from(body),
                ..Request::default()
            };
            let mut cx = exchange(1);
            cx.model_call = Some(ModelCall::new(Format::Ccr).shared());
            let res = self.service.call(req, &mut cx).await;
            (res, cx)
        })
    }

    /// The status of the answer, and who was asked for it.
    fn asked(&self) -> (u16, String) {
        self.seen.lock().unwrap().clear();
        let status = self.call("").0.status;
        (status, self.seen.lock().unwrap().join(""))
    }
}

fn failover(change: impl FnOnce(&mut ModelFailover)) -> Config {
    let mut failover = ModelFailover::default();
    change(&mut failover);
    Config {
        failover: Some(failover),
        ..Config::default()
    }
}

#[test]
fn by_class() {
    let check = |act, on: &[&str], want: (u16, &str)| {
        let config = failover(|f| {
            f.on = on.iter().map(|w| (*w).to_owned()).collect();
            f.first_byte_timeout = trilithon_model::Duration::from_millis(30);
        });
        let bench = bench(config, &[(1, 1, &[act]), (1, 0, &[Act::Answer(203)])]);
        assert_eq!(bench.asked(), (want.0, want.1.to_owned()), "{on:?}");
    };
    let next = (203, "ab");
    check(Act::Answer(200), &[], (200, "a"));
    check(Act::Answer(400), &[], (400, "a"));
    check(Act::Answer(500), &[], next);
    check(Act::Answer(500), &["serverError"], next);
    check(Act::Answer(500), &["overloaded", "connect"], (500, "a"));
    check(Act::Answer(529), &["overloaded"], next);
    check(Act::Busy(429, "5"), &["rateLimited"], next);
    check(Act::Busy(429, "5"), &["serverError"], (429, "a"));
    check(Act::Fault(FaultKind::Connect), &["connect"], next);
    check(Act::Fault(FaultKind::Closed), &["broken"], next);
    check(Act::Fault(FaultKind::Malformed), &["broken"], next);
    check(Act::Fault(FaultKind::TooLarge), &[], (413, "a"));
    check(Act::Stream("event: error\ndata: {}\n\n"), &["errorEvent"], next);
    check(Act::Stream("event: error\ndata: {}\n\n"), &["broken"], (200, "a"));
    check(Act::Stream("data: {}\n\n"), &[], (200, "a"));
    check(Act::Stream(""), &["broken"], next);
    check(Act::Cut, &["broken"], next);
    check(Act::Silent, &["timeout"], next);
    check(Act::Silent, &["broken"], (504, "a"));
}

#[test]
fn nothing_of_the_stream_is_lost() {
    let text = "data: {\"id\":1}\n\ndata: [DONE]\n\n";
    let bench = bench(Config::default(), &[(1, 0, &[Act::Stream(text)])]);
    let mut res = bench.call("").0;
    assert_eq!(run(res.body.collect(99)).unwrap(), text);
}

#[test]
fn bodies_are_sent_again_if_they_were_kept() {
    let check = |max, want: &[&str]| {
        let config = failover(|f| f.max_request_body_bytes = max);
        let bench = bench(
            config,
            &[(1, 1, &[Act::Answer(500)]), (1, 0, &[Act::Answer(200)])],
        );
        bench.call("hello");
        assert_eq!(*bench.seen.lock().unwrap(), want);
    };
    check(5, &["a hello", "b hello"]);
    check(4, &["a hello"]);
}

#[test]
fn attempts_are_bounded_and_told() {
    let down: &[Act] = &[Act::Answer(500)];
    let bench = bench(
        failover(|f| f.attempts = 2),
        &[(1, 2, &[Act::Cut]), (1, 1, down), (1, 0, down)],
    );
    let (res, cx) = bench.call("");
    assert_eq!(res.status, 500);
    assert_eq!(*bench.seen.lock().unwrap(), ["a", "b"]);
    let call = cx.model_call.unwrap();
    let told: Vec<LegOutcome> = call.borrow().legs.iter().map(|leg| leg.outcome.clone()).collect();
    assert_eq!(
        told,
        [LegOutcome::Error("broken"), LegOutcome::Error("server_error")]
    );
}

#[test]
fn priorities_first_then_weights() {
    let well: &[Act] = &[Act::Answer(200)];
    let bench = bench(
        Config::default(),
        &[(1, 0, well), (2, 5, well), (1, 5, well), (0, 9, well)],
    );
    let all: String = (0..9).map(|_| bench.asked().1).collect();
    let count = |name| all.matches(name).count();
    assert_eq!((count('a'), count('b'), count('c'), count('d')), (0, 6, 3, 0));
}

#[test]
fn who_fails_is_put_aside_over_reloads() {
    let keep = Keep::default();
    let make = || {
        let config = Config {
            breaker: Some(ModelBreaker {
                failures: 2,
                ..ModelBreaker::default()
            }),
            ..Config::default()
        };
        try_build(
            config,
            &[(1, 1, &[Act::Answer(500)]), (1, 0, &[Act::Answer(200)])],
            &keep,
        )
        .unwrap()
    };
    let old = make();
    assert_eq!(old.asked(), (200, "ab".into()));
    assert_eq!(old.asked(), (200, "ab".into()));
    assert_eq!(old.asked(), (200, "b".into()));
    assert_eq!(make().asked(), (200, "b".into()), "a reload does not forget");
}

#[test]
fn retry_after_puts_aside_and_is_passed_on_when_nobody_is_left() {
    let bench = bench(
        Config::default(),
        &[(1, 0, &[Act::Busy(429, "17"), Act::Answer(200)])],
    );
    assert_eq!(bench.call("").0.status, 429, "what the last one said");
    let res = bench.call("").0;
    assert_eq!(res.status, 503);
    assert_eq!(res.headers.get_str("Retry-After"), Some("17"));
    assert_eq!(bench.seen.lock().unwrap().len(), 1);
}

/// A configuration whose targets from the second on are asked after these failures only.
fn after(words: &[&str], targets: &[(i64, i64, &[Act])]) -> Result<Bench, BuildError> {
    let on: Vec<String> = words.iter().map(|w| (*w).to_owned()).collect();
    try_build_with(Config::default(), targets, &Keep::default(), |at, target| {
        if at > 0 {
            target.on.clone_from(&on);
        }
    })
}

const TOO_LONG: Act = Act::Says(400, r#"{"error":{"code":"context_length_exceeded"}}"#);

#[test]
fn what_is_too_long_goes_to_a_larger_model() {
    let check = |first: Act, words: &[&str], want: (u16, &str)| {
        let bench = after(words, &[(1, 0, &[first]), (1, 9, &[Act::Answer(203)])]).unwrap();
        assert_eq!(bench.asked(), (want.0, want.1.to_owned()), "{words:?}");
    };
    check(TOO_LONG, &["contextLength"], (203, "ab"));
    check(Act::Says(400, "{}"), &["contextLength"], (400, "a"));
    check(Act::Answer(500), &["contextLength"], (500, "a"));
    check(Act::Answer(500), &["contextLength", "serverError"], (203, "ab"));
    check(Act::Answer(200), &["contextLength"], (200, "a"));
    let named = failover(|f| f.on = vec!["contextLength".into()]);
    let bench = bench(named, &[(1, 1, &[TOO_LONG]), (1, 0, &[Act::Answer(203)])]);
    assert_eq!(bench.asked(), (203, "ab".into()));
}

#[test]
fn what_is_too_long_is_the_clients_where_nobody_has_more_room() {
    let bench = bench(
        Config::default(),
        &[(1, 1, &[TOO_LONG]), (1, 0, &[Act::Answer(203)])],
    );
    let (mut res, _) = bench.call("");
    assert_eq!(res.status, 400);
    assert!(run(res.body.collect(999)).unwrap().starts_with(b"{\"error\""));
}

fn retrying(change: impl FnOnce(&mut ModelRetry)) -> Config {
    let mut retry = ModelRetry {
        initial_interval: trilithon_model::Duration::from_millis(4),
        ..ModelRetry::default()
    };
    change(&mut retry);
    failover(|f| f.retry = Some(retry))
}

#[test]
fn the_same_target_is_asked_once_more() {
    let check = |config: Config, acts: &[Act], want: (u16, &str)| {
        let bench = bench(config, &[(1, 1, acts), (1, 0, &[Act::Answer(203)])]);
        assert_eq!(bench.asked(), (want.0, want.1.to_owned()));
    };
    let (bad, well) = (Act::Answer(500), Act::Answer(200));
    check(retrying(|_| ()), &[bad, well], (200, "aa"));
    check(retrying(|_| ()), &[bad, bad, well], (203, "aab"));
    check(retrying(|r| r.attempts = 2), &[bad, bad, well], (200, "aaa"));
    check(retrying(|_| ()), &[Act::Busy(429, "0"), well], (200, "aa"));
    check(retrying(|_| ()), &[Act::Busy(429, "60"), well], (203, "ab"));
    check(retrying(|_| ()), &[Act::Answer(400), well], (400, "a"));
    check(Config::default(), &[bad, well], (203, "ab"));
}

#[test]
fn a_target_that_is_put_aside_is_not_asked_once_more() {
    let config = Config {
        breaker: Some(ModelBreaker {
            failures: 1,
            ..ModelBreaker::default()
        }),
        ..retrying(|_| ())
    };
    let bench = bench(config, &[(1, 0, &[Act::Answer(500), Act::Answer(200)])]);
    assert_eq!(bench.asked(), (500, "a".into()));
}

#[test]
fn answers_that_are_none_are_held() {
    let check = |act, streams, want: (u16, &str)| {
        let config = failover(|f| f.hold_streams = streams);
        let bench = bench(config, &[(1, 1, &[act]), (1, 0, &[Act::Answer(203)])]);
        assert_eq!(bench.asked(), (want.0, want.1.to_owned()));
    };
    check(Act::Says(200, "{\"cut"), false, (203, "ab"));
    check(Act::Says(200, ""), false, (203, "ab"));
    let late = Act::Stream("data: {}\n\ndata: {\"error\":{}}\n\n");
    check(late, false, (200, "a"));
    check(late, true, (203, "ab"));
    let whole = Act::Stream("data: {}\n\ndata: [DONE]\n\n");
    check(whole, true, (200, "a"));
}

#[test]
fn a_breaker_outlives_changes_of_other_options() {
    let keep = Keep::default();
    let make = |attempts| {
        let config = Config {
            breaker: Some(ModelBreaker {
                failures: 1,
                ..ModelBreaker::default()
            }),
            ..failover(|f| f.attempts = attempts)
        };
        let targets: &[(i64, i64, &[Act])] = &[(1, 1, &[Act::Answer(500)]), (1, 0, &[Act::Answer(200)])];
        try_build(config, targets, &keep).unwrap()
    };
    let old = make(3);
    assert_eq!(old.asked(), (200, "ab".into()));
    assert_eq!(make(2).asked(), (200, "b".into()));
}

#[test]
fn refused() {
    let check = |config: Config, targets: &[(i64, i64, &[Act])], want: &str| {
        let built = try_build(config, targets, &Keep::default());
        assert_eq!(built.map_or_else(|e| e.message, |_| "built".into()), want);
    };
    let one: &[(i64, i64, &[Act])] = &[(1, 0, &[Act::Answer(200)])];
    check(Config::default(), one, "built");
    check(Config::default(), &[], "`models` has 0 targets, not 1 to 64");
    check(failover(|f| f.attempts = 0), one, "`failover.attempts` is 0");
    check(
        failover(|f| f.max_request_body_bytes = -1),
        one,
        "`failover.maxRequestBodyBytes` is -1",
    );
    let never_first = |_, target: &mut ModelTarget| target.on = vec!["timeout".into()];
    let built = try_build_with(Config::default(), one, &Keep::default(), never_first);
    assert_eq!(
        built.map_or_else(|e| e.message, |_| "built".into()),
        "every target of `models` has an `on`, and none is asked first"
    );
    check(
        failover(|f| f.on = vec!["5xx".into()]),
        one,
        "`failover.on` names `5xx`, which is no class of failure",
    );
}
