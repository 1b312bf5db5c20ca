//! Who may come in at the streams, and what they see there.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tracing_mutex::parking_lot::RwLock;

use super::MOSAIC;
use super::credentials::{Given, Offer};
use super::visits::Stranger;
use crate::access::{Access, Caller, Grant, Refusal, Role, Shown, StreamLogin};
use crate::config::plan::Credentials;

/// Logins at a time: each holds up the clients that share its thread while a password is hashed. Some threads stay free.
const LOGINS: usize = 6;

/// Labels of a camera.
type Labels = BTreeMap<String, String>;

/// Why somebody does not come in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// They have to show who they are, in one of these ways.
    Asked(Vec<String>),
    /// They have come in, and may see no stream.
    Forbidden,
    /// Nothing is looked at for so long.
    Later(Duration),
}

/// The doors of the streams.
pub(super) struct Doors {
    access: Arc<Access>,
    login: RwLock<Option<Arc<StreamLogin>>>,
    labels: RwLock<BTreeMap<String, Labels>>,
    encrypted: bool,
    logins: AtomicUsize,
}

impl Doors {
    /// `login`: of the streams themselves. `encrypted`: all connections are.
    pub(super) fn new(access: Arc<Access>, login: Option<&Credentials>, encrypted: bool) -> Self {
        let login = RwLock::new(login.map(|login| Arc::new(StreamLogin::of(login))));
        Self { access, login, labels: RwLock::default(), encrypted, logins: AtomicUsize::new(0) }
    }

    /// Another login of the streams themselves. Who came in by the one of before stands no longer.
    pub(super) fn set_login(&self, login: Option<&Credentials>) {
        let login = login.map(|login| Arc::new(StreamLogin::of(login)));
        *self.login.write() = login;
    }

    /// A camera has these labels; `None`: it is gone.
    pub(super) fn label(&self, camera: &str, labels: Option<Labels>) {
        let mut known = self.labels.write();
        match labels {
            Some(labels) => known.insert(camera.to_owned(), labels),
            None => known.remove(camera),
        };
    }

    fn login(&self) -> Option<Arc<StreamLogin>> {
        self.login.read().clone()
    }

    fn offer(&self, from: IpAddr) -> Offer {
        Offer::of(self.access.has_users(), self.encrypted || from.is_loopback())
    }

    /// Whether clients from there are asked for Digest.
    pub(super) fn ask_for_digest(&self, from: IpAddr) -> bool {
        (self.login().is_some() || self.access.has_users()) && self.offer(from).digest
    }

    /// Who it is that shows this.
    pub(super) fn admit(&self, stranger: &Stranger, given: &Given) -> Result<Caller, Refused> {
        let own = self.login();
        if own.is_none() && !self.access.has_users() {
            return Ok(Caller::anybody());
        }
        let offer = self.offer(stranger.from);
        let asked = |stale| Refused::Asked(offer.challenges(&stranger.nonce, stale));
        if !offer.takes(given) {
            return Err(asked(false));
        }
        let looked = match given {
            Given::Basic(name, password) => {
                let _place = Place::of(&self.logins).ok_or(Refused::Later(Duration::ZERO))?;
                let shown = Shown::Password { name, password: &password.0 };
                self.access.viewer(stranger.from, own.as_deref(), &shown)
            }
            // To another challenge: of a connection of before, for example. It tells nothing about the password.
            Given::Digest(answer) if answer.nonce != stranger.nonce => return Err(asked(true)),
            Given::Digest(answer) => {
                let shown = Shown::Digest { name: &answer.username, fits: &|form| answer.fits(form) };
                self.access.viewer(stranger.from, own.as_deref(), &shown)
            }
            Given::Nothing | Given::Odd => return Err(asked(false)),
        };
        let caller = looked.map_err(|refusal| match refusal {
            Refusal::Wrong | Refusal::Expired => asked(false),
            Refusal::Slowed(left) => Refused::Later(left),
        })?;
        if caller.grant().role.covers(Role::Viewer) { Ok(caller) } else { Err(Refused::Forbidden) }
    }

    /// Whether somebody sees a stream. What is not there is for others to say.
    pub(super) fn sees(&self, caller: &Caller, mount: &str) -> bool {
        let labels = self.labels.read();
        sees(caller.grant(), mount, labels.get(mount))
    }

    /// Whether somebody who came in is still who they were.
    pub(super) fn stands(&self, caller: &Caller) -> bool {
        self.access.still_views(caller, self.login().as_deref())
    }
}

