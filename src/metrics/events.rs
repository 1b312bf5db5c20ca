//! Metrics of the events' sinks.

use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry};

use super::{counters, gauges};

/// What can become of an event, or of an attempt to deliver it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventResult {
    /// The other side has it.
    Delivered,
    /// An attempt failed and is made again: counts attempts, not events.
    Failed,
    /// The other side refused it for good.
    Rejected,
    /// It gave way because too many waited, or came faster than they could be taken in.
    Dropped,
}

impl EventResult {
    /// All of them: exported at 0 from the start.
    pub const ALL: [Self; 4] = [Self::Delivered, Self::Failed, Self::Rejected, Self::Dropped];

    /// The label's value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::Rejected => "rejected",
            Self::Dropped => "dropped",
        }
    }
}

/// The families that have a sink label.
pub(super) struct EventFamilies {
    total: IntCounterVec,
    spooled: IntGaugeVec,
}

impl EventFamilies {
    pub(super) fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let total = "Events by what became of them at a sink; failed counts attempts that are made again.";
        Ok(Self {
            total: counters(registry, "events_total", total, &["sink", "result"])?,
            spooled: gauges(registry, "events_spooled", "Events that wait for a sink.", &["sink"])?,
        })
    }

    /// A sink's series go.
    pub(super) fn remove(&self, name: &str) {
        for result in EventResult::ALL {
            // There is none where it was never counted.
            self.total.remove_label_values(&[name, result.as_str()]).ok();
        }
        self.spooled.remove_label_values(&[name]).ok();
    }

    /// A sink's handle; all its series exist from now on.
    pub(super) fn sink(&self, name: &str) -> SinkMetrics {
        SinkMetrics {
            results: EventResult::ALL.map(|result| self.total.with_label_values(&[name, result.as_str()])),
            spooled: self.spooled.with_label_values(&[name]),
        }
    }
}

/// The happenings of one sink.
#[derive(Clone, Debug)]
pub struct SinkMetrics {
    results: [IntCounter; EventResult::ALL.len()],
    spooled: IntGauge,
}

impl SinkMetrics {
    /// Something became of so many events.
    pub fn count(&self, result: EventResult, events: u64) {
        self.results[result as usize].inc_by(events);
    }

    /// So many events wait.
    pub fn waiting(&self, events: u64) {
        self.spooled.set(i64::try_from(events).unwrap_or(i64::MAX));
    }
}
