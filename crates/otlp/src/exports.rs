//! The exporting thread, and what is sent from it.

use crate::access_log::AccessLog;
use crate::collector::{Collector, Failure, Taken};
use crate::log::Log;
use crate::metrics::{self, Collect};
use crate::queue::Queue;
use crate::signal::Signal;
use crate::traces::Traces;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout};
use trilithon_flow::Observer;
use trilithon_flow::metrics::Value;
use trilithon_flow::niceness::yield_to_workers;
use trilithon_manage::access_log::Sink;
use trilithon_manage::log::Listener;
use trilithon_model::install::{MetricsOtlp, OtlpLog, Tracing};

/// Longest time that something waits to be sent.
const PAUSE: Duration = Duration::from_secs(1);
/// Wait before a message is sent again the first time; doubled for each further one, up to [`MAX_BACKOFF`].
const FIRST_BACKOFF: Duration = Duration::from_secs(1);
const MAX_BACKOFF: Duration = Duration::from_secs(15);
/// Time after which a message is given up.
const GIVE_UP: Duration = Duration::from_secs(60);
/// Time between two log lines about one collector.
const SAY_AGAIN: Duration = Duration::from_secs(30);
/// Time for what is left at the end of the process.
const AT_THE_END: Duration = Duration::from_secs(5);

type Job = Box<dyn FnOnce(Stop) -> Pin<Box<dyn Future<Output = ()>>> + Send>;

/// Says when the process is about to end.
pub type Stop = watch::Receiver<bool>;

/// All exporters of the process. They start as they are asked for, on one thread.
pub struct Exports {
    stop: watch::Sender<bool>,
    jobs: mpsc::UnboundedSender<Job>,
    ended: Receiver<()>,
}

impl Exports {
    /// Starts the thread.
    ///
    /// # Errors
    /// There are no more threads.
    pub fn start() -> std::io::Result<Exports> {
        let (stop, stopped) = watch::channel(false);
        let (jobs, received) = mpsc::unbounded_channel();
        let (tell, ended) = channel();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        std::thread::Builder::new().name("otlp".into()).spawn(move || {
            yield_to_workers();
            tokio::task::LocalSet::new().block_on(&runtime, run(received, stopped));
            // Whoever waits may have given up.
            let _ = tell.send(());
        })?;
        Ok(Exports { stop, jobs, ended })
    }

    /// Sends the spans of sampled exchanges.
    ///
    /// # Errors
    /// A collector that cannot be made of the configuration; so below.
    pub fn traces(&self, config: &Tracing) -> Result<Box<dyn Observer>, String> {
        Ok(Box::new(Traces::start(config, self)?))
    }

    /// Sends what the gateway logs.
    ///
    /// # Errors
    /// As above.
    pub fn log(&self, config: &OtlpLog) -> Result<Listener, String> {
        Ok(Box::new(Log::start(config, self)?))
    }

    /// Sends the lines of the access log.
    ///
    /// # Errors
    /// As above.
    pub fn access_log(&self, config: &OtlpLog) -> Result<Box<dyn Sink>, String> {
        Ok(Box::new(AccessLog::start(config, self)?))
    }

    /// Pushes what `collect` gives.
    ///
    /// # Errors
    /// As above.
    pub fn metrics(&self, config: &MetricsOtlp, collect: Collect) -> Result<(), String> {
        metrics::start(config, self, collect)
    }

    /// Runs a future on the exporting thread.
    pub(crate) fn spawn<F: Future<Output = ()> + 'static>(
        &self,
        make: impl FnOnce(Stop) -> F + Send + 'static,
    ) {
        // The thread lives until it is told to end.
        let _ = self.jobs.send(Box::new(move |stop| Box::pin(make(stop))));
    }

    /// Sends what is left, for five seconds at most.
    pub fn finish(self) {
        let Exports { stop, jobs, ended } = self;
        let _ = stop.send(true);
        drop(jobs);
        // An exporter that is not done by then has a collector that does not answer.
        let _ = ended.recv_timeout(AT_THE_END);
    }
}

async fn run(mut jobs: mpsc::UnboundedReceiver<Job>, stop: Stop) {
    let mut tasks = tokio::task::JoinSet::new();
    while let Some(job) = jobs.recv().await {
        tasks.spawn_local(job(stop.clone()));
    }
    while tasks.join_next().await.is_some() {}
}

/// A collector with what is to be said of it.
pub struct Sender {
    signal: Signal,
    collector: Collector,
    stop: Stop,
    dropped: Arc<Value>,
    said: Option<Instant>,
}

impl Sender {
    pub fn new(signal: Signal, collector: Collector, stop: Stop) -> Sender {
        Sender {
            signal,
            collector,
            stop,
            dropped: signal.dropped(),
            said: None,
        }
    }

    pub fn is_ending(&self) -> bool {
        *self.stop.borrow()
    }

