//! Which threads stand back where a worker wants the processor.
//!
//! A request waits for its worker, not for what is told of it to a collector. So the threads that send telemetry (`otlp`) and pack old
//! logs (`log-rotation`) are nicer than the workers: while they do a burst of their work, a worker that wakes up does not queue
//! behind it.
//!
//! Other threads stay as they are. `audit` and `access-log` write what must not be missing: on a machine where nothing is idle, nicer
//! ones would lose entries. For others somebody may wait: `background` fetches keys and asks after the health of servers,
//! `limits` gives out the first block of a count, `definitions` writes under the lock that lists are looked at with, the pools of
//! `spawn_blocking` check passwords and keep bodies; `slow` starts threads when the configuration changes, which would inherit
//! what it is.

/// How much nicer. Where nothing is idle, the weights of Linux's scheduler (335 to 1024) give such a thread a third of what a worker
/// gets; at 10 it would be a tenth. To write the traces of governed calls of tools takes a fifteenth of the worker's time. What does not keep
/// up has a bounded queue, and says what it dropped (`trilithon_otlp_dropped_total`).
#[cfg(target_os = "linux")]
const NICER: i32 = 5;

/// Makes the calling thread, and those that it starts, stand back behind the workers, for good: without a privilege nobody gets back
/// what was given away. Only Linux knows niceness by thread; elsewhere it would be the whole process's, and nothing is done.
pub fn yield_to_workers() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::nice(NICER) {
        tracing::debug!(%error, "a thread beside the workers is as urgent as they are");
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    fn niceness() -> i32 {
        rustix::process::getpriority_process(None).expect("a thread knows its own")
    }

    #[test]
    fn only_the_thread_that_says_so_is_nicer() {
        let own = niceness();
        let nice = std::thread::spawn(|| {
            yield_to_workers();
            niceness()
        });
        let nice = nice.join().expect("it does not panic");
        assert_eq!((nice, niceness()), ((own + NICER).min(19), own));
    }
}
