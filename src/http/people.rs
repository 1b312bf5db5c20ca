//! People by camera, zone and time, as the API tells them.

use std::ops::Range;
use std::time::{Duration, UNIX_EPOCH};

use jiff::Timestamp;
use maskwatch_vision::compliance::Figure;
use maskwatch_vision::face::MaskState;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::State;
use crate::people::{Stretch, WHOLE_PICTURE};
use crate::roster::Entry;

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// What may be asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Query {
    /// RFC 3339, or seconds since the Unix epoch.
    from: Option<String>,
    to: Option<String>,
    by: Option<String>,
    zone: Option<String>,
}

/// A question that was understood.
#[derive(Debug, PartialEq)]
struct Question {
    from: Duration,
    to: Duration,
    by: &'static str,
    step: Duration,
    zone: String,
}

impl Question {
    /// `now` since the Unix epoch.
    fn of(query: &Query, now: Duration) -> Result<Self, String> {
        let to = query.to.as_deref().map(|text| time("to", text)).transpose()?.unwrap_or(now);
        let from = query.from.as_deref().map(|text| time("from", text)).transpose()?;
        let from = from.unwrap_or_else(|| to.saturating_sub(DAY));
        if from >= to {
            return Err("`from` is not before `to`".into());
        }
        let (by, step) = match query.by.as_deref().unwrap_or("hour") {
            "15m" => ("15m", HOUR / 4),
            "hour" => ("hour", HOUR),
            "day" => ("day", DAY),
            "all" => ("all", Duration::MAX / 2),
            other => return Err(format!("by={other} is not a choice (15m, hour, day or all)")),
        };
        Ok(Self { from, to, by, step, zone: query.zone.clone().unwrap_or_default() })
    }

    /// The part of it that there may be people of; `kept`: of when anything is.
    fn within(&self, kept: &Range<Duration>) -> (Duration, Duration) {
        (self.from.clamp(kept.start, kept.end), self.to.clamp(kept.start, kept.end))
    }
}

/// A time out of a query.
fn time(key: &str, text: &str) -> Result<Duration, String> {
    // A `+` that was not escaped arrives as a space.
    let text = text.trim().replace(' ', "+");
    if let Ok(seconds) = text.parse::<u64>()
        && i64::try_from(seconds).is_ok_and(|seconds| Timestamp::from_second(seconds).is_ok())
    {
        return Ok(Duration::from_secs(seconds));
    }
    let parsed = text.parse::<Timestamp>().ok().and_then(|time| u64::try_from(time.as_second()).ok());
    parsed.map(Duration::from_secs).ok_or_else(|| {
        format!("{key}={text} is no time (such as 2026-11-24T08:00:00+01:00, 2026-11-24T08:00:00Z or Unix seconds)")
    })
}

/// The answer to a query about one camera.
///
/// # Errors
/// What is wrong with the query.
pub(super) fn history(entry: &Entry, state: &State, query: &Query) -> Result<Value, String> {
    let question = Question::of(query, state.people.now())?;
    let zones = entry.metrics.zones();
    if question.zone != WHOLE_PICTURE && !zones.contains(&question.zone) {
        let known = if zones.is_empty() { "none".to_owned() } else { zones.join(", ") };
        return Err(format!("zone={} is no zone of this camera (it has: {known})", question.zone));
    }
    let name = &entry.plan.name;
    let kept = state.people.extent(name, &question.zone);
    let (from, to) = question.within(&kept);
    let ask = |to, step| state.people.history(name, &question.zone, (from, to), step);
    let stretches = ask(to, question.step);
    let end = stretches.last().map(|last| last.to);
    let whole = end.and_then(|end| ask(end, Duration::MAX / 2).first().copied());
    Ok(json!({
        "camera": name,
        "zone": question.zone,
        "by": question.by,
        "min_people": state.people.plan().min_people,
        "from": stretches.first().map(|first| timestamp(first.from)),
        "to": end.map(timestamp),
        "kept_from": timestamp(kept.start),
        "clamped": question.from < from || question.to > end.unwrap_or_default(),
        "whole": whole.map(|whole| stretch(&whole)),
        "stretches": stretches.iter().map(stretch).collect::<Vec<_>>(),
    }))
}

