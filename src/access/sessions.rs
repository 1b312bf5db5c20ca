//! Sessions of browsers: random ids, of which only the fingerprint is kept, in memory alone. Pure: times come in.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::token::{Fingerprint, Ticket};

/// A session ends when it was not used for so long.
const IDLE: Duration = Duration::from_secs(2 * 3600);
/// It ends after so long, whatever happens.
pub(crate) const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);
/// Most sessions; then the one that was used longest ago ends.
const MOST: usize = 2048;

/// Whose session it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    /// The user's name.
    pub(crate) name: String,
    /// Of the user as they were at the login: the session is void when that changes.
    pub(crate) fingerprint: Fingerprint,
}

struct Session {
    owner: Owner,
    begun: Instant,
    used: Instant,
}

impl Session {
    fn lives(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.used) < IDLE && now.saturating_duration_since(self.begun) < LONGEST
    }
}

/// All sessions.
#[derive(Default)]
pub(crate) struct Sessions(HashMap<Fingerprint, Session>);

impl Sessions {
    /// Begins one; the id is the cookie's value.
    pub(crate) fn begin(&mut self, now: Instant, owner: Owner) -> Ticket {
        if self.0.len() >= MOST {
            self.0.retain(|_, session| session.lives(now));
        }
        if self.0.len() >= MOST
            && let Some(oldest) = self.0.iter().min_by_key(|(_, session)| session.used).map(|(id, _)| *id)
        {
            self.0.remove(&oldest);
        }
        let id = Ticket::session();
        self.0.insert(id.fingerprint(), Session { owner, begun: now, used: now });
        id
    }

    /// Whose session that is; it counts as used now.
    pub(crate) fn owner(&mut self, now: Instant, id: Fingerprint) -> Option<Owner> {
        let session = self.0.get_mut(&id)?;
        if !session.lives(now) {
            self.0.remove(&id);
            return None;
        }
        session.used = now;
        Some(session.owner.clone())
    }

    /// Whether it goes on; that is no use of it.
    pub(crate) fn has(&self, now: Instant, id: Fingerprint) -> bool {
        self.0.get(&id).is_some_and(|session| session.lives(now))
    }

    /// Ends one.
    pub(crate) fn end(&mut self, id: Fingerprint) -> Option<Owner> {
        self.0.remove(&id).map(|session| session.owner)
    }

    /// Ends those whose owner is not who they were any more.
    pub(crate) fn retain(&mut self, stands: impl Fn(&Owner) -> bool) {
        self.0.retain(|_, session| stands(&session.owner));
    }
}

#[cfg(test)]
mod tests {
    use super::super::token::fingerprint;
    use super::*;

    fn owner(name: &str) -> Owner {
        Owner { name: name.to_owned(), fingerprint: fingerprint(name) }
    }

    #[test]
    fn a_session_ends_idle_late_or_by_its_owner() {
        let (begin, mut sessions) = (Instant::now(), Sessions::default());
        let id = sessions.begin(begin, owner("anna")).fingerprint();
        assert_eq!(sessions.owner(begin + IDLE / 2, id), Some(owner("anna")));
        assert!(sessions.has(begin + IDLE, id) && !sessions.has(begin + IDLE * 2, id), "a look is no use");
        assert_eq!(sessions.owner(begin + IDLE, id), Some(owner("anna")), "it was used meanwhile");
        assert_eq!(sessions.owner(begin + IDLE * 2, id), None);

        let id = sessions.begin(begin, owner("anna")).fingerprint();
        let mut now = begin;
        while now < begin + LONGEST - IDLE / 2 {
            now += IDLE / 2;
            let lives = now < begin + LONGEST;
            assert_eq!(sessions.owner(now, id).is_some(), lives);
        }
        assert_eq!(sessions.owner(begin + LONGEST, id), None, "however often it is used");

        let id = sessions.begin(begin, owner("anna")).fingerprint();
        assert_eq!(sessions.end(id), Some(owner("anna")));
        assert_eq!(sessions.owner(begin, id), None);
        let id = sessions.begin(begin, owner("anna")).fingerprint();
        sessions.retain(|owner| owner.name != "anna");
        assert_eq!(sessions.owner(begin, id), None);
        assert_eq!(sessions.owner(begin, fingerprint("")), None);
    }

    #[test]
    fn memory_is_bounded_and_the_oldest_gives_way() {
        let (begin, mut sessions) = (Instant::now(), Sessions::default());
        let ids: Vec<_> = (0..u32::try_from(MOST).unwrap() + 5)
            .map(|n| sessions.begin(begin + Duration::from_millis(n.into()), owner("anna")).fingerprint())
            .collect();
        assert_eq!(sessions.0.len(), MOST);
        let now = begin + Duration::from_secs(60);
        assert!(sessions.owner(now, ids[4]).is_none() && sessions.owner(now, ids[5]).is_some());
    }
}
