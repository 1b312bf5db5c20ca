//! Certificates of our servers.

use prometheus::{IntCounterVec, IntGaugeVec, Registry};

use super::{counters, gauges};

/// Families by server: `http`, `rtsp`.
#[derive(Clone)]
pub struct TlsMetrics {
    not_after: IntGaugeVec,
    failed: IntCounterVec,
}

impl TlsMetrics {
    /// Registers them; a server's series come with its certificate.
    ///
    /// # Errors
    /// Where they are registered already: a defect of this program.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let help = "When the certificate in use ends (Unix time).";
        let not_after = gauges(registry, "tls_certificate_not_after_seconds", help, &["server"])?;
        let help = "Changed certificate files that could not be used; the old certificate stayed.";
        Ok(Self { not_after, failed: counters(registry, "tls_reloads_failed_total", help, &["server"])? })
    }

    /// A certificate is in use, until then.
    pub fn not_after(&self, server: &str, unix_seconds: i64) {
        self.not_after.with_label_values(&[server]).set(unix_seconds);
        self.failed.with_label_values(&[server]);
    }

    /// A changed one is not.
    pub fn reload_failed(&self, server: &str) {
        self.failed.with_label_values(&[server]).inc();
    }
}
