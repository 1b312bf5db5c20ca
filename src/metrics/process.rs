//! `process_*`: the process's own CPU, memory, threads and files, by the names that Prometheus' clients share.
//!
//! The `prometheus` crate has such a collector, but it counts CPU in whole seconds: too coarse for CPU per camera.

use std::time::{SystemTime, UNIX_EPOCH};

use prometheus::core::{Collector, Desc};
use prometheus::{Counter, Gauge, Opts, proto};

/// Clock ticks per second of `/proc` times: `USER_HZ`, 100 on every Linux that GStreamer runs on.
const TICKS: f64 = 100.0;
/// `/proc/self/status` counts memory in kB.
const KIB: f64 = 1024.0;

/// Reads `/proc/self` when scraped.
pub(super) struct ProcessMetrics {
    cpu: Counter,
    resident: Gauge,
    virt: Gauge,
    threads: Gauge,
    open_fds: Gauge,
    max_fds: Gauge,
    start: Gauge,
}

impl ProcessMetrics {
    pub(super) fn new() -> Result<Self, prometheus::Error> {
        let gauge = |name: &str, help: &str| Gauge::with_opts(Opts::new(name, help));
        let this = Self {
            cpu: Counter::with_opts(Opts::new("process_cpu_seconds_total", "User and system CPU time."))?,
            resident: gauge("process_resident_memory_bytes", "Memory in RAM.")?,
            virt: gauge("process_virtual_memory_bytes", "Address space.")?,
            threads: gauge("process_threads", "Threads.")?,
            open_fds: gauge("process_open_fds", "Open file descriptors.")?,
            max_fds: gauge("process_max_fds", "Most file descriptors that may be open.")?,
            start: gauge("process_start_time_seconds", "When the process began (Unix time).")?,
        };
        this.start.set(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |now| now.as_secs_f64()));
        Ok(this)
    }

    /// Values that cannot be read (no `/proc`) stay as they are.
    fn update(&self) {
        if let Some(seconds) = std::fs::read_to_string("/proc/self/stat").ok().as_deref().and_then(cpu_seconds) {
            self.cpu.inc_by((seconds - self.cpu.get()).max(0.0));
        }
        if let Ok(status) = std::fs::read_to_string("/proc/self/status") {
            for (gauge, key, unit) in
                [(&self.resident, "VmRSS:", KIB), (&self.virt, "VmSize:", KIB), (&self.threads, "Threads:", 1.0)]
            {
                if let Some(value) = field(&status, key, 0) {
                    gauge.set(value * unit);
                }
            }
        }
        if let Ok(entries) = std::fs::read_dir("/proc/self/fd") {
            // The listing itself holds one open.
            self.open_fds.set(entries.count().saturating_sub(1) as f64);
        }
        if let Some(max) =
            std::fs::read_to_string("/proc/self/limits").ok().and_then(|text| field(&text, "Max open files", 0))
        {
            self.max_fds.set(max);
        }
    }

    fn parts(&self) -> [&dyn Collector; 7] {
        [&self.cpu, &self.resident, &self.virt, &self.threads, &self.open_fds, &self.max_fds, &self.start]
    }
}

impl Collector for ProcessMetrics {
    fn desc(&self) -> Vec<&Desc> {
        self.parts().into_iter().flat_map(Collector::desc).collect()
    }

    fn collect(&self) -> Vec<proto::MetricFamily> {
        self.update();
        self.parts().into_iter().flat_map(Collector::collect).collect()
    }
}

/// User and system seconds out of `/proc/self/stat`; the command name there may hold spaces and brackets.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let after_name = stat.rsplit_once(')')?.1;
    let mut fields = after_name.split_ascii_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / TICKS)
}

/// The `index`th number after `key` at the begin of a line.
fn field(text: &str, key: &str, index: usize) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    line.split_ascii_whitespace().nth(index)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_proc() {
        let stat = "12 (a) b) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0";
        assert_eq!(cpu_seconds(stat), Some(3.0));
        assert_eq!(field("VmRSS:\t  120 kB\n", "VmRSS:", 0), Some(120.0));
        assert_eq!(field("x", "VmRSS:", 0), None);
    }

    #[test]
    fn this_process_has_memory_and_files() {
        let metrics = ProcessMetrics::new().unwrap();
        metrics.update();
        assert!(metrics.resident.get() > 1e6);
        assert!(metrics.open_fds.get() >= 3.0);
        assert!(metrics.threads.get() >= 1.0);
    }
}
