//! What the system says of this process: the `process_*` families.

use super::families::{Families, Kind};
use std::fs::read_to_string;

/// Clock ticks per second in `/proc`; 100 on every Linux there is.
const TICKS: f64 = 100.0;
const PAGE_BYTES: f64 = 4096.0;

/// Adds what can be read; what cannot is left out.
pub fn add(families: &mut Families) {
    let mut gauge = |name: &str, help: &str, value: Option<f64>| {
        if let Some(value) = value {
            let kind = if name.ends_with("_total") {
                Kind::Counter
            } else {
                Kind::Gauge
            };
            families.plain(kind, name, help, value);
        }
    };
    let stat = Stat::read();
    let of = |field: fn(&Stat) -> Option<f64>| stat.as_ref().and_then(field);
    gauge(
        "process_cpu_seconds_total",
        "Total user and system CPU time spent in seconds.",
        of(Stat::cpu_seconds),
    );
    gauge(
        "process_virtual_memory_bytes",
        "Virtual memory size in bytes.",
        of(|s| s.field(23)),
    );
    gauge(
        "process_resident_memory_bytes",
        "Resident memory size in bytes.",
        of(|s| s.field(24).map(|p| p * PAGE_BYTES)),
    );
    gauge(
        "process_start_time_seconds",
        "Start time of the process since unix epoch in seconds.",
        of(Stat::started),
    );
    gauge(
        "process_open_fds",
        "Number of open file descriptors.",
        open_files(),
    );
    gauge(
        "process_max_fds",
        "Maximum number of open file descriptors.",
        limit("Max open files"),
    );
    let help = "Maximum amount of virtual memory available in bytes.";
    gauge(
        "process_virtual_memory_max_bytes",
        help,
        limit("Max address space"),
    );
    let (received, sent) = network();
    gauge(
        "process_network_receive_bytes_total",
        "Number of bytes received by the process over the network.",
        received,
    );
    gauge(
        "process_network_transmit_bytes_total",
        "Number of bytes sent by the process over the network.",
        sent,
    );
}

/// `/proc/self/stat` behind the command name, which may hold spaces.
struct Stat(Vec<String>);

impl Stat {
    fn read() -> Option<Stat> {
        let text = read_to_string("/proc/self/stat").ok()?;
        let (_, rest) = text.rsplit_once(')')?;
        Some(Stat(rest.split_whitespace().map(str::to_owned).collect()))
    }

    /// A field by its number in proc(5).
    fn field(&self, number: usize) -> Option<f64> {
        self.0.get(number - 3)?.parse().ok()
    }

    fn cpu_seconds(&self) -> Option<f64> {
        Some((self.field(14)? + self.field(15)?) / TICKS)
    }

    fn started(&self) -> Option<f64> {
        let system = read_to_string("/proc/stat").ok()?;
        let boot: f64 = system
            .lines()
            .find_map(|l| l.strip_prefix("btime "))?
            .trim()
            .parse()
            .ok()?;
        Some(boot + self.field(22)? / TICKS)
    }
}

fn open_files() -> Option<f64> {
    // The listing itself is one of them.
    let count = std::fs::read_dir("/proc/self/fd").ok()?.count();
    Some(count.saturating_sub(1) as f64)
}

/// A soft limit; no limit is what Go's client calls it, 2⁶⁴.
fn limit(name: &str) -> Option<f64> {
    let limits = read_to_string("/proc/self/limits").ok()?;
    let soft = limits
        .lines()
        .find_map(|l| l.strip_prefix(name))?
        .split_whitespace()
        .next()?
        .to_owned();
    if soft == "unlimited" {
        Some(u64::MAX as f64)
    } else {
        soft.parse().ok()
    }
}

/// Bytes in and out of the network namespace.
fn network() -> (Option<f64>, Option<f64>) {
    let table = read_to_string("/proc/self/net/netstat").unwrap_or_default();
    let mut lines = table.lines().filter(|l| l.starts_with("IpExt:"));
    let (Some(names), Some(values)) = (lines.next(), lines.next()) else {
        return (None, None);
    };
    let value = |wanted: &str| {
        let at = names.split_whitespace().position(|n| n == wanted)?;
        values.split_whitespace().nth(at)?.parse().ok()
    };
    (value("InOctets"), value("OutOctets"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_is_found() {
        let mut families = Families::new(&[]);
        add(&mut families);
        let page = families.write();
        for name in [
            "process_cpu_seconds_total",
            "process_open_fds",
            "process_max_fds",
            "process_start_time_seconds",
        ] {
            assert!(page.contains(&format!("\n{name} ")), "{name} in {page}");
        }
    }
}
