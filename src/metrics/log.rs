//! `log_lines_dropped_total`: lines of the log that nobody can read.

use prometheus::core::{Collector, Desc};
use prometheus::{IntCounter, proto};

use super::opts;
use crate::logging;

/// Reads the log's own count when scraped: there is one log per process, and it begins before any metric.
pub(super) struct LogMetrics(IntCounter);

impl LogMetrics {
    pub(super) fn new() -> Result<Self, prometheus::Error> {
        let help = "Log lines lost because the standard error could not be written, or not fast enough.";
        Ok(Self(IntCounter::with_opts(opts("log_lines_dropped_total", help))?))
    }
}

impl Collector for LogMetrics {
    fn desc(&self) -> Vec<&Desc> {
        self.0.desc()
    }

    fn collect(&self) -> Vec<proto::MetricFamily> {
        self.0.inc_by(logging::lines_dropped().saturating_sub(self.0.get()));
        self.0.collect()
    }
}