/// RFC 3339 in UTC, seconds.
fn timestamp(time: Duration) -> String {
    humantime::format_rfc3339_seconds(UNIX_EPOCH + time).to_string()
}

fn stretch(stretch: &Stretch) -> Value {
    let mut value = share(&stretch.figure);
    value.insert("from".into(), timestamp(stretch.from).into());
    value.insert("to".into(), timestamp(stretch.to).into());
    Value::Object(value)
}

/// A share with its people.
fn share(figure: &Figure) -> Map<String, Value> {
    Map::from_iter([
        ("ratio".to_owned(), json!(figure.ratio)),
        ("interval_95".to_owned(), json!(figure.interval)),
        ("people".to_owned(), json!(figure.counts)),
    ])
}

/// The sliding window of a camera as a whole.
pub(super) fn compliance(entry: &Entry, state: &State) -> Value {
    let plan = state.people.plan();
    let mut value = share(&state.people.figure(&entry.plan.name, WHOLE_PICTURE));
    value.insert("window_s".into(), plan.window.as_secs().into());
    value.insert("bucket_s".into(), plan.bucket.as_secs().into());
    value.insert("min_people".into(), plan.min_people.into());
    Value::Object(value)
}

/// Each zone and each direction of a line: people since the start, and the sliding window.
pub(super) fn zones(entry: &Entry, state: &State) -> Vec<Value> {
    let zone = |(name, people): (String, [u64; MaskState::ALL.len()])| {
        let window = share(&state.people.figure(&entry.plan.name, &name));
        json!({ "name": name, "people": by_state(people), "compliance": window })
    };
    entry.metrics.people_by_zone().into_iter().map(zone).collect()
}

/// Counts under the states' names.
pub(super) fn by_state(people: [u64; MaskState::ALL.len()]) -> Value {
    MaskState::ALL.into_iter().map(|state| (state.as_str().to_owned(), Value::from(people[state as usize]))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(from: &str, to: &str, by: Option<&str>) -> Result<Question, String> {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let query = Query { from: some(from), to: some(to), by: by.map(str::to_owned), zone: None };
        Question::of(&query, Duration::from_secs(1_764_000_000))
    }

    #[test]
    fn times_are_read_in_any_zone() {
        let asked = question("2025-11-24T08:00:00+01:00", "2025-11-24T08:00:00Z", None).unwrap();
        assert_eq!((asked.to - asked.from, asked.by), (HOUR, "hour"));
        assert_eq!(question("2025-11-24T08:00:00 01:00", "2025-11-24T08:00:00Z", None).unwrap(), asked);
        assert_eq!(question("1763967600", "1763971200", None).unwrap(), asked);
        let usual = question("", "", Some("day")).unwrap();
        assert_eq!((usual.to, usual.to - usual.from, usual.step), (Duration::from_secs(1_764_000_000), DAY, DAY));
    }

    #[test]
    fn a_question_is_taken_to_what_is_kept() {
        let kept = Duration::from_secs(1_763_000_000)..Duration::from_secs(1_764_000_900);
        let within = |from, to| question(from, to, None).unwrap().within(&kept);
        assert_eq!(within("0", ""), (kept.start, Duration::from_secs(1_764_000_000)));
        assert_eq!(within("0", "9999999999"), (kept.start, kept.end));
        assert_eq!(within("1763967600", "1763971200").0, Duration::from_secs(1_763_967_600));
        // Nothing of it is.
        for (from, to) in [("0", "900"), ("1864000000", "1865000000")] {
            let (from, to) = within(from, to);
            assert_eq!(from, to);
        }
    }

    #[test]
    fn what_cannot_be_answered_is_said() {
        for (from, to, by, said) in [
            ("yesterday", "", None, "from=yesterday is no time"),
            ("", "99999999999999999999", None, "to="),
            ("18446744073709551615", "", None, "no time"),
            ("1763971200", "1763971200", None, "before"),
            ("1969-01-01T00:00:00Z", "", None, "no time"),
            ("", "", Some("week"), "15m, hour, day or all"),
        ] {
            let error = question(from, to, by).unwrap_err();
            assert!(error.contains(said), "{error}");
        }
    }
}