    /// Waits for that time, or the end of the process.
    pub async fn wait(&mut self, time: Duration) {
        // An error says that the process has ended.
        let _ = timeout(time, self.stop.wait_for(|ending| *ending)).await;
    }

    /// Sends a message that holds `things`, again where that may help, and counts what was lost.
    pub async fn deliver(&mut self, message: &[u8], things: usize) {
        let packed = self.collector.pack(message);
        let started = Instant::now();
        let mut backoff = FIRST_BACKOFF;
        loop {
            let failure = match self.collector.send(packed.clone()).await {
                Ok(taken) => return self.taken(&taken),
                Err(failure) => failure,
            };
            let ending = self.is_ending();
            if !failure.again || ending || started.elapsed() + backoff > GIVE_UP {
                return self.lost(&failure, things);
            }
            self.say(&failure.why, "is tried again");
            // Spread over half the time, so that gateways that failed together do not come back together.
            let spread = backoff.mul_f64(0.5 + fastrand::f64() / 2.0);
            self.wait(failure.after.unwrap_or(spread)).await;
            backoff = (backoff * 2).min(MAX_BACKOFF);
        }
    }

    /// Sends a message that the next one will make up for.
    pub async fn deliver_once(&mut self, message: &[u8]) {
        let packed = self.collector.pack(message);
        match self.collector.send(packed).await {
            Ok(taken) => self.taken(&taken),
            Err(failure) => self.lost(&failure, 1),
        }
    }

    fn taken(&mut self, taken: &Taken) {
        if taken.refused > 0 {
            self.dropped.add(i64::try_from(taken.refused).unwrap_or(i64::MAX));
            self.say(&taken.why, "was refused in part");
        }
    }

    fn lost(&mut self, failure: &Failure, things: usize) {
        self.dropped.add(things as i64);
        self.say(&failure.why, "is dropped");
    }

    /// One line in [`SAY_AGAIN`]: a collector that is away is away for all that goes there.
    fn say(&mut self, why: &str, what: &str) {
        if self.said.is_some_and(|at| at.elapsed() < SAY_AGAIN) {
            return;
        }
        self.said = Some(Instant::now());
        tracing::warn!(
            signal = self.signal.as_str(),
            collector = self.collector.url(),
            error = why,
            dropped = self.dropped.get(),
            "a message to the OpenTelemetry collector {what}"
        );
    }
}

/// Sends what comes into a queue, in batches, until the process ends. `encode` makes a message of a batch.
pub async fn export<T>(queue: Queue<T>, mut sender: Sender, encode: impl Fn(Vec<T>) -> Vec<u8>) {
    let mut stop = sender.stop.clone();
    while let Some(batch) = next(&queue, &mut stop).await {
        let things = batch.len();
        sender.deliver(&encode(batch), things).await;
    }
}

/// The next batch; `None` when the process ends and nothing is left. What came while the last one was on its way waits for more, as
/// what comes to an idle exporter does: each message costs its compression and a trip.
async fn next<T>(queue: &Queue<T>, stop: &mut Stop) -> Option<Vec<T>> {
    loop {
        if !queue.has_batch() && !*stop.borrow() {
            tokio::select! {
                () = queue.full() => {}
                _ = timeout(PAUSE, stop.wait_for(|ending| *ending)) => {}
            }
        }
        let ending = *stop.borrow();
        let batch = queue.take();
        if !batch.is_empty() {
            return Some(batch);
        }
        if ending {
            return None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::BATCH;

    /// Steady traffic: something new is there whenever a message has been sent.
    #[tokio::test(start_paused = true)]
    async fn what_comes_one_by_one_is_sent_together() {
        let queue = Queue::new(Arc::default());
        let (tell, mut stop) = watch::channel(false);
        let check = |batch: Option<Vec<usize>>, want: usize| assert_eq!(batch.map_or(0, |b| b.len()), want);
        for _ in 0..3 {
            queue.push(0, 1);
            let started = Instant::now();
            let (batch, ()) = tokio::join!(next(&queue, &mut stop), async {
                for i in 1..10 {
                    tokio::time::sleep(PAUSE / 20).await;
                    queue.push(i, 1);
                }
            });
            check(batch, 10);
            assert_eq!(started.elapsed(), PAUSE);
        }
        // A whole batch, and another that gathered meanwhile, wait for nothing.
        (0..2 * BATCH).for_each(|i| queue.push(i, 1));
        let started = Instant::now();
        check(next(&queue, &mut stop).await, BATCH);
        check(next(&queue, &mut stop).await, BATCH);
        assert!(started.elapsed() < PAUSE);
        queue.push(0, 1);
        let _ = tell.send(true);
        check(next(&queue, &mut stop).await, 1);
        check(next(&queue, &mut stop).await, 0);
        assert!(started.elapsed() < PAUSE, "nothing is waited for at the end");
    }
}