/// `labels`: of the camera, where the stream is one's.
fn sees(grant: &Grant, mount: &str, labels: Option<&Labels>) -> bool {
    let scope = &grant.scope;
    // As on the page: the mosaic is of all cameras, whichever come tomorrow.
    let admitted = if mount == MOSAIC { false } else { labels.is_some_and(|labels| scope.admits(labels)) };
    grant.role.covers(Role::Viewer) && (scope.is_whole() || admitted)
}

/// One of the logins that may be looked at at a time.
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn of(taken: &'a AtomicUsize) -> Option<Self> {
        let more = |taken: usize| (taken < LOGINS).then_some(taken + 1);
        taken.fetch_update(Ordering::AcqRel, Ordering::Acquire, more).ok().map(|_| Self(taken))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::access::Scope;
    use crate::config::plan::AccessPlan;
    use crate::config::secret::Secret;
    use crate::metrics::Metrics;

    fn labels() -> impl Strategy<Value = Labels> {
        proptest::collection::btree_map("[ab]", "[xy]", 0..3)
    }

    proptest! {
        #[test]
        fn a_viewer_sees_what_all_their_labels_are_on(limit in labels(), camera in labels(), known in any::<bool>()) {
            for role in Role::ALL {
                let grant = Grant { role, scope: Scope::of(limit.clone()) };
                let seen = sees(&grant, "gate", known.then_some(&camera));
                let admitted = limit.is_empty() || known && limit.iter().all(|(key, value)| camera.get(key) == Some(value));
                prop_assert_eq!(seen, role != Role::Metrics && admitted);
                prop_assert_eq!(sees(&grant, MOSAIC, None), role != Role::Metrics && limit.is_empty());
                // Nobody can call a camera so that the mosaic is seen by its labels.
                prop_assert_eq!(sees(&grant, MOSAIC, Some(&limit)), role != Role::Metrics && limit.is_empty());
            }
        }
    }

    fn stranger(nonce: &str) -> Stranger {
        Stranger { from: IpAddr::from([10, 0, 0, 1]), nonce: nonce.to_owned() }
    }

    #[test]
    fn a_login_is_asked_for_where_there_is_one() {
        let access = Access::start(&AccessPlan::default(), None, None, &Metrics::new().unwrap()).unwrap();
        let open = Doors::new(Arc::clone(&access), None, false);
        assert_eq!(open.admit(&stranger("1"), &Given::Nothing), Ok(Caller::anybody()));
        let login = Credentials { username: "ops".into(), password: Secret::new("pa55") };
        let doors = Doors::new(access, Some(&login), false);
        let asked = doors.admit(&stranger("1"), &Given::Nothing).unwrap_err();
        let Refused::Asked(ways) = &asked else { panic!("{asked:?}") };
        assert!(ways.len() == 2 && ways[1].contains("nonce=\"1\"") && !ways[1].contains("stale"), "{ways:?}");
        let basic = |text: &str| Given::basic(&base64::Engine::encode(&base64::prelude::BASE64_STANDARD, text));
        let ops = doors.admit(&stranger("1"), &basic("ops:pa55")).unwrap();
        assert!(doors.stands(&ops) && doors.sees(&ops, "gate") && doors.sees(&ops, MOSAIC));
        assert_eq!(doors.admit(&stranger("1"), &basic("ops:other")), Err(asked));
        let other = Credentials { password: Secret::new("other"), ..login };
        doors.set_login(Some(&other));
        assert!(!doors.stands(&ops) && doors.admit(&stranger("1"), &basic("ops:other")).is_ok());
        // An answer to a challenge of elsewhere is asked for again, and is no wrong login.
        let stale = "Digest username=\"ops\", nonce=\"0\", uri=\"/\", response=\"ff\"";
        for _ in 0..10 {
            let refused = doors.admit(&stranger("1"), &Given::digest(stale)).unwrap_err();
            let Refused::Asked(ways) = &refused else { panic!("{refused:?}") };
            assert!(ways[1].contains("stale"), "{ways:?}");
        }
        assert!(doors.admit(&stranger("1"), &basic("ops:other")).is_ok());
    }

    #[test]
    fn few_logins_are_looked_at_at_a_time() {
        let taken = AtomicUsize::new(0);
        let places: Vec<_> = (0..LOGINS).map(|_| Place::of(&taken).unwrap()).collect();
        assert!(Place::of(&taken).is_none());
        drop(places);
        assert!(Place::of(&taken).is_some());
    }
}
