//! People of all cameras together, or of some of them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::{Extension, Json};
use maskwatch_vision::compliance::Counts;
use maskwatch_vision::zone::WHOLE_PICTURE;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Shared;
use super::State;
use super::ask::Query;
use super::cameras;
use super::people::{self, Question, Share, StretchView, WHOLE, time_schema};
use super::problem::Problem;
use crate::access::Caller;
use crate::people::Stretch;
use crate::roster::Entry;

/// Whose people, and when
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Which {
    /// Beginning: RFC 3339, or seconds since 1970. Default: a day before the end
    #[schemars(schema_with = "time_schema")]
    from: Option<String>,
    /// End, likewise. Default: now
    #[schemars(schema_with = "time_schema")]
    to: Option<String>,
    /// Length of the stretches. Default: hour
    #[schemars(extend("enum" = ["15m", "hour", "day", "all"]))]
    by: Option<String>,
    /// Those of the zone with this name, on each camera that has it; or a line and direction as door:forward. Default:
    /// the whole pictures
    zone: Option<String>,
    /// Those of the cameras with this label, as site:mall-a
    #[schemars(regex(pattern = "^[A-Za-z_][A-Za-z0-9_]*:"))]
    label: Option<String>,
    /// Those of this camera
    camera: Option<String>,
}

/// People of several cameras by time. Somebody who passes two cameras is counted by each of them
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct PeopleTotals {
    /// Empty: the whole pictures
    zone: String,
    /// Length of the stretches
    by: &'static str,
    /// People with a known state below which there is no ratio
    min_people: u64,
    /// All of the time and all of these cameras
    whole: Option<StretchView>,
    /// All of these cameras, in order of time
    stretches: Vec<StretchView>,
    /// All of the time, of each camera
    cameras: Vec<CameraShare>,
}

/// The share of one camera
#[derive(Debug, Serialize, JsonSchema)]
struct CameraShare {
    camera: String,
    #[serde(flatten)]
    share: Share,
}

/// People and shares of them, summed over cameras.
pub(super) async fn people(
    state: Shared,
    Extension(caller): Extension<Caller>,
    Query(which): Query<Which>,
) -> Result<Json<PeopleTotals>, Problem> {
    let asked = people::Query { from: which.from, to: which.to, by: which.by, zone: which.zone };
    let question = Question::of(&asked, state.people.now()).map_err(Problem::bad)?;
    let label = which.label.as_deref().map(cameras::label).transpose()?;
    let mut entries = state.roster.all();
    entries.retain(|entry| caller.grant().scope.admits(&entry.plan.labels));
    if let Some(name) = &which.camera {
        entries.retain(|entry| entry.plan.name == *name);
        if entries.is_empty() {
            return Err(cameras::unknown());
        }
    }
    entries.retain(|entry| label.is_none_or(|label| cameras::has(&entry.plan.labels, label)));
    let entries = with_zone(entries, &question.zone)?;
    let ask = |entry: &Entry, step: Duration| {
        let name = &entry.plan.name;
        let span = question.within(&state.people.extent(name, &question.zone));
        state.people.history(name, &question.zone, span, step)
    };
    let all: Vec<Vec<Stretch>> = entries.iter().map(|entry| ask(entry, question.step)).collect();
    let wholes: Vec<Vec<Stretch>> = entries.iter().map(|entry| ask(entry, WHOLE)).collect();
    let cameras = entries.iter().zip(&wholes).filter_map(|(entry, whole)| {
        Some(CameraShare { camera: entry.plan.name.clone(), share: Share::of(&whole.first()?.figure) })
    });
    Ok(Json(PeopleTotals {
        min_people: state.people.plan().min_people,
        cameras: cameras.collect(),
        stretches: views(&state, sums(&all)),
        whole: views(&state, sums(&wholes)).pop(),
        by: question.by,
        zone: question.zone,
    }))
}

/// Those that have the zone. A name that none of them has was misspelt.
fn with_zone(mut entries: Vec<Arc<Entry>>, zone: &str) -> Result<Vec<Arc<Entry>>, Problem> {
    if zone == WHOLE_PICTURE {
        return Ok(entries);
    }
    let some = !entries.is_empty();
    entries.retain(|entry| entry.metrics.zones().iter().any(|own| own == zone));
    if some && entries.is_empty() {
        return Err(Problem::bad(format!("zone={zone} is no zone of these cameras")));
    }
    Ok(entries)
}

/// Stretches that begin at the same time as one, in order of time.
fn sums(all: &[Vec<Stretch>]) -> Vec<(Duration, Duration, Counts)> {
    let mut sums: BTreeMap<Duration, (Duration, Counts)> = BTreeMap::new();
    for stretch in all.iter().flatten() {
        let (to, counts) = sums.entry(stretch.from).or_insert((stretch.to, Counts::default()));
        *to = stretch.to.max(*to);
        *counts += stretch.figure.counts;
    }
    sums.into_iter().map(|(from, (to, counts))| (from, to, counts)).collect()
}

fn views(state: &State, sums: Vec<(Duration, Duration, Counts)>) -> Vec<StretchView> {
    let view = |(from, to, counts)| StretchView::of(&Stretch { from, to, figure: state.people.share(counts) });
    sums.into_iter().map(view).collect()
}

#[cfg(test)]
mod tests {
    use maskwatch_vision::compliance::Figure;

    use super::*;

    fn stretch(from: u64, mask: u64, unknown: u64) -> Stretch {
        let counts = Counts { mask, unknown, ..Counts::default() };
        let figure = Figure { counts, ..Figure::default() };
        Stretch { from: Duration::from_secs(from), to: Duration::from_secs(from + 900), figure }
    }

    #[test]
    fn people_of_the_same_time_add_up() {
        let all = [vec![stretch(0, 1, 2), stretch(900, 3, 0)], vec![stretch(0, 10, 0)], Vec::new()];
        let told: Vec<(u64, u64, u64)> =
            sums(&all).into_iter().map(|(from, _, counts)| (from.as_secs(), counts.mask, counts.unknown)).collect();
        assert_eq!(told, [(0, 11, 2), (900, 3, 0)]);
    }
}
