//! Tables of cases: each row a camera, what the configuration says of it, and how the program has to fare.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use maskwatch::camera::StatusView;
use maskwatch::config::plan::{CameraPlan, Credentials};
use maskwatch::config::secret::Secret;
use maskwatch::metrics::DisconnectReason;

use super::books::{self, balance};
use super::journal::Journal;
use super::net::pause;
use super::{http, rtsp};
use crate::rig::{Rig, plan};
use crate::support::complaints;

/// Rows that run at once, for each core: they wait, mostly.
const AT_ONCE: usize = 10;
/// How often a running row is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(25);
/// Longest time for which a row may do nothing that counts, beyond what its camera takes.
const PATIENCE: Duration = Duration::from_secs(30);
/// After the last picture was sent, none came out for so long: no more will.
const SETTLED: Duration = Duration::from_millis(1500);
/// A camera of the table is given up when it is silent for so long: longer than what settles a row.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How long a failed camera is watched: whether it stays so, and how often it is asked.
const WATCHED: Duration = Duration::from_secs(4);
/// Pictures that a decoder may still hold when the last was sent, besides those that wait for their order.
const HELD: u64 = 2;

/// One case.
pub struct Row {
    name: &'static str,
    subject: Subject,
    path: &'static str,
    plan: fn(CameraPlan) -> CameraPlan,
    expect: Expect,
    size: Option<(u32, u32)>,
    least: u64,
    watched: Duration,
    also: fn(&Journal) -> Result<(), String>,
}

/// The camera of a row.
#[derive(Clone)]
enum Subject {
    Rtsp(Box<rtsp::options::Options>),
    Http(http::options::Options),
}

/// What has to be seen.
#[derive(Clone, Copy, Debug)]
pub enum Expect {
    /// This share of the pictures that are whole comes out, and it falls so often at most.
    Plays { share: f64, falls: u64 },
    /// It falls for this reason, and is up again.
    Returns { reason: DisconnectReason },
    /// It never comes up; the reason, where there is one right word, and what the message says, in lower case.
    Fails { reason: Option<DisconnectReason>, says: &'static str, logins: Option<u64> },
}

/// A row with an RTSP camera. Until told otherwise, all of its pictures have to come out of one connection.
pub fn rtsp(name: &'static str, options: rtsp::options::Options) -> Row {
    Row::new(name, Subject::Rtsp(Box::new(options)))
}

/// A row with an HTTP camera.
pub fn http(name: &'static str, options: http::options::Options) -> Row {
    Row::new(name, Subject::Http(options))
}

impl Row {
    fn new(name: &'static str, subject: Subject) -> Self {
        let expect = Expect::Plays { share: 1.0, falls: 0 };
        Self {
            name,
            subject,
            path: "/stream",
            plan: |plan| plan,
            expect,
            size: None,
            least: 0,
            watched: WATCHED,
            also: |_| Ok(()),
        }
    }

    /// What stands in the configuration besides URL and login.
    pub fn plan(self, plan: fn(CameraPlan) -> CameraPlan) -> Self {
        Self { plan, ..self }
    }

    /// Path and query of the URL.
    pub fn path(self, path: &'static str) -> Self {
        Self { path, ..self }
    }

    /// Less than all of its whole pictures has to come out.
    pub fn plays(self, share: f64) -> Self {
        Self { expect: Expect::Plays { share, falls: 0 }, ..self }
    }

    /// All pictures but those that fall into so many reconnects.
    pub fn settles(self, falls: u64) -> Self {
        Self { expect: Expect::Plays { share: 0.8, falls }, ..self }
    }

    pub fn returns(self, reason: DisconnectReason) -> Self {
        Self { expect: Expect::Returns { reason }, ..self }
    }

    pub fn fails(self, reason: DisconnectReason, says: &'static str) -> Self {
        Self { expect: Expect::Fails { reason: Some(reason), says, logins: None }, ..self }
    }

    /// For failures that no reason of the list names well.
    pub fn fails_saying(self, says: &'static str) -> Self {
        Self { expect: Expect::Fails { reason: None, says, logins: None }, ..self }
    }

    /// A password that is refused is sent so often, and no more.
    pub fn refused_after(self, logins: u64) -> Self {
        let expect = Expect::Fails { reason: Some(DisconnectReason::Auth), says: "password", logins: Some(logins) };
        Self { expect, watched: Duration::from_secs(15), ..self }
    }

    /// So many pictures, whole or not.
    pub fn gives(self, least: u64) -> Self {
        Self { least, ..self }
    }

    /// The size of the last picture.
    pub fn shows(self, width: u32, height: u32) -> Self {
        Self { size: Some((width, height)), ..self }
    }

    /// Something more that the camera has to have been asked, or not.
    pub fn also(self, also: fn(&Journal) -> Result<(), String>) -> Self {
        Self { also, ..self }
    }

