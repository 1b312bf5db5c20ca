//! Who did what: lines of the log with the target `maskwatch::audit`, and the latest of them for the API.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use serde::Serialize;

/// Entries that are kept for the API; the log has them all.
const KEPT: usize = 1000;

/// Something that somebody did.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Deed {
    /// When.
    #[serde(serialize_with = "stamp")]
    pub time: SystemTime,
    /// What, in one word or two with a dot: `login.ok`, `user.changed`.
    pub what: &'static str,
    /// A user, or a token as `token:NAME`; `None` where nobody is known by that name.
    pub who: Option<String>,
    /// The address that it came from.
    pub from: Option<String>,
    /// More, for people.
    pub detail: String,
}

impl Deed {
    /// By somebody, from somewhere.
    pub fn new(what: &'static str, who: Option<&str>, from: Option<std::net::IpAddr>, detail: &str) -> Self {
        let (who, from) = (who.map(str::to_owned), from.map(|from| from.to_canonical().to_string()));
        Self { time: SystemTime::now(), what, who, from, detail: detail.to_owned() }
    }
}

fn stamp<S: serde::Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&humantime::format_rfc3339_millis(*time))
}

/// The latest deeds.
#[derive(Default)]
pub struct Audit(Mutex<VecDeque<Deed>>);

impl Audit {
    /// Notes one, here and in the log.
    pub fn note(&self, deed: Deed) {
        let (who, from) = (deed.who.as_deref().unwrap_or("-"), deed.from.as_deref().unwrap_or("-"));
        tracing::info!(target: "maskwatch::audit", what = deed.what, who, from, "{}", deed.detail);
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back(deed);
    }

    /// The latest ones, newest first.
    pub fn latest(&self, most: usize) -> Vec<Deed> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().rev().take(most).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_deeds_are_kept_newest_first() {
        let audit = Audit::default();
        for n in 0..KEPT + 10 {
            audit.note(Deed::new("login.ok", Some("anna"), None, &n.to_string()));
        }
        let latest = audit.latest(usize::MAX);
        assert_eq!((latest.len(), latest[0].detail.as_str()), (KEPT, "1009"));
        assert_eq!(audit.latest(2).iter().map(|deed| deed.detail.as_str()).collect::<Vec<_>>(), ["1009", "1008"]);
    }
}
