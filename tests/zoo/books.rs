//! The ledger of a camera's pictures, as its metrics tell it.

use std::time::Duration;

use maskwatch::metrics::{Metrics, PictureLoss};

use super::table::wait;

/// What the metrics tell at one moment.
#[derive(Debug, Default)]
struct Books {
    received: u64,
    decoded: u64,
    lost: u64,
    in_flight: u64,
}

impl Books {
    fn read(text: &str) -> Self {
        let of = |series: &str| -> u64 {
            let lines = text.lines().filter_map(|line| line.strip_prefix("maskwatch_frames_")?.strip_prefix(series));
            lines.map(|rest| rest.trim().parse::<u64>().unwrap()).sum()
        };
        let stage = |stage: &str| of(&format!("total{{camera=\"zoo\",stage=\"{stage}\"}}"));
        let lost =
            |reason: &PictureLoss| of(&format!("dropped_total{{camera=\"zoo\",reason=\"{}\"}}", reason.as_str()));
        Self {
            received: stage("received"),
            decoded: stage("decoded"),
            lost: PictureLoss::ALL.iter().map(lost).sum(),
            in_flight: of("in_flight{camera=\"zoo\"}"),
        }
    }
}

/// Whether the ledger adds up; how many pictures are in the decoder.
pub fn balance(all: &Metrics) -> Result<u64, String> {
    // A scrape reads one counter after the other while pictures pass: a moment without one is waited for.
    let mut books = Books::default();
    let even = wait(Duration::from_secs(2), || {
        books = Books::read(&all.render().unwrap());
        books.received == books.decoded + books.lost + books.in_flight
    });
    even.map_err(|_| format!("the ledger does not add up: {books:?}"))?;
    Ok(books.in_flight)
}

/// The ledger at the end, and why pictures are missing.
pub fn shown(all: &Metrics) -> String {
    let text = all.render().unwrap();
    let books = Books::read(&text);
    let dropped = text.lines().filter_map(|line| {
        let rest = line.strip_prefix("maskwatch_frames_dropped_total{camera=\"zoo\",reason=\"")?;
        let (reason, count) = rest.split_once("\"} ")?;
        (count != "0").then(|| format!(", {count} {reason}"))
    });
    format!("received {}, decoded {}{}", books.received, books.decoded, dropped.collect::<String>())
}
