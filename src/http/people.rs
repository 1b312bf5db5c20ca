//! People by camera, zone and time, as the API tells them.

use std::ops::Range;
use std::time::{Duration, UNIX_EPOCH};

use jiff::Timestamp;
use maskwatch_vision::compliance::{Counts, Figure};
use maskwatch_vision::face::MaskState;
use maskwatch_vision::zone::WHOLE_PICTURE;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::State;
use super::problem::Problem;
use crate::people::Stretch;
use crate::roster::Entry;

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// What may be asked of one camera
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Query {
    /// Beginning: RFC 3339, or seconds since 1970. Default: a day before the end
    #[schemars(schema_with = "time_schema")]
    pub(super) from: Option<String>,
    /// End, likewise. Default: now
    #[schemars(schema_with = "time_schema")]
    pub(super) to: Option<String>,
    /// Length of the stretches. Default: hour
    #[schemars(extend("enum" = ["15m", "hour", "day", "all"]))]
    pub(super) by: Option<String>,
    /// A zone's name, or a line and direction as door:forward. Default: the whole picture
    pub(super) zone: Option<String>,
}

/// The last second of the year 9999, with a day to spare for zones.
const LAST_SECOND: i64 = 253_402_207_200;

/// A time in a query.
pub(super) fn time_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "anyOf": [
            { "type": "string", "format": "date-time" },
            { "type": "integer", "minimum": 0, "maximum": LAST_SECOND },
        ],
    })
}

/// People by state
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[schemars(rename = "People")]
pub(super) struct ByState {
    /// With a mask over nose and mouth
    mask: u64,
    /// With a badly worn mask
    incorrect: u64,
    /// Without
    no_mask: u64,
    /// Not to be told; never part of a ratio
    unknown: u64,
}

/// People, and the share of them with a mask
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
pub(super) struct Share {
    /// mask / (mask + incorrect + no_mask); null for too few people
    #[schemars(range(min = 0.0, max = 1.0))]
    ratio: Option<f64>,
    /// Wilson's interval of 95 %: the ratio is in it
    interval_95: Option<(f64, f64)>,
    /// The people
    people: ByState,
}

/// The share in a stretch of time
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(super) struct StretchView {
    /// Beginning
    #[schemars(extend("format" = "date-time"))]
    from: String,
    /// End
    #[schemars(extend("format" = "date-time"))]
    to: String,
    #[serde(flatten)]
    share: Share,
}

/// The share in a sliding window
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Window {
    #[serde(flatten)]
    share: Share,
    /// Length of the window, in seconds
    window_s: u64,
    /// Steps in which it moves on, in seconds
    bucket_s: u64,
    /// People with a known state below which there is no ratio
    min_people: u64,
}

/// A zone, or a direction of a line
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ZoneView {
    /// Name, and for a line its direction, as door:forward
    name: String,
    /// Since the start
    people: ByState,
    /// The sliding window
    compliance: Share,
}

/// People of one camera by time
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct CameraPeople {
    camera: String,
    /// Empty: the whole picture
    zone: String,
    /// Length of the stretches
    by: &'static str,
    /// People with a known state below which there is no ratio
    min_people: u64,
    /// Beginning of the first stretch
    #[schemars(extend("format" = "date-time"))]
    from: Option<String>,
    /// End of the last stretch
    #[schemars(extend("format" = "date-time"))]
    to: Option<String>,
    /// Of what was before nothing is kept
    #[schemars(extend("format" = "date-time"))]
    kept_from: String,
    /// Whether a part of the time that was asked for is left out, because nothing of it is kept
    clamped: bool,
    /// All of the time
    whole: Option<StretchView>,
    /// In order of time
    stretches: Vec<StretchView>,
}

/// A question that was understood.
#[derive(Debug, PartialEq)]
pub(super) struct Question {
    pub(super) from: Duration,
    pub(super) to: Duration,
    pub(super) by: &'static str,
    pub(super) step: Duration,
    pub(super) zone: String,
}

impl Question {
    /// `now` since the Unix epoch.
    pub(super) fn of(query: &Query, now: Duration) -> Result<Self, String> {
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
            "all" => ("all", WHOLE),
            other => return Err(format!("by={other} is not a choice (15m, hour, day or all)")),
        };
        Ok(Self { from, to, by, step, zone: query.zone.clone().unwrap_or_default() })
    }

    /// The part of it that there may be people of; `kept`: of when anything is.
    pub(super) fn within(&self, kept: &Range<Duration>) -> (Duration, Duration) {
        (self.from.clamp(kept.start, kept.end), self.to.clamp(kept.start, kept.end))
    }
}