    fn run(&self) -> Outcome {
        match self.subject.clone() {
            Subject::Rtsp(options) => {
                let camera = rtsp::Camera::start(*options);
                self.run_on(&camera.url(self.path), camera.journal())
            }
            Subject::Http(options) => {
                let camera = http::Camera::start(options);
                self.run_on(&camera.url(self.path), camera.journal())
            }
        }
    }

    fn run_on(&self, url: &str, journal: &Arc<Journal>) -> Outcome {
        let mut plan = CameraPlan { timeout: TIMEOUT, ..plan("zoo", url) };
        if let Some(login) = self.subject.login() {
            let password = Secret::new(login.password);
            plan.credentials = Some(Credentials { username: login.user.into(), password });
        }
        let rig = Rig::start((self.plan)(plan));
        let begin = Instant::now();
        let fault = match self.expect {
            Expect::Plays { falls, .. } => self.play(&rig, journal, falls),
            Expect::Returns { .. } => wait(self.longest(), || rig.camera.status().view().connects >= 2).err(),
            Expect::Fails { .. } => {
                let fell = wait(self.longest(), || rig.camera.status().view().disconnects > 0);
                pause(if fell.is_ok() { self.watched } else { Duration::ZERO });
                fell.err()
            }
        };
        let seen = Seen {
            view: rig.camera.status().view(),
            came: rig.hub.published(),
            size: rig.size(),
            sent: journal.pictures(),
            whole: journal.whole(),
            logins: journal.refused(),
            took: begin.elapsed(),
        };
        let all = Arc::clone(&rig.all);
        let open = balance(&all);
        let stopped = catch_unwind(AssertUnwindSafe(|| rig.stop())).is_ok();
        let fault = fault
            .or_else(|| self.judge(&seen).err())
            .or_else(|| check(stopped, "its thread does not end").err())
            .or_else(|| open.err())
            .or_else(|| {
                balance(&all).and_then(|in_flight| check(in_flight == 0, "pictures are in flight for ever")).err()
            })
            .or_else(|| (self.also)(journal).err());
        let seen = format!("{seen} [{}]", books::shown(&all));
        Outcome { name: self.name, expect: self.expectation(), seen, fault, notes: journal.notes() }
    }

    /// Waits for the end of a connection's pictures, and until no more come out.
    fn play(&self, rig: &Rig, journal: &Journal, falls: u64) -> Option<String> {
        let fallen = || rig.camera.status().view().disconnects > falls;
        if let Err(fault) = wait(self.longest(), || fallen() || journal.held() > 0) {
            return Some(fault);
        }
        let (mut came, mut since) = (rig.hub.published(), Instant::now());
        while !fallen() && since.elapsed() < SETTLED {
            pause(LOOK_EVERY);
            let now = rig.hub.published();
            if now > came {
                (came, since) = (now, Instant::now());
            }
            if now == journal.pictures() {
                break;
            }
        }
        None
    }

    fn judge(&self, seen: &Seen) -> Result<(), String> {
        let failure = seen.view.failure.as_ref();
        let text = failure.map(ToString::to_string).unwrap_or_default().to_lowercase();
        match self.expect {
            Expect::Plays { share, falls } => {
                let least = ((seen.whole as f64 * share) as u64).saturating_sub(self.subject.held()).max(self.least);
                check(seen.view.disconnects <= falls, "it falls")?;
                check(seen.view.connects > 0, "it is never up")?;
                check(seen.came >= least, &format!("at least {least} pictures were due"))?;
                check(seen.came <= seen.sent, "more pictures come out than were sent")?;
                check(seen.logins == 0, "a right password is sent wrongly")?;
            }
            Expect::Returns { .. } => check(seen.view.disconnects >= 1, "it does not fall")?,
            Expect::Fails { reason, says, logins } => {
                check(seen.view.connects == 0, "it comes up")?;
                check(failure.is_some(), "it does not fail")?;
                check(reason.is_none() || failure.map(|f| f.reason) == reason, "the reason is another")?;
                check(text.contains(says), &format!("the message does not say `{says}`"))?;
                check(text.contains('('), "the message has no hint")?;
                check(logins.is_none_or(|most| seen.logins == most), &format!("wanted {logins:?} logins"))?;
            }
        }
        check(self.size.is_none_or(|size| seen.size == Some(size)), "the picture's size is another")
    }

    /// How long it may take at most.
    fn longest(&self) -> Duration {
        PATIENCE + self.subject.length() * if matches!(self.expect, Expect::Returns { .. }) { 2 } else { 1 }
    }

