//! The metrics page as a table.

use super::{http, wait::wait_for};
use std::time::Duration;

/// One line of the page.
#[derive(Clone, Debug)]
pub struct Sample {
    pub name: String,
    pub labels: Vec<(String, String)>,
    pub value: f64,
}

/// The page at one moment.
#[derive(Clone, Debug)]
pub struct Scrape {
    pub samples: Vec<Sample>,
}

impl Scrape {
    /// Fetches the page; `None` when nobody answers.
    pub fn take(port: u16) -> Option<Self> {
        let answer = http::get(port, "/metrics").ok()?;
        (answer.status == 200).then(|| Self::parse(&answer.text()))
    }

    /// Reads Prometheus' text format; panics at a line that isn't of it.
    #[track_caller]
    pub fn parse(text: &str) -> Self {
        let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        Self { samples: lines.map(|line| sample(line).unwrap_or_else(|| panic!("no metric: {line}"))).collect() }
    }

    /// Sum of all samples of `name` (without the prefix `maskwatch_`) that carry `labels`; `None` when there are none.
    pub fn find(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let full = if name.starts_with("process_") { name.to_owned() } else { format!("maskwatch_{name}") };
        let mut found = self
            .samples
            .iter()
            .filter(|sample| sample.name == full)
            .filter(|sample| labels.iter().all(|(key, value)| sample.label(key) == Some(value)))
            .peekable();
        found.peek()?;
        Some(found.map(|sample| sample.value).sum())
    }

    /// As [`Self::find`]; panics when there are none.
    #[track_caller]
    pub fn get(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.find(name, labels).unwrap_or_else(|| panic!("no metric {name} with {labels:?}"))
    }

    /// Frames of a camera at a stage.
    #[track_caller]
    pub fn frames(&self, camera: &str, stage: &str) -> f64 {
        self.get("frames_total", &[("camera", camera), ("stage", stage)])
    }

    /// People counted on a camera in a state.
    #[track_caller]
    pub fn people(&self, camera: &str, state: &str) -> f64 {
        self.get("people_total", &[("camera", camera), ("state", state)])
    }

    /// A quantile of a histogram by its buckets' upper bounds; `None` when it's empty.
    pub fn quantile(&self, name: &str, labels: &[(&str, &str)], share: f64) -> Option<f64> {
        let bucket = format!("maskwatch_{name}_bucket");
        let mut buckets: Vec<(f64, f64)> = self
            .samples
            .iter()
            .filter(|sample| sample.name == bucket)
            .filter(|sample| labels.iter().all(|(key, value)| sample.label(key) == Some(value)))
            .filter_map(|sample| Some((sample.label("le")?.replace("+Inf", "inf").parse().ok()?, sample.value)))
            .collect();
        buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        let total = buckets.last()?.1;
        (total > 0.0).then(|| buckets.iter().find(|(_, count)| *count >= share * total).map(|(bound, _)| *bound))?
    }
}

impl Sample {
    /// Value of a label.
    pub fn label(&self, name: &str) -> Option<&str> {
        self.labels.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// Scrapes until `condition` holds; gives that scrape.
#[track_caller]
pub fn wait_for_metrics(port: u16, what: &str, limit: Duration, mut condition: impl FnMut(&Scrape) -> bool) -> Scrape {
    wait_for(what, limit, || Scrape::take(port).filter(|scrape| condition(scrape)))
}

fn sample(line: &str) -> Option<Sample> {
    let (head, value) = line.rsplit_once(' ')?;
    let value = value.replace("+Inf", "inf").parse().ok()?;
    let Some((name, rest)) = head.split_once('{') else {
        return Some(Sample { name: head.into(), labels: Vec::new(), value });
    };
    let mut labels = Vec::new();
    let mut rest = rest.strip_suffix('}')?;
    while let Some((key, after)) = rest.split_once("=\"") {
        let end = closing_quote(after)?;
        labels.push((key.trim_start_matches(',').to_owned(), after[..end].replace("\\\"", "\"").replace("\\\\", "\\")));
        rest = &after[end + 1..];
    }
    Some(Sample { name: name.into(), labels, value })
}

fn closing_quote(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.char_indices().find_map(|(at, c)| {
        let ends = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        ends.then_some(at)
    })
}