/// A time out of a query.
pub(super) fn time(key: &str, text: &str) -> Result<Duration, String> {
    // A `+` that was not escaped arrives as a space.
    let text = text.trim().replace(' ', "+");
    if let Ok(seconds) = text.parse::<u64>()
        && i64::try_from(seconds).is_ok_and(|seconds| Timestamp::from_second(seconds).is_ok())
    {
        return Ok(Duration::from_secs(seconds));
    }
    // What was before 1970 is not known of either way.
    let parsed = text.parse::<Timestamp>().ok().map(|time| u64::try_from(time.as_millisecond()).unwrap_or(0));
    parsed.map(Duration::from_millis).ok_or_else(|| {
        format!("{key}={text} is no time (such as 2026-11-24T08:00:00+01:00, 2026-11-24T08:00:00Z or Unix seconds)")
    })
}

/// All of a question's time in one stretch.
pub(super) const WHOLE: Duration = Duration::from_secs(u64::MAX / 2);

/// Since the Unix epoch.
/// The answer to a query about one camera.
///
/// # Errors
/// What is wrong with the query.
pub(super) fn history(entry: &Entry, state: &State, query: &Query) -> Result<CameraPeople, Problem> {
    let question = Question::of(query, state.people.now()).map_err(Problem::bad)?;
    let zones = entry.metrics.zones();
    if question.zone != WHOLE_PICTURE && !zones.contains(&question.zone) {
        let known = if zones.is_empty() { "none".to_owned() } else { zones.join(", ") };
        return Err(Problem::bad(format!("zone={} is no zone of this camera (it has: {known})", question.zone)));
    }
    let name = &entry.plan.name;
    let kept = state.people.extent(name, &question.zone);
    let (from, to) = question.within(&kept);
    let ask = |to, step| state.people.history(name, &question.zone, (from, to), step);
    let stretches = ask(to, question.step);
    let end = stretches.last().map(|last| last.to);
    let whole = end.and_then(|end| ask(end, WHOLE).first().copied());
    Ok(CameraPeople {
        camera: name.clone(),
        min_people: state.people.plan().min_people,
        from: stretches.first().map(|first| timestamp(first.from)),
        to: end.map(timestamp),
        kept_from: timestamp(kept.start),
        clamped: question.from < from || question.to > end.unwrap_or_default(),
        whole: whole.as_ref().map(StretchView::of),
        stretches: stretches.iter().map(StretchView::of).collect(),
        by: question.by,
        zone: question.zone,
    })
}

/// RFC 3339 in UTC, seconds.
fn timestamp(time: Duration) -> String {
    humantime::format_rfc3339_seconds(UNIX_EPOCH + time).to_string()
}

impl StretchView {
    pub(super) fn of(stretch: &Stretch) -> Self {
        Self { from: timestamp(stretch.from), to: timestamp(stretch.to), share: Share::of(&stretch.figure) }
    }
}

impl Share {
    /// A share with its people.
    pub(super) fn of(figure: &Figure) -> Self {
        Self { ratio: figure.ratio, interval_95: figure.interval, people: figure.counts.into() }
    }
}

impl Window {
    pub(super) fn ratio(&self) -> Option<f64> {
        self.share.ratio
    }
}

/// The sliding window of a camera as a whole.
pub(super) fn compliance(entry: &Entry, state: &State) -> Window {
    let plan = state.people.plan();
    Window {
        share: Share::of(&state.people.figure(&entry.plan.name, WHOLE_PICTURE)),
        window_s: plan.window.as_secs(),
        bucket_s: plan.bucket.as_secs(),
        min_people: plan.min_people,
    }
}

/// Each zone and each direction of a line: people since the start, and the sliding window.
pub(super) fn zones(entry: &Entry, state: &State) -> Vec<ZoneView> {
    let zone = |(name, people): (String, [u64; MaskState::ALL.len()])| {
        let compliance = Share::of(&state.people.figure(&entry.plan.name, &name));
        ZoneView { name, people: ByState::of(people), compliance }
    };
    entry.metrics.people_by_zone().into_iter().map(zone).collect()
}

impl ByState {
    pub(super) fn of(people: [u64; MaskState::ALL.len()]) -> Self {
        let [mask, incorrect, no_mask, unknown] =
            [MaskState::Mask, MaskState::Incorrect, MaskState::NoMask, MaskState::Unknown]
                .map(|state| people[state as usize]);
        Self { mask, incorrect, no_mask, unknown }
    }
}

impl From<Counts> for ByState {
    fn from(counts: Counts) -> Self {
        let Counts { mask, incorrect, no_mask, unknown } = counts;
        Self { mask, incorrect, no_mask, unknown }
    }
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
        assert_eq!(question("1969-01-01T00:00:00Z", "", None).unwrap().from, Duration::ZERO, "all that there is");
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
            ("1960-01-01T00:00:00Z", "1969-01-01T00:00:00Z", None, "before"),
            ("", "", Some("week"), "15m, hour, day or all"),
        ] {
            let error = question(from, to, by).unwrap_err();
            assert!(error.contains(said), "{error}");
        }
    }
}