    fn expectation(&self) -> String {
        match self.expect {
            Expect::Plays { share, falls: 0 } => format!("plays {:.0} %", share * 100.0),
            Expect::Plays { falls, .. } => format!("plays after {falls} falls at most"),
            Expect::Returns { reason } => format!("falls ({}) and returns", reason.as_str()),
            Expect::Fails { reason, says, logins } => {
                let reason = reason.map_or("fails", DisconnectReason::as_str);
                let logins = logins.map(|count| format!(", {count} login")).unwrap_or_default();
                format!("{reason}: says `{says}`{logins}")
            }
        }
    }
}

impl Subject {
    fn login(&self) -> Option<&super::auth::Login> {
        match self {
            Self::Rtsp(options) => options.login.as_ref(),
            Self::Http(options) => options.login.as_ref(),
        }
    }

    /// How long its pictures take, thinking included.
    fn length(&self) -> Duration {
        match self {
            Self::Rtsp(options) => {
                let slow = options.answers.slow.map_or(Duration::ZERO, |(_, time)| time);
                Duration::from_secs(options.flow.pictures / u64::from(options.recipe.fps)) + slow
            }
            Self::Http(options) => Duration::from_secs(options.pictures / u64::from(options.fps)),
        }
    }

    /// Pictures that are still in a decoder at the end.
    fn held(&self) -> u64 {
        match self {
            Self::Rtsp(options) if options.recipe.bframes > 0 => HELD + u64::from(options.recipe.bframes),
            _ => HELD,
        }
    }
}

/// What was seen of a row.
struct Seen {
    view: StatusView,
    came: u64,
    sent: u64,
    whole: u64,
    size: Option<(u32, u32)>,
    logins: u64,
    took: Duration,
}

impl std::fmt::Display for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let StatusView { state, connects, disconnects, failure, .. } = &self.view;
        write!(
            f,
            "{}, {} of {} pictures, {connects} connects, {disconnects} falls",
            state.as_str(),
            self.came,
            self.sent
        )?;
        if self.whole < self.sent {
            write!(f, " ({} of them whole)", self.whole)?;
        }
        if let Some((width, height)) = self.size {
            write!(f, ", {width}x{height}")?;
        }
        if self.logins > 0 {
            write!(f, ", {} wrong logins", self.logins)?;
        }
        if let Some(failure) = failure {
            write!(f, ", {}: {failure}", failure.reason.as_str())?;
        }
        write!(f, " [{:.1} s]", self.took.as_secs_f64())
    }
}

struct Outcome {
    name: &'static str,
    expect: String,
    seen: String,
    fault: Option<String>,
    notes: Vec<String>,
}

/// Runs all rows, many at once, or those of which `ZOO` holds a part of the name; fails with all that failed.
#[track_caller]
pub fn run(rows: Vec<Row>) {
    let wanted = std::env::var("ZOO").unwrap_or_default();
    complaints::are_kept();
    let rows: VecDeque<Row> = rows.into_iter().filter(|row| row.name.contains(&wanted)).collect();
    let names: std::collections::BTreeSet<_> = rows.iter().map(|row| row.name).collect();
    assert_eq!(names.len(), rows.len(), "names of rows are unique");
    let workers = (AT_ONCE * std::thread::available_parallelism().map_or(2, usize::from)).min(rows.len());
    let (left, outcomes) = (Mutex::new(rows), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let Some(row) = left.lock().unwrap().pop_front() else { return };
                    let outcome = catch_unwind(AssertUnwindSafe(|| row.run())).unwrap_or_else(|_| Outcome {
                        name: row.name,
                        expect: row.expectation(),
                        seen: "a panic".into(),
                        fault: Some("it panicked, see above".into()),
                        notes: Vec::new(),
                    });
                    println!("| {} | {} | {} |", outcome.name, outcome.expect, outcome.line());
                    outcomes.lock().unwrap().push(outcome);
                }
            });
        }
    });
    let outcomes = outcomes.into_inner().unwrap();
    let failed: Vec<String> = outcomes.iter().filter(|outcome| outcome.fault.is_some()).map(Outcome::report).collect();
    let complaints = complaints::kept();
    assert!(failed.is_empty(), "{} of {} rows fail:\n{}", failed.len(), outcomes.len(), failed.join("\n"));
    assert!(complaints.is_empty(), "GLib complains in one of the rows: {complaints:?}");
}

impl Outcome {
    fn line(&self) -> String {
        self.fault.as_ref().map_or_else(|| format!("ok: {}", self.seen), |fault| format!("**{fault}**: {}", self.seen))
    }

    fn report(&self) -> String {
        let notes: String = self.notes.iter().take(12).map(|note| format!("\n      {note}")).collect();
        format!("  {} (wanted: {}): {}{notes}", self.name, self.expect, self.line())
    }
}

fn check(holds: bool, otherwise: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise.to_owned()) }
}

pub fn wait(longest: Duration, mut holds: impl FnMut() -> bool) -> Result<(), String> {
    let end = Instant::now() + longest;
    while !holds() {
        if Instant::now() > end {
            return Err(format!("nothing of that within {} s", longest.as_secs()));
        }
        pause(LOOK_EVERY);
    }
    Ok(())
}
